import type { Clock } from '../../engine/base/clock.ts';
import type { LiveFeed } from './live-feed.ts';

export const LIVE = {
  snapshotEveryMs: 500,
  pingEveryMs: 15_000,
  clientsMax: 64,
  /** A client with more than this waiting in its socket gets no further snapshot until it has caught up. */
  skipAboveBytes: 1024 * 1024,
  /** One with more than this is cut off. */
  closeAboveBytes: 8 * 1024 * 1024,
  /** Clients have nothing to say; more than this is an error. */
  messageBytesMax: 1_024,
} as const;

/** The part of a `ws` socket that is used. */
export interface LiveClient {
  readonly bufferedAmount: number;
  readonly readyState: number;
  readonly send: (text: string) => void;
  readonly close: (code: number, reason: string) => void;
  readonly terminate: () => void;
  readonly ping: () => void;
  readonly on: (event: 'pong' | 'close' | 'error', listener: () => void) => unknown;
}

const OPEN = 1;

/**
 * `GET /api/v1/live`, a WebSocket: one `hello` with the history, then a full snapshot every 500 ms, made and serialised
 * once for all clients; it is taken without clients too, which keeps the history.
 * LS1 nothing is queued for a client beyond `closeAboveBytes`.
 * LS2 a client that does not answer a ping until the next one is cut off.
 */
export class LiveSocket {
  readonly #feed: LiveFeed;
  readonly #clock: Clock;
  readonly #clients = new Map<LiveClient, { answered: boolean }>();
  readonly #cancels: (() => void)[] = [];

  constructor(feed: LiveFeed, clock: Clock) {
    this.#feed = feed;
    this.#clock = clock;
  }

  start(): void {
    this.#every(LIVE.snapshotEveryMs, () => this.#broadcast());
    this.#every(LIVE.pingEveryMs, () => this.#ping());
  }

  /** Stops the timers and tells clients that the process is going. */
  stop(): void {
    for (const cancel of this.#cancels) cancel();
    for (const client of this.#clients.keys()) client.close(1001, 'The engine process is stopping.');
  }

  add(client: LiveClient): void {
    if (this.#clients.size >= LIVE.clientsMax) {
      client.close(1013, `At most ${LIVE.clientsMax} pages can watch at once.`);
      return;
    }
    this.#clients.set(client, { answered: true });
    client.on('pong', () => this.#clients.set(client, { answered: true }));
    client.on('close', () => this.#clients.delete(client));
    client.on('error', () => client.terminate());
    client.send(
      JSON.stringify({ kind: 'hello', everyMs: LIVE.snapshotEveryMs, history: this.#feed.history() }),
    );
  }

  #broadcast(): void {
    const text = JSON.stringify(this.#feed.take());
    for (const client of this.#clients.keys()) {
      if (client.bufferedAmount > LIVE.closeAboveBytes) client.terminate();
      else if (client.readyState === OPEN && client.bufferedAmount <= LIVE.skipAboveBytes) client.send(text);
    }
  }

  #ping(): void {
    for (const [client, state] of this.#clients) {
      if (!state.answered) {
        client.terminate();
        continue;
      }
      this.#clients.set(client, { answered: false });
      client.ping();
    }
  }

  #every(ms: number, run: () => void): void {
    const index = this.#cancels.length;
    const again = () => {
      this.#cancels[index] = this.#clock.after(ms, again);
      run();
    };
    this.#cancels.push(this.#clock.after(ms, again));
  }
}
