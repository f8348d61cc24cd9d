import {
  errorCode,
  errorText,
  generation,
  type OperatorContext,
  type Output,
  type Records,
  recordCount,
  rowAt,
  systemClock,
  timeAt,
} from '#engine';
import { BatchBuilder, type Schema } from '#wire';

/** One thing that an operator gave, in order. */
export type Given =
  | { readonly kind: 'row'; readonly row: unknown; readonly time: number }
  | { readonly kind: 'watermark'; readonly time: number }
  | { readonly kind: 'idle' };

/** An output that remembers what it was given, row by row, so that the cut into batches does not show. */
export class Recorder implements Output {
  readonly given: Given[] = [];

  records(records: Records): void {
    for (let k = 0; k < recordCount(records); k++)
      this.given.push({ kind: 'row', row: structuredClone(rowAt(records, k)), time: timeAt(records, k) });
  }
  watermark(time: number): void {
    this.given.push({ kind: 'watermark', time });
  }
  idle(): void {
    this.given.push({ kind: 'idle' });
  }

  /** Takes everything given since the last call. */
  take(): Given[] {
    return this.given.splice(0);
  }
  rows(): unknown[] {
    return this.given.flatMap((it) => (it.kind === 'row' ? [it.row] : []));
  }
}

/** What an operator under test runs in, and what it did there. */
export interface OperatorBench {
  readonly context: OperatorContext;
  readonly output: Recorder;
  readonly side: (name: string) => Recorder;
  /** Records that made user code throw. */
  readonly errors: {
    readonly code: string;
    readonly message: string;
    readonly row: unknown;
    readonly time: number;
  }[];
  wakes: number;
}

export function createOperatorBench(
  changes: Partial<OperatorContext> & { readonly onError?: 'fail' | 'dead-letter' } = {},
): OperatorBench {
  const { onError = 'dead-letter', ...context } = changes;
  const sides = new Map<string, Recorder>();
  const side = (name: string) => {
    const known = sides.get(name) ?? new Recorder();
    sides.set(name, known);
    return known;
  };
  const output = new Recorder();
  const errors: OperatorBench['errors'] = [];
  const bench: OperatorBench = {
    output,
    side,
    errors,
    wakes: 0,
    context: {
      job: 'test',
      operator: 'under-test',
      subtask: 0,
      parallelism: 1,
      maxParallelism: 128,
      generation: generation(1),
      clock: systemClock,
      signal: new AbortController().signal,
      stages: [],
      inputStages: [],
      keys: null,
      inputKeys: [],
      output,
      side,
      onRecordError(error, row, time) {
        if (onError === 'fail') throw error;
        errors.push({ code: errorCode(error) ?? 'NONE', message: errorText(error), row: row(), time });
      },
      wake: () => {
        bench.wakes++;
      },
      interpreted: false,
      ...context,
    },
  };
  return bench;
}

/** Plain rows with their times. */
export function rowRecords(rows: readonly unknown[], times: readonly number[]): Records {
  return { kind: 'rows', rows: [...rows], times: Float64Array.from(times) };
}

/** The same rows as columns; times are the schema's event time. `selection` picks rows by index. */
export function columnRecords<Row>(
  schema: Schema<Row>,
  rows: readonly Row[],
  selection: readonly number[] | null = null,
): Records {
  const builder = new BatchBuilder(schema);
  for (const row of rows) builder.append(row);
  return {
    kind: 'columns',
    batch: builder.finish(),
    selection: selection === null ? null : Uint16Array.from(selection),
  };
}
