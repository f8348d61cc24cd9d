import { type Clock, systemClock } from '../../../engine/base/clock.ts';
import { MillraceError } from '../../../engine/base/errors.ts';
import type {
  CheckpointEntry,
  JobFailure,
  JobHandle,
  JobState,
  JobStatus,
  OperatorStatus,
  RescaleEntry,
  SubtaskStatus,
} from '../../../engine/coordinator/job-status.ts';

/** What the script of a job may set at any time. */
export interface ScriptedJob extends JobHandle {
  /** Records per second from now on. */
  readonly setRate: (recordsPerSecond: number) => void;
  readonly completeCheckpoint: (durationMs: number, kind?: CheckpointEntry['kind']) => number;
  readonly failCheckpoint: (reason: string) => void;
  /** A failure, a restart and the next generation. */
  readonly fail: (failure: Pick<JobFailure, 'code' | 'message' | 'operator'> & Partial<JobFailure>) => void;
  readonly enter: (state: JobState) => void;
  /** What was asked of it through the interface, in order. */
  readonly calls: readonly string[];
  readonly listeners: number;
}

const FINAL: readonly JobState[] = ['finished', 'stopped', 'cancelled', 'failed'];

/** Where checkpoints spend their time, and what they store anew. */
const parts = { writtenBytes: 4_096, alignmentMs: 3, syncMs: 2 };
const noParts = { writtenBytes: 0, alignmentMs: 0, syncMs: 0 };

/**
 * A job without an engine: its totals follow from the clock and a rate, the rest happens when the test says so. It
 * keeps the rules of {@link JobHandle} (final states stay, intervals are checked), because the API relies on them.
 */
