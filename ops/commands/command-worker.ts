import { DelayedError, type Job, Worker } from 'bullmq';
import {
  type CheckpointStore,
  type ClusterContext,
  commandsPrefix,
  errorCode,
  errorText,
  hasCode,
} from '#engine';
import { carryOut } from './carry-out.ts';
import { type CommandClient, commandClient } from './command-connection.ts';
import { COMMAND_QUEUE } from './command-queue.ts';
import { checkedCommand, type CommandAnswer, type JobCommand } from './job-command.ts';

export interface CommandWorkerOptions {
  readonly redisUrl: string;
  readonly cluster: ClusterContext;
  readonly store: CheckpointStore;
  readonly log: (line: string) => void;
  /** How long one wait for commands lasts. Default 5 s. */
  readonly pollMs?: number;
  /** After so much time without a completed wait for commands, the queue's worker is made anew. */
  readonly silentMsMax?: number;
}

type QueuedJob = Job<JobCommand, CommandAnswer, string>;

/** One command waits for its job, mostly; they do not hold each other up. */
const CONCURRENCY = 32;
const POLL_MS = 5_000;
const SILENT_MS_MAX = 30_000;
/** A command whose process died is begun again after about this long, by another. */
const LOCK_MS = 10_000;
const STALLED_MAX = 10;
const HAND_ON_MS = 100;

/**
 * Takes commands from the queue and has them carried out. Runs in a worker process' main thread: no job's code runs there.
 * Owns its connections and the queue's worker. Suspends everywhere.
 *
 * CM1 a command that cannot be carried out is answered; only what a lost connection has cut off is tried again.
 * CM2 commands that are under way when the process stops are handed on, and others go on with them.
 * CM3 a queue's worker that does not come back from waiting is replaced: clients have been seen to hang after a fail-over.
 */
export class CommandWorker {
  readonly #options: CommandWorkerOptions;
  readonly #stopping = new AbortController();
  #worker: Worker<JobCommand, CommandAnswer, string>;
  #client: CommandClient;
  #polledMs: number;
  #active = 0;
  #closed: Promise<void> | null = null;
  #cancelWatch: () => void = () => {};

  constructor(options: CommandWorkerOptions) {
    this.#options = options;
    this.#polledMs = options.cluster.clock.monotonic();
    this.#client = this.#openClient();
    this.#worker = this.#openWorker();
    this.#watch();
  }

  /** Hands on what is under way. May be called again. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#stopping.abort();
    this.#cancelWatch();
    await this.#worker.close().catch(() => {});
    this.#client.disconnect();
  }

  #openClient(): CommandClient {
    const { redisUrl, cluster } = this.#options;
    const client = commandClient(redisUrl, `millrace:${cluster.namespace}:commands`);
    client.on('error', () => {}); // it connects again by itself
    return client;
  }

  #openWorker(): Worker<JobCommand, CommandAnswer, string> {
    const worker = new Worker<JobCommand, CommandAnswer, string>(
      COMMAND_QUEUE,
      (job, token) => this.#process(job, token),
      {
        connection: observed(this.#client, () => {
          this.#polledMs = this.#options.cluster.clock.monotonic();
        }),
        prefix: commandsPrefix(this.#options.cluster.namespace),
        concurrency: CONCURRENCY,
        drainDelay: (this.#options.pollMs ?? POLL_MS) / 1_000,
        lockDuration: LOCK_MS,
        stalledInterval: LOCK_MS / 2,
        maxStalledCount: STALLED_MAX,
      },
    );
    worker.on('error', () => {}); // the same
    return worker;
  }

  async #process(job: QueuedJob, token: string | undefined): Promise<CommandAnswer> {
    const { signal } = this.#stopping;
    const { cluster, store } = this.#options;
    this.#active++;
    try {
      const command = checkedCommand(job.data);
      const progress = (now: object) => void job.updateProgress(now).catch(() => {});
      const result = await carryOut({ cluster, store, signal, progress }, String(job.id), command);
      return { kind: 'done', result };
    } catch (error) {
      if (signal.aborted && token !== undefined) {
        await job.moveToDelayed(cluster.clock.now() + HAND_ON_MS, token);
        throw new DelayedError(); // CM2
      }
      if (hasCode(error, 'MR_REDIS_UNAVAILABLE')) throw error; // CM1
      return this.#refusal(job, error);
    } finally {
      this.#active--;
    }
  }

  #refusal(job: QueuedJob, error: unknown): CommandAnswer {
    const code = errorCode(error);
    if (code === null || code === 'MR_INVARIANT')
      this.#options.log(`Command ${job.id} (${job.name}) failed: ${String((error as Error).stack)}`);
    return { kind: 'failed', code: code ?? 'MR_INVARIANT', message: errorText(error) };
  }

  /** CM3 */
  #watch(): void {
    const { clock } = this.#options.cluster;
    const silentMsMax = this.#options.silentMsMax ?? SILENT_MS_MAX;
    this.#cancelWatch = clock.after(silentMsMax / 4, () => {
      if (this.#active >= CONCURRENCY) this.#polledMs = clock.monotonic(); // it waits for nothing then
      if (clock.monotonic() - this.#polledMs > silentMsMax) this.#replace();
      this.#watch();
    });
  }

  #replace(): void {
    this.#options.log('The queue of commands was not heard of for too long: its connections are made anew.');
    const [worker, client] = [this.#worker, this.#client];
    this.#polledMs = this.#options.cluster.clock.monotonic();
    this.#client = this.#openClient();
    this.#worker = this.#openWorker();
    void worker.close(true).catch(() => {});
    client.disconnect();
  }
}

/** The client with its duplicates telling whenever a wait for commands has come back in order. BullMQ waits on a duplicate. */
function observed(client: CommandClient, polled: () => void): CommandClient {
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => CommandClient;
  const observing = (...args: unknown[]): CommandClient => {
    const copy = duplicate(...args);
    const wait = copy.bzpopmin.bind(copy) as (...args: unknown[]) => Promise<unknown>;
    const watched = async (...waitArgs: unknown[]) => {
      const found = await wait(...waitArgs);
      polled();
      return found;
    };
    copy.on('error', () => {});
    return Object.assign(copy, { bzpopmin: watched });
  };
  return Object.assign(client, { duplicate: observing });
}
