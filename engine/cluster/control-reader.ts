import type { Clock } from '../base/clock.ts';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { InboxKeys } from '../redis/keys.ts';
import type { RedisLink } from '../redis/redis-link.ts';
import { CLUSTER_SCRIPTS } from './cluster-scripts.ts';
import { type ControlMessage, decodeControl } from './control-message.ts';

export interface ControlReaderOptions {
  /** Its own link: it blocks there, so that whatever else is sent on it waits. */
  readonly link: RedisLink;
  readonly clock: Clock;
  readonly inbox: InboxKeys;
  /** Job → lowest generation that is accepted; a worker learns it from the messages. */
  readonly generations?: ReadonlyMap<string, number>;
  /** How long `receive` waits for a message. Default LIMITS.controlBlockMs. */
  readonly blockMs?: number;
}

/**
 * The one reader of an inbox, from its first message on.
 * Owns its position. Suspends in `receive`.
 *
 * CT4 It gives out every message of the inbox once and in order, or throws: an entry that does not follow the last one read by number
 *     and chain means that the server lost messages. Nothing is let go on the server before it was read.
 * CT6 Messages of a generation lower than the highest seen (or told) of their job are dropped, and counted.
 */
export class ControlReader {
  readonly #options: ControlReaderOptions;
  readonly #generations: Map<string, number>;
  #position = 0;
  #chain = '';
  #bytes = 0;
  /** What the server was told last, and when. */
  #kept = { position: 0, bytes: 0, at: Number.NEGATIVE_INFINITY, losses: 0 };
  #dropped = 0;

  constructor(options: ControlReaderOptions) {
    this.#options = options;
    this.#generations = new Map(options.generations);
  }

  /** Messages of older generations that were not given out. */
  get dropped(): number {
    return this.#dropped;
  }

  /** From now on messages of the job below this generation are dropped. */
  raise(job: string, generation: number): void {
    if (generation > (this.#generations.get(job) ?? -1)) this.#generations.set(job, generation);
  }

  /**
   * The next messages, at most LIMITS.controlMessagesPerCall; none when none came in time. One call at a time.
   * @throws MR_CONTROL_FAILED when messages were lost, MR_REDIS_UNAVAILABLE
   */
  async receive(): Promise<readonly ControlMessage[]> {
    const { link, inbox, blockMs = LIMITS.controlBlockMs } = this.#options;
    if (this.#keepDue()) await this.#keep();
    const reply = (await link.callBuffer(
      'XREAD',
      'COUNT',
      LIMITS.controlMessagesPerCall,
      'BLOCK',
      blockMs,
      'STREAMS',
      inbox.stream,
      `${this.#position}-0`,
    )) as readonly [Buffer, readonly Entry[]][] | null;
    const messages: ControlMessage[] = [];
    for (const entry of reply?.[0]?.[1] ?? []) {
      const message = this.#take(entry);
      if (message !== null) messages.push(message);
    }
    return messages;
  }

  #take([id, flat]: Entry): ControlMessage | null {
    const fields = new Map<string, Buffer>();
    for (let i = 0; i + 1 < flat.length; i += 2) fields.set(String(flat[i]), flat[i + 1] as Buffer);
    const text = (name: string) => String(fields.get(name) ?? '');
    if (String(id) !== `${this.#position + 1}-0` || text('p') !== this.#chain) {
      throw this.#lost(`entry ${String(id)} does not follow`);
    }
    this.#position++;
    this.#chain = text('c');
    this.#bytes = Number(text('b'));
    const [job, generation, sender] = [text('j'), Number(text('g')), text('s')];
    if (generation < (this.#generations.get(job) ?? -1)) {
      this.#dropped++;
      return null;
    }
    this.raise(job, generation);
    return { job, generation, sender, body: decodeControl(fields.get('m') ?? Buffer.alloc(0), sender) };
  }

  /** Read much, nothing told for long, or perhaps connected to another server. */
  #keepDue(): boolean {
    const { link, clock } = this.#options;
    return (
      this.#position - this.#kept.position >= LIMITS.controlMessagesPerCall ||
      this.#bytes - this.#kept.bytes >= LIMITS.controlMessageBytesMax ||
      clock.monotonic() - this.#kept.at >= LIMITS.controlTtlMs / 10 ||
      link.losses !== this.#kept.losses
    );
  }

  async #keep(): Promise<void> {
    const { link, clock, inbox } = this.#options;
    const kept = { position: this.#position, bytes: this.#bytes, at: clock.monotonic(), losses: link.losses };
    const reply = await link.script(
      CLUSTER_SCRIPTS.keepInbox,
      [inbox.stream, inbox.meta],
      [this.#position, this.#chain, this.#bytes, LIMITS.controlTtlMs],
    );
    const [kind, end] = reply as ['ok'] | ['lost', number];
    if (kind === 'lost') throw this.#lost(`it ends with another entry ${end}`);
    this.#kept = kept;
  }

  #lost(why: string): MillraceError {
    return new MillraceError(
      'MR_CONTROL_FAILED',
      `Inbox ${this.#options.inbox.stream} has lost messages: ${this.#position} were read, and ${why}. Its receiver must start afresh.`,
      { details: { inbox: this.#options.inbox.stream, position: this.#position } },
    );
  }
}

type Entry = readonly [id: Buffer, fields: readonly Buffer[]];
