import type { JobGraph, Sink } from '#engine';
import { count, defineJob, defineOperator, partitionLog, sum, tumbling, type, valueState } from '#operators';
import { timeSeries } from '#sinks';
import { eventTime, f64, i32, type Infer, schema, string } from '#wire';
import { Reading, TOPICS as SINGLE_TOPICS, WINDOW_MS, WindowResult } from '../simulated-job.ts';

/** What one timer gave out: the records of a device that had come since the one before. */
export const Tally = schema('simulated-tally', {
  at: eventTime(1),
  device: string(2),
  n: i32(3),
  total: f64(4),
});
export type Tally = Infer<typeof Tally>;

export const JOB = 'pipeline';
export const TOPICS = { ...SINGLE_TOPICS, tallies: 'tallies' } as const;
export const READINGS_PARTITIONS = 4;
export const RESULT_PARTITIONS = 2;
export const SERIES = 'live';

/** At the end of each second that a device has records of, gives out all that have come until then, late ones as well; maybe none. */
const tally = defineOperator({
  key: type<{ device: string }>(),
  input: type<Reading>(),
  output: type<Tally>(),
  state: { n: valueState<number>(), total: valueState<number>() },
  onRecord({ ts, value }, { state, timers }) {
    state.n.set((state.n.get() ?? 0) + 1);
    state.total.set((state.total.get() ?? 0) + value);
    timers.at((Math.floor(ts / WINDOW_MS) + 1) * WINDOW_MS);
  },
  onTimer(at, { key, state, emit }) {
    const n = state.n.get() ?? 0;
    emit({ at, device: key.device, n, total: state.total.get() ?? 0 });
    state.n.clear();
    state.total.clear();
  },
});

/** How one run's job differs from others. */
export interface PipelineOptions {
  readonly parallelism: number;
  /** Also into a live series in Redis, written through at once. */
  readonly hasSeries: boolean;
}

const graphs = new Map<string, JobGraph>();

/**
 * Windows that admit late records, a process operator with a timer, both after an exchange by key; every record into `ledger`. All
 * exactly once, but for the series, which is idempotent.
 */
export function pipelineJob(options: PipelineOptions, ledger: Sink<Reading, 'exactly-once'>): JobGraph {
  const name = `${options.parallelism} ${options.hasSeries}`;
  let graph = graphs.get(name);
  if (graph === undefined) graphs.set(name, (graph = buildGraph(options, ledger)));
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.kind === 'sink' && node.id === 'ledger' ? { ...node, sink: ledger as Sink<unknown> } : node,
    ),
  };
}

function buildGraph(
  { parallelism, hasSeries }: PipelineOptions,
  ledger: Sink<Reading, 'exactly-once'>,
): JobGraph {
  const settings = {
    guarantee: 'exactly-once',
    checkpointInterval: '500ms',
    checkpointTimeout: '10s',
    alignmentTimeout: '5s',
    parallelism,
    maxParallelism: 16,
    restart: { first: '200ms', max: '2s' },
  } as const;
  const job = defineJob(JOB, settings, (job) => {
    const readings = job
      .source('readings', partitionLog(TOPICS.readings, Reading, { partitions: READINGS_PARTITIONS }), {
        startFrom: 'earliest',
        outOfOrderness: '300ms',
        idleAfter: '3s',
      })
      .filter(({ device }) => device !== 'closing');
    const byDevice = readings.keyBy('device');
    const windows = byDevice
      .window(tumbling(WINDOW_MS))
      .allowedLateness('500ms')
      .aggregate('windows', { n: count(), total: sum('value') });
    const results = windows.map(({ key, window, value }) => ({
      start: window.start,
      device: key.device,
      n: value.n,
      total: value.total ?? 0,
    }));
    const spread = { partitions: RESULT_PARTITIONS, partitionBy: 'device' } as const;
    results.to('results', partitionLog(TOPICS.windows, WindowResult, spread));
    windows.side.late.to('late', partitionLog(TOPICS.late, Reading, { partitions: 1 }));
    byDevice.process('tally', tally).to('tallies', partitionLog(TOPICS.tallies, Tally, spread));
    readings.to('ledger', ledger);
    if (hasSeries) windows.to('live', timeSeries(SERIES, { ttl: '2h' }), { accept: 'idempotent' });
  });
  return job.graph();
}
