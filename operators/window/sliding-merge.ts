import type { SlidingWindows } from './assigner.ts';
import type { Pane } from './pane.ts';

/** Windows of at most so many panes are merged pane by pane: about what the steps below cost (measured). */
const DIRECT_MAX = 12;

/**
 * Merges the panes of one window after another, at a cost per key and window that does not grow with the number of panes.
 *
 * Two stacks in the form of panes. At a turn, all panes of the window at hand are merged from the last to the first, and every
 * step at which a window begins is kept ("front"). Later windows begin at one of these steps, and what they have beyond the turn
 * is gathered in one more pane ("back"): front + back is the window. When a window begins behind the last step, it is the turn.
 *
 *     turn at window 0    front: [0 5) [1 5) [2 5) [3 5) [4 5)    back: –
 *     window 2            front  [2 5)  +  back [5 7)
 *
 * Source: Tangwongsan, Hirzel, Schneider, Low-latency sliding-window aggregation (DEBS 2017), two-stacks.
 *
 * SM1 front and back show their panes as they were when they were merged. A key with a record since is disturbed: it is merged pane
 *     by pane until the next turn.
 */
export class SlidingMerge {
  readonly #windows: SlidingWindows;
  readonly #newPane: () => Pane;
  readonly #isDirect: boolean;
  /** By steps of a slide from the turn's window on: what the window there has of the turn's. Neighbours may share one. */
  #front: Pane[] = [];
  #turnStart = Number.POSITIVE_INFINITY;
  /** Steps that were released. */
  #passed = 0;
  readonly #back: Pane;
  /** Panes before this are in front or back. */
  #backEnd = Number.NEGATIVE_INFINITY;
  readonly #disturbed = new Set<number>();
  /** Cleared panes; never more than the front has ever had. */
  readonly #pool: Pane[] = [];
  readonly #result: Pane;

  constructor(windows: SlidingWindows, newPane: () => Pane) {
    const { sizeMs, slideMs } = windows;
    this.#windows = windows;
    this.#newPane = newPane;
    this.#isDirect = Math.ceil(sizeMs / slideMs) * (sizeMs % slideMs === 0 ? 1 : 2) <= DIRECT_MAX;
    this.#back = newPane();
    this.#result = newPane();
  }

  /** What a window's panes, `panes[from … to − 1]`, have seen together. Clear it when done. Windows come by rising start. */
  ofWindow(start: number, end: number, panes: readonly Pane[], from: number, to: number): Pane {
    const result = this.#result;
    if (this.#isDirect) {
      for (let i = from; i < to; i++) result.mergeAll(panes[i] as Pane);
      return result;
    }
    let step = (start - this.#turnStart) / this.#windows.slideMs;
    if (step >= 0 && step < this.#front.length) this.#extend(end, panes, from, to);
    else {
      this.#turn(start, end, panes, from, to);
      step = 0;
    }
    const front = this.#front[step] as Pane;
    for (const part of [front, this.#back])
      for (const slot of part.touched) if (!this.#disturbed.has(slot)) result.merge(part, slot);
    for (const slot of this.#disturbed) mergeSlot(result, slot, panes, from, to);
    this.#pass(step + 1);
    return result;
  }

  /** The same for one key. */
  ofSlot(slot: number, panes: readonly Pane[], from: number, to: number): Pane {
    mergeSlot(this.#result, slot, panes, from, to);
    return this.#result;
  }

  /** A pane that is in front or back has a new record of this key (SM1). */
  disturb(slot: number): void {
    if (!this.#isDirect) this.#disturbed.add(slot);
  }

  /** Forgets what has been merged, and lets its slots go. */
  clear(): void {
    this.#pass(this.#front.length);
    this.#front = [];
    this.#passed = 0;
    this.#back.clear();
    this.#disturbed.clear();
  }

  #turn(start: number, end: number, panes: readonly Pane[], from: number, to: number): void {
    this.clear();
    const { slideMs } = this.#windows;
    this.#turnStart = start;
    const steps = Math.ceil((end - start) / slideMs);
    this.#front = new Array<Pane>(steps);
    let above = to;
    let front: Pane | null = null;
    for (let step = steps - 1; step >= 0; step--) {
      const at = start + step * slideMs;
      let below = above;
      while (below > from && (panes[below - 1] as Pane).start >= at) below--;
      if (below < above || front === null) {
        const made: Pane = this.#pool.pop() ?? this.#newPane();
        for (let i = below; i < above; i++) made.mergeAll(panes[i] as Pane);
        if (front !== null) made.mergeAll(front);
        front = made;
      }
      this.#front[step] = front;
      above = below;
    }
    this.#backEnd = end;
  }

  #extend(end: number, panes: readonly Pane[], from: number, to: number): void {
    let next = to;
    while (next > from && (panes[next - 1] as Pane).start >= this.#backEnd) next--;
    for (; next < to; next++) this.#back.mergeAll(panes[next] as Pane);
    this.#backEnd = end;
  }

  /** Takes back the panes of all steps below `step`. */
  #pass(step: number): void {
    for (; this.#passed < step; this.#passed++) {
      const pane = this.#front[this.#passed] as Pane;
      if (pane === this.#front[this.#passed + 1]) continue;
      pane.clear();
      this.#pool.push(pane);
    }
  }
}

function mergeSlot(into: Pane, slot: number, panes: readonly Pane[], from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const pane = panes[i] as Pane;
    if (pane.has(slot)) into.merge(pane, slot);
  }
}
