import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import {
  type JobHandle,
  openRedisCheckpointStore,
  openRedisPartitionLog,
  type PartitionLog,
  runJob,
  systemClock,
  systemRandom,
} from '#engine';
import { hostsInThreads } from '../../../engine/host/thread-hosts.ts';
import { createJobBench, until } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import job, { Event, Total } from './counting-job.ts';

const server = await startRedis();
t.teardown(() => server.stop());
const MODULE = new URL('./counting-job.ts', import.meta.url).href;
const KEYS = 50;

async function openBench(test: Test, namespace: string) {
  const shared = { url: server.url, namespace, clock: systemClock, durability: 'process' as const };
  const log = await openRedisPartitionLog(shared);
  const store = await openRedisCheckpointStore(shared);
  test.teardown(() => Promise.all([log.close(), store.close()]));
  const settings = { redisUrl: server.url, namespace, durability: 'process' as const, variables: {} };
  const run = (parallelism: number, threads: number) =>
    runJob(job.graph({ parallelism }), {
      namespace,
      redisUrl: server.url,
      log,
      store,
      clock: systemClock,
      random: systemRandom,
      uuid: () => randomUUID(),
      owner: 'test',
      openHosts: hostsInThreads(MODULE, settings, threads),
    });
  return { log, run, bench: createJobBench({ log }) };
}

/** `count` events from second `from` on, ten per second; every key gets the same share. */
const events = (from: number, count: number): Event[] =>
  Array.from({ length: count }, (_, i) => ({
    at: (from + Math.floor((i * 10) / count)) * 1_000 + (i % 1_000),
    key: `key-${i % KEYS}`,
    n: 1,
  }));

/** Records in windows and in the late stream; each is in one of the two. */
async function counted(log: PartitionLog): Promise<number> {
  const { read: readTopic } = createJobBench({ log });
  const rows = await readTopic('totals', Total);
  const late = await readTopic('late', Event);
  const seen = new Set(rows.map(({ key, at }) => `${key}@${at}`));
  if (seen.size !== rows.length) throw new Error(`${rows.length - seen.size} windows were given twice`);
  return rows.reduce((sum, row) => sum + row.count, late.length);
}

/** Records that the job has got past, as its hosts said last. */
const read = (handle: JobHandle) => handle.status().sources.reduce((sum, s) => sum + s.offset, 0);

void t.test('E10: a job on two threads counts every record once', async (test) => {
  const { log, run, bench } = await openBench(test, 'threads');
  await bench.feed('events', Event, events(0, 10_000), { partitions: 4 });
  const handle = run(2, 2);
  await until(() => handle.status().state === 'running', 'running').catch((error: unknown) => {
    test.comment(handle.status().failures);
    throw error;
  });
  await until(() => read(handle) === 10_000, 'all read');
  test.same(
    [...new Set(handle.status().subtasks.map(({ host }) => host))].toSorted((a, b) => a - b),
    [0, 1],
    'subtasks run on both',
  );
  await handle.stop({ drain: true });
  test.equal(handle.status().state, 'stopped');
  test.equal(await counted(log), 10_000);
});

void t.test('E10: a running job on threads is rescaled 1 → 4 → 2; every record counts once', async (test) => {
  const { log, run, bench } = await openBench(test, 'rescaled');
  await bench.feed('events', Event, events(0, 5_000), { partitions: 4 });
  const handle = run(1, 4);
  await until(() => read(handle) === 5_000, 'first part read');
  const up = await handle.rescale(4);
  test.match(up, { from: 1, to: 4, outcome: 'completed' }, `downtime ${up.downtimeMs.toFixed(0)} ms`);
  await bench.feed('events', Event, events(10, 5_000), { partitions: 4 });
  await until(() => read(handle) === 10_000, 'second part read');
  test.match(await handle.rescale(2), { from: 4, to: 2, outcome: 'completed' });
  test.equal(handle.status().parallelism, 2);
  await bench.feed('events', Event, events(20, 5_000), { partitions: 4 });
  await until(() => read(handle) === 15_000, 'all read');
  await handle.stop({ drain: true });
  test.equal(await counted(log), 15_000);
  test.same(
    handle.status().rescales.map(({ from, to }) => [from, to]),
    [
      [4, 2],
      [1, 4],
    ],
  );
});
