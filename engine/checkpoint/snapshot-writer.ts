import type { CheckpointId } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { OperatorState } from '../runtime/operator.ts';
import type { CheckpointStore, Ownership } from './checkpoint-store.ts';
import type { SnapshotRef } from './manifest.ts';
import { chunksOf, encodeSnapshot } from './snapshot-codec.ts';

/** One operator's subtask as it was at a barrier. */
export interface SubtaskSnapshot {
  readonly operator: string;
  readonly subtask: number;
  readonly parallelism: number;
  readonly state: OperatorState;
}

/** A stored snapshot, and how much of it is new. */
export interface WrittenSnapshot {
  readonly ref: SnapshotRef;
  /** All of it. */
  readonly stateBytes: number;
  /** What this checkpoint stored; the rest was stored before. */
  readonly writtenBytes: number;
}

/** Stores the snapshots of one attempt's subtasks. Suspends between blobs, so that records go on. */
export class SnapshotWriter {
  readonly #store: CheckpointStore;
  readonly #ownership: Ownership;

  constructor(options: {
    readonly store: CheckpointStore;
    readonly ownership: Ownership;
    readonly clock: Clock;
  }) {
    this.#store = options.store;
    this.#ownership = options.ownership;
  }

  /** Stores one snapshot and lets its operator release what it kept. @throws MR_CHECKPOINT_FENCED, MR_CHECKPOINT_NO_SPACE */
  async write(checkpoint: CheckpointId, snapshot: SubtaskSnapshot): Promise<WrittenSnapshot> {
    const { operator, subtask, parallelism, state } = snapshot;
    try {
      const bytes = encodeSnapshot(state);
      const blobs = await Promise.all(
        chunksOf(bytes).map((chunk, i) =>
          this.#store.writeBlob(this.#ownership, checkpoint, `${operator}.${subtask}.${i}`, chunk),
        ),
      );
      const ref = { operator, subtask, parallelism, blobs };
      return { ref, stateBytes: bytes.length, writtenBytes: bytes.length };
    } finally {
      state.release?.();
    }
  }
}
