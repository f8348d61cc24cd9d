import { join } from 'node:path';
import { BatchBuilder, eventTime, i32, type Infer, schema } from '#wire';
import { type FrameFile, frameFile } from '../frame-file.ts';
import { rowFrame } from '../row-frames.ts';
import { EventRandom } from '../nexmark/event-random.ts';

/** An event of few keys and of times that meet the edges of windows often. */
export const EdgeEvent = schema('edge', {
  at: eventTime(1),
  key: i32(2),
  /** From 0. */
  value: i32(3),
  /** 1 where it is behind the watermark that the frames before it make. Inputs of joins leave these out: see {@link EDGE_BOUND_MS}. */
  isBehind: i32(4),
});
export type EdgeEvent = Infer<typeof EdgeEvent>;

/**
 * How far behind the newest time an event may be. After each frame the watermark is the newest time − this − 1: at the watermark an
 * event is behind. Two inputs of a join do not go at one pace, so that what is late for it would not be certain.
 */
export const EDGE_BOUND_MS = 500;

export const EDGE_EVENTS = 2_500;

const SEED = 42;
const BASE_MS = 1_700_000_000_000;
const STEP_MS = 50;
const FRAME_EVENTS_MAX = 6;

/** Events out of order, within the bound and beyond it, at the watermark itself, at and beside edges of windows, and after long pauses. */
export function edgeFile(folder: string): FrameFile {
  return frameFile(join(folder, `edges-${EDGE_EVENTS}-${SEED}.frames`), framesOf);
}

function* framesOf(): Generator<Uint8Array> {
  const random = new EventRandom(SEED);
  const builder = new BatchBuilder(EdgeEvent);
  let newest = BASE_MS;
  let watermark = 0;
  for (let made = 0; made < EDGE_EVENTS; ) {
    random.begin(made);
    const size = Math.min(1 + random.below(FRAME_EVENTS_MAX), EDGE_EVENTS - made);
    const events = Array.from({ length: size }, () => {
      const at = timeOf(random, newest, watermark);
      newest = Math.max(newest, at);
      return { at, key: random.below(4), value: random.below(1_000), isBehind: at <= watermark ? 1 : 0 };
    });
    made += size;
    for (const event of events) builder.append(event);
    yield rowFrame(builder, 'edges', made);
    watermark = Math.max(watermark, newest - EDGE_BOUND_MS - 1);
  }
}

function timeOf(random: EventRandom, newest: number, watermark: number): number {
  const grid = newest - (newest % STEP_MS);
  const kind = random.below(100);
  if (kind < 2) return grid + (20 + random.below(80)) * STEP_MS;
  if (kind < 45) return grid + random.below(5) * STEP_MS;
  if (kind < 75) return grid - random.below(EDGE_BOUND_MS / STEP_MS) * STEP_MS;
  if (kind < 85) return Math.max(watermark, BASE_MS) + random.below(3) - 1;
  if (kind < 93) return grid - random.below(3);
  return Math.max(BASE_MS, grid - random.below(120) * STEP_MS);
}
