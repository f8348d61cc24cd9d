import { durationMs, type StateCells } from '#engine';
import type { CurrentKey } from './cell-kind.ts';
import type { StateOptions } from './state-kinds.ts';

/** Entries looked at per access, as in Flink's incremental clean-up. */
const LOOKED_AT = 5;

/** A value with the time its life began, epoch ms. */
export interface TimedValue {
  value: unknown;
  at: number;
}

/** When values expire: by processing time, counted from the last write, or the last access. */
export class TimeToLive {
  readonly #ms: number;
  readonly #current: CurrentKey;
  readonly refreshesOnRead: boolean;
  readonly showsExpired: boolean;

  private constructor(ms: number, options: StateOptions, current: CurrentKey) {
    this.#ms = ms;
    this.#current = current;
    this.refreshesOnRead = options.refresh === 'on-read-and-write';
    this.showsExpired = options.expired === 'show-until-cleaned';
  }

  /** Null for state that lives until it is cleared. */
  static of(options: StateOptions, current: CurrentKey): TimeToLive | null {
    return options.ttl === undefined ? null : new TimeToLive(durationMs(options.ttl), options, current);
  }

  get now(): number {
    return this.#current.now;
  }

  /** @param at when the value's life began, epoch ms */
  expired(at: number): boolean {
    return at + this.#ms <= this.#current.now;
  }
}

/** Prunes one cell; takes the entries it looks at off `sweep.budget`. True when it is through with the cell. */
export type Prune<Cell> = (slot: number, cell: Cell, sweep: { budget: number }) => boolean;

/**
 * Looks at a few entries with every access, key by key in turn, so that what has expired leaves memory although nobody asks for it.
 * A key without an entry counts as one that was looked at.
 */
export class ExpirySweep<Cell> {
  budget = 0;
  #slot = 0;
  readonly #cells: StateCells<Cell>;
  readonly #prune: Prune<Cell>;

  constructor(cells: StateCells<Cell>, prune: Prune<Cell>) {
    this.#cells = cells;
    this.#prune = prune;
  }

  step(): void {
    const { extent } = this.#cells;
    let slotsLeft = Math.min(extent, LOOKED_AT);
    this.budget = LOOKED_AT;
    while (this.budget > 0 && slotsLeft-- > 0) {
      if (this.#slot >= extent) this.#slot = 0;
      const cell = this.#cells.peek(this.#slot);
      if (cell === undefined) this.budget--;
      else if (!this.#prune(this.#slot, cell, this)) return;
      this.#slot++;
    }
  }
}
