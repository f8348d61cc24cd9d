import type { Batch } from '../wire/batch.ts';
import { type RowReader, rowReader } from '../wire/row-reader.ts';
import type { Schema } from '../wire/schema.ts';
import { argumentText, columnRow, derivedText, objectRow, objectText, type RowText } from './row-text.ts';
import { LoopWriter } from './loop-writer.ts';
import type { RecordErrorHandler, Records } from './operator.ts';

/** A stateless step on one record. */
export type Stage =
  | { readonly kind: 'filter'; readonly run: (row: unknown) => unknown }
  | { readonly kind: 'map'; readonly run: (row: unknown) => unknown }
  | { readonly kind: 'flatMap'; readonly run: (row: unknown) => Iterable<unknown> }
  /** Adds fields, each a function of the row as it came; one of a name that the row has takes its place. */
  | { readonly kind: 'derive'; readonly fields: ReadonlyMap<string, (row: unknown) => unknown> };

/** What stands at the end of a loop and takes each record that comes through. */
export interface RowConsumer {
  readonly accept: (row: unknown, time: number) => void;
  /** Writes text that does the same as `accept`, without a row object where it can. */
  readonly generate?: (writer: LoopWriter, row: RowText) => void;
}

type CompiledLoop = (records: Records, from: number) => void;

/**
 * Runs fused stages and a consumer over batches. One generated function per input form; the interpreter does the same
 * where code generation is forbidden.
 *
 * RL1 a throwing record reaches the error handler once, with its row and time; the loop goes on with the next record unless the
 *     handler throws. There is one try block around the loop, not one per record.
 * RL2 generated text is unique per loop (sourceURL), because V8 shares call feedback between identical bodies.
 */
export class RowLoop {
  readonly #stages: readonly Stage[];
  readonly #consumer: RowConsumer;
  readonly #name: string;
  readonly #onError: RecordErrorHandler;
  readonly #interpreted: ((row: unknown, time: number) => void) | null;
  readonly #columnLoops = new Map<string, CompiledLoop>();
  #rowLoop: CompiledLoop | null = null;
  /** Index of the record being processed; generated loops write it before they throw. */
  readonly #cursor = { at: 0 };

  constructor(options: {
    readonly name: string;
    readonly stages: readonly Stage[];
    readonly consumer: RowConsumer;
    readonly onError: RecordErrorHandler;
    readonly interpreted: boolean;
  }) {
    this.#stages = options.stages;
    this.#consumer = options.consumer;
    this.#name = options.name;
    this.#onError = options.onError;
    this.#interpreted = options.interpreted ? interpret(options.stages, options.consumer) : null;
  }

  run(records: Records): void {
    const count = recordCount(records);
    const loop = this.#loopFor(records);
    for (let from = 0; from < count; from = this.#cursor.at + 1) {
      try {
        this.#cursor.at = count;
        loop(records, from);
      } catch (error) {
        const at = this.#cursor.at;
        if (at >= count) throw error; // before the first record, or behind the last
        this.#onError(error, () => rowAt(records, at), timeAt(records, at));
      }
    }
  }

  /** Generated text of this loop for one input form, for people. */
  source(schema: Batch['schema'] | null): string {
    return this.#write(schema).text(`${this.#name}.${schema?.name ?? 'rows'}`);
  }

  #loopFor(records: Records): CompiledLoop {
    if (this.#interpreted !== null) return this.#interpretedLoop(this.#interpreted);
    if (records.kind === 'rows') {
      this.#rowLoop ??= this.#compile(null);
      return this.#rowLoop;
    }
    const schema = records.batch.schema;
    let loop = this.#columnLoops.get(schema.id);
    if (loop === undefined) {
      loop = this.#compile(schema);
      this.#columnLoops.set(schema.id, loop);
    }
    return loop;
  }

