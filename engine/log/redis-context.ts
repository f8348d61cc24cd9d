import type { Clock } from '../base/clock.ts';
import { invariant } from '../base/errors.ts';
import type { RedisArgument, RedisLink } from '../redis/redis-link.ts';
import type { Script } from '../redis/script.ts';

/** What the parts of the Redis partition log share. */
export interface RedisContext {
  readonly connection: RedisLink;
  readonly namespace: string;
  readonly clock: Clock;
}

/** A script's reply: a status word and numbers. */
export interface StatusReply {
  readonly status: string;
  readonly numbers: readonly number[];
}

export async function runScript(
  context: RedisContext,
  script: Script,
  keys: readonly string[],
  args: readonly RedisArgument[],
): Promise<StatusReply> {
  const reply = await context.connection.script(script, keys, args);
  invariant(Array.isArray(reply) && typeof reply[0] === 'string', `script ${script.name} answers a status`);
  return { status: reply[0], numbers: reply.slice(1).map(Number) };
}

/** The bytes as a Buffer over the same memory, which is what the client sends without copying. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
