import type { SimKernel } from './kernel.ts';
import type { Bytes } from './redis-model/bytes.ts';
import type { RedisModel, RedisWrite } from './redis-model/redis-model.ts';
import type { Answer } from './redis-model/redis-reply.ts';
import { RedisReplyError } from './redis-model/redis-reply-error.ts';

export type Command = readonly Bytes[];

/**
 * One simulated Redis server: a model of the data, and what a promotion or a loss of power would leave of it.
 *
 * Owns the data and the history of its writes. Does not own connections (connection.ts) nor decide on faults (redis.ts).
 *
 * SS1 Writes reach the replica in order, each after a delay that is fixed when it is made, unless the replica leaves before: WAIT cannot lie.
 * SS2 What the replica or the append-only file has is a prefix of the writes.
 */
export class SimServer {
  readonly model: RedisModel;
  /** False once it has crashed. */
  up = true;
  readonly #kernel: SimKernel;
  readonly #replicationDelayMs: () => number;
  readonly #replicaFromMs: number;
  readonly #observe: SimServerOptions['observe'];
  readonly #history: Write[] = [];
  /** The data after so many writes, now and then, so that a prefix need not be made from the start. */
  readonly #copies: { readonly writes: number; readonly model: RedisModel }[] = [];
  readonly #watchers = new Set<Watcher>();
  #demotedMs = Number.POSITIVE_INFINITY;

  constructor(kernel: SimKernel, options: SimServerOptions) {
    this.#kernel = kernel;
    this.model = options.model;
    this.#replicaFromMs = options.replicaFromMs;
    this.#replicationDelayMs = options.replicationDelayMs;
    this.#observe = options.observe;
    this.#copies.push({ writes: 0, model: this.model.fork() });
    this.model.onWrite((write) => this.#onWrite(write));
  }

  /** How many writes it has taken. */
  get writes(): number {
    return this.#history.length;
  }

  /** Carries a command out at once; what blocks is the connection's business. @throws RedisReplyError */
  execute(command: Command): Answer {
    if (this.#demotedMs <= this.#kernel.nowMs && !READS.has(command[0] ?? ''))
      throw new RedisReplyError("READONLY You can't write against a read only replica.");
    const answer = this.model.carryOut(command);
    this.#observe?.(command, answer);
    const copied = this.#copies.at(-1)?.writes ?? 0;
    if (this.writes - copied >= WRITES_PER_COPY)
      this.#copies.push({ writes: this.writes, model: this.model.fork() });
    return answer;
  }

  /** Whether it is over maxmemory, and takes nothing that needs more. */
  setFull(isFull: boolean): void {
    this.model.execute(['CONFIG', 'SET', 'maxmemory', isFull ? '1' : '0']);
  }

  /** From now on it refuses writes, since its replica is to be the primary; what the replica lacks it never gets. */
  demote(): void {
    this.#demotedMs = this.#kernel.nowMs;
  }

  /** When the replica has the first `writes` writes, virtual ms; never, as far as is known now, when it is infinite. */
  replicatedMs(writes: number): number {
    const replicatedMs = this.#history[writes - 1]?.replicatedMs ?? 0;
    return replicatedMs <= this.#demotedMs ? replicatedMs : Number.POSITIVE_INFINITY;
  }

  /** Calls `wake` after each write to one of `keys`, until the returned function is called. */
  watch(keys: ReadonlySet<Bytes>, wake: () => void): () => void {
    const watcher = { keys, wake };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** The data that the replica has now. */
  replica(): RedisModel {
    return this.#prefix((write) => write.replicatedMs <= this.#kernel.nowMs);
  }

  /** The data as they were `lostMs` ago: what the append-only file gives back after power was lost. */
  before(lostMs: number): RedisModel {
    return this.#prefix((write) => write.atMs <= this.#kernel.nowMs - lostMs);
  }

  #prefix(has: (write: Write) => boolean): RedisModel {
    const firstMissing = this.#history.findIndex((write) => !has(write));
    const end = firstMissing < 0 ? this.writes : firstMissing;
    const copy = this.#copies.findLast(({ writes }) => writes <= end);
    const { writes, model } = copy as { writes: number; model: RedisModel };
    const prefix = model.fork();
    for (const { write } of this.#history.slice(writes, end)) prefix.apply(write);
    return prefix;
  }

  #onWrite(write: RedisWrite): void {
    const { nowMs } = this.#kernel;
    const arrivesMs = Math.max(nowMs, this.#replicaFromMs) + this.#replicationDelayMs();
    const replicatedMs = Math.max(arrivesMs, this.#history.at(-1)?.replicatedMs ?? 0);
    this.#history.push({ atMs: nowMs, replicatedMs, write });
    if (this.#watchers.size === 0) return;
    for (const key of keysOf(write)) {
      for (const watcher of this.#watchers) if (watcher.keys.has(key)) watcher.wake();
    }
  }
}

export interface SimServerOptions {
  readonly model: RedisModel;
  /** When its replica is in step with it and takes writes, virtual ms. */
  readonly replicaFromMs: number;
  /** Drawn for each write. */
  readonly replicationDelayMs: () => number;
  /** Told of every command that was not refused. */
  readonly observe?: ((command: Command, answer: Answer) => void) | undefined;
}

interface Write {
  readonly atMs: number;
  readonly replicatedMs: number;
  readonly write: RedisWrite;
}

interface Watcher {
  readonly keys: ReadonlySet<Bytes>;
  readonly wake: () => void;
}

const WRITES_PER_COPY = 200;

/** What a demoted server still answers. */
const READS: ReadonlySet<string> = new Set(
  'PING INFO COMMAND CONFIG GET MGET HGET HMGET HGETALL HKEYS HLEN HEXISTS LRANGE LLEN XRANGE XREVRANGE XLEN XREAD ZRANGE ZCARD ZSCORE WAIT'.split(
    ' ',
  ),
);

/** The keys of a write: those of a script, or the first argument. */
function keysOf({ words }: RedisWrite): readonly Bytes[] {
  const [name = '', first = '', keyCount] = words;
  return name.toUpperCase() === 'EVAL' ? words.slice(3, 3 + Number(keyCount)) : [first];
}
