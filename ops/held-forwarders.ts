/**
 * A forwarder whose records a full partition keeps waiting, as it told last itself. One that is gone has told nothing since `at`.
 * Times are epoch ms of the forwarder's clock.
 */
export interface HeldForwarder {
  readonly topic: string;
  readonly producer: string;
  readonly at: number;
  /** Since when a partition has been full without a break. */
  readonly since: number;
  /** The partitions that are. */
  readonly partitions: readonly number[];
  /** In its outbox, not in the log yet. */
  readonly pendingRecords: number;
  readonly pendingBytes: number;
  /** Age of the oldest of them; null when that is not known. */
  readonly oldestMs: number | null;
  /** The outbox is full as well: its input stands still, or its oldest records are dropped. */
  readonly inputHeld: boolean;
}

/** Reads which forwarders of these topics are held; rejects when that cannot be known. */
export type ReadHeldForwarders = (topics: readonly string[]) => Promise<readonly HeldForwarder[]>;
