import { MAX_WATERMARK, plusSaturating } from '../time/watermark.ts';

/** Declares that partitions of one group, of one or several sources, keep together in event time. */
export interface AlignmentOptions {
  /** Sources of one job with the same group wait for each other. */
  readonly group: string;
  /** How far a partition's watermark may be ahead of the group's lowest before it is paused, ms. */
  readonly maxDriftMs: number;
}

/** One partition's place in its group. */
export interface AlignedPartition {
  /** True while the partition stands beyond the limit and must not be read. Never true while it is idle. */
  readonly paused: boolean;
  /** Its watermark. The first report enters it into the group's minimum; it may come again after {@link idle}. */
  readonly report: (watermark: number) => void;
  /** Nothing is coming: the others do not wait for it. */
  readonly idle: () => void;
  /** It has ended, or is closed. */
  readonly leave: () => void;
}

/**
 * Keeps the partitions of a group within a drift of each other, so that the fast ones do not fill state with what cannot fire
 * before the slow ones arrive. Shared by all sources of one attempt in one thread. Source: Flink, watermark alignment (FLIP-182, FLIP-217).
 *
 * WA1 the limit of a partition is the minimum over the reports of its group, plus its own `maxDriftMs`, saturating. Whoever is idle,
 *     has left, or has not reported yet holds nobody; with nobody left there is no limit.
 * WA2 a partition above its limit is paused and stays in the minimum; the lowest is at its own limit at most, so somebody may always
 *     be read.
 * WA3 whoever may go on again is woken.
 */
export class WatermarkAlignment {
  readonly #groups = new Map<string, Group>();

  /** Enters a partition. @param wake called when it may be read again */
  join({ group: name, maxDriftMs }: AlignmentOptions, wake: () => void): AlignedPartition {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { members: [], lowest: MAX_WATERMARK };
      this.#groups.set(name, group);
    }
    return new Member(group, maxDriftMs, wake);
  }
}

interface Group {
  readonly members: Member[];
  /** Minimum over the reports; MAX_WATERMARK without any. */
  lowest: number;
}

class Member implements AlignedPartition {
  readonly #group: Group;
  readonly #maxDriftMs: number;
  readonly #wake: () => void;
  /** NaN while it holds nobody. */
  #reported = Number.NaN;
  #free = true;

  constructor(group: Group, maxDriftMs: number, wake: () => void) {
    this.#group = group;
    this.#maxDriftMs = maxDriftMs;
    this.#wake = wake;
    group.members.push(this);
  }

  get paused(): boolean {
    return this.#reported > plusSaturating(this.#group.lowest, this.#maxDriftMs);
  }

  report(watermark: number): void {
    const before = this.#reported;
    if (watermark === before) return;
    this.#reported = watermark;
    if (before === this.#group.lowest || watermark < this.#group.lowest) this.#settle();
    else this.#free = !this.paused;
  }

  idle(): void {
    if (Number.isNaN(this.#reported)) return;
    this.#reported = Number.NaN;
    this.#settle();
  }

  leave(): void {
    const at = this.#group.members.indexOf(this);
    if (at < 0) return;
    this.#group.members.splice(at, 1);
    this.idle();
  }

  /** The lowest may have moved: finds it, and wakes whom that frees (WA3). */
  #settle(): void {
    let lowest = MAX_WATERMARK;
    for (const member of this.#group.members) if (member.#reported < lowest) lowest = member.#reported;
    this.#group.lowest = lowest;
    for (const member of this.#group.members) {
      const free = !member.paused;
      if (free && !member.#free) member.#wake();
      member.#free = free;
    }
  }
}
