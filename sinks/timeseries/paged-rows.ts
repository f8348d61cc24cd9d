import type { KnownKey } from './known-keys.ts';
import { PackedPoints } from './packed-points.ts';
import { hourOf, SERIES_PAGES } from './series-layout.ts';
import type { WaitingRows } from './upsert-lane.ts';
import type { WindowResult } from './window-result.ts';

export interface PagedRow {
  readonly key: KnownKey;
  readonly row: WindowResult;
}

/** Points of one page and hour by window start. */
export interface PageRows {
  readonly hour: number;
  readonly page: number;
  readonly starts: Map<number, PackedPoints>;
}

/** Waiting rows of one shard, by the page that they go to: a page's rows are written together. */
export class PagedRows implements WaitingRows<PagedRow, readonly PageRows[]> {
  /** Pages of each interval by `hour * SERIES_PAGES + page`, oldest interval first. */
  readonly #intervals = new Map<number, Map<number, PageRows>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  put(seq: number, { key, row }: PagedRow): void {
    const { start } = row.window;
    const hour = hourOf(start);
    const pages = entry(this.#intervals, seq, () => new Map<number, PageRows>());
    const { starts } = entry(pages, hour * SERIES_PAGES + key.page, () => ({
      hour,
      page: key.page,
      starts: new Map<number, PackedPoints>(),
    }));
    const points = entry(starts, start, () => new PackedPoints());
    this.#size -= points.size;
    points.put(key, row);
    this.#size += points.size;
  }

  take(max: number): { readonly seq: number; readonly batch: readonly PageRows[]; readonly rows: number } {
    const batch: PageRows[] = [];
    let taken = 0;
    const [seq, pages] = [...this.#intervals][0] as [number, Map<number, PageRows>];
    for (const [place, page] of pages) {
      if (taken === max) break;
      const { part, rows } = takePart(page, max - taken);
      taken += rows;
      batch.push(part);
      if (page.starts.size === 0) pages.delete(place);
    }
    if (pages.size === 0) this.#intervals.delete(seq);
    this.#size -= taken;
    return { seq, batch, rows: taken };
  }

  clear(): void {
    this.#intervals.clear();
    this.#size = 0;
  }
}

/** Moves `max` rows at most out of a page. */
function takePart(
  { hour, page, starts }: PageRows,
  max: number,
): { readonly part: PageRows; readonly rows: number } {
  const part: PageRows = { hour, page, starts: new Map() };
  let taken = 0;
  for (const [start, points] of starts) {
    if (taken === max) break;
    const isWhole = points.size <= max - taken;
    const some = isWhole ? points : points.takeFirst(max - taken);
    if (isWhole) starts.delete(start);
    part.starts.set(start, some);
    taken += some.size;
  }
  return { part, rows: taken };
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
