import { fileURLToPath } from 'node:url';
import t from 'tap';
import { openRedisCheckpointStore, systemClock } from '#engine';
import counting, { Event } from '../../engine/host/counting-job.ts';
import { createJobBench, until } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openWorkers } from '../worker/worker-harness.ts';

t.setTimeout(60_000);
const server = await startRedis();
t.teardown(() => server.stop());
const COUNTING = fileURLToPath(new URL('../../engine/host/counting-job.ts', import.meta.url));
const FORKED = fileURLToPath(new URL('./forked-job.ts', import.meta.url));

void t.test('E8: checkpoints are inspected, compared and planned with from the shell', async (test) => {
  const { cli, log, namespace } = await openWorkers(test, server.url, 'inspected');
  const store = await openRedisCheckpointStore({
    url: server.url,
    namespace,
    clock: systemClock,
    durability: 'process',
  });
  test.teardown(() => store.close());
  const bench = createJobBench({ log });
  // One window of every key, which stays open.
  const events = (keys: number, n: number) =>
    Array.from({ length: keys }, (_, i) => ({ at: 9_500, key: `key-${i}`, n }));
  await bench.feed('events', Event, events(50, 1), { partitions: 4 });
  const handle = bench.run(counting.graph({ checkpointIntervalMs: 3_600_000 }), { store });
  const read = () => handle.status().sources.reduce((sum, { recordsRead }) => sum + recordsRead, 0);
  await until(() => read() === 50, 'all read');
  const first = await handle.savepoint();
  await bench.feed('events', Event, events(10, 5), { partitions: 4, producer: 'more' });
  await until(() => read() === 60, 'more read');
  const second = await handle.stop({ savepoint: true });
  test.ok(second !== null && second > first);

  const operators = await cli('inspect', 'counting', '--module', COUNTING, '--count');
  test.equal(operators.code, 0, operators.error);
  test.match(operators.out, new RegExp(`^savepoint ${second} of 'counting'\n`));
  test.match(operators.out, /\ntotals +window-aggregate .* 50 /);

  const listed = await cli(
    'inspect',
    'counting',
    '--module',
    COUNTING,
    '--operator',
    'totals',
    '--prefix',
    'key-1',
    '--json',
  );
  const keys = listed.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  test.equal(keys.length, 11, 'key-1 and key-10 to key-19');
  const one = ['inspect', 'counting', '--operator', 'totals', '--key', 'key-7'];
  const shown = await cli(...one, '--module', COUNTING, '--checkpoint', `${first}`, '--json');
  test.match(JSON.parse(shown.out), {
    key: { key: 'key-7' },
    state: { windows: [{ value: { count: 1, sum: 1 } }] },
  });
  const raw = await cli(...one);
  test.match(raw, { code: 0, out: /windows: /, error: /The code of job 'counting' is not at hand/ });
  test.match(await cli(...one.slice(0, -1), 'nobody', '--module', COUNTING), {
    code: 1,
    error: /Nothing is kept of key "nobody"/,
  });

  const diff = await cli(
    'diff',
    'counting',
    `${first}`,
    `${second}`,
    '--module',
    COUNTING,
    '--operator',
    'totals',
    '--json',
  );
  const [totals] = JSON.parse(diff.out) as [
    { added: number; removed: number; changed: number; examples: object[] },
  ];
  test.match(totals, { added: 0, removed: 0, changed: 10 }, 'ten keys had one more event');
  test.equal(totals.examples.length, 3);
  test.match(await cli('plan', COUNTING), {
    code: 0,
    out: /= totals \(window-aggregate\): matched.*Verdict: ok\n$/s,
  });
  test.match(await cli('plan', FORKED, '--from-job', 'counting', '--full'), { code: 0, out: /Verdict: ok/ });
  test.match(await cli('plan', FORKED), { code: 2, error: /Job 'any-name' has no checkpoint/ });
});
