import type { JobStatus, OperatorStatus, SinkStatus } from '../../engine/coordinator/job-status.ts';
import type { TaskTimes } from '../../engine/runtime/task-time.ts';

/** The few numbers that answer "how is it going": for the live page, its history and the progress line. */
export interface JobFigures {
  /** Epoch ms of the status they were taken from. */
  readonly at: number;
  readonly recordsRead: number;
  /** Over the time since the earlier figures; null for the first ones. */
  readonly recordsPerSecond: number | null;
  /** Results that window operators have emitted. */
  readonly windowsFired: number;
  /** Now minus the lowest watermark of the job, ms; null before the first one. */
  readonly watermarkLagMs: number | null;
  /** Records waiting in the sources' partitions; null while any of them is unknown. */
  readonly backlogRecords: number | null;
  /** Rows visible in the lake; null for a job without one. */
  readonly lakeRows: number | null;
  readonly lateRecords: number;
  readonly deadLetters: number;
}

/** Watermarks beyond this mean "end of input", not a time. */
const LAST_TIME = 8_640_000_000_000_000;

/** @param earlier figures of the same run, for rates; a total that went down (a new process) gives no rate. */
export function jobFigures(status: JobStatus, now: number, earlier: JobFigures | null): JobFigures {
  const recordsRead = sum(status.sources, (source) => source.recordsRead);
  return {
    at: now,
    recordsRead,
    recordsPerSecond: rate(recordsRead, now, earlier),
    windowsFired: sum(status.operators.filter(isWindow), (operator) => operator.recordsOut),
    watermarkLagMs: watermarkLagMs(lowestWatermark(status), now),
    backlogRecords: backlog(status),
    lakeRows: lakeRows(status.sinks),
    lateRecords: sum(status.operators, (operator) => operator.lateRecords),
    deadLetters: sum(status.operators, (operator) => operator.deadLetters),
  };
}

/** Ms behind `now`, never negative; null without a watermark or at the end of input. */
export function watermarkLagMs(watermark: number | null, now: number): number | null {
  return isTime(watermark) ? Math.max(0, now - watermark) : null;
}

/** True for a watermark that names a time. */
export function isTime(watermark: number | null): watermark is number {
  return watermark !== null && Math.abs(watermark) <= LAST_TIME;
}

/** Where time went since an earlier status, as shares of 1; `running` is the part of `busy` in turns of its own. */
export interface TimeShares {
  readonly busy: number;
  readonly idle: number;
  readonly backpressured: number;
  readonly running: number;
}

/** Null when no time was counted in between, or when the totals began anew. */
export function timeShares(now: TaskTimes, earlier: TaskTimes): TimeShares | null {
  const busy = now.busyMs - earlier.busyMs;
  const idle = now.idleMs - earlier.idleMs;
  const backpressured = now.backpressuredMs - earlier.backpressuredMs;
  const running = now.runningMs - earlier.runningMs;
  const total = busy + idle + backpressured;
  if (total <= 0 || Math.min(busy, idle, backpressured, running) < 0) return null;
  return {
    busy: busy / total,
    idle: idle / total,
    backpressured: backpressured / total,
    running: running / total,
  };
}

function rate(recordsRead: number, now: number, earlier: JobFigures | null): number | null {
  if (earlier === null || now <= earlier.at || recordsRead < earlier.recordsRead) return null;
  return ((recordsRead - earlier.recordsRead) * 1000) / (now - earlier.at);
}

function lowestWatermark(status: JobStatus): number | null {
  const times = status.operators.map((operator) => operator.watermark).filter(isTime);
  return times.length === 0 ? null : Math.min(...times);
}

function backlog(status: JobStatus): number | null {
  let total = 0;
  for (const source of status.sources) {
    if (source.lagRecords === null) return null;
    total += source.lagRecords;
  }
  return status.sources.length === 0 ? null : total;
}

function lakeRows(sinks: readonly SinkStatus[]): number | null {
  const lakes = sinks.filter((sink) => sink.kind === 'iceberg');
  if (lakes.length === 0) return null;
  return sum(lakes, (sink) => sink.stats['rowsCommitted'] ?? sink.stats['rowsWritten'] ?? 0);
}

function isWindow(operator: OperatorStatus): boolean {
  return /window/i.test(operator.kind);
}

function sum<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
