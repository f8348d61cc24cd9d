import {
  generation,
  type MultiInputOperator,
  type Operator,
  type OperatorContext,
  type OperatorDefinition,
  type Output,
  systemClock,
} from '#engine';
import type { Feed } from './feed.ts';

const KEYS = { kind: 'fields', fields: ['key'] } as const;

/** Runs one subtask of an operator on a feed, in the generated form, and hands each of its results to `take`. */
export function runOperator<Result>(
  definition: OperatorDefinition<Operator | MultiInputOperator>,
  feed: Feed,
  take: (result: Result, time: number) => void,
): void {
  const operator = definition.create(
    contextFor(definition.kind, take as (result: unknown, time: number) => void),
  );
  const inputs: readonly Output[] = 'inputs' in operator ? operator.inputs : [operator];
  for (const { input, batch, watermark } of feed.steps) {
    inputs[input]?.records({ kind: 'columns', batch, selection: null });
    if (!Number.isNaN(watermark)) for (const each of inputs) each.watermark(watermark);
  }
}

function contextFor(operator: string, take: (result: unknown, time: number) => void): OperatorContext {
  return {
    job: 'micro',
    operator,
    subtask: 0,
    parallelism: 1,
    maxParallelism: 128,
    generation: generation(1),
    clock: systemClock,
    signal: new AbortController().signal,
    stages: [],
    inputStages: [],
    keys: KEYS,
    inputKeys: [KEYS, KEYS],
    output: outputTo(take),
    side: (name) =>
      outputTo(() => {
        throw new Error(`${operator} gave a record to '${name}': no record of a feed is late.`);
      }),
    onRecordError: (error) => {
      throw error;
    },
    wake: () => {},
    interpreted: false,
  };
}

function outputTo(take: (result: unknown, time: number) => void): Output {
  return {
    records(records) {
      if (records.kind !== 'rows') throw new Error('Results are rows.');
      const { rows, times } = records;
      for (let i = 0; i < rows.length; i++) take(rows[i], times[i] as number);
    },
    watermark() {},
    idle() {},
  };
}
