import { eventTime, f64, type Infer, schema, seededRandom, string } from '#wire';
import { tumbling, type WindowTop } from '#operators';
import { topN } from '../../operators/top-n.ts';
import { keyIndex, keyText, timeOf } from './events.ts';
import { type Feed, type FeedSize, FeedWriter } from './feed.ts';
import { HandKeys, numbersOf, stringsOf } from './hand-keys.ts';
import type { ResultDigest } from './result-digest.ts';
import { runOperator } from './run-operator.ts';
import type { Workload } from './workload.ts';

const N = 10;
const SIZE_MS = 10_000;
const ITEMS_PER_GROUP = 10;
const PER_GROUP_SECOND = 100;
/** Few enough for ties. */
const VALUES = 50_000;

/** A value of one item, ranked within its group. */
const Ranked = schema('micro-ranked', { ts: eventTime(1), key: string(2), value: f64(3), item: string(4) });
type Ranked = Infer<typeof Ranked>;

/** A tenth as many groups as items; any item in any group. */
export const topNWorkload: Workload = {
  title: 'top 10 by value per tumbling 10 s, a tenth as many keys as items, 1,000 records per key and window',
  eventsShare: 1,
  feed: rankedFeed,
  byHand,
  byEngine(feed, digest) {
    const definition = topN<Ranked>({ n: N, by: 'value', windows: tumbling(SIZE_MS) });
    runOperator<WindowTop<{ key: string }, Ranked>>(definition, feed, ({ key, window, top }) => {
      const group = keyIndex(key.key);
      for (const [rank, row] of top.entries())
        digest.add(group, window.start, rank, row.value, keyIndex(row.item));
    });
  },
};

function rankedFeed({ events, keys: items, seed }: FeedSize): Feed {
  const random = seededRandom(seed);
  const writer = new FeedWriter(Ranked, 1);
  const groups = Math.ceil(items / ITEMS_PER_GROUP);
  const perSecond = groups * PER_GROUP_SECOND;
  for (let i = 0; i < events; i++) {
    writer.add({
      ts: timeOf((i * 1000) / perSecond, random),
      key: keyText(Math.floor(random() * groups)),
      value: Math.floor(random() * VALUES),
      item: keyText(Math.floor(random() * items)),
    });
  }
  return writer.finish(groups);
}

function byHand(feed: Feed, digest: ResultDigest): void {
  const keys = new HandKeys(feed.keys);
  const windows = new Map<number, HandRanks>();
  for (const { batch, watermark } of feed.steps) {
    const slots = keys.slotsOf(batch);
    const { codes } = stringsOf(batch, 1);
    const values = numbersOf(batch, 2);
    const items = stringsOf(batch, 3);
    const { times, count: records } = batch;
    let ranks = ranksAt(windows, times[0] as number, feed.keys);
    for (let i = 0; i < records; i++) {
      const slot = slots[codes[i] as number] as number;
      const time = times[i] as number;
      const value = values[i] as number;
      if (time < ranks.start || time >= ranks.start + SIZE_MS) ranks = ranksAt(windows, time, feed.keys);
      if (value < (ranks.worst[slot] as number)) continue;
      ranks.add(slot, value, time, items.dictionary.text(items.codes[i] as number));
    }
    if (Number.isNaN(watermark)) continue;
    for (const due of windows.values()) {
      if (due.start + SIZE_MS - 1 > watermark) continue;
      due.give(keys, digest);
      windows.delete(due.start);
    }
  }
}

function ranksAt(windows: Map<number, HandRanks>, time: number, groups: number): HandRanks {
  const start = time - (time % SIZE_MS);
  let ranks = windows.get(start);
  if (ranks === undefined) {
    ranks = new HandRanks(start, groups);
    windows.set(start, ranks);
  }
  return ranks;
}

/** Ten places per group, best first; of equal values the earlier one, then the one that came first. */
class HandRanks {
  readonly start: number;
  /** Per group: what a value must reach to be ranked. */
  readonly worst: Float64Array;
  readonly #counts: Int32Array;
  readonly #values: Float64Array;
  readonly #times: Float64Array;
  readonly #items: string[];

  constructor(start: number, groups: number) {
    this.start = start;
    this.worst = new Float64Array(groups).fill(Number.NEGATIVE_INFINITY);
    this.#counts = new Int32Array(groups);
    this.#values = new Float64Array(groups * N);
    this.#times = new Float64Array(groups * N);
    this.#items = Array.from({ length: groups * N }, () => '');
  }

  add(slot: number, value: number, time: number, item: string): void {
    const values = this.#values;
    const times = this.#times;
    const items = this.#items;
    const first = slot * N;
    const count = this.#counts[slot] as number;
    let at = first + count;
    for (; at > first; at--) {
      const before = values[at - 1] as number;
      if (before > value || (before === value && (times[at - 1] as number) <= time)) break;
      if (at === first + N) continue;
      values[at] = before;
      times[at] = times[at - 1] as number;
      items[at] = items[at - 1] as string;
    }
    if (at === first + N) return;
    values[at] = value;
    times[at] = time;
    items[at] = item;
    if (count < N) this.#counts[slot] = count + 1;
    if (count >= N - 1) this.worst[slot] = values[first + N - 1] as number;
  }

  give({ index }: HandKeys, digest: ResultDigest): void {
    for (let slot = 0; slot < this.#counts.length; slot++) {
      const first = slot * N;
      for (let rank = 0; rank < (this.#counts[slot] as number); rank++) {
        const item = keyIndex(this.#items[first + rank] as string);
        digest.add(index[slot] as number, this.start, rank, this.#values[first + rank] as number, item);
      }
    }
  }
}
