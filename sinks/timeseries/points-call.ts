import { seriesKeys, type SinkContext } from '#engine';
import type { NotedKeys } from './noted-keys.ts';
import { fieldName, hourOf, placeOf, RecordPacker, SERIES_PAGES, SERIES_SHARDS } from './series-layout.ts';
import type { SeriesRow } from './window-result.ts';

export interface SeriesTarget {
  readonly context: SinkContext;
  readonly name: string;
  readonly ttlMs: number;
  readonly keysMax: number;
}

/** Keys and arguments of one call of the script that writes points. */
export interface PointsCall {
  readonly keys: readonly string[];
  readonly args: readonly (string | number | Buffer)[];
}

/** Series keys of a shard that are remembered. */
export function keysPerShard(keysMax: number): number {
  return Math.max(1, Math.ceil(keysMax / SERIES_SHARDS));
}

/** The operator's name, not the sink id: an attempt that crashed before its first checkpoint had another id. */
export function writerName({ job, operator }: SinkContext): string {
  return `${job} ${operator}`;
}

/** What writes `batch`, points of one shard with distinct (key, window start), in barrier interval `seq`. */
export function pointsCall(
  { context, name, ttlMs, keysMax }: SeriesTarget,
  shard: number,
  batch: readonly SeriesRow[],
  seq: number,
  noted: NotedKeys,
): PointsCall {
  const who = writerName(context);
  const stored = seriesKeys(context.namespace, name, shard);
  const log = stored.undo(who);
  const nowMs = context.clock.now();
  const keys = [stored.fence, stored.noted, stored.hours, log, `${log}:${seq - 1}`, `${log}:${seq}`];
  const head = [who, context.generation, nowMs, ttlMs, keysPerShard(keysMax), seq, context.undoFloor()];
  const notes = new Map<string, number>();
  const pages: (string | number | Buffer)[] = [];
  const ownName = `${context.generation}.${context.subtask} ${who}`;
  for (const [place, starts] of byPlace(batch)) {
    const hour = Math.floor(place / SERIES_PAGES);
    keys.push(stored.page(hour, place - hour * SERIES_PAGES));
    pages.push(starts.size);
    for (const [start, rows] of starts) {
      for (const row of rows) {
        if (noted.note(row.keyText, hour, nowMs))
          notes.set(row.keyText, Math.max(hour, notes.get(row.keyText) ?? hour));
        packer.add(row);
      }
      pages.push(fieldName(start, ownName), packer.take());
    }
  }
  return { keys, args: [...head, notes.size, ...[...notes].flat(), ...pages] };
}

const packer = new RecordPacker();

/** Rows by `hour * SERIES_PAGES + page` and window start. */
function byPlace(
  batch: readonly SeriesRow[],
): ReadonlyMap<number, ReadonlyMap<number, readonly SeriesRow[]>> {
  const places = new Map<number, Map<number, SeriesRow[]>>();
  for (const row of batch) {
    const { start } = row.window;
    const place = hourOf(start) * SERIES_PAGES + placeOf(row.keyText).page;
    let starts = places.get(place);
    if (starts === undefined) places.set(place, (starts = new Map()));
    const rows = starts.get(start);
    if (rows === undefined) starts.set(start, [row]);
    else rows.push(row);
  }
  return places;
}
