import t from 'tap';
import { type CheckpointId, checkpointId, type JobHandle } from '#engine';
import { count, defineJob, max, partitionLog, sum, tumbling } from '#operators';
import { eventTime, f64, type Infer, schema, string } from '#wire';
import { createJobBench, type JobBench, until } from '../../support/job-bench.ts';

const Reading = schema('reading', { at: eventTime(1), device: string(2), value: f64(3) });
type Reading = Infer<typeof Reading>;
const Result = schema('result', { end: eventTime(1), device: string(2), n: f64(3), worth: f64(4) });

/** Two windows over one input. The second aggregates otherwise in a changed version, and is gone in a small one. */
const job = (
  name: string,
  version: 'first' | 'changed' | 'small',
  settings: { readonly parallelism?: number; readonly checkpointsRetained?: number } = {},
) =>
  defineJob(name, { guarantee: 'exactly-once', checkpointInterval: '1h', ...settings }, (builder) => {
    const keyed = builder
      .source('readings', partitionLog('in', Reading), { outOfOrderness: '1s', idleAfter: '10s' })
      .keyBy('device');
    keyed
      .window(tumbling('10s'))
      .aggregate('sums', { n: count(), worth: sum('value') })
      .map(({ key, window, value }) => ({
        end: window.end,
        device: key.device,
        n: value.n,
        worth: value.worth ?? 0,
      }))
      .to('out', partitionLog(`${name}.sums`, Result));
    if (version === 'small') return;
    keyed
      .window(tumbling('20s'))
      .aggregate('others', { n: count(), worth: version === 'first' ? sum('value') : max('value') })
      .map(({ key, window, value }) => ({
        end: window.end,
        device: key.device,
        n: value.n,
        worth: value.worth ?? 0,
      }))
      .to('other-out', partitionLog(`${name}.others`, Result));
  }).graph();

const readings = (from: number, length: number): Reading[] =>
  Array.from({ length }, (_, i) => ({ at: (from + i) * 500, device: `d${i % 7}`, value: i % 10 }));
const read = (handle: JobHandle) => handle.status().sources.reduce((n, s) => n + s.recordsRead, 0);
const fork = (checkpoint: CheckpointId) => ({ restoreFrom: { job: 'a', checkpoint, asOf: 0 } });

async function savepointOfA(
  bench: JobBench,
): Promise<{ readonly a: JobHandle; readonly savepoint: CheckpointId }> {
  await bench.feed('in', Reading, readings(0, 100));
  const a = bench.run(job('a', 'first', { checkpointsRetained: 1 }));
  await until(() => read(a) === 100, 'all read');
  return { a, savepoint: checkpointId(await a.savepoint()) };
}

void t.test(
  'a fork needs nothing of the other job once it runs, at another parallelism too (AD1, AD3)',
  async (t) => {
    const bench = createJobBench();
    const { store } = bench.environment;
    const { a, savepoint } = await savepointOfA(bench);
    const first = bench.run(job('b', 'first', { parallelism: 3 }), fork(savepoint));
    await until(() => first.status().state === 'running', 'the fork runs');
    const [own] = await store.list('b');
    t.match(own, { job: 'b', kind: 'checkpoint' });
    t.ok(
      own?.sinks.every(({ committables }) => committables.length === 0) && own.sinks.length > 2,
      'its sinks are named',
    );
    await first.cancel();
    // All that the fork came from goes, before it has taken a checkpoint by itself.
    await a.stop();
    await store.remove('a', savepoint);
    for (const { id } of await store.list('a')) await store.remove('a', id);
    await store.collect('a');
    t.same(await store.blobs('a'), []);
    await bench.feed('in', Reading, readings(100, 100), { producer: 'later' });
    const second = bench.run(job('b', 'first', { parallelism: 2 }), fork(savepoint));
    await until(() => read(second) === 100, 'what came later is read, once');
    await second.stop({ drain: true });
    const results = new Map((await bench.read('b.sums', Result)).map((result) => [keyOf(result), result]));
    // What the other job closed before the savepoint the fork does not give; what it closed after it, both.
    for (const result of await bench.read('a.sums', Result))
      if (!results.has(keyOf(result))) results.set(keyOf(result), result);
    t.same(Object.fromEntries(results), sumsOf([...readings(0, 100), ...readings(100, 100)]));
    const ids = (await store.list('b')).map(({ sinks }) =>
      sinks.map(({ operator, sinkId }) => `${operator} ${sinkId}`),
    );
    t.ok(
      ids.every((sinks) => sinks.every((sink) => ids[0]?.includes(sink))),
      'under the same sink ids',
    );
  },
);

