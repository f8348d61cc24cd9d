import type { Clock } from '../base/clock.ts';
import { errorText, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { exchangeKey } from '../redis/keys.ts';
import { redisError } from '../redis/redis-error.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import type { ExchangePart, PeerTransport } from './peer-transport.ts';

export interface RedisTransportOptions {
  readonly namespace: string;
  readonly job: string;
  readonly generation: number;
  /** This host's number, and those of the hosts that it speaks with. */
  readonly host: number;
  readonly peers: readonly number[];
  /** For what is sent. */
  readonly link: RedisLink;
  /** For what is read: it blocks there. */
  readonly readLink: RedisLink;
  readonly clock: Clock;
}

/**
 * The ways between one host and others through Redis: a stream each way for every pair, which the coordinator makes before the hosts open
 * and drops with the generation (engine/cluster/exchange-streams.ts), so that nothing of an older attempt is ever read.
 * Owns its place in the streams, and no link. Suspends in its reading loop.
 *
 * An entry is `<n>-0` with n dense from 1, one field `d`: parts one after another, all numbers little-endian:
 *
 *     0  4  u32  channel
 *     4  4  i32  n ≥ 0: n bytes of an element follow;  n < 0: credit for −n batches
 *
 * RT1 entries are numbered by the sender, so that one that reaches the server twice is refused there; a reader that misses a number fails.
 * RT2 a stream that is gone ends its writer: the generation is over.
 * RT3 what a fail-over has lost of the newest entries, no reader can miss: their sender looks when its connection was lost.
 */
export class RedisTransport {
  readonly peers: ReadonlyMap<number, PeerTransport>;
  readonly #options: RedisTransportOptions;
  readonly #failure = Promise.withResolvers<never>();
  readonly #listeners = new Map<number, (parts: readonly ExchangePart[]) => void>();
  readonly #sent = new Map<number, number>();
  /** Of what was sent, the newest that the server has confirmed. */
  readonly #stored = new Map<number, number>();
  /** What the link had lost when every peer's stream was last looked at. */
  #losses = 0;
  readonly #read = new Map<number, number>();
  /** Trims that are due, and what cancels them. */
  readonly #trims = new Map<number, () => void>();
  #closed = false;

  constructor(options: RedisTransportOptions) {
    this.#options = options;
    this.#failure.promise.catch(() => {});
    this.peers = new Map(options.peers.map((peer) => [peer, this.#peer(peer)]));
    if (options.peers.length > 0) void this.#readAll();
  }

  close(): void {
    this.#closed = true;
    for (const cancel of this.#trims.values()) cancel();
  }

  #peer(peer: number): PeerTransport {
    return {
      failed: this.#failure.promise,
      send: (parts) => this.#send(peer, parts),
      listen: (arrived) => void this.#listeners.set(peer, arrived),
      close: async () => this.close(),
    };
  }

  #key(from: number, to: number): string {
    const { namespace, job, generation } = this.#options;
    return exchangeKey(namespace, job, generation, `${from}`, `${to}`);
  }

  #send(peer: number, parts: readonly ExchangePart[]): void {
    for (let from = 0; from < parts.length; ) {
      let bytes = 0;
      let to = from;
      for (; to < parts.length && (to === from || bytes < LIMITS.exchangeEntryBytes); to++)
        bytes += sizeOf(parts[to] as ExchangePart);
      this.#append(peer, encodeParts(parts.slice(from, to), bytes));
      from = to;
    }
  }

  #append(peer: number, entry: Buffer): void {
    const number = (this.#sent.get(peer) ?? 0) + 1;
    this.#sent.set(peer, number);
    const key = this.#key(this.#options.host, peer);
    this.#options.link.call('XADD', key, 'NOMKSTREAM', `${number}-0`, 'd', entry).then(
      (id) => {
        if (id === null) this.#fail(`host ${peer} takes nothing any more: its stream is gone (RT2)`);
        else this.#stored.set(peer, number);
      },
      (error: unknown) => {
        // It has come through, and its answer has not (RT1).
        if (errorText(error).includes('equal or smaller')) this.#stored.set(peer, number);
        else this.#failure.reject(redisError(error, `sending to host ${peer}`));
      },
    );
  }

  async #readAll(): Promise<void> {
    const { peers, host, readLink, clock } = this.#options;
    const keys = peers.map((peer) => this.#key(peer, host));
    let refreshedMs = clock.monotonic();
    try {
      while (!this.#closed) {
        const places = peers.map((peer) => `${this.#read.get(peer) ?? 0}-0`);
        const args = ['COUNT', LIMITS.exchangeReadEntries, 'BLOCK', LIMITS.exchangeBlockMs, 'STREAMS'];
        const reply = await readLink.callBuffer('XREAD', ...args, ...keys, ...places);
        if (this.#closed) return;
        await this.#confirmSent();
        for (const [key, entries] of (reply ?? []) as readonly StreamReply[])
          this.#take(peers[keys.indexOf(String(key))] as number, entries);
        if (clock.monotonic() - refreshedMs < LIMITS.exchangeTtlMs / 3) continue;
        refreshedMs = clock.monotonic();
        await Promise.all(keys.map((key) => this.#options.link.call('PEXPIRE', key, LIMITS.exchangeTtlMs)));
      }
    } catch (error) {
      if (!this.#closed) this.#failure.reject(redisError(error, 'reading from other hosts'));
    }
  }

  /** RT3. */
  async #confirmSent(): Promise<void> {
    const { link, host } = this.#options;
    const { losses } = link;
    if (losses === this.#losses) return;
    await Promise.all(
      [...this.#stored].map(async ([peer, stored]) => {
        const facts = (await link.call('XINFO', 'STREAM', this.#key(host, peer))) as readonly unknown[];
        const newest = facts[facts.indexOf('last-generated-id') + 1];
        if (entryNumber(newest) < stored)
          this.#fail(
            `Redis has lost entries up to ${stored} for host ${peer}, and has ${String(newest)} (RT3)`,
          );
      }),
    );
    this.#losses = losses;
  }

  #take(peer: number, entries: readonly EntryReply[]): void {
    let last = this.#read.get(peer) ?? 0;
    for (const [id, fields] of entries) {
      const number = entryNumber(id);
      if (number !== last + 1)
        return this.#fail(`entry ${number} of host ${peer} follows entry ${last} (RT1): Redis has lost some`);
      last = number;
      this.#listeners.get(peer)?.(decodeParts(fields[1]));
    }
    this.#read.set(peer, last);
    if (this.#trims.has(peer)) return;
    this.#trims.set(
      peer,
      this.#options.clock.after(LIMITS.exchangeTrimEveryMs, () => this.#trim(peer)),
    );
  }

  /** What was read is in memory, and an attempt that loses its memory begins anew: the stream need not keep it for long. */
  #trim(peer: number): void {
    this.#trims.delete(peer);
    const key = this.#key(peer, this.#options.host);
    const first = (this.#read.get(peer) ?? 0) + 1;
    this.#options.link.call('XTRIM', key, 'MINID', `${first}-0`).catch(() => {});
  }

  #fail(why: string): void {
    const { job, host, generation } = this.#options;
    this.#failure.reject(
      new MillraceError(
        'MR_EXCHANGE_LOST',
        `Host ${host} of generation ${generation} of job '${job}' cannot go on: ${why}. The job restarts from its last checkpoint.`,
        { details: { job, generation, host } },
      ),
    );
  }
}

type EntryReply = readonly [id: Buffer, fields: readonly [name: Buffer, value: Buffer]];
type StreamReply = readonly [key: Buffer, entries: readonly EntryReply[]];

const PART_HEADER_BYTES = 8;

function entryNumber(id: unknown): number {
  return Number(String(id).split('-', 1)[0]);
}

function sizeOf(part: ExchangePart): number {
  return PART_HEADER_BYTES + ('bytes' in part ? part.bytes.length : 0);
}

function encodeParts(parts: readonly ExchangePart[], bytes: number): Buffer {
  const entry = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const part of parts) {
    entry.writeUInt32LE(part.channel, at);
    entry.writeInt32LE('bytes' in part ? part.bytes.length : -part.credit, at + 4);
    if ('bytes' in part) entry.set(part.bytes, at + PART_HEADER_BYTES);
    at += sizeOf(part);
  }
  return entry;
}

/** Elements as copies of their own: they begin where columns may be viewed, and hold no network chunk. */
function decodeParts(entry: Buffer): ExchangePart[] {
  const parts: ExchangePart[] = [];
  for (let at = 0; at < entry.length; ) {
    if (at + PART_HEADER_BYTES > entry.length) throw cutOff();
    const channel = entry.readUInt32LE(at);
    const length = entry.readInt32LE(at + 4);
    at += PART_HEADER_BYTES;
    if (length < 0) {
      parts.push({ channel, credit: -length });
      continue;
    }
    if (at + length > entry.length) throw cutOff();
    parts.push({ channel, bytes: new Uint8Array(entry.subarray(at, at + length)) });
    at += length;
  }
  return parts;
}

function cutOff(): MillraceError {
  return new MillraceError('MR_FRAME_CORRUPT', 'An entry between two hosts is cut off.');
}
