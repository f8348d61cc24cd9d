import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startRedis } from '../../support/redis-server.ts';
import { openWorkers } from './worker-harness.ts';

t.setTimeout(120_000);
const server = await startRedis();
t.teardown(() => server.stop());
const COUNTING = fileURLToPath(new URL('../../engine/host/counting-job.ts', import.meta.url));

void t.test(
  'E10, JC4: SIGTERM of a worker moves its slots, or its jobs, to others; nothing is lost or doubled',
  async (test) => {
    const workers = await openWorkers(test, server.url, 'drained');
    await workers.feed(0, 5_000);
    const first = await workers.start('--job', COUNTING, '--slots', '2');
    await workers.read(5_000);
    const second = await workers.start('--job', COUNTING, '--slots', '2');
    first.kill('SIGTERM');
    test.equal(await first.ended, 0, 'it ends in order');
    await workers.feed(10, 5_000);
    await workers.read(10_000);
    const status = await workers.status();
    test.equal(status?.restarts, 0, 'no attempt failed for it');
    test.equal((await workers.living()).length, 1);

    const third = await workers.start('--job', COUNTING, '--slots', '2');
    await workers.feed(20, 5_000);
    await workers.read(15_000);
    second.kill('SIGTERM');
    test.equal(await second.ended, 0);
    await workers.read(15_000);
    const stopped = await workers.cli('stop', 'counting', '--drain', '--json');
    test.equal(stopped.code, 0, stopped.error);
    test.equal(await workers.counted(), 15_000);
    third.kill('SIGTERM');
    test.equal(await third.ended, 0);
  },
);
