import type { PartitionLog } from '#engine';
import { decodeFrame, rowReader, type Schema } from '#wire';

/** All rows of a topic, partition by partition. */
export async function readTopic<Row>(log: PartitionLog, topic: string, schema: Schema<Row>): Promise<Row[]> {
  const ends = (await log.topic(topic)) === null ? [] : await log.ends(topic);
  const read = rowReader(schema);
  const rows: Row[] = [];
  for (const { partition, end } of ends) {
    const position = await log.position(topic, partition, 'earliest');
    const reader = await log.openReader({ topic, positions: new Map([[partition, position]]) });
    let at: number = position.offset;
    while (at < end) {
      const frame = reader.take();
      if (frame === null) {
        if (reader.failure !== null) throw reader.failure;
        await reader.ready();
        continue;
      }
      const { batch } = decodeFrame(frame.bytes, (id) => (id === schema.id ? schema : undefined));
      for (let i = 0; i < batch.count; i++) rows.push(read(batch as never, i));
      at = frame.next.offset;
    }
    await reader.close();
  }
  return rows;
}
