import { join } from 'node:path';
import { BatchBuilder, encodeFrame } from '#wire';
import { type FrameFile, frameFile } from '../frame-file.ts';
import { NexmarkEvent } from './event.ts';
import { type Generation, nexmarkGenerator } from './generator.ts';

export interface EventFileOptions extends Generation {
  readonly events: number;
}

export const FRAME_RECORDS = 1_000;

/** The first so many events. */
export function* nexmarkEvents({ events, ...generation }: EventFileOptions): Generator<NexmarkEvent> {
  const eventOf = nexmarkGenerator(generation);
  for (let id = 0; id < events; id++) yield eventOf(id);
}

/** The events as frames of 1,000 in a file. */
export function nexmarkFile(options: EventFileOptions, folder: string): FrameFile {
  const { events, rate, seed } = options;
  return frameFile(join(folder, `nexmark-${events}-${rate}-${seed}.frames`), () =>
    framesOf(nexmarkEvents(options)),
  );
}

/** The events in frames of 1,000. */
export function* framesOf(events: Iterable<NexmarkEvent>): Generator<Uint8Array> {
  const builder = new BatchBuilder(NexmarkEvent);
  let last = 0;
  for (const event of events) {
    builder.append(event);
    last++;
    if (builder.count === FRAME_RECORDS) yield frameOf(builder, last);
  }
  if (builder.count > 0) yield frameOf(builder, last);
}

/** @param last events up to the end of the frame */
function frameOf(builder: BatchBuilder<NexmarkEvent>, last: number): Uint8Array {
  const batch = builder.finish();
  return encodeFrame(batch, {
    producer: 'nexmark',
    epoch: 1,
    prev: last - batch.count,
    first: last - batch.count + 1,
    watermark: Number.NaN,
    compression: 'none',
  });
}
