import type { RedisLink } from '#engine';
import { decodePoint, startOf, storedField, type StoredPoint } from './series-layout.ts';

/** Fields asked for at once. */
const FIELDS_AT_ONCE = 64;

/** Points of one key in one hour with `from ≤ start < to`, in no order. */
export async function pointsOfHour(
  redis: RedisLink,
  page: string,
  { key, from, to }: { readonly key: string; readonly from: number; readonly to: number },
): Promise<readonly StoredPoint[]> {
  const fields = (await fieldsOf(redis, page)).filter(({ start }) => start >= from && start < to);
  const found = new NewestWrites();
  for (let at = 0; at < fields.length; at += FIELDS_AT_ONCE)
    await readFields(redis, page, fields.slice(at, at + FIELDS_AT_ONCE), (keyText, start, order, point) => {
      if (keyText === key) found.add(start, order, point);
    });
  return found.points();
}

/** The point of the latest window of each of `keys`, as far as the page has any. */
export async function newestOfPage(
  redis: RedisLink,
  page: string,
  keys: ReadonlySet<string>,
): Promise<ReadonlyMap<string, StoredPoint>> {
  const fields = (await fieldsOf(redis, page)).sort((a, b) => b.start - a.start);
  const newest = new Map<string, StoredPoint>();
  for (let at = 0; at < fields.length && newest.size < keys.size; ) {
    // Fields of one start are looked at together: any of them may have been written last.
    let end = Math.min(at + FIELDS_AT_ONCE, fields.length);
    while (end < fields.length && fields[end]?.start === fields[end - 1]?.start) end++;
    const found = new Map<string, NewestWrites>();
    await readFields(redis, page, fields.slice(at, end), (keyText, start, order, point) => {
      if (!keys.has(keyText) || newest.has(keyText)) return;
      const writes = found.get(keyText) ?? new NewestWrites();
      found.set(keyText, writes);
      writes.add(start, order, point);
    });
    for (const [key, writes] of found)
      newest.set(
        key,
        writes.points().reduce((a, b) => (b.start > a.start ? b : a)),
      );
    at = end;
  }
  return newest;
}

interface PageField {
  readonly name: string;
  readonly start: number;
}

/** Of each window start, the point that was written last. */
class NewestWrites {
  readonly #writes = new Map<number, { readonly order: number; readonly point: Buffer }>();

  add(start: number, order: number, point: Buffer): void {
    const known = this.#writes.get(start);
    if (known === undefined || order >= known.order) this.#writes.set(start, { order, point });
  }

  points(): StoredPoint[] {
    return [...this.#writes].map(([start, { point }]) => decodePoint(start, point));
  }
}

async function fieldsOf(redis: RedisLink, page: string): Promise<PageField[]> {
  const names = (await redis.call('HKEYS', page)) as readonly string[];
  return names.map((name) => ({ name, start: startOf(name) }));
}

async function readFields(
  redis: RedisLink,
  page: string,
  fields: readonly PageField[],
  visit: (keyText: string, start: number, order: number, point: Buffer) => void,
): Promise<void> {
  const values = await redis.callBuffer('HMGET', page, ...fields.map(({ name }) => name));
  (values as readonly (Buffer | null)[]).forEach((value, i) => {
    if (value === null) return; // undone or expired since
    const { order, records } = storedField(value);
    for (const { keyText, point } of records) visit(keyText, (fields[i] as PageField).start, order, point);
  });
}
