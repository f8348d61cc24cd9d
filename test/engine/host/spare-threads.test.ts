import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { LIMITS } from '../../../engine/base/limits.ts';
import { SpareThreads, startHostThreads } from '../../../engine/host/thread-hosts.ts';

const SETTINGS = {
  redisUrl: 'redis://127.0.0.1:1',
  namespace: 'spare',
  durability: 'process',
  variables: {},
} as const;
const REPORT_MS = 30_000;

void t.test('E10: threads that were kept ready become hosts like any other', async (test) => {
  const spares = new SpareThreads(SETTINGS, 2);
  test.teardown(() => spares.close());
  test.equal(spares.take(), null, 'none while the worker starts');
  await sleep(LIMITS.spareThreadsAfterMs + LIMITS.spareThreadsEveryMs + 1_000);

  const threads = startHostThreads('data:text/javascript,export default 1', SETTINGS, [0, 1], spares);
  test.equal(spares.take(), null, 'both were taken');
  const failures = await Promise.all(
    [...threads].map(([host, thread]) => {
      const failed = new Promise<string>((resolve) => {
        thread.port.listen((report) => resolve(JSON.stringify(report)));
        setTimeout(() => resolve('nothing'), REPORT_MS).unref();
      });
      const deployment = { job: 'none', token: '1:x', generation: 1, parallelism: 2, host, places: [0, 1] };
      // No such job: that a thread says so shows that it got the module, its place and the command behind them.
      thread.port.post({ kind: 'open', deployment: deployment as never });
      return failed;
    }),
  );
  for (const failure of failures) test.match(failure, /MR_CONFIG_INVALID.*has no job/);
  await Promise.all([...threads.values()].map((thread) => thread.end()));
  test.same(await Promise.all([...threads.values()].map(({ exited }) => exited)), [null, null]);
});
