import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Source, SourceContext, SourceReader } from '../runtime/source.ts';
import { PartitionClock } from '../time/partition-clock.ts';
import type { Schema } from '../wire/schema.ts';
import { RedisStreamReader } from './redis-stream-reader.ts';
import { RedisStreamSource, type StreamPartition, type StreamState } from './redis-stream-source.ts';
import type { StreamFormat } from './stream-entry.ts';

export interface RedisStreamOptions {
  /** How records lie in entries. */
  readonly format: StreamFormat;
  /** The entry field that holds the record, for JSON and msgpack. Default `data`. */
  readonly field?: string;
  /** Server to read from. Default: the job's own. */
  readonly url?: string;
}

/**
 * Streams that somebody else fills with `XADD key * …`, one record per entry. One stream is one partition; partition p belongs to
 * subtask `p mod parallelism`. They are read by position (no consumer group) and never written to, so that state sees every entry exactly
 * once as long as the server keeps it: entries that were trimmed unread, and a stream that lost its tail, fail the job as MR_LOG_TRIMMED
 * and MR_LOG_ROLLED_BACK. The topics of {@link partitionLog} are several times cheaper per record, and smaller in Redis; use those where the producer is yours.
 *
 * An entry that cannot be read is dealt with as the job declares (`onError`); its dead letter holds stream, id and raw fields.
 * @example job.source('readings', redisStream(['plant-a', 'plant-b'], Reading, { format: 'json' }), { outOfOrderness: '2s' })
 * @throws MR_CONFIG_INVALID without a name, or when a name comes twice
 */
export function redisStream<Row>(
  name: string | readonly string[],
  schema: Schema<Row>,
  options: RedisStreamOptions,
): Source<Row> {
  const names = typeof name === 'string' ? [name] : [...name];
  if (
    names.length === 0 ||
    names.length > LIMITS.topicPartitionsMax ||
    new Set(names).size !== names.length
  ) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `redisStream needs 1 to ${LIMITS.topicPartitionsMax} different stream names, got ${names.length} (${names.slice(0, 3).join(', ')}).`,
    );
  }
  return {
    kind: 'redis-stream',
    target: names.join(', '),
    open: (context) => open(names, schema, options, context),
  };
}

async function open(
  names: readonly string[],
  schema: Schema,
  { format, field = 'data', url }: RedisStreamOptions,
  context: SourceContext,
): Promise<SourceReader> {
  const server = url ?? context.redisUrl;
  if (server === undefined) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Source '${context.operator}' knows no Redis: give redisStream a url, or run the job on a Redis.`,
      { details: { operator: context.operator } },
    );
  }
  const states = context.restored as readonly StreamState[];
  const mine = names
    .map((stream, partition) => ({
      stream,
      partition,
      state: states.find((it) => it.stream === stream) ?? null,
    }))
    .filter(({ partition }) => partition % context.parallelism === context.subtask);
  const reader = await RedisStreamReader.open({
    url: server,
    streams: mine.map(({ stream, state }) => ({ name: stream, restored: state })),
    startFrom: context.options.startFrom,
    clock: context.clock,
    openLink: context.openLink,
  });
  const nowMs = context.clock.monotonic();
  const partitions = mine.map(({ stream, partition, state }, channel): StreamPartition => {
    const clock = new PartitionClock({ ...context.options, nowMs });
    if (state !== null) clock.restore(state.clock, nowMs);
    const position = state === null ? reader.position(channel) : { id: state.id, read: state.read };
    return { stream, partition, clock, position, newestMs: Number.NaN, records: 0, bytes: 0 };
  });
  return new RedisStreamSource(schema, { format, field }, partitions, reader, context);
}
