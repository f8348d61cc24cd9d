import { BatchBuilder } from '../../../engine/wire/batch-builder.ts';
import { decodeFrame, encodeFrame } from '../../../engine/wire/frame.ts';
import { eventTime, f64, type Infer, nullable, schema, string } from '../../../engine/wire/schema.ts';

export const Sample = schema('sample', { ts: eventTime(1), value: f64(2), note: nullable(string(3)) });
export type Sample = Infer<typeof Sample>;

export interface FrameOptions {
  readonly producer?: string;
  readonly epoch?: number;
  readonly prev?: number;
  readonly records?: number;
  /** Value of the first record; they rise by one. Default: its sequence. */
  readonly value?: number;
  /** About how many bytes the frame has beyond its envelope. */
  readonly padding?: number;
}

const builder = new BatchBuilder(Sample);

/** One encoded frame of `records` samples that follows sequence `prev`. */
export function frameOf({
  producer = 'p',
  epoch = 1,
  prev = 0,
  records = 1,
  value = prev + 1,
  padding = 0,
}: FrameOptions): Uint8Array {
  for (let i = 0; i < records; i++) {
    const note = i === 0 && padding > 0 ? 'x'.repeat(padding) : null;
    builder.append({ ts: 1_000_000 + value + i, value: value + i, note });
  }
  return encodeFrame(builder.finish(), { producer, epoch, prev, first: prev + 1 });
}

/** The `value` column of a frame. */
export function valuesOf(frame: Uint8Array): number[] {
  const { batch } = decodeFrame(frame, () => Sample);
  const column = batch.column(1);
  return column.kind === 'f64' ? [...column.values.subarray(0, batch.count)] : [];
}
