/** What one commit of the outbox stores together (OB1). */
export interface OutboxChange {
  /** Per partition in sequence order, each starting where the lane ends. */
  readonly frames: readonly OutboxFrame[];
  readonly input: InputPosition | null;
  readonly accepted: number;
  readonly rejected: number;
}

/** One encoded frame; its records carry the sequences `first` … `last`. */
export interface OutboxFrame {
  readonly partition: number;
  readonly first: number;
  readonly last: number;
  readonly bytes: Uint8Array;
}

/** How far an input has been read. `origin` pins what makes the position meaningful (e.g. the seed of a simulation). */
export interface InputPosition {
  readonly name: string;
  readonly origin: string;
  readonly position: number;
}