  #interpretedLoop(step: (row: unknown, time: number) => void): CompiledLoop {
    return (records, from) => {
      const count = recordCount(records);
      for (let k = from; k < count; k++) {
        this.#cursor.at = k;
        step(rowAt(records, k), timeAt(records, k));
      }
      this.#cursor.at = count;
    };
  }

  #compile(schema: Batch['schema'] | null): CompiledLoop {
    return this.#write(schema).compile(`${this.#name}.${schema?.name ?? 'rows'}`) as CompiledLoop;
  }

  #write(schema: Batch['schema'] | null): LoopWriter {
    const writer = new LoopWriter(this.#cursor);
    const row = schema === null ? objectRow(writer) : columnRow(writer, schema);
    writeStages(writer, row, this.#stages, this.#consumer);
    return writer;
  }
}

const readers = new WeakMap<Schema, RowReader<unknown>>();

/** The schema's row reader, generated once per schema. */
function readerOf(schema: Schema): RowReader<unknown> {
  let reader = readers.get(schema);
  if (reader === undefined) {
    reader = rowReader(schema);
    readers.set(schema, reader);
  }
  return reader;
}

/** Records meant, not rows present. */
export function recordCount(records: Records): number {
  if (records.kind === 'rows') return records.rows.length;
  return records.selection === null ? records.batch.count : records.selection.length;
}

/** The k-th meant record as a plain row. */
export function rowAt(records: Records, k: number): unknown {
  if (records.kind === 'rows') return records.rows[k];
  const i = records.selection === null ? k : (records.selection[k] as number);
  return readerOf(records.batch.schema)(records.batch, i);
}

export function timeAt(records: Records, k: number): number {
  if (records.kind === 'rows') return records.times[k] as number;
  const i = records.selection === null ? k : (records.selection[k] as number);
  return records.batch.times[i] as number;
}

function writeStages(
  writer: LoopWriter,
  row: RowText,
  stages: readonly Stage[],
  consumer: RowConsumer,
): void {
  const [stage, ...rest] = stages;
  if (stage === undefined) {
    if (consumer.generate) consumer.generate(writer, row);
    else writer.line(`${writer.bind('consumer', consumer)}.accept(${row.object()}, ${row.time});`);
    return;
  }
  if (stage.kind === 'derive') {
    const derived = new Map<string, string>();
    for (const [name, run] of stage.fields) {
      const value = writer.local('derived');
      writer.line(`const ${value} = ${writer.bind('derive', run)}(${argumentText(row, run)});`);
      derived.set(name, value);
    }
    writeStages(writer, derivedText(writer, row, derived), rest, consumer);
    return;
  }
  const run = writer.bind(stage.kind, stage.run);
  if (stage.kind === 'filter') {
    writer.line(`if (!${run}(${argumentText(row, stage.run)})) continue;`);
    writer.leavesRecords = true;
    writeStages(writer, row, rest, consumer);
    return;
  }
  const made = writer.local('row');
  const next: RowText = objectText(made, row.time);
  if (stage.kind === 'map') {
    writer.line(`const ${made} = ${run}(${argumentText(row, stage.run)});`);
    writeStages(writer, next, rest, consumer);
    return;
  }
  writer.open(`for (const ${made} of ${run}(${argumentText(row, stage.run)})) {`);
  writeStages(writer, next, rest, consumer);
  writer.close('}');
}

function interpret(stages: readonly Stage[], consumer: RowConsumer): (row: unknown, time: number) => void {
  return stages.reduceRight<(row: unknown, time: number) => void>(
    (next, stage) => {
      switch (stage.kind) {
        case 'filter':
          return (row, time) => {
            if (stage.run(row)) next(row, time);
          };
        case 'map':
          return (row, time) => next(stage.run(row), time);
        case 'flatMap':
          return (row, time) => {
            for (const made of stage.run(row)) next(made, time);
          };
        case 'derive':
          return (row, time) => {
            const derived = [...stage.fields].map(([name, run]) => [name, run(row)]);
            next(Object.assign({}, row, Object.fromEntries(derived)), time);
          };
      }
    },
    (row, time) => consumer.accept(row, time),
  );
}
