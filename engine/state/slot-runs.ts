/** Slots of one run at most: with a byte each, as many as a line of the processor's cache holds. */
const RUN_MAX = 64;

/**
 * Gives out slots so that those of one key group lie in runs beside one another: a snapshot goes through one group after the other, and would
 * else bring in a line of the cache for each number that it reads. Runs are at most as long as what the group has already, so that at most
 * half of all slots are unused.
 */
export class SlotRuns {
  /** Per key group: the next slot of its run, the end of that, how many slots it was given in all. */
  readonly #runs: Int32Array;
  /** Slots that were given back, by key group. */
  readonly #free: (number[] | undefined)[];
  #end = 0;

  constructor(groups: number) {
    this.#runs = new Int32Array(groups * 3);
    this.#free = Array.from({ length: groups });
  }

  take(group: number): number {
    const slot = this.#free[group]?.pop();
    if (slot !== undefined) return slot;
    const runs = this.#runs;
    const at = group * 3;
    if (runs[at] === runs[at + 1]) {
      const given = runs[at + 2] as number;
      const length = Math.max(1, Math.min(RUN_MAX, given));
      runs[at] = this.#end;
      this.#end += length;
      runs[at + 1] = this.#end;
      runs[at + 2] = given + length;
    }
    const next = runs[at] as number;
    runs[at] = next + 1;
    return next;
  }

  giveBack(slot: number, group: number): void {
    const free = this.#free[group];
    if (free === undefined) this.#free[group] = [slot];
    else free.push(slot);
  }
}
