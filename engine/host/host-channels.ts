import { invariant } from '../base/errors.ts';
import type { ChannelId, Exchange } from '../exchange/exchange.ts';
import { Channel, type ElementReceiver, type ElementSender } from '../runtime/channel.ts';

/** The channels of one host's tasks: queues where both ends are here, the exchange's where one is elsewhere. */
export class HostChannels {
  readonly #host: number;
  readonly #places: readonly number[];
  readonly #exchange: Exchange | null;
  readonly #wake: () => void;
  readonly #arrived: (vertex: number, subtask: number) => void;
  readonly #local = new Map<string, Channel>();

  constructor(options: {
    readonly host: number;
    /** Per subtask, its host. */
    readonly places: readonly number[];
    /** Null when the attempt has one host. */
    readonly exchange: Exchange | null;
    readonly wake: () => void;
    /** A subtask of a vertex has been given something by another task of this host. */
    readonly arrived: (vertex: number, subtask: number) => void;
  }) {
    this.#host = options.host;
    this.#places = options.places;
    this.#exchange = options.exchange;
    this.#wake = options.wake;
    this.#arrived = options.arrived;
  }

  sender(channel: ChannelId): ElementSender {
    return this.#places[channel.to] === this.#host ? this.#queue(channel) : this.#remote().sender(channel);
  }

  receiver(channel: ChannelId): ElementReceiver {
    return this.#places[channel.from] === this.#host
      ? this.#queue(channel)
      : this.#remote().receiver(channel);
  }

  #queue({ vertex, input, from, to }: ChannelId): Channel {
    const id = `${vertex}:${input}:${from}:${to}`;
    let channel = this.#local.get(id);
    if (channel === undefined) {
      channel = new Channel();
      channel.listen(() => this.#arrived(vertex, to), this.#wake);
      this.#local.set(id, channel);
    }
    return channel;
  }

  #remote(): Exchange {
    invariant(this.#exchange !== null, 'an attempt on several hosts has an exchange');
    return this.#exchange;
  }
}
