import { renameSync, writeFileSync } from 'node:fs';
import type { ForwarderStats } from './forwarder.ts';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly value: (stats: ForwarderStats) => number | null;
}

/** Names that end in `_total` are counters of this run, the others gauges. */
const METRICS: readonly Metric[] = [
  metric('accepted_records_total', 'Records stored in the outbox', (s) => s.accepted),
  metric('rejected_records_total', 'Records that cannot be read', (s) => s.rejected),
  metric('delivered_records_total', 'Records that the log has confirmed', (s) => s.delivered),
  metric('delivered_bytes_total', 'Bytes of frames that the log has confirmed', (s) => s.deliveredBytes),
  metric('dropped_records_total', 'Records dropped unsent because the outbox was full', (s) =>
    Math.max(0, s.droppedDeclared),
  ),
  metric('pending_records', 'Records in the outbox that are not in the log yet', (s) => s.pending),
  metric('pending_bytes', 'Bytes of their frames', (s) => s.pendingBytes),
  metric('pending_age_seconds', 'How long the oldest of them has waited', (s) =>
    s.oldestPendingMs === null ? 0 : s.oldestPendingMs / 1000,
  ),
  metric('backpressured', '1 while a partition of the topic is full', (s) =>
    s.backpressured === null ? 0 : 1,
  ),
  metric('backpressured_seconds_total', 'Time with a full partition', (s) => s.backpressuredMs / 1000),
  metric('backpressured_since_timestamp_seconds', 'Since when a partition has been full', (s) =>
    s.backpressured === null ? null : s.backpressured.since / 1000,
  ),
  metric('input_held', '1 while the outbox is full as well', (s) => (s.inputHeld ? 1 : 0)),
];

/** What a forwarder knows of itself in Prometheus' text form 0.0.4, e.g. for the text file collector of a node exporter. */
export function metricsText(stats: ForwarderStats, topic: string, producer: string): string {
  const labels = `topic="${topic}",producer="${producer}"`;
  const lines = METRICS.flatMap(({ name, help, value }) => {
    const number = value(stats);
    const kind = name.endsWith('_total') ? 'counter' : 'gauge';
    const head = [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`];
    return number === null ? [] : [...head, `${name}{${labels}} ${number}`];
  });
  const full = 'millrace_edge_partition_full';
  const partitions = (stats.backpressured?.partitions ?? []).map(
    (p) => `${full}{${labels},partition="${p}"} 1`,
  );
  if (partitions.length > 0)
    lines.push(`# HELP ${full} 1 for each partition that is full`, `# TYPE ${full} gauge`, ...partitions);
  return `${lines.join('\n')}\n`;
}

/** Replaces the file at once, so that nobody reads half of it. */
export function writeMetrics(file: string, text: string): void {
  writeFileSync(`${file}.tmp`, text);
  renameSync(`${file}.tmp`, file);
}

function metric(name: string, help: string, value: Metric['value']): Metric {
  return { name: `millrace_edge_${name}`, help, value };
}
