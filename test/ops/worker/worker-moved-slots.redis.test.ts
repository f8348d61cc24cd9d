import { fileURLToPath } from 'node:url';
import t from 'tap';
import { until } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openWorkers } from './worker-harness.ts';

t.setTimeout(120_000);
const server = await startRedis();
t.teardown(() => server.stop());
const COUNTING = fileURLToPath(new URL('../../engine/host/counting-job.ts', import.meta.url));

void t.test('E10, JC4: slots leave a draining worker whose job another process coordinates', async (test) => {
  const workers = await openWorkers(test, server.url, 'moved');
  await workers.feed(0, 5_000);
  const coordinator = await workers.start('--job', COUNTING, '--slots', '1');
  await until(async () => (await workers.status()) !== null, 'it coordinates', 20_000);
  const leaving = await workers.start('--job', COUNTING, '--slots', '1');
  await workers.read(5_000);
  await workers.start('--job', COUNTING, '--slots', '1');
  leaving.kill('SIGTERM');
  test.equal(await leaving.ended, 0);
  await workers.read(5_000);
  const status = await workers.status();
  test.match(
    status?.rescales,
    [{ from: 2, to: 2, outcome: 'completed' }],
    'from a checkpoint, without a failure',
  );
  test.equal(status?.restarts, 0);
  test.ok((await workers.living()).every(({ pid }) => pid !== leaving.pid));
  coordinator.kill('SIGTERM');
});
