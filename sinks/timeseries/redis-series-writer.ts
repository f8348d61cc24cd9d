import {
  backoffMs,
  type CheckpointId,
  loadScript,
  MillraceError,
  RedisConnection,
  redisFailure,
  seriesKeys,
  type SinkContext,
  type SinkInput,
  type SinkWriter,
} from '#engine';
import { encodePoint, hourOf, SERIES_SHARDS, shardOf } from './series-layout.ts';
import { UpsertLane } from './upsert-lane.ts';
import { type SeriesRow, seriesRows, type WindowResult } from './window-result.ts';

export interface RedisSeriesOptions {
  readonly context: SinkContext;
  readonly url: string;
  readonly name: string;
  readonly ttlMs: number;
  readonly keysMax: number;
}

/**
 * One subtask's writer of a live series.
 * Owns one connection and a lane per shard. Suspends in `write` while a lane is full.
 *
 * RW1 When opening has resolved, no older generation of this sink can write any point (the fence stands in every shard).
 * RW2 Each batch checks the fence in the script that writes it.
 *
 * @throws MR_SINK_FENCED, MR_REDIS_UNAVAILABLE, MR_REDIS_UNSUPPORTED
 */
export async function openRedisSeriesWriter(options: RedisSeriesOptions): Promise<SinkWriter<WindowResult>> {
  const { context, url, name } = options;
  const { clock, random } = context;
  const redis = await RedisConnection.open({ url, name: `millrace:series:${name}`, clock, random });
  try {
    await raiseFences(redis, options);
    return new RedisSeriesWriter(redis, options);
  } catch (error) {
    redis.close();
    throw error;
  }
}

const openSeries = loadScript(new URL('./scripts/open-series-1.lua', import.meta.url));
const writePoints = loadScript(new URL('./scripts/write-points-3.lua', import.meta.url));

/** Points of one script call: about a millisecond of the server. */
const BATCH_POINTS_MAX = 256;
/** Points waiting per shard before `write` holds its caller. */
const PENDING_POINTS_MAX = 4_096;
/** How long a server over its memory limit is waited for, and how long at most between two tries. */
const MEMORY_WAIT_MS = 30_000;
const RETRY_MS_MAX = 2_000;

class RedisSeriesWriter implements SinkWriter<WindowResult> {
  readonly #redis: RedisConnection;
  readonly #options: RedisSeriesOptions;
  readonly #lanes: readonly UpsertLane<SeriesRow>[];
  #rowsWritten = 0;
  #batches = 0;
  #retries = 0;

  constructor(redis: RedisConnection, options: RedisSeriesOptions) {
    this.#redis = redis;
    this.#options = options;
    this.#lanes = Array.from({ length: SERIES_SHARDS }, (_, shard) => {
      const write = (batch: readonly SeriesRow[]) => this.#writeBatch(shard, batch);
      return new UpsertLane<SeriesRow>({ batchMax: BATCH_POINTS_MAX, pendingMax: PENDING_POINTS_MAX, write });
    });
  }

  write(input: SinkInput<WindowResult>): void | Promise<void> {
    for (const lane of this.#lanes) lane.check();
    for (const row of seriesRows(input, this.#options.context.deadLetter)) {
      this.#lanes[shardOf(row.keyText)]?.put(`${row.window.start} ${row.keyText}`, row);
    }
    for (const lane of this.#lanes) lane.start();
    const full = this.#lanes.filter((lane) => lane.full);
    if (full.length > 0) return Promise.all(full.map((lane) => lane.hasRoom())).then(() => undefined);
  }

  async prepareCommit(_checkpoint: CheckpointId, _seq: number): Promise<null> {
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

  async #writeBatch(shard: number, batch: readonly SeriesRow[]): Promise<void> {
    const { context, name } = this.#options;
    const { buckets, args } = scriptInput(this.#options, shard, batch);
    const { fence, index, newest } = seriesKeys(context.namespace, name, shard);
    const script = { ...writePoints, keyCount: writePoints.keyCount + buckets.length };
    const reply = (await this.#whileOutOfMemory(() =>
      this.#redis.script(script, [fence, index, newest, ...buckets], args),
    )) as readonly ['ok'] | readonly ['fenced', number];
    if (reply[0] === 'fenced') throw refused(this.#options, reply[1]);
    this.#rowsWritten += batch.length;
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

async function raiseFences(redis: RedisConnection, options: RedisSeriesOptions): Promise<void> {
  const { context, name } = options;
  const raise = async (_: unknown, shard: number) => {
    const keys = [seriesKeys(context.namespace, name, shard).fence];
    const held = Number(await redis.script(openSeries, keys, [fenceField(context), context.generation]));
    if (held !== context.generation) throw refused(options, held);
  };
  await Promise.all(Array.from({ length: SERIES_SHARDS }, raise));
}

/** The operator's name, not the sink id: an attempt that crashed before its first checkpoint had another id. */
function fenceField({ job, operator }: SinkContext): string {
  return `${job} ${operator}`;
}

function scriptInput(
  { context, name, ttlMs, keysMax }: RedisSeriesOptions,
  shard: number,
  batch: readonly SeriesRow[],
) {
  const keys = seriesKeys(context.namespace, name, shard);
  const buckets = new Map<string, number>();
  const keysPerShard = Math.max(1, Math.ceil(keysMax / SERIES_SHARDS));
  const head = [fenceField(context), context.generation, context.clock.now(), ttlMs, keysPerShard];
  const args: (string | number | Buffer)[] = head;
  for (const { window, keyText, value } of batch) {
    const bucket = keys.bucket(hourOf(window.start), keyText);
    let number = buckets.get(bucket);
    if (number === undefined) {
      number = buckets.size + 1;
      buckets.set(bucket, number);
    }
    args.push(number, keyText, window.start, encodePoint(window.end, value));
  }
  return { buckets: [...buckets.keys()], args };
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
