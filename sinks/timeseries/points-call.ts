import { seriesKeys, type SinkContext } from '#engine';
import type { KnownKeys } from './known-keys.ts';
import type { PageRows } from './paged-rows.ts';
import { fieldName, SERIES_SHARDS } from './series-layout.ts';

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

/** The operator's name, not the sink id: an attempt that crashed before its first checkpoint had another id. */
export function writerName({ job, operator }: SinkContext): string {
  return `${job} ${operator}`;
}

/** What writes `batch`, points of one shard, in barrier interval `seq`. */
export function pointsCall(
  { context, name, ttlMs, keysMax }: SeriesTarget,
  shard: number,
  batch: readonly PageRows[],
  seq: number,
  known: KnownKeys,
): PointsCall {
  const who = writerName(context);
  const stored = seriesKeys(context.namespace, name, shard);
  const log = stored.undo(who);
  const nowMs = context.clock.now();
  const keysPerShard = Math.max(1, Math.ceil(keysMax / SERIES_SHARDS));
  const keys = [stored.fence, stored.noted, stored.hours, log, `${log}:${seq - 1}`, `${log}:${seq}`];
  const head = [who, context.generation, nowMs, ttlMs, keysPerShard, seq, context.undoFloor()];
  const notes = new Map<string, number>();
  const pages: (string | number | Buffer)[] = [];
  const ownName = `${context.generation}.${context.subtask} ${who}`;
  for (const { hour, page, starts } of batch) {
    keys.push(stored.page(hour, page));
    pages.push(starts.size);
    for (const [start, points] of starts) {
      for (const key of points.keys)
        if (known.note(key, hour, nowMs))
          notes.set(key.keyText, Math.max(hour, notes.get(key.keyText) ?? hour));
      pages.push(fieldName(start, ownName), points.take());
    }
  }
  return { keys, args: [...head, notes.size, ...[...notes].flat(), ...pages] };
}
