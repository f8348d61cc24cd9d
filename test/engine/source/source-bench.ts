import {
  type Element,
  memoryLogStore,
  openMemoryPartitionLog,
  recordCount,
  rowAt,
  type Source,
  type SourceContext,
  type SourceOptions,
  type SourceReader,
  systemClock,
} from '#engine';
import { until } from '../../support/job-bench.ts';

/** One subtask's end of a source, opened without a job, and what came out of it. */
export interface SourceBench<Row> {
  readonly reader: SourceReader;
  /** Everything that came, in order; rows with `time` are those of one batch. */
  readonly rows: Row[];
  readonly watermarks: number[];
  readonly elements: Element['kind'][];
  readonly deadLetters: { readonly row: unknown; readonly reason: string }[];
  readonly unreadable: { readonly error: Error; readonly input: unknown }[];
  readonly wakes: () => number;
  /** Polls until nothing comes at once. */
  readonly drain: () => void;
  /** Polls until `condition` holds. */
  readonly until: (condition: () => boolean, what: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

export const SOURCE_OPTIONS: SourceOptions = {
  outOfOrdernessMs: 0,
  idleAfterMs: 60_000,
  maxAheadMs: 60_000,
  startFrom: 'earliest',
};

export async function openSource<Row>(
  source: Source<Row>,
  changes: Partial<Omit<SourceContext, 'options'>> & { readonly options?: Partial<SourceOptions> } = {},
): Promise<SourceBench<Row>> {
  const { options, ...context } = changes;
  const rows: Row[] = [];
  const watermarks: number[] = [];
  const elements: Element['kind'][] = [];
  const deadLetters: { row: unknown; reason: string }[] = [];
  const unreadable: { error: Error; input: unknown }[] = [];
  let wakes = 0;
  const reader = await source.open({
    job: 'job',
    operator: 'source',
    subtask: 0,
    parallelism: 1,
    log: context.log ?? openMemoryPartitionLog({ clock: systemClock, store: memoryLogStore() }),
    clock: systemClock,
    signal: new AbortController().signal,
    options: { ...SOURCE_OPTIONS, ...options },
    restored: [],
    deadLetter: (row, reason) => deadLetters.push({ row, reason }),
    unreadable: (error, input) => unreadable.push({ error, input }),
    wake: () => wakes++,
    ...context,
  });
  const drain = () => {
    for (let element = reader.poll(); element !== null; element = reader.poll()) {
      elements.push(element.kind);
      if (element.kind === 'watermark') watermarks.push(element.time);
      if (element.kind === 'records')
        for (let k = 0; k < recordCount(element.records); k++) rows.push(rowAt(element.records, k) as Row);
    }
  };
  return {
    reader,
    rows,
    watermarks,
    elements,
    deadLetters,
    unreadable,
    wakes: () => wakes,
    drain,
    until: (condition, what) =>
      until(() => {
        drain();
        return condition();
      }, what),
    close: () => reader.close(),
  };
}
