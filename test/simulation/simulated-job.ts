import type { JobGraph, Sink } from '#engine';
import { count, defineJob, partitionLog, sum, tumbling } from '#operators';
import { eventTime, f64, i32, type Infer, schema, string } from '#wire';

/** A record that can be told from every other one by its number. */
export const Reading = schema('simulated-reading', {
  ts: eventTime(1),
  device: string(2),
  number: i32(3),
  value: f64(4),
});
export type Reading = Infer<typeof Reading>;

export const WindowResult = schema('simulated-window', {
  start: eventTime(1),
  device: string(2),
  n: i32(3),
  total: f64(4),
});
export type WindowResult = Infer<typeof WindowResult>;

export const NAMESPACE = 'simulation';
export const TOPICS = { readings: 'readings', windows: 'windows', late: 'late' } as const;
export const PARTITIONS = 2;
export const WINDOW_MS = 1_000;
/** The device of records that exist to move event time past the last real one. */
export const CLOSING = 'closing';

/**
 * Windows into one topic, late records into another, every record into `ledger`, all exactly once. Built once per parallelism; the
 * ledger is put in for each process by {@link simulatedJob}.
 */
const graphs = new Map<number, JobGraph>();

export function simulatedJob(parallelism: number, ledger: Sink<Reading, 'exactly-once'>): JobGraph {
  let graph = graphs.get(parallelism);
  if (graph === undefined) graphs.set(parallelism, (graph = buildGraph(parallelism, ledger)));
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.kind === 'sink' && node.id === 'ledger' ? { ...node, sink: ledger as Sink<unknown> } : node,
    ),
  };
}

function buildGraph(parallelism: number, ledger: Sink<Reading, 'exactly-once'>): JobGraph {
  const settings = {
    guarantee: 'exactly-once',
    checkpointInterval: '400ms',
    checkpointTimeout: '10s',
    parallelism,
    maxParallelism: 16,
    restart: { first: '200ms', max: '2s' },
  } as const;
  const job = defineJob('simulated', settings, (job) => {
    const readings = job
      .source('readings', partitionLog(TOPICS.readings, Reading, { partitions: PARTITIONS }), {
        startFrom: 'earliest',
        outOfOrderness: '300ms',
        idleAfter: '3s',
      })
      .filter(({ device }) => device !== 'closing');
    const windows = readings
      .keyBy('device')
      .window(tumbling(WINDOW_MS))
      .aggregate('windows', { n: count(), total: sum('value') });
    windows
      .map(({ key, window, value }) => ({
        start: window.start,
        device: key.device,
        n: value.n,
        total: value.total ?? 0,
      }))
      .to(
        'results',
        partitionLog(TOPICS.windows, WindowResult, { partitions: PARTITIONS, partitionBy: 'device' }),
      );
    windows.side.late.to('late', partitionLog(TOPICS.late, Reading, { partitions: 1 }));
    readings.to('ledger', ledger);
  });
  return job.graph();
}
