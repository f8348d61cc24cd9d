import type { Batch } from '../wire/batch.ts';
import { LoopWriter } from './loop-writer.ts';
import { derivedText, mappedText, withDerived } from './made-row.ts';
import type { RecordErrorHandler, Records } from './operator.ts';
import { recordCount, rowAt, timeAt } from './record-at.ts';
import { argumentText, columnRow, objectRow, objectText, resultOf, type RowText } from './row-text.ts';

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
  switch (stage.kind) {
    case 'filter':
      writer.line(`if (!${resultOf(writer, row, 'filter', stage.run).text()}) continue;`);
      writer.leavesRecords = true;
      return writeStages(writer, row, rest, consumer);
    case 'derive':
      return writeStages(writer, derivedText(writer, row, stage.fields), rest, consumer);
    case 'map': {
      const made = mappedText(writer, row, stage.run) ?? calledText(writer, row, stage.run);
      return writeStages(writer, made, rest, consumer);
    }
    case 'flatMap': {
      const made = writer.local('row');
      const run = writer.bind('flatMap', stage.run);
      writer.open(`for (const ${made} of ${run}(${argumentText(row, stage.run)})) {`);
      writeStages(writer, objectText(made, row.time), rest, consumer);
      writer.close('}');
    }
  }
}

function calledText(writer: LoopWriter, row: RowText, run: (row: unknown) => unknown): RowText {
  const result = resultOf(writer, row, 'map', run).text();
  const made = writer.local('row');
  writer.line(`const ${made} = ${result};`);
  return objectText(made, row.time);
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
        case 'derive': {
          const derive = withDerived(stage.fields);
          return (row, time) => next(derive(row), time);
        }
      }
    },
    (row, time) => consumer.accept(row, time),
  );
}
