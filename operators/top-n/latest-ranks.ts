import type { SlotTable } from '#engine';
import type { RankStore, StoredRanks } from './rank-table.ts';

interface Entry {
  readonly id: unknown;
  readonly score: number;
  readonly time: number;
  readonly row: unknown;
  /** Order of arrival. */
  readonly arrival: number;
}

/** One key's entries: the newest of each id, ranked. */
interface Ranking {
  readonly byId: Map<unknown, Entry>;
  readonly ranked: Entry[];
}

/**
 * Per slot the newest row of every id, ranked; the best `n` are the top.
 *
 * LR1 a row replaces an older row of its id, better or worse, and is ignored when its event time is before that row's.
 * LR2 at most `idsMax` ids are kept per slot: beyond, the last in rank is forgotten, and may be missing once others have sunk.
 */
export class LatestRanks implements RankStore {
  readonly #n: number;
  readonly #idsMax: number;
  readonly #idOf: (row: unknown) => unknown;
  readonly #holders: SlotTable;
  readonly #rankings: (Ranking | undefined)[] = [];
  #arrivals = 0;
  slots: number[] = [];

  /** @param idOf a scalar that identifies a row's entry */
  constructor(n: number, idsMax: number, idOf: (row: unknown) => unknown, holders: SlotTable) {
    this.#n = n;
    this.#idsMax = idsMax;
    this.#idOf = idOf;
    this.#holders = holders;
  }

  offer(slot: number, score: number, time: number, row: unknown): boolean {
    const id = this.#idOf(row);
    const { byId, ranked } = this.#rankings[slot] ?? this.#add(slot);
    const entry: Entry = { id, score, time, row, arrival: this.#arrivals };
    const known = byId.get(id);
    let changedFrom = Number.POSITIVE_INFINITY;
    if (known !== undefined) {
      if (time < known.time) return false;
      changedFrom = rankOf(ranked, known);
      ranked.splice(changedFrom, 1);
    }
    this.#arrivals++;
    const rank = rankOf(ranked, entry);
    ranked.splice(rank, 0, entry);
    byId.set(id, entry);
    if (ranked.length > this.#idsMax) byId.delete((ranked.pop() as Entry).id);
    return Math.min(changedFrom, rank) < this.#n;
  }

  top(slot: number): unknown[] {
    return (this.#rankings[slot]?.ranked ?? []).slice(0, this.#n).map((entry) => entry.row);
  }

  stored(slot: number): StoredRanks {
    const ranked = this.#rankings[slot]?.ranked ?? [];
    return {
      scores: ranked.map((entry) => entry.score),
      times: ranked.map((entry) => entry.time),
      rows: ranked.map((entry) => entry.row),
    };
  }

  clear(): void {
    for (const slot of this.slots) {
      this.#rankings[slot] = undefined;
      this.#holders.drop(slot);
    }
    this.slots = [];
  }

  #add(slot: number): Ranking {
    const ranking: Ranking = { byId: new Map(), ranked: [] };
    this.#rankings[slot] = ranking;
    this.slots.push(slot);
    this.#holders.hold(slot);
    return ranking;
  }
}

/** Where `entry` stands, or would stand: the number of entries before it. */
function rankOf(ranked: readonly Entry[], entry: Entry): number {
  let low = 0;
  let high = ranked.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(ranked[middle] as Entry, entry)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isBefore(a: Entry, b: Entry): boolean {
  if (a.score !== b.score) return a.score < b.score;
  return a.time !== b.time ? a.time < b.time : a.arrival < b.arrival;
}