export function scriptedJob(name = 'device-telemetry', clock: Clock = systemClock): ScriptedJob {
  const startedAt = clock.now();
  const calls: string[] = [];
  const listeners = new Set<() => void>();
  const history: CheckpointEntry[] = [];
  const failures: JobFailure[] = [];
  const rescales: RescaleEntry[] = [];
  let phase = { state: 'running' as JobState, since: startedAt };
  let pace = { from: startedAt, records: 0, perSecond: 0 };
  let [generation, restarts, intervalMs, nextId, completed, failed] = [1, 0, 10_000, 1, 0, 0];
  let finish: (state: JobState) => void = () => {};
  const done = new Promise<JobState>((resolve) => {
    finish = resolve;
  });

  const records = () => pace.records + Math.floor(((clock.now() - pace.from) / 1000) * pace.perSecond);
  const changed = () => {
    for (const listener of listeners) listener();
  };
  const enter = (state: JobState) => {
    if (FINAL.includes(phase.state)) return;
    pace = { from: clock.now(), records: records(), perSecond: state === 'running' ? pace.perSecond : 0 };
    phase = { state, since: clock.now() };
    if (FINAL.includes(state)) finish(state);
    changed();
  };
  const record = (entry: Omit<CheckpointEntry, 'id' | 'triggeredAt'>): number => {
    const id = nextId++;
    history.unshift({ ...entry, id, triggeredAt: clock.now() - entry.durationMs });
    history.length = Math.min(history.length, 64);
    if (entry.outcome === 'completed') completed += 1;
    else failed += 1;
    changed();
    return id;
  };
  const complete = (durationMs: number, kind: CheckpointEntry['kind'] = 'checkpoint') =>
    record({
      kind,
      outcome: 'completed',
      durationMs,
      stateBytes: 40_000 + records(),
      ...parts,
      failure: null,
    });

  const status = (): JobStatus => ({
    name,
    state: phase.state,
    generation,
    startedAt,
    stateSince: phase.since,
    restarts,
    checkpointIntervalMs: intervalMs,
    parallelism: 2,
    maxParallelism: 128,
    failures,
    ...graph(records(), clock.now(), clock.now() - startedAt, generation),
    checkpoints: { completed, failed, inProgress: null, restoredFrom: null, history },
    rescales,
  });

  return {
    name,
    status,
    done,
    calls,
    setRate(perSecond) {
      pace = { from: clock.now(), records: records(), perSecond };
    },
    completeCheckpoint: complete,
    failCheckpoint: (reason) => {
      record({
        kind: 'checkpoint',
        outcome: 'failed',
        durationMs: 600_000,
        stateBytes: 0,
        ...noParts,
        failure: reason,
      });
    },
    fail(failure) {
      const where = { subtask: null, topic: null, partition: null, offset: null };
      failures.unshift({ ...where, ...failure, at: clock.now(), generation });
      failures.length = Math.min(failures.length, 16);
      generation += 1;
      restarts += 1;
      changed();
    },
    enter,
    get listeners() {
      return listeners.size;
    },
    async rescale(parallelism) {
      if (parallelism > 128)
        throw new MillraceError('MR_GRAPH_INVALID', `Parallelism ${parallelism} is above 128 key groups.`);
      calls.push(`rescale ${parallelism}`);
      const times = { at: clock.now(), checkpointMs: 120, downtimeMs: 1_900 };
      const entry = { ...times, from: 2, to: parallelism, outcome: 'completed', failure: null } as const;
      rescales.unshift(entry);
      changed();
      return entry;
    },
    async cancel() {
      calls.push('cancel');
      enter('cancelled');
    },
    async stop(options) {
      const how = [options?.savepoint ? ' with savepoint' : '', options?.drain ? ' drained' : ''];
      calls.push(`stop${how.join('')}`);
      enter('stopping');
      const id = complete(20, options?.savepoint ? 'savepoint' : 'checkpoint');
      enter('stopped');
      return id;
    },
    async savepoint() {
      calls.push('savepoint');
      return complete(30, 'savepoint');
    },
    setCheckpointInterval(ms) {
      if (ms < 100 || ms > 86_400_000) {
        throw new MillraceError(
          'MR_CONFIG_INVALID',
          `Checkpoint interval ${ms} ms of job ${name} is not within 100 ms and 1 day.`,
        );
      }
      calls.push(`interval ${ms}`);
      intervalMs = ms;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** A telemetry job: readings are filtered, counted per device in 10 s windows, and all of them go to a lake. */
function graph(read: number, now: number, elapsedMs: number, generation: number) {
  const watermark = read === 0 ? null : now - 1_200;
  const kept = Math.floor(read * 0.98);
  const fired = Math.floor(elapsedMs / 10_000) * 500;
  const operators = [
    operator('readings', 'source', 2, read, read, watermark, [0.2, 0.75, 0.05], elapsedMs),
    operator('valid', 'filter', 2, read, kept, watermark, [0.1, 0.9, 0], elapsedMs),
    {
      ...operator('per-device', 'window', 2, kept, fired, watermark, [0.62, 0.34, 0.04], elapsedMs),
      stateKeys: 500,
      timers: 500,
    },
    operator('live', 'sink', 1, fired, 0, watermark, [0.05, 0.95, 0], elapsedMs),
    operator('lake', 'sink', 1, kept, 0, watermark, [0.85, 0.05, 0.1], elapsedMs),
  ];
  return {
    operators,
    subtasks: operators.flatMap(subtasksOf),
    edges: [
      { from: 'readings', to: 'valid', kind: 'forward' as const },
      { from: 'valid', to: 'per-device', kind: 'hash' as const },
      { from: 'per-device', to: 'live', kind: 'forward' as const },
      { from: 'valid', to: 'lake', kind: 'forward' as const },
    ],
    sources: [0, 1].map((partition) => ({
      operator: 'readings',
      topic: 'telemetry',
      partition,
      offset: Math.floor(read / 2),
      lagRecords: generation > 1 ? null : 120 * partition,
      lagMs: 300,
      watermark,
      idle: false,
      paused: false,
      recordsRead: Math.floor(read / 2),
      bytesRead: read * 14,
    })),
    sinks: [
      {
        operator: 'live',
        kind: 'redis-series',
        target: 'device_10s',
        guarantee: 'idempotent' as const,
        stats: { rowsWritten: fired, retries: 0 },
      },
      {
        operator: 'lake',
        kind: 'iceberg',
        target: 'curated.readings',
        guarantee: 'exactly-once' as const,
        stats: {
          rowsWritten: kept,
          rowsCommitted: Math.floor(kept * 0.9),
          commits: Math.floor(elapsedMs / 10_000),
          openFiles: 3,
        },
      },
    ],
  };
}

function operator(
  id: string,
  kind: string,
  parallelism: number,
  recordsIn: number,
  recordsOut: number,
  watermark: number | null,
  [busy, idle, backpressured]: readonly [number, number, number],
  elapsedMs: number,
): OperatorStatus {
  const spent = elapsedMs * parallelism;
  return {
    id,
    kind,
    vertex: id,
    parallelism,
    recordsIn,
    recordsOut,
    lateRecords: id === 'per-device' ? Math.floor(recordsIn / 10_000) : 0,
    deadLetters: 0,
    watermark,
    inputWatermarks: [watermark],
    waiting: null,
    stateKeys: 0,
    timers: 0,
    busyMs: spent * busy,
    idleMs: spent * idle,
    backpressuredMs: spent * backpressured,
    runningMs: (spent * busy) / 2,
  };
}

/** The operator's time in equal parts, each subtask on a host of its own. */
function subtasksOf({ id, parallelism, ...operator }: OperatorStatus): SubtaskStatus[] {
  const { busyMs, idleMs, backpressuredMs, runningMs } = operator;
  return Array.from({ length: parallelism }, (_, subtask) => ({
    id,
    subtask,
    host: subtask,
    busyMs: busyMs / parallelism,
    idleMs: idleMs / parallelism,
    backpressuredMs: backpressuredMs / parallelism,
    runningMs: runningMs / parallelism,
  }));
}
