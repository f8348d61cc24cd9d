import type { Percentiles } from './delays.ts';
import type { CheckpointSpan } from './engine.ts';

/** What a run says. Delays of percentiles in µs, everything else in ms unless its name says otherwise. */
export interface LatencyOutcome {
  readonly settings: {
    readonly rate: number;
    readonly devices: number;
    readonly partitions: number;
    readonly producers: number;
    readonly warmUpSeconds: number;
    readonly seconds: number;
    readonly windowMs: number;
    readonly outOfOrdernessMs: number;
    readonly lingerMs: number;
    readonly checkpointIntervalMs: number;
    readonly parallelism: number;
    readonly guarantee: 'exactly-once';
    readonly emit: string;
    readonly node: string;
    readonly cores: number;
  };
  /** Emit − window end − out-of-orderness bound, per point of the live series. */
  readonly engineDelay: Percentiles;
  readonly engineDelayPerSecondMaxUs: readonly (number | null)[];
  readonly goalP99Ms: number | null;
  /** Send − due. */
  readonly generatorLag: Percentiles;
  readonly windows: readonly WindowStages[];
  /** From the due time of a frame's newest record until a task took the frame; null where that was not traced. */
  readonly frameAge: Percentiles | null;
  readonly frameAgePerSecondMaxUs: readonly (number | null)[] | null;
  /** Records that the engine took while the run was measured. */
  readonly recordsTaken: number | null;
  readonly threadBusyShare: number | null;
  readonly checkpoints: readonly CheckpointSpan[];
  readonly cpuSeconds: {
    readonly generator: number;
    readonly engine: number;
    readonly redis: number;
    readonly observer: number;
  };
  readonly records: number;
  readonly frames: number;
  readonly bytesPerRecord: number;
  readonly lakeRows: number;
  readonly restarts: number;
  readonly loadAverage: number;
  /** Why the figures do not count; empty for a valid run. */
  readonly void: readonly string[];
}

/** One window by stage: ms after it was due, for the last lane (records of one producer in one partition) or the last point. */
export interface WindowStages {
  readonly windowStart: number;
  readonly points: number;
  /** The frame with the record that lets the window close was cut: the record's distance, then linger. */
  readonly cutMs: number | null;
  /** … was acknowledged by the log. */
  readonly acknowledgedMs: number | null;
  /** … was taken by the source's task: the watermark moves with it. */
  readonly takenMs: number | null;
  /** The first and the last batch of points were sent, and the last was acknowledged. */
  readonly firstSentMs: number | null;
  readonly lastSentMs: number | null;
  readonly lastAcknowledgedMs: number | null;
  /** The server told of the first and of the last point. */
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** CPU time of the engine's thread from taken to first sent, and from there to last sent: what stays on a machine that nobody else uses. */
  readonly fireCpuMs: number | null;
  readonly sendCpuMs: number | null;
  /** The checkpoint under way when the window was due or became so before its last point, if any: ms of its trigger after the due time. */
  readonly checkpointMs: number | null;
}
