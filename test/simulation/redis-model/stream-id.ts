import type { Bytes } from './bytes.ts';
import { RedisReplyError } from './redis-reply-error.ts';

/** `<ms>-<seq>` as one number, ms × 2^64 + seq, so that ids compare and count as numbers do. */
export type StreamId = bigint;

export const STREAM_ID_MAX: StreamId = (1n << 128n) - 1n;
const SEQ_BITS = 64n;
const SEQ_MAX = (1n << SEQ_BITS) - 1n;

export function streamId(ms: bigint, seq: bigint): StreamId {
  return (ms << SEQ_BITS) | seq;
}

export const msOf = (id: StreamId): bigint => id >> SEQ_BITS;

export function idText(id: StreamId): Bytes {
  return `${id >> SEQ_BITS}-${id & SEQ_MAX}`;
}

/** @param missingSeq what a text without `-<seq>` means */
export function parseStreamId(text: Bytes, missingSeq: bigint = 0n): StreamId {
  const parts = /^([0-9]{1,20})(?:-([0-9]{1,20}))?$/.exec(text);
  const ms = parts === null ? null : BigInt(parts[1] as string);
  const seq = parts?.[2] === undefined ? missingSeq : BigInt(parts[2]);
  if (ms === null || ms > SEQ_MAX || seq > SEQ_MAX)
    throw new RedisReplyError('ERR Invalid stream ID specified as stream command argument');
  return streamId(ms, seq);
}

/** The first id of a range: `-`, `+`, `<id>`, or `(<id>` for what comes after it. */
export function parseRangeStart(text: Bytes): StreamId {
  if (text === '-') return 0n;
  if (text === '+') return STREAM_ID_MAX;
  if (!text.startsWith('(')) return parseStreamId(text);
  const id = parseStreamId(text.slice(1));
  if (id === STREAM_ID_MAX) throw new RedisReplyError('ERR invalid start ID for the interval');
  return id + 1n;
}

/** The last id of a range; without `-<seq>` every entry of that millisecond belongs to it. */
export function parseRangeEnd(text: Bytes): StreamId {
  if (text === '-') return 0n;
  if (text === '+') return STREAM_ID_MAX;
  if (!text.startsWith('(')) return parseStreamId(text, SEQ_MAX);
  const id = parseStreamId(text.slice(1), SEQ_MAX);
  if (id === 0n) throw new RedisReplyError('ERR invalid end ID for the interval');
  return id - 1n;
}

/** What XADD is asked for: a whole id, `*`, or `<ms>-*`. */
export type WantedStreamId =
  | { readonly kind: 'given'; readonly id: StreamId }
  | { readonly kind: 'any' }
  | { readonly kind: 'any-seq'; readonly ms: bigint };

export function parseWantedId(text: Bytes): WantedStreamId {
  if (text === '*') return { kind: 'any' };
  if (text.endsWith('-*')) return { kind: 'any-seq', ms: msOf(parseStreamId(text.slice(0, -2))) };
  return { kind: 'given', id: parseStreamId(text) };
}

/** The id of the next entry after `last`, or null when it would not be greater. */
export function nextStreamId(wanted: WantedStreamId, last: StreamId, nowMs: number): StreamId | null {
  switch (wanted.kind) {
    case 'given':
      return wanted.id > last ? wanted.id : null;
    case 'any': {
      const id = streamId(BigInt(nowMs), 0n);
      return msOf(id) > msOf(last) ? id : last + 1n;
    }
    case 'any-seq': {
      if (wanted.ms < msOf(last)) return null;
      const id = wanted.ms === msOf(last) ? last + 1n : streamId(wanted.ms, 0n);
      return msOf(id) === wanted.ms ? id : null;
    }
  }
}
