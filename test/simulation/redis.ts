import type { Random } from '../../engine/base/random.ts';
import type { OpenRedisLink } from '../../engine/redis/redis-link.ts';
import type { UnderWay } from './connection.ts';
import type { SimKernel } from './kernel.ts';
import { SimLink } from './link.ts';
import { SimNetwork } from './network.ts';
import { EPOCH_MS, type SimProcess } from './process.ts';
import { RedisModel } from './redis-model/redis-model.ts';
import type { Answer } from './redis-model/redis-reply.ts';
import { type Command, SimServer } from './server.ts';

/**
 * Simulated Redis: a primary with a replica, the links to it, and what may go wrong with them.
 *
 * SR1 Until a fault says otherwise it behaves as one server that keeps everything.
 * SR2 A fail-over loses exactly what the replica did not have; a loss of power what was not on disk.
 */
export class SimRedis {
  readonly kernel: SimKernel;
  readonly network: SimNetwork;
  readonly #random: Random;
  readonly #links = new Set<SimLink>();
  #primary: SimServer;
  #lagUntilMs = 0;
  #fullUntilMs = 0;
  readonly #observer: RedisObserver | null;

  constructor(kernel: SimKernel, observer: RedisObserver | null = null) {
    this.kernel = kernel;
    this.#observer = observer;
    this.network = new SimNetwork(kernel);
    this.#random = kernel.random('redis');
    this.#primary = this.#serve(new RedisModel({ now: () => EPOCH_MS + Math.floor(kernel.nowMs) }), 0);
  }

  /** The server that is the primary now. */
  get primary(): SimServer {
    return this.#primary;
  }

  /** How a process opens its links. */
  opener(process: SimProcess): OpenRedisLink {
    process.onKill(() => {
      for (const link of this.#links) if (link.process === process) this.#links.delete(link);
    });
    return async (options) => {
      const link = new SimLink(this, process, options);
      this.#links.add(link);
      await link.ready();
      return link;
    };
  }

  /** A link has been closed. */
  forget(link: SimLink): void {
    this.#links.delete(link);
  }

  /** As CLIENT LIST of the primary has it, as far as `missingLinks` reads it. */
  clientList(): string {
    return [...this.#links].map((link) => ` ${link.clientLine(this.#primary) ?? ''} `).join('\n');
  }

  /** The server that a new connection finds, or null. */
  server(): SimServer | null {
    return this.#primary.up ? this.#primary : null;
  }

  /** Breaks the connections of one role, or all. */
  dropLinks(role: string | null, underWay: UnderWay): void {
    for (const link of this.#links) if (role === null || link.process.role === role) link.lose(underWay);
  }

  /** Stops the primary and starts it again with what `lostMs` ago was there; 0 = with everything. */
  restart(downMs: number, lostMs: number): void {
    const old = this.#primary;
    const model = lostMs > 0 ? old.before(lostMs) : old.model.fork();
    this.#replace(old, model, downMs, 'restart');
  }

  /**
   * The replica takes over with what it has, `downMs` after the primary has died, or has been demoted: then it still reads and refuses
   * writes, until its clients are thrown out. The new primary's own replica is in step after a while.
   */
  failOver(downMs: number, isDemoted: boolean): void {
    const old = this.#primary;
    const model = old.replica();
    if (!isDemoted) return this.#replace(old, model, downMs, 'fail-over');
    old.demote();
    this.kernel.schedule(downMs, null, 'fail-over', () => this.#promote(old, model));
    this.kernel.schedule(downMs + DEMOTED_MS, null, 'demoted clients leave', () => {
      old.up = false;
      for (const link of this.#links) link.lose({ kind: 'lost' }, old);
    });
  }

  /** The server is over maxmemory for a while. */
  runOutOfMemory(forMs: number): void {
    this.#fullUntilMs = Math.max(this.#fullUntilMs, this.kernel.nowMs + forMs);
    this.#primary.setFull(true);
    this.kernel.schedule(forMs, null, 'memory is free again', () => this.#primary.setFull(this.#isFull));
  }

  /** For a while the replica gets writes late. */
  lagReplica(forMs: number): void {
    this.#lagUntilMs = this.kernel.nowMs + forMs;
  }

  #replace(old: SimServer, model: RedisModel, downMs: number, why: string): void {
    old.up = false;
    this.dropLinks(null, { kind: 'lost' });
    this.kernel.schedule(downMs, null, why, () => this.#promote(old, model));
  }

  /** A later fault may have replaced the old primary already. */
  #promote(old: SimServer, model: RedisModel): void {
    if (this.#primary === old)
      this.#primary = this.#serve(model, this.kernel.nowMs + RESYNC_MS * this.#random());
  }

  #serve(model: RedisModel, replicaFromMs: number): SimServer {
    const replicationDelayMs = () => this.#replicationDelayMs();
    this.#observer?.promoted();
    const observe = this.#observer?.executed;
    const server = new SimServer(this.kernel, { model, replicaFromMs, replicationDelayMs, observe });
    server.setFull(this.#isFull);
    return server;
  }

  get #isFull(): boolean {
    return this.kernel.nowMs < this.#fullUntilMs;
  }

  #replicationDelayMs(): number {
    const usualMs = 0.2 + this.#random();
    const leftMs = this.#lagUntilMs - this.kernel.nowMs;
    return leftMs > 0 ? usualMs + leftMs * this.#random() : usualMs;
  }
}

/** Somebody who sees what the primary is asked to do, and does. */
export interface RedisObserver {
  readonly executed: (command: Command, answer: Answer) => void;
  /** There is another primary: some of what was seen may not have happened. */
  readonly promoted: () => void;
}

/** How long a replica takes at most to be in step with a new primary. */
const RESYNC_MS = 1_500;
/** How long a demoted primary keeps its clients. */
const DEMOTED_MS = 400;
