import type { Redis } from 'ioredis';
import { sentinelClient } from './redis-client.ts';
import type { RedisTarget } from './redis-url.ts';

export interface SentinelWatchOptions {
  readonly target: Extract<RedisTarget, { readonly kind: 'sentinel' }>;
  /** Shown by CLIENT LIST. */
  readonly name: string;
  readonly retryMs: (attempt: number) => number;
  /** A sentinel names another primary from now on. */
  readonly onSwitch: () => void;
}

/** Sentinels of one link that are listened to at most. */
const SENTINELS_MAX = 5;
const SWITCHED = '+switch-master';

/**
 * Listens for fail-overs, on a connection to each sentinel.
 *
 * Without it a primary that was replaced while it still runs, cut off or by command, would keep us until it is demoted, which takes
 * Sentinel some ten seconds; what it takes meanwhile is lost. Sentinels switch one after another: each one's word counts, since the one
 * that was asked after the first word may not have switched yet.
 */
export class SentinelWatch {
  readonly #clients: readonly Redis[];

  constructor({ target, name, retryMs, onSwitch }: SentinelWatchOptions) {
    this.#clients = target.nodes.slice(0, SENTINELS_MAX).map((address) => {
      const client = sentinelClient(target, address, name, retryMs);
      client.on('error', () => undefined); // the link itself reports sentinels that it cannot reach
      client.on('message', (_: string, message: string) => {
        if (message.startsWith(`${target.master} `)) onSwitch();
      });
      client.subscribe(SWITCHED).catch(() => undefined); // sent again with every connection
      return client;
    });
  }

  close(): void {
    for (const client of this.#clients) client.disconnect();
  }
}
