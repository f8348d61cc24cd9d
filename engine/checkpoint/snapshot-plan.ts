import type { BlobRange } from './manifest.ts';

/** The head's place among a snapshot's parts; a key group's is its number. */
export const HEAD = -1;

export interface SnapshotFacts {
  /** Parts as the last written snapshot left them. */
  readonly stored: ReadonlyMap<number, BlobRange>;
  /** Parts that the snapshot has. */
  readonly parts: Iterable<number>;
  /** Parts that may differ from what is stored. */
  readonly isDirty: (part: number) => boolean;
  /** Blobs with less than this alive are small. */
  readonly smallBytes: number;
  /** Small blobs that may stay. */
  readonly smallBlobsMax: number;
}

export interface SnapshotPlan {
  /** Parts to write, rising. */
  readonly write: readonly number[];
  /** Parts that stay where they are. */
  readonly keep: ReadonlyMap<number, BlobRange>;
}

/**
 * Decides what a snapshot writes: what is dirty or new, and what shares a blob with too much that is gone. Facts in, decision
 * out.
 *
 * PG1 A part that is dirty, or that is not stored, is written.
 * PG2 Of every blob that is kept in use at least half is kept, so that stored bytes are at most twice the living ones.
 * PG3 At most `smallBlobsMax` blobs with few living bytes stay: many small checkpoints do not leave a blob each.
 */
export function planSnapshot(facts: SnapshotFacts): SnapshotPlan {
  const write: number[] = [];
  const keep = new Map<number, BlobRange>();
  for (const part of facts.parts) {
    const stored = facts.stored.get(part);
    if (stored === undefined || facts.isDirty(part)) write.push(part);
    else keep.set(part, stored);
  }
  // A part that leaves one blob may leave another one that it reaches into too empty.
  for (let given = giveUp(facts, keep); given.size > 0; given = giveUp(facts, keep)) {
    for (const [part, { pieces }] of keep) {
      if (!pieces.some(({ blob }) => given.has(blob.key))) continue;
      keep.delete(part);
      write.push(part);
    }
  }
  return { write: write.sort((a, b) => a - b), keep };
}

/** Blobs to be left: those less than half alive, and all small ones when there are too many. */
function giveUp(facts: SnapshotFacts, keep: ReadonlyMap<number, BlobRange>): ReadonlySet<string> {
  const blobs = new Map<string, { readonly bytes: number; alive: number }>();
  for (const { pieces } of keep.values()) {
    for (const { blob, bytes } of pieces) {
      const known = blobs.get(blob.key);
      if (known === undefined) blobs.set(blob.key, { bytes: blob.bytes, alive: bytes });
      else known.alive += bytes;
    }
  }
  const keysOf = (wanted: (blob: { readonly bytes: number; alive: number }) => boolean) =>
    [...blobs].filter(([, blob]) => wanted(blob)).map(([key]) => key);
  const sparse = keysOf(({ bytes, alive }) => alive * 2 < bytes);
  const small = keysOf(({ alive }) => alive < facts.smallBytes);
  return new Set(small.length > facts.smallBlobsMax ? [...sparse, ...small] : sparse);
}
