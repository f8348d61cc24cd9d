import { count, sum, type WindowResult } from '#operators';
import { sliding } from '../../operators/window/assigner.ts';
import { planCells } from '../../operators/window/cells.ts';
import { windowAggregate } from '../../operators/window/window-operator.ts';
import { keyIndex, uniformFeed } from './events.ts';
import type { Feed } from './feed.ts';
import { HandKeys, numbersOf, stringsOf } from './hand-keys.ts';
import type { ResultDigest } from './result-digest.ts';
import { runOperator } from './run-operator.ts';
import type { Workload } from './workload.ts';

const SIZE_MS = 10_000;
const SLIDE_MS = 1_000;

/** Overlapping windows, with so many records of each key per window. */
export function slidingWorkload(perKeyWindow: number): Workload {
  return {
    title: `sliding 10 s / 1 s, ${perKeyWindow} records per key and window: count and sum`,
    eventsShare: 1,
    feed: (size) => uniformFeed(size, (perKeyWindow * 1_000) / SIZE_MS),
    byHand,
    byEngine(feed, digest) {
      const definition = windowAggregate({
        windows: sliding(SIZE_MS, SLIDE_MS),
        allowedLatenessMs: 0,
        plan: planCells({ n: count(), total: sum('value') }),
        fold: null,
      });
      runOperator<WindowResult<{ key: string }, { n: number; total: number }>>(
        definition,
        feed,
        ({ key, window, value }) => digest.add(keyIndex(key.key), window.start, value.n, value.total),
      );
    },
  };
}

/** Count and sum per slot of one slide. */
interface HandPane {
  readonly start: number;
  readonly cells: Float64Array;
}

/** Panes of one slide, and a running total of the ten that make the window: one pane is added, one taken off. */
function byHand(feed: Feed, digest: ResultDigest): void {
  const keys = new HandKeys(feed.keys);
  const windows = new HandWindows(feed.keys);
  for (const { batch, watermark } of feed.steps) {
    const slots = keys.slotsOf(batch);
    const { codes } = stringsOf(batch, 1);
    const values = numbersOf(batch, 2);
    const { times, count: records } = batch;
    let pane = windows.paneAt(times[0] as number);
    for (let i = 0; i < records; i++) {
      const time = times[i] as number;
      if (time < pane.start || time >= pane.start + SLIDE_MS) pane = windows.paneAt(time);
      const { cells } = pane;
      const at = 2 * (slots[codes[i] as number] as number);
      cells[at] = (cells[at] as number) + 1;
      cells[at + 1] = (cells[at + 1] as number) + (values[i] as number);
    }
    if (!Number.isNaN(watermark)) windows.close(watermark, keys, digest);
  }
}

class HandWindows {
  readonly #panes = new Map<number, HandPane>();
  readonly #empty: Float64Array;
  readonly #totals: Float64Array;
  /** End of the next window to give. */
  #nextEnd = Number.POSITIVE_INFINITY;
  #hasGiven = false;

  constructor(keys: number) {
    this.#empty = new Float64Array(keys * 2);
    this.#totals = new Float64Array(keys * 2);
  }

  paneAt(time: number): HandPane {
    const start = time - (time % SLIDE_MS);
    let pane = this.#panes.get(start);
    if (pane === undefined) {
      pane = { start, cells: new Float64Array(this.#empty.length) };
      this.#panes.set(start, pane);
      // Until a window is given, a record may still come that is in an earlier one.
      if (!this.#hasGiven) this.#nextEnd = Math.min(this.#nextEnd, start + SLIDE_MS);
    }
    return pane;
  }

  close(watermark: number, keys: HandKeys, digest: ResultDigest): void {
    for (; this.#nextEnd - 1 <= watermark && this.#panes.size > 0; this.#nextEnd += SLIDE_MS) {
      const latest = this.#nextEnd - SLIDE_MS;
      const added = this.#panes.get(latest)?.cells ?? this.#empty;
      const gone = this.#panes.get(latest - SIZE_MS)?.cells ?? this.#empty;
      this.#panes.delete(latest - SIZE_MS);
      this.#hasGiven = true;
      this.#give(this.#nextEnd - SIZE_MS, added, gone, keys, digest);
    }
  }

  #give(
    start: number,
    added: Float64Array,
    gone: Float64Array,
    { index }: HandKeys,
    digest: ResultDigest,
  ): void {
    const totals = this.#totals;
    for (let at = 0; at < totals.length; at += 2) {
      const n = (totals[at] as number) + (added[at] as number) - (gone[at] as number);
      totals[at] = n;
      const total = (totals[at + 1] as number) + (added[at + 1] as number) - (gone[at + 1] as number);
      totals[at + 1] = total;
      if (n > 0) digest.add(index[at >>> 1] as number, start, n, total);
    }
  }
}
