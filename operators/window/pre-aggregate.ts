import {
  type LoopWriter,
  type Operator,
  type OperatorContext,
  type OperatorDefinition,
  type Records,
  recordCount,
  RowLoop,
  type RowText,
  timeAt,
} from '#engine';
import { paneBounds } from './assigner.ts';
import {
  addToCells,
  type CellPlan,
  type CellView,
  initialCells,
  initialObjects,
  inputValues,
} from './cells.ts';
import { type Digest, newDigest, type Partial } from './digest.ts';
import { writeAddToCells, writeInput } from './update-text.ts';
import type { WindowSpec } from './window-spec.ts';

/**
 * Folds each batch, where it is, into one partial per pane of the windows, so that the one subtask that has the windows does not
 * see every record. Gives one Digest per batch, at the time of its last record.
 *
 * PA1 nothing is kept between two calls: there is no state.
 * PA2 a partial lies in one pane: all its records are in the same windows.
 * PA3 the digest has each record once, unless user code threw on it; that one is in no partial either.
 */
export function preAggregate(spec: Pick<WindowSpec, 'windows' | 'plan'>): OperatorDefinition<Operator> {
  return { kind: 'pre-aggregate', sides: [], create: (context) => createPreAggregate(spec, context) };
}

function createPreAggregate(spec: Pick<WindowSpec, 'windows' | 'plan'>, context: OperatorContext): Operator {
  const { output } = context;
  const gathering = new Gathering(spec);
  const loop = new RowLoop({
    name: `${context.operator}.${context.subtask}`,
    stages: context.stages,
    consumer: gathering,
    onError: context.onRecordError,
    interpreted: context.interpreted,
  });
  return {
    records(records) {
      loop.run(records);
      const digest = gathering.take(records);
      if (digest === null) return;
      const time = timeAt(digest.records, recordCount(digest.records) - 1);
      output.records({ kind: 'rows', rows: [digest], times: Float64Array.of(time) });
    },
    watermark: (time) => output.watermark(time),
    idle: () => output.idle(),
  };
}

/** No pane: holds no time. */
const NONE: Partial = {
  start: Number.POSITIVE_INFINITY,
  end: Number.NEGATIVE_INFINITY,
  cells: { page: new Float64Array(0), at: 0, objects: [] },
};

/** What has been seen of a batch. */
class Gathering {
  readonly #windows: WindowSpec['windows'];
  readonly #plan: CellPlan;
  readonly #partials = new Map<number, Partial>();
  /** Records that are still columns, by index; else the rows. */
  #kept: number[] = [];
  #rows: unknown[] = [];
  #times: number[] = [];
  /** The one used last; never null, so that generated loops compare without a null check. */
  current = NONE;

  constructor({ windows, plan }: Pick<WindowSpec, 'windows' | 'plan'>) {
    this.#windows = windows;
    this.#plan = plan;
  }

  accept(row: unknown, time: number): void {
    const values = inputValues(this.#plan, row);
    addToCells(this.#plan, this.partialAt(time).cells, values, time);
    this.keepRow(row, time);
  }

  generate(writer: LoopWriter, row: RowText): void {
    const gathering = writer.bind('gathering', this);
    const index = row.isInput && row.columns !== null ? row.columns.index : null;
    const object = index === null ? row.object() : null;
    const values = this.#plan.inputs.map((input) => writeInput(writer, row, input.of));
    const time = writer.local('time');
    const partial = writer.local('partial');
    const cells = writer.local('cells');
    const page = writer.local('page');
    writer.line(`const ${time} = ${row.time};`);
    writer.line(`let ${partial} = ${gathering}.current;`);
    writer.line(
      `if (${time} < ${partial}.start || ${time} >= ${partial}.end) ${partial} = ${gathering}.partialAt(${time});`,
    );
    writer.line(`const ${cells} = ${partial}.cells;`);
    writer.line(`const ${page} = ${cells}.page;`);
    writeAddToCells(writer, this.#plan, { page, at: '0', objects: `${cells}.objects`, time, values });
    writer.line(
      index === null ? `${gathering}.keepRow(${object}, ${time});` : `${gathering}.keep(${index});`,
    );
  }

  /** The partial for records of `time`. */
  partialAt(time: number): Partial {
    const bounds = paneBounds(time, this.#windows);
    let partial = this.#partials.get(bounds.start);
    if (partial === undefined) {
      partial = { ...bounds, cells: this.#newCells() };
      this.#partials.set(bounds.start, partial);
    }
    this.current = partial;
    return partial;
  }

  keep(index: number): void {
    this.#kept.push(index);
  }

  keepRow(row: unknown, time: number): void {
    this.#rows.push(row);
    this.#times.push(time);
  }

  /** All of it, and forgets it (PA1); null when no record came through. */
  take(from: Records): Digest | null {
    if (this.#partials.size === 0) return null;
    const partials = [...this.#partials.values()];
    const records = this.#records(from);
    this.#partials.clear();
    this.#kept = [];
    this.#rows = [];
    this.#times = [];
    this.current = NONE;
    return newDigest(partials, records);
  }

  #records(from: Records): Records {
    if (from.kind === 'rows' || this.#kept.length === 0)
      return { kind: 'rows', rows: this.#rows, times: Float64Array.from(this.#times) };
    if (this.#kept.length === recordCount(from)) return from;
    return { kind: 'columns', batch: from.batch, selection: Uint16Array.from(this.#kept) };
  }

  #newCells(): CellView {
    const page = new Float64Array(this.#plan.cells.length);
    initialCells(this.#plan, page, 0);
    return { page, at: 0, objects: initialObjects(this.#plan) };
  }
}
