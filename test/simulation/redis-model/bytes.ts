import { RedisReplyError } from './redis-reply-error.ts';

/** Bytes as a text of code units 0 to 255: immutable, a key of a Map, and ordered by `<` as memcmp orders them. */
export type Bytes = string;

/** What a client sends; strings are UTF-8. */
export type RedisModelArgument = string | number | Buffer;

export function toBytes(argument: RedisModelArgument): Bytes {
  if (typeof argument === 'number') return String(argument);
  if (typeof argument !== 'string') return argument.toString('latin1');
  return ASCII.test(argument) ? argument : Buffer.from(argument, 'utf8').toString('latin1');
}

/** What a client reads that takes replies as UTF-8. */
export function toText(bytes: Bytes): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString();
}

// oxlint-disable-next-line no-control-regex -- every code unit below 128
const ASCII = /^[\0-\x7f]*$/;

/** @throws RedisReplyError with `refusal` when it is not a 64 bit integer in the one spelling that Redis takes */
export function bigintOf(
  bytes: Bytes | undefined,
  refusal = 'ERR value is not an integer or out of range',
): bigint {
  if (bytes === undefined || bytes.length > 20 || !/^(0|-?[1-9][0-9]*)$/.test(bytes))
    throw new RedisReplyError(refusal);
  const value = BigInt(bytes);
  if (value !== BigInt.asIntN(64, value)) throw new RedisReplyError(refusal);
  return value;
}

/** An integer that is a count, an index or a time; beyond 2^53 it may be rounded, which no such number notices. */
export function integerOf(bytes: Bytes | undefined, refusal?: string): number {
  return Number(bigintOf(bytes, refusal));
}

/** The sum of two 64 bit integers. */
export function sumOf(a: bigint, b: bigint): bigint {
  const sum = a + b;
  if (sum !== BigInt.asIntN(64, sum)) throw new RedisReplyError('ERR increment or decrement would overflow');
  return sum;
}

/** A double as strtod reads it, without hexadecimal digits and NaN. */
export function doubleOf(bytes: Bytes | undefined, refusal = 'ERR value is not a valid float'): number {
  const text = bytes ?? '';
  const infinite = /^([+-]?)inf(inity)?$/i.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(text)) throw new RedisReplyError(refusal);
  return Number(text);
}
