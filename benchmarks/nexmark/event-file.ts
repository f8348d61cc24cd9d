import { join } from 'node:path';
import { type FrameFile, frameFile } from '../frame-file.ts';
import { rowFrames } from '../row-frames.ts';
import { NexmarkEvent } from './event.ts';
import { type Generation, nexmarkGenerator } from './generator.ts';

export interface EventFileOptions extends Generation {
  readonly events: number;
}

/** The first so many events. */
export function* nexmarkEvents({ events, ...generation }: EventFileOptions): Generator<NexmarkEvent> {
  const eventOf = nexmarkGenerator(generation);
  for (let id = 0; id < events; id++) yield eventOf(id);
}

/** The events as frames of 1,000 in a file. */
export function nexmarkFile(options: EventFileOptions, folder: string): FrameFile {
  const { events, rate, seed } = options;
  return frameFile(join(folder, `nexmark-${events}-${rate}-${seed}.frames`), () =>
    rowFrames(NexmarkEvent, nexmarkEvents(options), 'nexmark'),
  );
}
