import t, { type Test } from 'tap';
import { createJobBench, until } from '../../support/job-bench.ts';
import { startRedis } from '../../support/redis-server.ts';
import { openTestCluster, type TestCluster } from '../../support/test-cluster.ts';
import job, { Event, Total } from '../host/counting-job.ts';

t.setTimeout(90_000);
const server = await startRedis();
t.teardown(() => server.stop());
const KEYS = 50;

async function open(test: Test, namespace: string) {
  const cluster = await openTestCluster({
    url: server.url,
    namespace,
    modules: { counting: new URL('../host/counting-job.ts', import.meta.url).href },
    graph: (_, parallelism) => job.graph(parallelism === null ? {} : { parallelism }),
  });
  test.teardown(() => cluster.close());
  return { cluster, bench: createJobBench({ log: cluster.log }) };
}

const events = (from: number, count: number): Event[] =>
  Array.from({ length: count }, (_, i) => ({
    at: (from + Math.floor((i * 10) / count)) * 1_000 + (i % 1_000),
    key: `key-${i % KEYS}`,
    n: 1,
  }));

async function counted({ log }: TestCluster): Promise<number> {
  const { read } = createJobBench({ log });
  const rows = await read('totals', Total);
  const late = await read('late', Event);
  const seen = new Set(rows.map(({ key, at }) => `${key}@${at}`));
  if (seen.size !== rows.length) throw new Error(`${rows.length - seen.size} windows were given twice`);
  return rows.reduce((sum, row) => sum + row.count, late.length);
}

async function untilRead(cluster: TestCluster, records: number): Promise<void> {
  let last: unknown = null;
  await until(
    async () => {
      const status = await cluster.status('counting');
      last = status;
      return status?.state === 'running' && status.sources.reduce((sum, s) => sum + s.offset, 0) === records;
    },
    `${records} read`,
    20_000,
  ).catch((error: unknown) => {
    console.error(JSON.stringify(last, null, 1)?.slice(0, 3_000));
    throw error;
  });
}

void t.test(
  'E10: a job on two workers counts every record once, through Redis streams between them',
  async (test) => {
    const { cluster, bench } = await open(test, 'two-workers');
    await bench.feed('events', Event, events(0, 10_000), { partitions: 4 });
    cluster.worker(1);
    cluster.worker(1);
    cluster.supervisor();
    await cluster.jobs.change('counting', 'c1', { desired: 'running', parallelism: 2 });
    await untilRead(cluster, 10_000);
    const asked = await cluster.jobs.request('counting', 'c2', 'stop-with-savepoint', { drain: true });
    test.equal(asked.answer.state, 'pending');
    await until(
      async () => (await cluster.jobs.requested('counting', 'c2'))?.answer.state !== 'pending',
      'answered',
      20_000,
    );
    test.match(await cluster.jobs.requested('counting', 'c2'), { answer: { state: 'done' } });
    await until(async () => (await cluster.status('counting'))?.state === 'stopped', 'stopped');
    test.equal(await counted(cluster), 10_000);
    const left = async () => (await cluster.link.call('KEYS', 'mr:two-workers:{x:*')) as string[];
    await until(
      async () => (await left()).length === 0,
      'WH2: the streams between hosts have gone with their generation',
    );
  },
);

