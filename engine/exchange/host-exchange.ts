import type { ExecutionGraph } from '../graph/execution-graph.ts';
import { invariant, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Element, ElementReceiver, ElementSender } from '../runtime/channel.ts';
import { ElementDecoder, ElementEncoder } from './element-codec.ts';
import type { ChannelId, Exchange } from './exchange.ts';
import type { ExchangePart, PeerTransport } from './peer-transport.ts';
import { inPlainForm } from './plain-form.ts';

export interface HostExchangeOptions {
  readonly graph: ExecutionGraph;
  readonly host: number;
  /** Per subtask, its host. */
  readonly places: readonly number[];
  /** The way to each other host. */
  readonly peers: ReadonlyMap<number, PeerTransport>;
  /** Something may go on: an element has come, or room for more. */
  readonly wake: () => void;
}

/**
 * One host's ends of the channels to and from other hosts: encodes, numbers, and bounds what is under way by credit. What a turn of
 * the task loop pushes to one host leaves in one message when the turn has ended.
 *
 * HX1 at most LIMITS.channelBatchesMax batches of a channel are under way or wait at its receiver; signals are not counted, and pass.
 * HX2 a receiver takes elements in the order in which they were pushed; a channel that is blocked holds up no other one.
 */
export class HostExchange implements Exchange {
  readonly failed: Promise<never>;
  readonly #options: HostExchangeOptions;
  readonly #numbers: ChannelNumbers;
  readonly #senders = new Map<number, RemoteSender>();
  readonly #receivers = new Map<number, RemoteReceiver>();
  readonly #outgoing = new Map<number, ExchangePart[]>();
  #flushing = false;

  constructor(options: HostExchangeOptions) {
    this.#options = options;
    this.#numbers = new ChannelNumbers(options.graph);
    const peers = [...options.peers];
    this.failed = Promise.race([new Promise<never>(() => {}), ...peers.map(([, peer]) => peer.failed)]);
    this.failed.catch(() => {});
    for (const [, peer] of peers) peer.listen((parts) => this.#arrived(parts));
  }

  sender(channel: ChannelId): ElementSender {
    const number = this.#numbers.of(channel);
    const peer = this.#options.places[channel.to] as number;
    const sender = new RemoteSender(
      (part) => this.#enqueue(peer, { channel: number, ...part }),
      this.#options.wake,
    );
    this.#senders.set(number, sender);
    return sender;
  }

  receiver(channel: ChannelId): ElementReceiver {
    const number = this.#numbers.of(channel);
    const peer = this.#options.places[channel.from] as number;
    const receiver = new RemoteReceiver((credit) => this.#enqueue(peer, { channel: number, credit }));
    this.#receivers.set(number, receiver);
    return receiver;
  }

  async close(): Promise<void> {
    this.#outgoing.clear();
    await Promise.allSettled([...this.#options.peers.values()].map((peer) => peer.close()));
  }

  #enqueue(peer: number, part: ExchangePart): void {
    const parts = this.#outgoing.get(peer);
    if (parts === undefined) this.#outgoing.set(peer, [part]);
    else parts.push(part);
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    for (const [peer, parts] of this.#outgoing) this.#options.peers.get(peer)?.send(parts);
    this.#outgoing.clear();
  }

  #arrived(parts: readonly ExchangePart[]): void {
    for (const part of parts) {
      if ('credit' in part) this.#known(this.#senders, part.channel).credited(part.credit);
      else this.#known(this.#receivers, part.channel).add(part.bytes);
    }
    this.#options.wake();
  }

  #known<End>(ends: ReadonlyMap<number, End>, channel: number): End {
    const end = ends.get(channel);
    if (end !== undefined) return end;
    throw new MillraceError(
      'MR_INVARIANT',
      `Host ${this.#options.host} was sent something for channel ${channel}, which does not end here.`,
    );
  }
}

type OutgoingPart = { readonly bytes: Uint8Array<ArrayBuffer> };

class RemoteSender implements ElementSender {
  readonly #send: (part: OutgoingPart) => void;
  readonly #wake: () => void;
  readonly #encoder = new ElementEncoder();
  #batches = 0;

  constructor(send: (part: OutgoingPart) => void, wake: () => void) {
    this.#send = send;
    this.#wake = wake;
  }

  get full(): boolean {
    return this.#batches >= LIMITS.channelBatchesMax;
  }

  push(element: Element): void {
    if (element.kind === 'records') this.#batches++;
    this.#send({ bytes: this.#encoder.encode(inPlainForm(element)) });
  }

  credited(batches: number): void {
    const wasFull = this.full;
    this.#batches -= batches;
    invariant(this.#batches >= 0, 'a receiver gives no more credit than it has used');
    if (wasFull) this.#wake();
  }
}

class RemoteReceiver implements ElementReceiver {
  readonly #credit: (batches: number) => void;
  readonly #decoder = new ElementDecoder();
  readonly #queue: Uint8Array[] = [];
  #head = 0;
  #owed = 0;

  constructor(credit: (batches: number) => void) {
    this.#credit = credit;
  }

  add(bytes: Uint8Array): void {
    this.#queue.push(bytes);
  }

  shift(): Element | null {
    if (this.#head === this.#queue.length) return null;
    const element = this.#decoder.decode(this.#queue[this.#head++] as Uint8Array);
    const emptied = this.#head === this.#queue.length;
    if (emptied || this.#head > 64) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    if (element.kind === 'records') this.#owed++;
    // In few messages, but never so late that both ends wait.
    if (this.#owed > 0 && (emptied || this.#owed * 2 >= LIMITS.channelBatchesMax)) {
      this.#credit(this.#owed);
      this.#owed = 0;
    }
    return element;
  }
}

/** Numbers the channels of a job, the same on every host. */
class ChannelNumbers {
  readonly #parallelism: number;
  /** Per vertex and input, the number of its first channel. */
  readonly #first: readonly (readonly number[])[];

  constructor({ vertices, job }: ExecutionGraph) {
    this.#parallelism = job.options.parallelism;
    const perInput = this.#parallelism ** 2;
    let next = 0;
    this.#first = vertices.map(({ upstream }) =>
      upstream.map(() => {
        const first = next;
        next += perInput;
        return first;
      }),
    );
  }

  of({ vertex, input, from, to }: ChannelId): number {
    return (this.#first[vertex]?.[input] as number) + from * this.#parallelism + to;
  }
}
