import t from 'tap';
import { type JobHandle, partitionLog, systemClock } from '#engine';
import { count, defineJob, tumbling } from '#operators';
import { eventTime, i32, type Infer, schema } from '#wire';
import { explainOutput, type OutputFinding } from '../../../engine/coordinator/output-report.ts';
import { createJobBench, until } from '../../support/job-bench.ts';

const Reading = schema('reading', { at: eventTime(1), device: i32(2) });
type Reading = Infer<typeof Reading>;

const job = (idleAfter: '10s' | '100ms') =>
  defineJob('report', { guarantee: 'exactly-once' }, (build) => {
    build
      .source('readings', partitionLog('readings', Reading, { partitions: 2 }), { idleAfter })
      .keyBy('device')
      .window(tumbling('10s'))
      .aggregate('counts', { n: count() })
      .map(({ key, window }) => ({ at: window.start, device: key.device }))
      .to('out', partitionLog('counts', Reading));
  }).graph();

const findings = (handle: JobHandle) => explainOutput(handle.status(), systemClock.now()).findings;
const of = (handle: JobHandle, holder: OutputFinding['holder']) =>
  findings(handle).filter((finding) => finding.holder === holder);
const read = (handle: JobHandle, n: number) =>
  until(() => handle.status().sources.reduce((sum, s) => sum + s.recordsRead, 0) === n, `${n} are read`);

void t.test('E2: a source that has read nothing is named', async (test) => {
  const bench = createJobBench();
  const handle = bench.run(job('10s'));
  await until(() => handle.status().state === 'running', 'it runs');
  test.match(of(handle, 'source'), [{ id: 'readings', text: /nothing new has come to 'readings'/ }]);
  await handle.cancel();
  test.match(findings(handle), [{ holder: 'job', text: /cancelled, not running/ }]);
});

void t.test(
  'E2: the partition that event time waits for is named, and the window that is open, with its end',
  async (test) => {
    const bench = createJobBench();
    const row = (at: number, device: number): Reading => ({ at, device });
    await bench.feed('readings', Reading, [row(25_000, 0), row(3_000, 1)], {
      partitionOf: (it) => it.device,
    });
    const handle = bench.run(job('10s'));
    await read(handle, 2);
    await until(
      () => of(handle, 'operator').some(({ until: due, text }) => due === 9_999 && text.includes('short')),
      'a window waits',
    );
    test.match(of(handle, 'partition'), [{ id: 'readings/readings/1', until: 24_999 }]);
    test.match(of(handle, 'operator'), [
      {
        id: 'counts',
        text: /holds 2 windows; the first is due at 1970-01-01T00:00:09\.999Z: event time stands at .*02\.999Z, 7s short/,
      },
    ]);
    await handle.cancel();
  },
);

void t.test('E2: when all partitions are idle the last windows stay open, and that is said', async (test) => {
  const bench = createJobBench();
  await bench.feed('readings', Reading, [{ at: 25_000, device: 0 }]);
  const handle = bench.run(job('100ms'));
  await read(handle, 1);
  await until(() => of(handle, 'source').length > 0, 'it is idle');
  test.match(of(handle, 'source'), [
    { id: 'readings', text: /All partitions of source 'readings' are idle/ },
  ]);
  await handle.cancel();
});

void t.test('E9: rows of an exactly-once sink wait for a checkpoint', async (test) => {
  const bench = createJobBench();
  const graph = job('10s');
  const handle = bench.run({ ...graph, options: { ...graph.options, checkpointIntervalMs: 60_000 } });
  await until(() => handle.status().state === 'running', 'it runs');
  test.match(of(handle, 'checkpoint'), [
    { id: 'out', text: /none has completed yet \(they are taken every 1m\)/ },
  ]);
  await handle.savepoint();
  test.same(of(handle, 'checkpoint'), []);
  await handle.cancel();
});
