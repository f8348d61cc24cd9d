import { Client } from 'pg';
import { backoffMs, errorText, MillraceError, type SinkContext } from '#engine';
import { postgresFailure } from './postgres-error.ts';

/**
 * One connection to PostgreSQL that is made again when it is lost.
 * Owns the client and how long a transaction is tried. Suspends at every statement and between tries.
 *
 * PS1 `transaction` runs its work as often as needed, so the work must be idempotent: a lost answer to COMMIT looks like a failure.
 * PS2 It settles: with the work's result, or with an error no later than one statement's time after `retryForMs`.
 * PS3 The server ends a transaction that we left idle (this process was frozen, say), so its locks cannot hold a successor for ever.
 * PS4 One transaction runs at a time; others wait their turn, in order.
 */
export class PostgresSession {
  readonly #options: PostgresSessionOptions;
  #client: Client | null = null;
  #closed = false;
  #turn: Promise<unknown> = Promise.resolve();
  retries = 0;

  constructor(options: PostgresSessionOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` in a transaction of its own, again after transient failures.
   * @throws MR_SINK_FAILED when they last longer than `retryForMs`; what `work` throws, and the server's other errors, unchanged.
   */
  transaction<T>(work: (client: Client) => Promise<T>, hooks: TransactionHooks = {}): Promise<T> {
    const result = this.#turn.then(() => this.#retried(work, hooks));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#discard();
  }

  async #retried<T>(work: (client: Client) => Promise<T>, hooks: TransactionHooks): Promise<T> {
    const { clock, random, signal } = this.#options.context;
    const startedAt = clock.monotonic();
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#try(work, hooks);
      } catch (error) {
        if (error instanceof MillraceError || postgresFailure(error) !== 'transient') throw error;
        const elapsedMs = clock.monotonic() - startedAt;
        if (this.#closed || signal.aborted || elapsedMs >= this.#options.retryForMs)
          throw this.#failed(error, elapsedMs);
        this.retries++;
        await clock.sleep(backoffMs(attempt, RETRY_MS_FIRST, RETRY_MS_MAX, random), signal);
      }
    }
  }

  async #try<T>(work: (client: Client) => Promise<T>, hooks: TransactionHooks): Promise<T> {
    const client = await this.#connected();
    try {
      await client.query('BEGIN');
      const result = await work(client);
      hooks.beforeCommit?.();
      await client.query('COMMIT');
      hooks.afterCommit?.();
      return result;
    } catch (error) {
      await this.#rollBack(client, error);
      throw error;
    }
  }

  async #rollBack(client: Client, error: unknown): Promise<void> {
    const usable = error instanceof MillraceError || postgresFailure(error) !== 'transient';
    if (usable) {
      const rolledBack = await client.query('ROLLBACK').then(
        () => true,
        () => false,
      );
      if (rolledBack) return;
    }
    await this.#discard();
  }

  async #connected(): Promise<Client> {
    if (this.#client !== null) return this.#client;
    const client = new Client({
      connectionString: this.#options.url,
      application_name: `millrace ${this.#options.context.job}`.slice(0, 63),
      connectionTimeoutMillis: STATEMENT_MS_MAX,
      statement_timeout: STATEMENT_MS_MAX,
      query_timeout: STATEMENT_MS_MAX + 5_000, // a server that does not answer at all
      idle_in_transaction_session_timeout: IDLE_MS_MAX,
      keepAlive: true,
    });
    client.on('error', () => void this.#discard());
    this.#client = client;
    try {
      await client.connect();
      if (this.#closed) throw new Error('the sink was closed.');
      return client;
    } catch (error) {
      await this.#discard();
      throw error;
    }
  }

  async #discard(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => undefined);
  }

  #failed(cause: unknown, elapsedMs: number): MillraceError {
    const { context, target } = this.#options;
    return new MillraceError(
      'MR_SINK_FAILED',
      `Sink '${context.operator}' of job '${context.job}' could not write to ${target} for ${Math.round(elapsedMs)} ms: ${errorText(cause)} Check that PostgreSQL is up and reachable; the job restarts and writes the same rows again.`,
      { cause, details: { job: context.job, operator: context.operator } },
    );
  }
}

export interface PostgresSessionOptions {
  readonly url: string;
  readonly context: SinkContext;
  /** What is written to, for messages. */
  readonly target: string;
  readonly retryForMs: number;
}

export interface TransactionHooks {
  readonly beforeCommit?: () => void;
  readonly afterCommit?: () => void;
}

const RETRY_MS_FIRST = 50;
const RETRY_MS_MAX = 2_000;
const STATEMENT_MS_MAX = 30_000;
const IDLE_MS_MAX = 10_000;
