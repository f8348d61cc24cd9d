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

/** Per group, the lowest watermark of some of its partitions; a group that none of them holds is missing. */
export type LowestByGroup = Readonly<Record<string, number>>;

/**
 * Keeps the partitions of a group within a drift of each other, so that the fast ones do not fill state with what cannot fire
 * before the slow ones arrive. Shared by all sources of one attempt in one thread; what the attempt's other hosts have reached is told
 * from time to time. Source: Flink, watermark alignment (FLIP-182, FLIP-217).
 *
 * WA1 the limit of a partition is the minimum over the reports of its group here and of what was last told of other hosts, plus its own
 *     `maxDriftMs`, saturating. Whoever is idle, has left, or has not reported yet holds nobody; with nobody left there is no limit.
 * WA2 a partition above its limit is paused and stays in the minimum; the lowest is at its own limit at most, so somebody may always
 *     be read.
 * WA3 whoever may go on again is woken.
 * WA4 what is told is never a host's own report, and is late by a bounded time: the lowest of all hosts waits for no more than the next
 *     time that the others are told of, and nobody gets further ahead than its drift and what is read meanwhile.
 */
export class WatermarkAlignment {
  readonly #groups = new Map<string, Group>();

  /** What is reached here, for other hosts to be told. */
  get lowest(): LowestByGroup {
    const holding = [...this.#groups].filter(([, group]) => group.members.some((member) => member.holds));
    return Object.fromEntries(holding.map(([name, { lowest }]) => [name, lowest]));
  }

  /** What all other hosts together have reached, in the place of what was told before. */
  elsewhere(lowest: LowestByGroup): void {
    for (const name of Object.keys(lowest)) this.#group(name);
    for (const [name, group] of this.#groups) {
      group.elsewhere = lowest[name] ?? MAX_WATERMARK;
      free(group);
    }
  }

  /** Enters a partition. @param wake called when it may be read again */
  join({ group: name, maxDriftMs }: AlignmentOptions, wake: () => void): AlignedPartition {
    return new Member(this.#group(name), maxDriftMs, wake);
  }

  #group(name: string): Group {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { members: [], lowest: MAX_WATERMARK, elsewhere: MAX_WATERMARK };
      this.#groups.set(name, group);
    }
    return group;
  }
}

interface Group {
  readonly members: Member[];
  /** Minimum over the reports; MAX_WATERMARK without any. */
  lowest: number;
  /** The same of other hosts, as last told. */
  elsewhere: number;
}

/** A limit may have moved: wakes whom that frees (WA3). */
function free(group: Group): void {
  for (const member of group.members) member.settle();
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
    const { lowest, elsewhere } = this.#group;
    return this.#reported > plusSaturating(Math.min(lowest, elsewhere), this.#maxDriftMs);
  }

  /** True while it is in the minimum. */
  get holds(): boolean {
    return !Number.isNaN(this.#reported);
  }

  settle(): void {
    const free = !this.paused;
    const freed = free && !this.#free;
    this.#free = free;
    if (freed) this.#wake();
  }

  report(watermark: number): void {
    const before = this.#reported;
    if (watermark === before) return;
    this.#reported = watermark;
    if (before === this.#group.lowest || watermark < this.#group.lowest) this.#lowestMoved();
    else this.settle();
  }

  idle(): void {
    if (Number.isNaN(this.#reported)) return;
    this.#reported = Number.NaN;
    this.#lowestMoved();
  }

  leave(): void {
    const at = this.#group.members.indexOf(this);
    if (at < 0) return;
    this.#group.members.splice(at, 1);
    this.idle();
  }

  #lowestMoved(): void {
    let lowest = MAX_WATERMARK;
    for (const member of this.#group.members) if (member.#reported < lowest) lowest = member.#reported;
    this.#group.lowest = lowest;
    free(this.#group);
  }
}
