import type { Bytes } from './bytes.ts';
import { RedisModelGap } from './redis-reply-error.ts';

/** What `execute` answers: the shapes of RESP2 as ioredis's `callBuffer` gives them, a status being a Buffer too. */
export type Reply = null | number | Buffer | Reply[];

/** A reply inside the model; scripts tell a status from a string. */
export type Answer = null | number | bigint | Bytes | StatusAnswer | readonly Answer[];

export interface StatusAnswer {
  readonly status: Bytes;
}

export const OK: StatusAnswer = { status: 'OK' };

export function replyOf(answer: Answer): Reply {
  if (answer === null || typeof answer === 'number') return answer;
  if (typeof answer === 'bigint') return Number(answer);
  if (typeof answer === 'string') return Buffer.from(answer, 'latin1');
  if (isList(answer)) return answer.map(replyOf);
  return Buffer.from(answer.status, 'latin1');
}

/** Pairs as a flat list, as RESP2 has them. */
export function flatPairs(pairs: Iterable<readonly [Bytes, Bytes]>): Bytes[] {
  const flat: Bytes[] = [];
  for (const [name, value] of pairs) flat.push(name, value);
  return flat;
}

export function isList(answer: Answer): answer is readonly Answer[] {
  return Array.isArray(answer);
}

/** Bounds a loop over answers that a script nests in themselves. */
export const ANSWER_DEPTH_MAX = 100;

export function assertDepth(depth: number): void {
  if (depth > ANSWER_DEPTH_MAX) throw new RedisModelGap(`replies nested deeper than ${ANSWER_DEPTH_MAX}`);
}
