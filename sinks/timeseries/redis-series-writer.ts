import {
  backoffMs,
  type CheckpointId,
  loadScript,
  MillraceError,
  RedisConnection,
  redisFailure,
  type RedisLink,
  seriesKeys,
  type SinkInput,
  type SinkWriter,
} from '#engine';
import { KnownKeys } from './known-keys.ts';
import { type PagedRow, PagedRows, type PageRows } from './paged-rows.ts';
import { pointsCall, type SeriesTarget, writerName } from './points-call.ts';
import { SERIES_SHARDS } from './series-layout.ts';
import { UpsertLane } from './upsert-lane.ts';
import { seriesRows, type WindowResult } from './window-result.ts';

export interface RedisSeriesOptions extends SeriesTarget {
  readonly url: string;
}

/**
 * One subtask's writer of a live series.
 * Owns one connection and a lane per shard. Suspends in `write` while a lane is full.
 *
 * RW1 When opening has resolved, no older generation of this sink can write any point (the fence stands in every shard).
 * RW2 Each batch checks the fence in the script that writes it.
 * RW3 The first writer of a generation undoes, in the script that raises the fence, what older ones changed after the checkpoint that
 *     is restored. So a replay that decides otherwise about a record leaves no row of the lost attempt behind.
 * RW4 Before points are changed for the first time between two barriers, the same script keeps what was there. Kept are the last three
 *     intervals at most, and no longer than the points.
 * RW5 Points lie in fields that one subtask of one generation writes, so that undoing them touches nobody else's. Of two fields with
 *     the same point, the one that was written last counts.
 *
 * @throws MR_SINK_FENCED, MR_REDIS_UNAVAILABLE, MR_REDIS_UNSUPPORTED
 */
export async function openRedisSeriesWriter(options: RedisSeriesOptions): Promise<SinkWriter<WindowResult>> {
  const { context, url, name } = options;
  const { clock, random, openLink = RedisConnection.open } = context;
  const redis = await openLink({ url, name: `millrace:series:${name}`, clock, random });
  try {
    await raiseFences(redis, options);
    return new RedisSeriesWriter(redis, options);
  } catch (error) {
    redis.close();
    throw error;
  }
}

const openSeries = loadScript(new URL('./scripts/open-series-4.lua', import.meta.url));
const writePoints = loadScript(new URL('./scripts/write-points-6.lua', import.meta.url));

/** Points of one script call: about a millisecond of the server. The script hands on four words a point at most; Lua holds 8,000. */
const BATCH_POINTS_MAX = 1_024;
/** Points waiting per shard before `write` holds its caller. */
const PENDING_POINTS_MAX = 4_096;
/** How long a server over its memory limit is waited for, and how long at most between two tries. */
const MEMORY_WAIT_MS = 30_000;
const RETRY_MS_MAX = 2_000;

class RedisSeriesWriter implements SinkWriter<WindowResult> {
  readonly #redis: RedisLink;
  readonly #options: RedisSeriesOptions;
  readonly #lanes: readonly UpsertLane<PagedRow, readonly PageRows[]>[];
  readonly #known: KnownKeys;
  #isStarting = false;
  /** Of the next barrier. */
  #seq: number;
  #rowsWritten = 0;
  #batches = 0;
  #retries = 0;

