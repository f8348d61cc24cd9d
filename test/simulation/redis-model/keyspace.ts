import type { Bytes } from './bytes.ts';
import { HashValue } from './hash-value.ts';
import { ListValue } from './list-value.ts';
import { RedisReplyError } from './redis-reply-error.ts';
import { SetValue } from './set-value.ts';
import { SortedSetValue } from './sorted-set-value.ts';
import { StreamValue } from './stream-value.ts';
import type { StringValue } from './string-value.ts';

/*
 * The keys of one server at one instant.
 *
 * Owns: the values, their expiry and what memory they are charged with. Does not own: time, which `advance` tells; commands.
 * Nothing suspends.
 *
 * RK1 A key whose time is over is gone before a command can see it.
 * RK2 A fork shares values with its origin until one of the two changes them; no change of one is seen by the other.
 * RK3 `usedBytes` is a function of the keys and values alone, however they came about.
 * RK4 An empty hash, list, set or sorted set is no key; an emptied stream is.
 */
export class Keyspace {
  readonly #entries: Map<Bytes, Entry>;
  /** Marks the entries that belong to this keyspace alone (RK2). */
  #epoch: object = {};
  #nowMs: number;
  #soonestExpiryMs: number;
  #usedBytes: number;
  #changed = new Set<Bytes>();

  constructor(from?: Keyspace) {
    this.#entries = new Map(from === undefined ? [] : from.#entries);
    this.#nowMs = from === undefined ? 0 : from.#nowMs;
    this.#soonestExpiryMs = from === undefined ? Number.POSITIVE_INFINITY : from.#soonestExpiryMs;
    this.#usedBytes = from === undefined ? EMPTY_SERVER_BYTES : from.#usedBytes;
    if (from !== undefined) from.#epoch = {};
  }

  /** The instant that commands run at, in epoch ms. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Coarse, and higher than that of a server for small values: key and value bytes with a fixed charge for each part. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Keys that were changed since the last call, or may have been, apart from those whose time was over. */
  takeChanged(): ReadonlySet<Bytes> {
    const changed = this.#changed;
    if (changed.size > 0) this.#changed = new Set();
    return changed;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Moves to the instant of the next command (RK1). A key lives through the whole of its last millisecond. */
  advance(nowMs: number): void {
    this.#nowMs = nowMs;
    if (nowMs <= this.#soonestExpiryMs) return;
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const [key, { expireAtMs }] of this.#entries) {
      if (expireAtMs === null) continue;
      if (expireAtMs < nowMs) this.#drop(key);
      else soonestMs = Math.min(soonestMs, expireAtMs);
    }
    this.#soonestExpiryMs = soonestMs;
  }

  /** In the order in which they were made. */
  names(): Iterable<Bytes> {
    return this.#entries.keys();
  }

  kindOf(key: Bytes): Kind | null {
    return this.#entries.get(key)?.value.kind ?? null;
  }

  /** The value to look at, not to change. @throws RedisReplyError WRONGTYPE */
  read<K extends Kind>(key: Bytes, kind: K): Values[K] | null {
    const entry = this.#entries.get(key);
    return entry === undefined ? null : ofKind(entry.value, kind);
  }

  /** Changes a value that is there; null when there is none. @throws RedisReplyError WRONGTYPE */
  change<K extends Changeable, T>(key: Bytes, kind: K, act: (value: Values[K]) => T): T | null {
    if (this.read(key, kind) === null) return null;
    const entry = this.#own(key) as Entry;
    try {
      return act(entry.value as Values[K]);
    } finally {
      this.#settle(key, entry);
    }
  }

  /** The same for a value that is made when there is none. */
  changeOrMake<K extends Changeable, T>(key: Bytes, kind: K, act: (value: Values[K]) => T): T {
    if (this.read(key, kind) === null) this.put(key, EMPTY[kind]());
    return this.change(key, kind, act) as T;
  }

  /** Replaces whatever is there, with its expiry. */
  put(key: Bytes, value: Value, expireAtMs: number | null = null): void {
    const before = this.#entries.get(key);
    const chargedBytes = KEY_BYTES + key.length + value.bytes;
    this.#usedBytes += chargedBytes - (before?.chargedBytes ?? 0);
    this.#entries.set(key, { value, expireAtMs: null, chargedBytes, epoch: this.#epoch });
    this.#changed.add(key);
    if (expireAtMs !== null) this.expire(key, expireAtMs);
  }

  delete(key: Bytes): boolean {
    if (!this.#entries.has(key)) return false;
    this.#drop(key);
    this.#changed.add(key);
    return true;
  }

  clear(): void {
    for (const key of this.#entries.keys()) this.delete(key);
  }

  expiryOf(key: Bytes): number | null {
    return this.#entries.get(key)?.expireAtMs ?? null;
  }

  /** Sets when the key goes, null for never. A time that is over takes it at once. */
  expire(key: Bytes, atMs: number | null): void {
    if (atMs !== null && atMs <= this.#nowMs) {
      this.delete(key);
      return;
    }
    const entry = this.#own(key);
    if (entry === null) return;
    entry.expireAtMs = atMs;
    if (atMs !== null) this.#soonestExpiryMs = Math.min(this.#soonestExpiryMs, atMs);
    this.#changed.add(key);
  }

  /** The entry, made this keyspace's own (RK2). */
  #own(key: Bytes): Entry | null {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.epoch === this.#epoch) return entry ?? null;
    const own = { ...entry, value: entry.value.clone(), epoch: this.#epoch };
    this.#entries.set(key, own);
    return own;
  }

  #settle(key: Bytes, entry: Entry): void {
    this.#changed.add(key);
    const chargedBytes = KEY_BYTES + key.length + entry.value.bytes;
    this.#usedBytes += chargedBytes - entry.chargedBytes;
    entry.chargedBytes = chargedBytes;
    if (entry.value.kind !== 'stream' && entry.value.size === 0) this.#drop(key); // RK4
  }

  #drop(key: Bytes): void {
    this.#usedBytes -= this.#entries.get(key)?.chargedBytes ?? 0;
    this.#entries.delete(key);
  }
}

interface Values {
  readonly string: StringValue;
  readonly hash: HashValue;
  readonly list: ListValue;
  readonly set: SetValue;
  readonly zset: SortedSetValue;
  readonly stream: StreamValue;
}
export type Kind = keyof Values;
export type Value = Values[Kind];
type Changeable = Exclude<Kind, 'string'>;

interface Entry {
  readonly value: Value;
  expireAtMs: number | null;
  chargedBytes: number;
  readonly epoch: object;
}

const EMPTY: { readonly [K in Changeable]: () => Values[K] } = {
  hash: () => new HashValue(),
  list: () => new ListValue(),
  set: () => new SetValue(),
  zset: () => new SortedSetValue(),
  stream: () => new StreamValue(),
};

const KEY_BYTES = 96;
/** What a server without any key uses, about. */
const EMPTY_SERVER_BYTES = 1 << 20;

function ofKind<K extends Kind>(value: Value, kind: K): Values[K] {
  if (value.kind !== kind)
    throw new RedisReplyError('WRONGTYPE Operation against a key holding the wrong kind of value');
  return value as Values[K];
}
