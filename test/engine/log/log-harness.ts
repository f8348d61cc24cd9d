import { offset } from '../../../engine/base/brand.ts';
import { type Clock, systemClock } from '../../../engine/base/clock.ts';
import type { LogReader, PartitionLog, Position, StoredFrame } from '../../../engine/log/partition-log.ts';

/** One implementation under test. Every test takes a topic of its own. */
export interface LogHarness {
  readonly log: PartitionLog;
  readonly clock: SkewedClock;
  /** Remembers a partition; the returned function puts it back, as a promoted replica without the newest writes would. */
  readonly capture: (topic: string, partition: number) => Promise<() => Promise<void>>;
}

/** The system's clock with a wall time that tests can push forward. */
export interface SkewedClock extends Clock {
  readonly push: (ms: number) => void;
}

export function skewedClock(): SkewedClock {
  let skewMs = 0;
  return {
    ...systemClock,
    now: () => systemClock.now() + skewMs,
    push(ms) {
      skewMs += ms;
    },
  };
}

export const START: Position = { offset: offset(0), chain: '' };

/** The next `count` frames; throws the reader's failure, or after 5 s. */
export async function take(reader: LogReader, count: number): Promise<StoredFrame[]> {
  const frames: StoredFrame[] = [];
  const deadline = performance.now() + 5_000;
  while (frames.length < count) {
    const frame = reader.take();
    if (frame !== null) {
      frames.push(frame);
      continue;
    }
    if (reader.failure !== null) throw reader.failure;
    if (performance.now() > deadline)
      throw new Error(`only ${frames.length} of ${count} frames came within 5 s`);
    await Promise.race([reader.ready(), systemClock.sleep(500)]);
  }
  return frames;
}

/** The failure that the reader ends with; throws when there is none within 5 s. */
export async function failureOf(reader: LogReader): Promise<Error> {
  const deadline = performance.now() + 5_000;
  while (reader.failure === null) {
    if (performance.now() > deadline) throw new Error('the reader did not fail within 5 s');
    await Promise.race([reader.ready(), systemClock.sleep(20)]);
    reader.take();
  }
  return reader.failure;
}

export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within 5 s: ${what}`);
    await systemClock.sleep(5);
  }
}
