import { intervalJoin } from '../../operators/join/interval-join.ts';
import { type Event, keyIndex, uniformFeed } from './events.ts';
import type { Feed } from './feed.ts';
import { HandKeys, numbersOf, stringsOf } from './hand-keys.ts';
import type { ResultDigest } from './result-digest.ts';
import { runOperator } from './run-operator.ts';
import type { Workload } from './workload.ts';

const REACH_MS = 1_000;

interface Pair {
  readonly key: string;
  readonly left: number;
  readonly right: number;
}

/** Two inputs of one record per key every 2 s each: about one partner within a second before or after. */
export const intervalJoinWorkload: Workload = {
  title: 'interval join −1 s … +1 s, about one pair per record: two numbers',
  eventsShare: 0.8,
  feed: (size) => uniformFeed(size, 0.5, 2),
  byHand,
  byEngine(feed, digest) {
    const definition = intervalJoin<Event, Event, Pair>({
      lowerMs: -REACH_MS,
      upperMs: REACH_MS,
      join: (left, right) => ({ key: left.key, left: left.value, right: right.value }),
    });
    runOperator<Pair>(definition, feed, ({ key, left, right }, time) =>
      digest.add(keyIndex(key), time, left, right),
    );
  },
};

function byHand(feed: Feed, digest: ResultDigest): void {
  const keys = new HandKeys(feed.keys);
  const { index } = keys;
  const sides = [new HandSide(feed.keys), new HandSide(feed.keys)] as const;
  let reached = Number.NEGATIVE_INFINITY;
  for (const { input, batch, watermark } of feed.steps) {
    const slots = keys.slotsOf(batch);
    const { codes } = stringsOf(batch, 1);
    const values = numbersOf(batch, 2);
    const { times, count: records } = batch;
    const isLeft = input === 0;
    const own = isLeft ? sides[0] : sides[1];
    const other = isLeft ? sides[1] : sides[0];
    for (let i = 0; i < records; i++) {
      const slot = slots[codes[i] as number] as number;
      const time = times[i] as number;
      const value = values[i] as number;
      const { cells } = other;
      let at = slot * other.width;
      for (const end = at + 2 * (other.counts[slot] as number); at < end; at += 2) {
        const theirs = cells[at] as number;
        if (theirs < time - REACH_MS || theirs > time + REACH_MS) continue;
        const later = theirs > time ? theirs : time;
        const partner = cells[at + 1] as number;
        digest.add(index[slot] as number, later, isLeft ? value : partner, isLeft ? partner : value);
      }
      own.keep(slot, time, value, reached - REACH_MS);
    }
    if (!Number.isNaN(watermark)) reached = watermark;
  }
}

/** The records of one input that may still find a partner, unsorted; what is over goes when its key's places are full. */
class HandSide {
  /** Time and value of each. */
  cells: Float64Array;
  /** Cells of a key. */
  width = 16;
  readonly counts: Int32Array;

  constructor(keys: number) {
    this.counts = new Int32Array(keys);
    this.cells = new Float64Array(keys * this.width);
  }

  keep(slot: number, time: number, value: number, over: number): void {
    let count = this.counts[slot] as number;
    if (2 * count === this.width) count = this.#makeRoom(slot, over);
    const at = slot * this.width + 2 * count;
    this.cells[at] = time;
    this.cells[at + 1] = value;
    this.counts[slot] = count + 1;
  }

  /** Forgets the key's records from before `over`; doubles every key's places when there are none. Gives how many are left. */
  #makeRoom(slot: number, over: number): number {
    const { cells, width } = this;
    const from = slot * width;
    let to = from;
    for (let at = from; at < from + width; at += 2) {
      if ((cells[at] as number) < over) continue;
      cells[to++] = cells[at] as number;
      cells[to++] = cells[at + 1] as number;
    }
    if (to === from + width) this.#grow();
    return (to - from) / 2;
  }

  #grow(): void {
    const { cells, width } = this;
    this.width = width * 2;
    this.cells = new Float64Array(cells.length * 2);
    for (let slot = 0; slot < this.counts.length; slot++)
      this.cells.set(cells.subarray(slot * width, (slot + 1) * width), slot * this.width);
  }
}
