import { fieldsRead, type OperatorContext, type Output, recordCount, type Records, RowLoop } from '#engine';
import type { Batch, Schema } from '#wire';
import { DerivedColumns } from './derived-columns.ts';
import type { DerivedSpec } from './derived-fields.ts';
import { type KeyColumn, KnownValues, type KnownValuesSpec } from './known-values.ts';

export interface ColumnJoinSpec extends KnownValuesSpec {
  readonly derived: DerivedSpec;
  readonly key: (row: unknown) => unknown;
  readonly isLeft: boolean;
}

type Columns = Extract<Records, { readonly kind: 'columns' }>;

/**
 * Joins whole batches with values that are at hand: fields that stay are the batch's own columns, others are computed into new ones.
 *
 * CJ1 a key is made once for each combination of the strings that its function reads, and a field that is computed from the value alone
 *     once for each of these, as long as the value may be used.
 * CJ2 what comes out of a batch is what comes out of its rows one by one; where that is not certain before, the batch is left to those.
 * CJ3 a record that throws reaches the error handler once, and the others go on.
 */
export class ColumnJoin {
  readonly #spec: ColumnJoinSpec;
  readonly #context: OperatorContext;
  readonly #isPlain: boolean;
  readonly #joins = new Map<Schema['id'], SchemaJoin | null>();

  constructor(spec: ColumnJoinSpec, context: OperatorContext) {
    this.#spec = spec;
    this.#context = context;
    this.#isPlain = context.stages.length === 0 && !context.interpreted;
  }

  /** Hands on the joined records; false, and nothing has happened, where they must go one by one. */
  run(records: Records): boolean {
    if (records.kind !== 'columns' || !this.#isPlain) return false;
    return this.#joinOf(records.batch.schema)?.run(records) ?? false;
  }

  /** Null where a batch of a schema does not tell as much as its rows do. */
  #joinOf(input: Schema): SchemaJoin | null {
    let join = this.#joins.get(input.id);
    if (join === undefined) {
      const columns = keyColumns(input, this.#spec);
      const stays = columnsThatStay(input, this.#spec.derived);
      join =
        columns === null || stays === null
          ? null
          : new SchemaJoin(this.#spec, this.#context, { columns, stays });
      this.#joins.set(input.id, join);
    }
    return join;
  }
}

interface JoinPlan {
  readonly columns: readonly KeyColumn[];
  /** Per field of the result: the input's column that stays, or -1. */
  readonly stays: readonly number[];
}

/** Joins batches of one schema. */
class SchemaJoin {
  readonly #schema: Schema;
  readonly #stays: readonly number[];
  readonly #output: Output;
  readonly #known: KnownValues;
  readonly #derived: DerivedColumns;
  readonly #loop: RowLoop;

  constructor(spec: ColumnJoinSpec, context: OperatorContext, { columns, stays }: JoinPlan) {
    this.#schema = spec.derived.schema;
    this.#stays = stays;
    this.#output = context.output;
    this.#known = new KnownValues(spec, columns);
    this.#derived = new DerivedColumns(spec.derived, spec.isLeft, this.#known);
    this.#loop = new RowLoop({
      name: `${context.operator}.${context.subtask}.columns`,
      stages: [],
      consumer: this.#derived,
      onError: context.onRecordError,
      interpreted: false,
    });
  }

  run(records: Columns): boolean {
    const places = this.#known.find(records);
    if (places === null) return false;
    const { batch, selection } = records;
    this.#derived.begin(batch.count, places);
    this.#loop.run(records);
    const { made, kept } = this.#derived.take(batch.count);
    if (kept.length === 0) return true;
    const joined: Batch = {
      schema: this.#schema,
      count: batch.count,
      times: batch.times,
      column: (c) => made.get(c) ?? batch.column(this.#stays[c] as number),
    };
    const isWhole = kept.length === recordCount(records);
    this.#output.records({ kind: 'columns', batch: joined, selection: isWhole ? selection : kept });
    return true;
  }
}

/** The string columns that the key is made of, or null where that is not known, or of others. */
function keyColumns(input: Schema, { key }: ColumnJoinSpec): readonly KeyColumn[] | null {
  const read = fieldsRead(key as (row: never) => unknown);
  if (read === null) return null;
  const columns = [...read].map((name) => ({
    name,
    index: input.fields.findIndex((field) => field.name === name),
  }));
  const areStrings = columns.every(({ index }) => {
    const field = input.fields[index];
    return field?.type === 'string' && !field.nullable;
  });
  return areStrings ? columns : null;
}

/** Null where a field of the result is neither derived nor there. */
function columnsThatStay(input: Schema, { schema, derive }: DerivedSpec): readonly number[] | null {
  const stays = schema.fields.map(({ name, type, nullable }) =>
    derive.has(name)
      ? -1
      : input.fields.findIndex((f) => f.name === name && f.type === type && (nullable || !f.nullable)),
  );
  const areThere = schema.fields.every(({ name }, c) => derive.has(name) || (stays[c] as number) >= 0);
  return areThere && stays[schema.timeIndex] === input.timeIndex ? stays : null;
}
