import type { Redis } from 'ioredis';
import { MillraceError } from '../base/errors.ts';
import { RawReplies } from './raw-replies.ts';
import { nodeClient } from './redis-client.ts';
import { addressText, type RedisAddress, type RedisNodes } from './redis-url.ts';

/** One connection to one node. It is lost once, and then another takes its place. */
export interface ClusterNode {
  readonly address: RedisAddress;
  readonly client: Redis;
  readonly raw: RawReplies;
  /** Resolves when the connection is up, or will not be. */
  readonly opened: Promise<void>;
}

export interface ClusterNodesOptions {
  readonly target: RedisNodes;
  /** Shown by CLIENT LIST. */
  readonly name: string;
  readonly onError: (error: Error) => void;
  /** A connection was lost, or could not be made; `wasUp` tells which. */
  readonly onEnd: (address: RedisAddress, wasUp: boolean) => void;
}

/** Connections to the nodes of a cluster, at most one to each, made when they are first asked for. */
export class ClusterNodes {
  readonly #options: ClusterNodesOptions;
  readonly #nodes = new Map<string, ClusterNode>();
  #isClosed = false;

  constructor(options: ClusterNodesOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @throws MR_REDIS_UNAVAILABLE when closed */
  at(address: RedisAddress): ClusterNode {
    if (this.#isClosed)
      throw new MillraceError(
        'MR_REDIS_UNAVAILABLE',
        'The connections to the Redis cluster were closed by us.',
      );
    const text = addressText(address);
    const known = this.#nodes.get(text);
    if (known !== undefined && known.client.status !== 'end') return known;
    const node = this.#open(address);
    this.#nodes.set(text, node);
    return node;
  }

  /** Drops the connections to nodes that are not among these. */
  keep(addresses: readonly RedisAddress[]): void {
    const kept = new Set(addresses.map(addressText));
    for (const [text, node] of this.#nodes) if (!kept.has(text)) this.#drop(text, node);
  }

  close(): void {
    this.#isClosed = true;
    this.keep([]);
  }

  #open(address: RedisAddress): ClusterNode {
    const { target, name, onError, onEnd } = this.#options;
    const client = nodeClient(target, address, name);
    const raw = new RawReplies(client);
    let wasUp = false;
    const opened = new Promise<void>((resolve) => {
      client.once('ready', () => {
        wasUp = true;
        resolve();
      });
      client.once('end', () => {
        const text = addressText(address);
        const isKnown = this.#nodes.get(text)?.client === client;
        if (isKnown) this.#nodes.delete(text);
        if (isKnown) onEnd(address, wasUp);
        resolve();
      });
    });
    client.on('error', onError);
    client.connect().catch(() => undefined); // the error event carries why
    return { address, client, raw, opened };
  }

  #drop(text: string, { client }: ClusterNode): void {
    this.#nodes.delete(text);
    client.disconnect();
  }
}
