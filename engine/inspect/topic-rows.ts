import { MillraceError } from '../base/errors.ts';
import { noTopic } from '../log/log-error.ts';
import type { LogReader, PartitionLog, Position, StoredFrame } from '../log/partition-log.ts';
import { decodeFrame, readEnvelope } from '../wire/frame.ts';
import { type RowReader, rowReader } from '../wire/row-reader.ts';
import type { Schema, SchemaId } from '../wire/schema.ts';

type Row = Readonly<Record<string, unknown>>;

/**
 * All rows that a topic holds now, frame by frame, partitions in turn. What comes later is not read.
 * @throws MR_LOG_NO_TOPIC; MR_SCHEMA_UNKNOWN; what reading fails with
 */
export async function* topicRows(log: PartitionLog, topic: string): AsyncGenerator<readonly Row[], void> {
  if ((await log.topic(topic)) === null) throw noTopic(topic);
  const ends = (await log.ends(topic)).filter(({ start, end }) => start < end);
  const positions = new Map<number, Position>();
  for (const { partition } of ends)
    positions.set(partition, await log.position(topic, partition, 'earliest'));
  const open = new Map<number, number>(ends.map(({ partition, end }) => [partition, end]));
  if (open.size === 0) return;
  const reader = await log.openReader({ topic, positions });
  const decode = frameDecoder(log);
  try {
    while (open.size > 0) {
      const frame = await nextFrame(reader);
      const end = open.get(frame.partition);
      if (end === undefined) continue;
      const rows = await decode(frame.bytes);
      if (frame.next.offset >= end) {
        open.delete(frame.partition);
        reader.pause(frame.partition, true);
      }
      yield rows;
    }
  } finally {
    await reader.close();
  }
}

async function nextFrame(reader: LogReader): Promise<StoredFrame> {
  for (;;) {
    const frame = reader.take();
    if (frame !== null) return frame;
    if (reader.failure !== null) throw reader.failure;
    await reader.ready();
  }
}

/** Frames of a topic may be of several schemas: one for each version of what wrote them. */
function frameDecoder(log: PartitionLog): (frame: Uint8Array) => Promise<readonly Row[]> {
  const known = new Map<SchemaId, { readonly schema: Schema; readonly read: RowReader<unknown> }>();
  return async (bytes) => {
    const { schemaId } = readEnvelope(bytes);
    let of = known.get(schemaId);
    if (of === undefined) {
      const schema = await log.schema(schemaId);
      if (schema === null)
        throw new MillraceError(
          'MR_SCHEMA_UNKNOWN',
          `A stored frame is of schema ${schemaId}, which the log does not know.`,
        );
      of = { schema, read: rowReader(schema) };
      known.set(schemaId, of);
    }
    const { schema, read } = of;
    const { batch } = decodeFrame(bytes, () => schema);
    return Array.from({ length: batch.count }, (_, i) => read(batch as never, i) as Row);
  };
}
