import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { type InboxKeys, validName } from '../redis/keys.ts';
import { redisError } from '../redis/redis-error.ts';
import type { ClusterContext } from './cluster-context.ts';
import { CLUSTER_SCRIPTS } from './cluster-scripts.ts';
import { encodeControl } from './control-message.ts';

export interface ControlSenderOptions {
  readonly inbox: InboxKeys;
  /** The job for its coordinator, the worker's id for a worker. */
  readonly sender: string;
  readonly job: string;
  readonly generation: number;
}

/**
 * One sender of control messages to one inbox, for one generation of a job.
 *
 * An inbox is one stream with all its senders, since a reader blocks on one stream of one slot; not a stream per pair. What makes a repeated
 * call harmless is a dense sequence per sender, kept beside the stream and checked by the script that appends; and entry ids are
 * dense and explicit with a chain over them, so that a reader notices what a fail-over has lost (`*` would skip or hide it).
 *
 * Owns the messages that wait here. Suspends in `send` until the server has the message. Messages of one turn leave in one call.
 *
 * CT1 Messages of one sender are in the inbox exactly once and in the order of `send`, however often a call reaches the server.
 * CT2 A newer generation of the same sender fences this one: from then on nothing of this one enters.
 * CT3 What waits here and what is unread there is bounded: a full inbox is waited for, then given up.
 * CT5 A sender that has failed stays so: nothing after a message that may be lost is sent. Its owner ends the attempt.
 * CT7 What a fail-over has lost of the newest messages, nobody can miss who has not read them: who sent them asks, when there was one.
 */
export class ControlSender {
  readonly #context: ClusterContext;
  readonly #options: ControlSenderOptions;
  readonly #uuid: string;
  /** Sequence of the first message that waits. */
  #sequence = 1;
  #waiting: WaitingMessage[] = [];
  #waitingBytes = 0;
  #pumping = false;
  /** What the link had lost when the server last had all that was sent. */
  #losses = 0;
  #confirming = false;
  #failure: MillraceError | null = null;

  constructor(context: ClusterContext, options: ControlSenderOptions) {
    validName(options.sender, 'sender');
    validName(options.job, 'job name');
    this.#context = context;
    this.#options = options;
    this.#uuid = context.uuid();
  }

  /** What has ended this sender. */
  get failure(): MillraceError | null {
    return this.#failure;
  }

  /**
   * Resolves when the message is in the inbox.
   * @throws MR_CONTROL_TOO_LARGE; MR_CONTROL_FAILED when the inbox is full, lost messages (details.refusal 'gap') or belongs to a newer generation;
   *   MR_REDIS_UNAVAILABLE
   */
  async send(body: unknown): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const bytes = encodeControl(body, this.#options.inbox.stream);
    if (this.#waitingBytes + bytes.length > LIMITS.controlWaitingBytesMax) {
      throw this.#fail(this.#failed('takes messages more slowly than they are sent'));
    }
    const sent = new Promise<void>((resolve, reject) => this.#waiting.push({ bytes, resolve, reject }));
    this.#waitingBytes += bytes.length;
    if (!this.#pumping) void this.#pump();
    return sent;
  }

  /**
   * Makes sure, if the connection was lost since, that the server has what was sent: call it every now and then.
   * @throws MR_CONTROL_FAILED when it has not; MR_REDIS_UNAVAILABLE
   */
  async confirm(): Promise<void> {
    const isSure = this.#sequence === 1 || this.#context.link.losses === this.#losses;
    if (isSure || this.#pumping || this.#confirming || this.#failure !== null) return;
    this.#confirming = true;
    try {
      await this.#deliver([]);
    } catch (error) {
      throw this.#fail(redisError(error, `asking for what was sent to ${this.#options.inbox.stream}`));
    } finally {
      this.#confirming = false;
    }
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    await Promise.resolve(); // the rest of this turn's messages go along
    while (this.#waiting.length > 0) {
      const batch = this.#nextBatch();
      try {
        await this.#deliver(batch);
      } catch (error) {
        this.#fail(redisError(error, `sending to ${this.#options.inbox.stream}`));
        break;
      }
      if (this.#failure !== null) break; // `send` gave up meanwhile, and has told all that waited
      this.#waiting = this.#waiting.slice(batch.length);
      this.#sequence += batch.length;
      for (const { bytes, resolve } of batch) {
        this.#waitingBytes -= bytes.length;
        resolve();
      }
    }
    this.#pumping = false;
  }

  #nextBatch(): readonly WaitingMessage[] {
    let bytes = 0;
    let count = 0;
    for (const message of this.#waiting) {
      bytes += message.bytes.length;
      if (count > 0 && (bytes > LIMITS.controlMessageBytesMax || count >= LIMITS.controlMessagesPerCall))
        break;
      count++;
    }
    return this.#waiting.slice(0, count);
  }

  async #deliver(batch: readonly WaitingMessage[]): Promise<void> {
    const { clock } = this.#context;
    const began = clock.monotonic();
    for (let pauseMs = 2; ; pauseMs = Math.min(2 * pauseMs, 100)) {
      const { losses } = this.#context.link;
      const [kind, fact] = await this.#append(batch);
      if (kind === 'ok') {
        this.#losses = losses;
        return;
      }
      if (kind !== 'full' || clock.monotonic() - began >= LIMITS.controlFullMs) {
        throw this.#failed(refusal(kind, fact, this.#sequence), kind);
      }
      await clock.sleep(pauseMs);
    }
  }

  async #append(batch: readonly WaitingMessage[]): Promise<[SendReply, number | undefined]> {
    const { inbox, sender, job, generation } = this.#options;
    const reply = await this.#context.link.script(
      CLUSTER_SCRIPTS.sendControl,
      [inbox.stream, inbox.meta],
      [
        sender,
        this.#uuid,
        job,
        generation,
        this.#sequence,
        LIMITS.controlTtlMs,
        LIMITS.controlUnreadBytesMax,
        LIMITS.controlMessageOverheadBytes,
        LIMITS.controlSendersMax,
        ...batch.map(({ bytes }) => bytes),
      ],
    );
    return reply as [SendReply, number | undefined];
  }

  #fail(error: MillraceError): MillraceError {
    this.#failure ??= error;
    for (const { reject } of this.#waiting) reject(this.#failure);
    this.#waiting = [];
    this.#waitingBytes = 0;
    return this.#failure;
  }

  #failed(why: string, refusal: SendReply = 'full'): MillraceError {
    const { inbox, job, generation, sender } = this.#options;
    return new MillraceError(
      'MR_CONTROL_FAILED',
      `Messages of '${sender}' for job '${job}', generation ${generation}, do not arrive: inbox ${inbox.stream} ${why}. This attempt must end.`,
      { details: { job, generation, sender, refusal } },
    );
  }
}

type SendReply = 'ok' | 'fenced' | 'gap' | 'full' | 'crowded';

interface WaitingMessage {
  readonly bytes: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: MillraceError) => void;
}

function refusal(kind: Exclude<SendReply, 'ok'>, fact: number | undefined, sequence: number): string {
  switch (kind) {
    case 'fenced':
      return `has messages of generation ${fact} by another sender`;
    case 'gap':
      return `expects message ${fact}, not ${sequence}: the server lost what was sent before, or it ran out unread`;
    case 'full':
      return `has ${fact} unread bytes; its reader is stuck or gone`;
    case 'crowded':
      return `has had ${LIMITS.controlSendersMax} senders`;
  }
}
