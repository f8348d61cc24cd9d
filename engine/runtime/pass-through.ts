import type { Operator, OperatorContext, Output, Records } from './operator.ts';
import { recordCount } from './record-at.ts';
import { RowLoop } from './row-loop.ts';
import type { LoopWriter } from './loop-writer.ts';
import { RowEmitter } from './row-emitter.ts';
import type { RowText } from './row-text.ts';
import { SelectionBuilder } from './selection-builder.ts';

/** Runs stateless steps and hands the result on. With filters alone, columns stay columns: only the selection shrinks. */
export function createPassThrough(context: OperatorContext): Operator {
  const { output } = context;
  const consumer = new Collector(
    output,
    context.stages.every((stage) => stage.kind === 'filter'),
  );
  const loop = new RowLoop({
    name: `${context.operator}.${context.subtask}`,
    stages: context.stages,
    consumer,
    onError: context.onRecordError,
    interpreted: context.interpreted,
  });
  return {
    records(records) {
      loop.run(records);
      consumer.flush(records);
    },
    watermark: (time) => output.watermark(time),
    idle: () => output.idle(),
  };
}

class Collector {
  readonly #emitter: RowEmitter;
  readonly #output: Output;
  readonly #keepsColumns: boolean;
  readonly #kept = new SelectionBuilder();

  constructor(output: Output, keepsColumns: boolean) {
    this.#output = output;
    this.#emitter = new RowEmitter(output);
    this.#keepsColumns = keepsColumns;
  }

  accept(row: unknown, time: number): void {
    this.#emitter.emit(row, time);
  }

  generate(writer: LoopWriter, row: RowText): void {
    const collector = writer.bind('collector', this);
    if (this.#keepsColumns && row.isInput && row.columns !== null)
      writer.line(`${collector}.keep(${row.columns.index});`);
    else writer.line(`${collector}.accept(${row.object()}, ${row.time});`);
  }

  keep(index: number): void {
    this.#kept.add(index);
  }

  flush(records: Records): void {
    this.#emitter.flush();
    if (this.#kept.count === 0 || records.kind !== 'columns') return;
    const all = this.#kept.count === recordCount(records);
    const selection = this.#kept.take();
    this.#output.records(all ? records : { kind: 'columns', batch: records.batch, selection });
  }
}
