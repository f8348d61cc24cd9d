import type { SlotTable } from '#engine';

/** No entry. Below every time. */
const UNSEEN = Number.NEGATIVE_INFINITY;

/** What has been seen, and until when it counts. Every slot that has entries is held. */
export interface SeenStore {
  readonly size: number;
  /** When the entry ends, epoch ms; {@link UNSEEN} when there is none. */
  readonly expiryOf: (slot: number, value: unknown) => number;
  /** Makes or replaces the entry. */
  readonly remember: (slot: number, value: unknown, expiry: number) => void;
  /** Forgets the slot's entries that have ended at `time`. */
  readonly sweep: (slot: number, time: number) => void;
  readonly forEachOf: (slot: number, visit: (value: unknown, expiry: number) => void) => void;
}

/** One entry per slot. */
export class SeenTable implements SeenStore {
  readonly #holders: SlotTable;
  #expiries = new Float64Array(1024).fill(UNSEEN);
  #size = 0;

  constructor(holders: SlotTable) {
    this.#holders = holders;
  }

  get size(): number {
    return this.#size;
  }

  expiryOf(slot: number): number {
    return slot < this.#expiries.length ? (this.#expiries[slot] as number) : UNSEEN;
  }

  remember(slot: number, _value: unknown, expiry: number): void {
    if (slot >= this.#expiries.length) this.#grow(slot);
    if (this.#expiries[slot] === UNSEEN) {
      this.#holders.hold(slot);
      this.#size++;
    }
    this.#expiries[slot] = expiry;
  }

  sweep(slot: number, time: number): void {
    const expiry = this.expiryOf(slot);
    if (expiry === UNSEEN || expiry > time) return;
    this.#expiries[slot] = UNSEEN;
    this.#holders.drop(slot);
    this.#size--;
  }

  forEachOf(slot: number, visit: (value: unknown, expiry: number) => void): void {
    const expiry = this.expiryOf(slot);
    if (expiry !== UNSEEN) visit(null, expiry);
  }

  #grow(slot: number): void {
    const grown = new Float64Array(Math.max(this.#expiries.length * 2, slot + 1)).fill(UNSEEN);
    grown.set(this.#expiries);
    this.#expiries = grown;
  }
}

/** One entry per slot and value. */
export class SeenValues implements SeenStore {
  readonly #holders: SlotTable;
  readonly #entries: (Map<unknown, number> | undefined)[] = [];
  #size = 0;

  constructor(holders: SlotTable) {
    this.#holders = holders;
  }

  get size(): number {
    return this.#size;
  }

  expiryOf(slot: number, value: unknown): number {
    return this.#entries[slot]?.get(value) ?? UNSEEN;
  }

  remember(slot: number, value: unknown, expiry: number): void {
    let values = this.#entries[slot];
    if (values === undefined) {
      values = new Map();
      this.#entries[slot] = values;
      this.#holders.hold(slot);
    }
    const before = values.size;
    values.set(value, expiry);
    this.#size += values.size - before;
  }

  sweep(slot: number, time: number): void {
    const values = this.#entries[slot];
    if (values === undefined) return;
    for (const [value, expiry] of values) {
      if (expiry > time) continue;
      values.delete(value);
      this.#size--;
    }
    if (values.size > 0) return;
    this.#entries[slot] = undefined;
    this.#holders.drop(slot);
  }

  forEachOf(slot: number, visit: (value: unknown, expiry: number) => void): void {
    for (const [value, expiry] of this.#entries[slot] ?? []) visit(value, expiry);
  }
}
