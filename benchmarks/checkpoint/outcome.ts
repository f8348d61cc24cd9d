/** What a run of one operator with snapshots says. */
export interface CheckpointOutcome {
  readonly keys: number;
  /** Memory that the operator holds before its first snapshot, garbage not counted. */
  readonly bytesPerKey: number;
  /** From the start of one batch to the start of the next while no snapshot is being written, median and longest. */
  readonly turnMs: number;
  readonly quietStallMs: number;
  readonly quietStallCpuMs: number;
  readonly snapshots: readonly SnapshotOutcome[];
  /** CPU time from stored bytes to an operator that takes records. */
  readonly restoreCpuMs: number;
  /** A snapshot after records of a few key groups only, beside a whole one. */
  readonly incremental?: {
    readonly dirtyShare: number;
    readonly bytes: number;
    readonly writtenBytes: number;
    readonly cpuMs: number;
  };
}

/** One snapshot, from its barrier to its last blob, with batches all along. */
export interface SnapshotOutcome {
  /** The barrier: `snapshot()` itself. */
  readonly barrierMs: number;
  /** Longest time between two batches beyond the median turn, the barrier included. */
  readonly stallMs: number;
  /** The most CPU time that the thread spent from the start of one batch to that of the next, garbage collection included. */
  readonly stallCpuMs: number;
  /** The 99th percentile of it. */
  readonly stallCpuP99Ms: number;
  readonly wallMs: number;
  /** CPU time of the process beyond what its batches cost without a snapshot. */
  readonly cpuMs: number;
  readonly bytes: number;
  readonly batches: number;
}

/** A workload by its name on the command line. */
export interface CheckpointWorkload {
  /** What is kept per key. */
  readonly title: string;
  readonly run: (keys: number, snapshots: number) => Promise<CheckpointOutcome>;
}