  constructor(redis: RedisLink, options: RedisSeriesOptions) {
    this.#redis = redis;
    this.#options = options;
    this.#seq = options.context.nextSeq;
    this.#known = new KnownKeys(options.keysMax, options.ttlMs / 4);
    this.#lanes = Array.from({ length: SERIES_SHARDS }, (_, shard) => {
      const write = (batch: readonly PageRows[], seq: number) => this.#writeBatch(shard, batch, seq);
      return new UpsertLane(new PagedRows(), {
        batchMax: BATCH_POINTS_MAX,
        pendingMax: PENDING_POINTS_MAX,
        write,
      });
    });
  }

  write(input: SinkInput<WindowResult>): void | Promise<void> {
    for (const lane of this.#lanes) lane.check();
    for (const row of seriesRows(input, this.#options.context.deadLetter)) {
      const key = this.#known.of(row.keyText);
      this.#lanes[key.shard]?.put(this.#seq, { key, row });
    }
    this.#start();
    const full = this.#lanes.filter((lane) => lane.full);
    if (full.length > 0) return Promise.all(full.map((lane) => lane.hasRoom())).then(() => undefined);
  }

  async prepareCommit(checkpoint: CheckpointId): Promise<null> {
    this.#seq = checkpoint + 1;
    await Promise.all(this.#lanes.map((lane) => lane.flushed()));
    return null;
  }

  stats(): Readonly<Record<string, number>> {
    return { rowsWritten: this.#rowsWritten, batches: this.#batches, retries: this.#retries };
  }

  async close(): Promise<void> {
    for (const lane of this.#lanes) lane.close();
    this.#redis.close();
  }

  /** Behind the turn of the task, which may bring more rows of the same pages. */
  #start(): void {
    if (this.#isStarting) return;
    this.#isStarting = true;
    queueMicrotask(() => {
      this.#isStarting = false;
      for (const lane of this.#lanes) lane.start();
    });
  }

  async #writeBatch(shard: number, batch: readonly PageRows[], seq: number): Promise<void> {
    const { keys, args } = pointsCall(this.#options, shard, batch, seq, this.#known);
    const script = { ...writePoints, keyCount: keys.length };
    const reply = (await this.#whileOutOfMemory(() => this.#redis.script(script, keys, args))) as
      | readonly ['ok']
      | readonly ['fenced', number];
    if (reply[0] === 'fenced') throw refused(this.#options, reply[1]);
    for (const { starts } of batch) for (const points of starts.values()) this.#rowsWritten += points.size;
    this.#batches++;
  }

  /** Waiting for memory is backpressure; trimming the log may free some. */
  async #whileOutOfMemory(send: () => Promise<unknown>): Promise<unknown> {
    const { clock, random, signal } = this.#options.context;
    const deadline = clock.monotonic() + MEMORY_WAIT_MS;
    for (let attempt = 0; ; attempt++) {
      try {
        return await send();
      } catch (error) {
        if (redisFailure(error) !== 'memory') throw error;
        if (signal.aborted || clock.monotonic() >= deadline) throw outOfMemory(this.#options, error);
        this.#retries++;
        await clock.sleep(backoffMs(attempt, 50, RETRY_MS_MAX, random), signal);
      }
    }
  }
}

async function raiseFences(redis: RedisLink, options: RedisSeriesOptions): Promise<void> {
  const { context, name, ttlMs } = options;
  const raise = async (_: unknown, shard: number) => {
    const { fence, noted, hours, undo, pages } = seriesKeys(context.namespace, name, shard);
    const who = writerName(context);
    const args = [who, context.generation, context.nextSeq, ttlMs, pages];
    const held = Number(await redis.script(openSeries, [fence, noted, hours, undo(who)], args));
    if (held !== context.generation) throw refused(options, held);
  };
  await Promise.all(Array.from({ length: SERIES_SHARDS }, raise));
}

function refused({ context, name }: RedisSeriesOptions, held: number): MillraceError {
  const { generation, operator, job } = context;
  const details = { job, operator, generation, held };
  const who = `Generation ${generation} of sink '${operator}' of job '${job}' may not write to series '${name}'`;
  if (held < generation) {
    const why = `${who}: the server has lost its fence, and with it recent writes (a restart without data, or a fail-over).`;
    return new MillraceError(
      'MR_SINK_FAILED',
      `${why} The job restarts and writes the points since its checkpoint again.`,
      {
        details,
      },
    );
  }
  return new MillraceError(
    'MR_SINK_FENCED',
    `${who}: generation ${held} has opened it. This attempt must end.`,
    { details },
  );
}

function outOfMemory({ context, name }: RedisSeriesOptions, cause: unknown): MillraceError {
  return new MillraceError(
    'MR_SINK_FAILED',
    `Sink '${context.operator}' of job '${context.job}' cannot write to series '${name}': Redis is at its memory limit. Raise maxmemory or shorten the ttl; the job restarts and writes the same points again.`,
    { cause, details: { job: context.job, operator: context.operator } },
  );
}
