import {
  checkpointId,
  generation,
  type PartitionLog,
  type SinkContext,
  type SinkInput,
  type SinkWriter,
  systemClock,
  systemRandom,
} from '#engine';
import type { SeriesKey, WindowResult } from '../../../sinks/timeseries/window-result.ts';

/** Midnight of some day, so that hours are easy to count. */
export const DAY = Date.UTC(2026, 0, 2);
export const WINDOW_MS = 10_000;

export function seriesContext(attempt: number, overrides: Partial<SinkContext> = {}): SinkContext {
  return {
    job: 'job',
    operator: 'live',
    subtask: 0,
    parallelism: 1,
    generation: generation(attempt),
    sinkId: `sink-of-attempt-${attempt}`, // an attempt that never completed a checkpoint has an id of its own
    nextSeq: attempt, // as if each attempt had published one checkpoint
    undoFloor: () => checkpointId(0),
    namespace: 'test',
    log: null as unknown as PartitionLog, // these sinks never touch the log
    clock: systemClock,
    random: systemRandom,
    signal: new AbortController().signal,
    killPoint: () => {},
    deadLetter: (_row, reason) => {
      throw new Error(`no row was to be refused: ${reason}`);
    },
    ...overrides,
  };
}

/** Window number `i` of a device. */
export function result(
  key: SeriesKey,
  i: number,
  value: Readonly<Record<string, number | null>>,
): WindowResult {
  return { key, window: { start: DAY + i * WINDOW_MS, end: DAY + (i + 1) * WINDOW_MS }, value };
}

export function device(id: number | string): { readonly tenant: string; readonly deviceId: string } {
  return { tenant: 'acme', deviceId: `pump-${id}` };
}

export function input(rows: readonly WindowResult[]): SinkInput<WindowResult> {
  return { kind: 'rows', rows, times: Float64Array.from(rows, (row) => row.window.end - 1) };
}

/** Writes rows and waits until the store has acknowledged them, as a barrier does. */
export async function writeThrough(
  writer: SinkWriter<WindowResult>,
  rows: readonly WindowResult[],
): Promise<void> {
  await writer.write(input(rows));
  await writer.prepareCommit(checkpointId(1));
}
