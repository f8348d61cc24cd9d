import { BatchBuilder, encodeFrame, type Schema } from '#wire';

/** Rows of a frame, where a workload says nothing else. */
export const FRAME_RECORDS = 1_000;

/** Rows in plain frames of {@link FRAME_RECORDS}. */
export function* rowFrames<Row>(
  schema: Schema<Row>,
  rows: Iterable<Row>,
  producer: string,
): Generator<Uint8Array> {
  const builder = new BatchBuilder(schema);
  let last = 0;
  for (const row of rows) {
    builder.append(row);
    last++;
    if (builder.count === FRAME_RECORDS) yield rowFrame(builder, producer, last);
  }
  if (builder.count > 0) yield rowFrame(builder, producer, last);
}

/** The frame of what a builder holds. @param last the producer's rows up to its end */
export function rowFrame<Row>(builder: BatchBuilder<Row>, producer: string, last: number): Uint8Array {
  const batch = builder.finish();
  const prev = last - batch.count;
  return encodeFrame(batch, { producer, epoch: 1, prev, first: prev + 1, compression: 'none' });
}