void t.test('a log keeps what a fork will read, however far the other job gets (AD2)', async (t) => {
  const bench = createJobBench();
  const { a, savepoint } = await savepointOfA(bench);
  const b = bench.run(job('b', 'first'), fork(savepoint));
  await until(() => b.status().state === 'running', 'the fork runs');
  await b.cancel();
  await bench.feed('in', Reading, readings(100, 100), { producer: 'later' });
  await until(() => read(a) === 200, 'the other job goes on');
  await a.stop();
  await bench.environment.store.remove('a', savepoint);
  const again = bench.run(job('a', 'first', { checkpointsRetained: 1 }));
  await until(() => again.status().state === 'running', 'again');
  await again.stop();
  const next = bench.run(job('b', 'first'), fork(savepoint));
  await until(() => read(next) === 100, 'the fork reads what it has not seen');
  await next.cancel();
  t.equal(next.status().failures.length, 0);
});

void t.test('a fork of a checkpoint that is not retained says so', async (t) => {
  const bench = createJobBench();
  const { a } = await savepointOfA(bench);
  await a.stop();
  const b = bench.run(job('b', 'first'), fork(checkpointId(99)));
  await until(() => b.status().failures.length > 0, 'it fails');
  await b.cancel();
  t.match(b.status().failures, [{ code: 'MR_CHECKPOINT_FAILED' }]);
});

void t.test(
  'state of an operator that is gone is refused, unless it may be dropped; then it is once',
  async (t) => {
    const bench = createJobBench();
    const { store } = bench.environment;
    const { a } = await savepointOfA(bench);
    await a.stop();
    const refused = bench.run(job('a', 'small'));
    t.equal(await refused.done, 'failed');
    t.match(refused.status().failures, [{ code: 'MR_STATE_INCOMPATIBLE', message: /'others'/ }]);
    const allowed = bench.run(job('a', 'small'), { allowNonRestored: ['others'] });
    await until(() => allowed.status().state === 'running', 'it runs');
    const newest = await store.latest('a');
    t.notOk(newest?.snapshots.some(({ operator }) => operator === 'others'));
    await bench.feed('in', Reading, readings(100, 100), { producer: 'later' });
    await until(() => read(allowed) === 100, 'it goes on where it was');
    await allowed.stop({ drain: true });
    const results = await bench.read('a.sums', Result);
    t.equal(
      results.reduce((n, { n: records }) => n + records, 0),
      200,
    );
    const later = bench.run(job('a', 'small'));
    await until(() => later.status().state === 'running', 'and needs no leave any more');
    await later.stop();
  },
);

void t.test('topics of a source that was dropped are let go of (AD4)', async (t) => {
  const bench = createJobBench();
  const { log } = bench;
  const two = (sources: readonly string[]) =>
    defineJob('a', { guarantee: 'exactly-once', checkpointInterval: '1h' }, (builder) => {
      for (const topic of sources)
        builder
          .source(topic, partitionLog(topic, Reading))
          .to(`${topic}-out`, partitionLog(`${topic}.out`, Reading));
    }).graph();
  for (const topic of ['in', 'old']) await bench.feed(topic, Reading, readings(0, 10), { partitions: 1 });
  const before = bench.run(two(['in', 'old']));
  await until(() => before.status().state === 'running', 'it runs');
  await before.cancel();
  const others = async (topic: string) => {
    const end = await log.position(topic, 0, 'latest');
    await log.registerPositions('other', 1, [{ topic, partition: 0, ...end }]);
    return log.trim(topic, 0);
  };
  t.equal(await others('old'), 0, 'held for this job');
  const after = bench.run(two(['in']), { allowNonRestored: ['old'] });
  await until(() => read(after) === 10, 'it runs without');
  await after.cancel();
  t.ok((await others('old')) > 0);
  t.equal(await others('in'), 0);
});

type Result = Infer<typeof Result>;

function keyOf({ device, end }: Result): string {
  return `${device} ${end}`;
}

/** What the windows of 10 s of these readings come to, by their keys. */
function sumsOf(all: readonly Reading[]): Readonly<Record<string, Result>> {
  const sums = new Map<string, Result>();
  for (const { at, device, value } of all) {
    const end = Math.floor(at / 10_000) * 10_000 + 10_000;
    const sum = { end, device, n: 0, worth: 0, ...sums.get(`${device} ${end}`) };
    sums.set(`${device} ${end}`, { ...sum, n: sum.n + 1, worth: sum.worth + value });
  }
  return Object.fromEntries(sums);
}
