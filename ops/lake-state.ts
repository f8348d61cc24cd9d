/** What a lake table holds now, for the live page; the page knows nothing of the format behind it. */
export interface LakeState {
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  /** Snapshots kept for time travel. */
  readonly snapshots: number;
}

/** Reads the table's metadata; null while there is no table. */
export type ReadLake = () => Promise<LakeState | null>;