void t.test(
  'E10: a worker that leaves, and a coordinator that leaves, lose and double nothing',
  async (test) => {
    const { cluster, bench } = await open(test, 'leaving');
    await bench.feed('events', Event, events(0, 5_000), { partitions: 4 });
    const first = cluster.worker(2);
    const coordinator = cluster.supervisor();
    await cluster.jobs.change('counting', 'c1', { desired: 'running', parallelism: 2 });
    await untilRead(cluster, 5_000);
    cluster.worker(2);
    await first.stop();
    await bench.feed('events', Event, events(10, 5_000), { partitions: 4 });
    await untilRead(cluster, 10_000);
    await coordinator.stop();
    cluster.supervisor();
    await bench.feed('events', Event, events(20, 5_000), { partitions: 4 });
    await untilRead(cluster, 15_000);
    const generation = (await cluster.status('counting'))?.generation ?? 0;
    test.ok(generation >= 3, `generation ${generation}`);
    await cluster.jobs.request('counting', 'c2', 'stop-with-savepoint', { drain: true });
    await until(
      async () => (await cluster.jobs.requested('counting', 'c2'))?.answer.state === 'done',
      'stopped',
      20_000,
    );
    test.equal(await counted(cluster), 15_000);
  },
);

void t.test(
  'E10: rescaled while loaded through a request, up and down; a savepoint from before fits another parallelism',
  async (test) => {
    const { cluster, bench } = await open(test, 'rescaling');
    await bench.feed('events', Event, events(0, 5_000), { partitions: 4 });
    cluster.worker(2);
    cluster.worker(2);
    cluster.supervisor();
    await cluster.jobs.change('counting', 'c1', { desired: 'running', parallelism: 1 });
    await untilRead(cluster, 5_000);
    const answered = async (id: string) => {
      await until(
        async () => (await cluster.jobs.requested('counting', id))?.answer.state !== 'pending',
        id,
        20_000,
      );
      return (await cluster.jobs.requested('counting', id))?.answer;
    };
    await cluster.jobs.request('counting', 'c2', 'rescale', { parallelism: 4 });
    test.match(await answered('c2'), { state: 'done', result: { from: 1, to: 4, outcome: 'completed' } });
    await bench.feed('events', Event, events(10, 5_000), { partitions: 4 });
    await untilRead(cluster, 10_000);
    await cluster.jobs.request('counting', 'c3', 'rescale', { parallelism: 2 });
    test.match(await answered('c3'), { state: 'done', result: { from: 4, to: 2, outcome: 'completed' } });
    await cluster.jobs.request('counting', 'c4', 'rescale', { parallelism: 9 });
    test.match(
      await answered('c4'),
      { state: 'failed', result: { code: 'MR_SLOTS_SHORT' } },
      'and goes on as it was',
    );
    await bench.feed('events', Event, events(20, 5_000), { partitions: 4 });
    await untilRead(cluster, 15_000);
    await cluster.jobs.request('counting', 'c5', 'stop-with-savepoint', { drain: true });
    test.match(await answered('c5'), { state: 'done' });
    test.equal(await counted(cluster), 15_000);
  },
);

void t.test(
  'E10, WH1: a worker that is not heard of loses its hosts at once; the job goes on elsewhere',
  async (test) => {
    const { cluster, bench } = await open(test, 'silent');
    await bench.feed('events', Event, events(0, 5_000), { partitions: 4 });
    const silent = cluster.worker(2);
    cluster.supervisor();
    await cluster.jobs.change('counting', 'c1', { desired: 'running', parallelism: 2 });
    await untilRead(cluster, 5_000);
    cluster.worker(2);
    const isNoticed = async () => {
      // Again and again: its next sign of life would bring it back before anybody has looked.
      await cluster.link.call('ZREM', 'mr:silent:{workers}:alive', silent.id as string);
      return ((await cluster.status('counting'))?.failures.length ?? 0) > 0;
    };
    await until(isNoticed, 'noticed', 20_000);
    test.match((await cluster.status('counting'))?.failures[0], { code: 'MR_HOST_LOST' });
    await bench.feed('events', Event, events(10, 5_000), { partitions: 4 });
    await untilRead(cluster, 10_000);
    await cluster.jobs.request('counting', 'c2', 'stop-with-savepoint', { drain: true });
    await until(
      async () => (await cluster.jobs.requested('counting', 'c2'))?.answer.state === 'done',
      'stopped',
      20_000,
    );
    test.equal(await counted(cluster), 10_000);
  },
);
