import { Command, type Redis } from 'ioredis';
import { invariant } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { RedisArgument } from './redis-link.ts';
import { NIL, type RespReply, RespScanner } from './resp-scanner.ts';

/** A command whose reply is wanted as a {@link RespReply}. */
class RawCommand extends Command {}

/** The first byte of a list; nil, errors and pushes of later protocols begin otherwise. */
const LIST_TYPE = 42;

/*
 * Takes chosen replies off a client's socket before the client parses them: it makes objects of every string in a reply, which for
 * streams of small entries costs more than all that is done with them afterwards.
 *
 * Owns the bytes of a chosen reply until it is whole. Connecting, sending (again), errors and timeouts stay with the client, which gets
 * all other bytes, unchanged and in order.
 *
 * RR1 A reply belongs to the command at the head of the client's queue by the time that the client has parsed all before it.
 * RR2 Bytes that are no reply, and a chosen reply of more than redisReplyBytesMax, end the connection.
 */
export class RawReplies {
  readonly #client: Redis;
  readonly #bytesMax: number;
  #scanner = new RespScanner();
  #isInside = false;
  /** What has come of a chosen reply; null while the reply under way is none. */
  #taken: Buffer[] | null = null;
  #takenBytes = 0;

  /** @param client that has not connected yet */
  constructor(client: Redis, bytesMax: number = LIMITS.redisReplyBytesMax) {
    this.#client = client;
    this.#bytesMax = bytesMax;
    client.on('connect', () => this.#attach());
  }

  /** Sends a command; resolves to its reply, or to null for nil. */
  async call(command: string, args: readonly RedisArgument[]): Promise<RespReply | null> {
    const raw = new RawCommand(command, [...args], { replyEncoding: null });
    return (await this.#client.sendCommand(raw)) as RespReply | null;
  }

  /** Stands between the new socket and the client's parser, which listens to it already. */
  #attach(): void {
    const { stream } = this.#client;
    const [parse] = stream.listeners('data') as ((bytes: Buffer) => void)[];
    invariant(parse !== undefined, 'the client listens to its socket when it has connected');
    this.#scanner = new RespScanner();
    this.#isInside = false;
    this.#taken = null;
    stream.off('data', parse);
    // First, as the client's parser was: what watches for silence looks at what has been answered by then.
    stream.prependListener('data', (bytes: Buffer) => {
      try {
        this.#split(bytes, parse);
      } catch (error) {
        stream.destroy(error as Error);
      }
    });
  }

  #split(bytes: Buffer, parse: (bytes: Buffer) => void): void {
    for (let at = 0; at < bytes.length; ) {
      if (!this.#isInside) this.#begin(bytes[at] as number);
      const end = this.#scanner.scan(bytes, at);
      this.#isInside = end < 0;
      const part = bytes.subarray(at, this.#isInside ? bytes.length : end);
      at += part.length;
      if (this.#taken === null) parse(part);
      else this.#take(part, this.#taken);
    }
  }

  #begin(type: number): void {
    const isChosen =
      type === LIST_TYPE && this.#client.commandQueue.peekFront()?.command instanceof RawCommand;
    this.#taken = isChosen ? [] : null;
    this.#takenBytes = 0;
    this.#scanner.start(isChosen);
  }

  #take(part: Buffer, taken: Buffer[]): void {
    taken.push(part);
    this.#takenBytes += part.length;
    if (this.#takenBytes > this.#bytesMax)
      throw new Error(`Redis sent a reply of more than ${this.#bytesMax} bytes.`);
    if (this.#isInside) return;
    const values = this.#scanner.values();
    const reply = values[0] === NIL ? null : { bytes: Buffer.concat(taken, this.#takenBytes), values };
    this.#taken = null;
    this.#client.commandQueue.shift()?.command.resolve(reply);
  }
}
