import { count, session, sum, type WindowResult } from '#operators';
import { planCells } from '../../operators/window/cells.ts';
import { sessionAggregate } from '../../operators/window/session-operator.ts';
import { burstFeed, keyIndex } from './events.ts';
import type { Feed } from './feed.ts';
import { HandKeys, numbersOf, stringsOf } from './hand-keys.ts';
import type { ResultDigest } from './result-digest.ts';
import { runOperator } from './run-operator.ts';
import type { Workload } from './workload.ts';

const GAP_MS = 1_000;

/** Sessions of bursts. */
export const sessionWorkload: Workload = {
  title: 'session, gap 1 s, about 10 records each: count and sum',
  eventsShare: 1,
  feed: burstFeed,
  byHand,
  byEngine(feed, digest) {
    const definition = sessionAggregate({
      windows: session(GAP_MS),
      allowedLatenessMs: 0,
      plan: planCells({ n: count(), total: sum('value') }),
      fold: null,
    });
    runOperator<WindowResult<{ key: string }, { n: number; total: number }>>(
      definition,
      feed,
      ({ key, window, value }) =>
        digest.add(keyIndex(key.key), window.start, window.end, value.n, value.total),
    );
  },
};

const NONE = -1;

function byHand(feed: Feed, digest: ResultDigest): void {
  const keys = new HandKeys(feed.keys);
  const sessions = new HandSessions(feed.keys);
  const { latest } = sessions;
  let { starts, ends, sums } = sessions;
  for (const { batch, watermark } of feed.steps) {
    const slots = keys.slotsOf(batch);
    const { codes } = stringsOf(batch, 1);
    const values = numbersOf(batch, 2);
    const { times, count: records } = batch;
    for (let i = 0; i < records; i++) {
      const slot = slots[codes[i] as number] as number;
      const time = times[i] as number;
      let id = latest[slot] as number;
      if (id === NONE || time < (starts[id] as number) || time > (ends[id] as number)) {
        id = sessions.place(slot, time);
        ({ starts, ends, sums } = sessions);
      } else if (time + GAP_MS > (ends[id] as number)) ends[id] = time + GAP_MS;
      sums[2 * id] = (sums[2 * id] as number) + 1;
      sums[2 * id + 1] = (sums[2 * id + 1] as number) + (values[i] as number);
    }
    if (!Number.isNaN(watermark)) sessions.close(watermark, keys, digest);
  }
}

/** Per key a list of open sessions, latest first. A watermark looks through all ends, which is cheaper than any queue of them. */
class HandSessions {
  readonly latest: Int32Array;
  starts = new Float64Array(0);
  ends = new Float64Array(0);
  /** Count and sum of each session. */
  sums = new Float64Array(0);
  #slotOf = new Int32Array(0);
  #earlier = new Int32Array(0);
  readonly #free: number[] = [];
  #used = 0;

  constructor(keys: number) {
    this.latest = new Int32Array(keys).fill(NONE);
    this.#grow(keys * 2);
  }

  /** The session for a record outside of its key's latest one: all that it touches, made one, or a new one. */
  place(slot: number, time: number): number {
    const { latest, starts, ends, sums } = this;
    const end = time + GAP_MS;
    let later = NONE;
    let id = latest[slot] as number;
    for (; id !== NONE && (starts[id] as number) > end; id = this.#earlier[id] as number) later = id;
    if (id === NONE || (ends[id] as number) < time) return this.#open(slot, time, later, id);
    if (time < (starts[id] as number)) starts[id] = time;
    if (end > (ends[id] as number)) ends[id] = end;
    let before = this.#earlier[id] as number;
    for (; before !== NONE && (ends[before] as number) >= time; before = this.#earlier[before] as number) {
      starts[id] = starts[before] as number;
      sums[2 * id] = (sums[2 * id] as number) + (sums[2 * before] as number);
      sums[2 * id + 1] = (sums[2 * id + 1] as number) + (sums[2 * before + 1] as number);
      this.#release(before);
    }
    this.#earlier[id] = before;
    return id;
  }

  close(watermark: number, keys: HandKeys, digest: ResultDigest): void {
    const { starts, ends, sums } = this;
    for (let id = 0; id < this.#used; id++) {
      const end = ends[id] as number;
      if (end - 1 > watermark) continue;
      const slot = this.#slotOf[id] as number;
      digest.add(
        keys.index[slot] as number,
        starts[id] as number,
        end,
        sums[2 * id] as number,
        sums[2 * id + 1] as number,
      );
      this.#unlink(slot, id);
      this.#release(id);
    }
  }

  #open(slot: number, time: number, later: number, earlier: number): number {
    const id = this.#free.pop() ?? this.#used++;
    if (id === this.starts.length) this.#grow(id * 2);
    this.starts[id] = time;
    this.ends[id] = time + GAP_MS;
    this.sums[2 * id] = 0;
    this.sums[2 * id + 1] = 0;
    this.#slotOf[id] = slot;
    this.#earlier[id] = earlier;
    if (later === NONE) this.latest[slot] = id;
    else this.#earlier[later] = id;
    return id;
  }

  #unlink(slot: number, id: number): void {
    const earlier = this.#earlier[id] as number;
    if (this.latest[slot] === id) {
      this.latest[slot] = earlier;
      return;
    }
    let later = this.latest[slot] as number;
    while (this.#earlier[later] !== id) later = this.#earlier[later] as number;
    this.#earlier[later] = earlier;
  }

  #grow(capacity: number): void {
    this.starts = grown(this.starts, new Float64Array(capacity));
    this.ends = grown(this.ends, new Float64Array(capacity));
    this.sums = grown(this.sums, new Float64Array(capacity * 2));
    this.#slotOf = grown(this.#slotOf, new Int32Array(capacity));
    this.#earlier = grown(this.#earlier, new Int32Array(capacity));
  }

  #release(id: number): void {
    this.ends[id] = Number.POSITIVE_INFINITY;
    this.#free.push(id);
  }
}

function grown<A extends Float64Array | Int32Array>(from: A, to: A): A {
  to.set(from);
  return to;
}
