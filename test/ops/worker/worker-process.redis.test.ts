import { fileURLToPath } from 'node:url';
import t from 'tap';
import { systemClock } from '#engine';
import { until } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openWorkers } from './worker-harness.ts';

t.setTimeout(120_000);
const server = await startRedis();
t.teardown(() => server.stop());
const COUNTING = fileURLToPath(new URL('../../engine/host/counting-job.ts', import.meta.url));

void t.test(
  'a worker whose slots find no room waits to be told again, and then ends at once',
  async (test) => {
    const workers = await openWorkers(test, server.url, 'signals');
    await workers.feed(0, 1_000);
    await workers.start('--job', COUNTING, '--slots', '1');
    await until(async () => (await workers.status()) !== null, 'it coordinates', 20_000);
    const busy = await workers.start('--job', COUNTING, '--slots', '1');
    await workers.read(1_000);
    busy.kill('SIGTERM');
    await until(() => busy.output().includes('Stopping'), 'it has heard', 10_000);
    await until(async () => (await workers.living()).some(({ draining }) => draining), 'it drains', 10_000);
    await systemClock.sleep(600);
    test.match(await workers.status(), { state: 'running', generation: 1 }, 'the job runs on');
    busy.kill('SIGTERM');
    test.equal(await busy.ended, 1);
  },
);

void t.test('a worker that cannot run says why, with code 2', async (test) => {
  const workers = await openWorkers(test, server.url, 'refused');
  const cases = [
    [['--slots', '0'], 'MR_CONFIG_INVALID: --slots must be a whole number from 1 to 1024'],
    [['--durability', 'some'], 'MR_CONFIG_INVALID: --durability must be'],
    [['--job', '/nowhere/job.ts'], 'MR_CONFIG_INVALID: There is no job module /nowhere/job.ts'],
    [['--durability', 'disk'], 'MR_REDIS_UNSUPPORTED'],
    [['surplus'], "MR_CONFIG_INVALID: The command takes 0 arguments: 'surplus' is too much"],
  ] as const;
  const results = await Promise.all(cases.map(([args]) => workers.cli('worker', ...args)));
  for (const [i, [args, text]] of cases.entries()) {
    test.equal(results[i]?.code, 2, args.join(' '));
    test.match(results[i]?.error, text);
  }
});
