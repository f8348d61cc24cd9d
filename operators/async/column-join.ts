import {
  argumentText,
  fieldsRead,
  type LoopWriter,
  type OperatorContext,
  type Output,
  recordCount,
  type Records,
  type RowConsumer,
  RowLoop,
  type RowText,
  StringInterner,
} from '#engine';
import { type Batch, type Column, type ColumnStore, columnStore, isNullAt, type Schema } from '#wire';
import { checkedField, type DerivedSpec } from './derived-fields.ts';

/** Combinations of a batch's dictionary entries that are looked up by number, at most. */
const PLACES_MAX = 2 ** 18;
/** Strings of one field that are remembered, at most; a power of two, so that ids of {@link KEY_FIELDS_MAX} fields make one number. */
const IDS_MAX = 2 ** 17;
const KEY_FIELDS_MAX = 3;
/** Values that are remembered, at most, and those of a batch. */
const KNOWN_MAX = 2 ** 18;

export interface ColumnJoinSpec {
  readonly derived: DerivedSpec;
  readonly key: (row: unknown) => unknown;
  readonly isLeft: boolean;
  /** The value for a row; undefined when it is not at hand. May throw. */
  readonly valueOf: (row: unknown) => KnownValue | undefined;
  readonly nowMs: () => number;
}

type Columns = Extract<Records, { readonly kind: 'columns' }>;
type Strings = Extract<Column, { readonly kind: 'string' }>;

/**
 * Joins whole batches with values that are at hand: fields that stay are the batch's own columns, others are computed into new ones.
 *
 * CJ1 a key is made once for each combination of the strings that its function reads, in a batch, and so is a field that is computed from
 *     the value alone.
 * CJ2 what comes out of a batch is what comes out of its rows one by one; where that is not certain before, the batch is left to those.
 * CJ3 a record that throws reaches the error handler once, and the others go on.
 */
export class ColumnJoin {
  readonly #spec: ColumnJoinSpec;
  readonly #output: Output;
  readonly #loop: RowLoop;
  readonly #consumer: DerivingConsumer;
  readonly #isPlain: boolean;
  readonly #plans = new Map<Schema['id'], JoinPlan | null>();
  #slots = new Int32Array(0);

  constructor(spec: ColumnJoinSpec, context: OperatorContext) {
    this.#spec = spec;
    this.#output = context.output;
    this.#isPlain = context.stages.length === 0 && !context.interpreted;
    this.#consumer = new DerivingConsumer(spec);
    this.#loop = new RowLoop({
      name: `${context.operator}.${context.subtask}.columns`,
      stages: [],
      consumer: this.#consumer,
      onError: context.onRecordError,
      interpreted: false,
    });
  }

  /** Hands on the joined records; false, and nothing has happened, where they must go one by one. */
  run(records: Records): boolean {
    if (records.kind !== 'columns' || !this.#isPlain) return false;
    const plan = this.#planOf(records.batch.schema);
    if (plan === null || !this.#find(plan, records)) return false;
    const { batch, selection } = records;
    const { schema } = this.#spec.derived;
    this.#consumer.grow(batch.count);
    this.#loop.run(records);
    const { made, kept } = this.#consumer.take(batch.count);
    if (kept.length === 0) return true;
    const joined: Batch = {
      schema,
      count: batch.count,
      times: batch.times,
      column: (c) => made.get(c) ?? batch.column(plan.stays[c] as number),
    };
    const isWhole = kept.length === recordCount(records);
    this.#output.records({ kind: 'columns', batch: joined, selection: isWhole ? selection : kept });
    return true;
  }

  /** Finds the value of each record; false when one is not at hand, or its key cannot be made. */
  #find({ keyFields, known }: JoinPlan, { batch, selection }: Columns): boolean {
    const columns = keyFields.map(({ index }) => batch.column(index) as Strings);
    const places = columns.reduce((product, { dictionary }) => product * dictionary.size, 1);
    if (places > PLACES_MAX) return false;
    if (this.#slots.length < places) this.#slots = new Int32Array(places);
    const slots = this.#slots.fill(-1, 0, places);
    known.forget();
    const { slotOf, values } = this.#consumer.begin(batch.count);
    const count = selection?.length ?? batch.count;
    for (let k = 0; k < count; k++) {
      const i = selection === null ? k : (selection[k] as number);
      let place = 0;
      for (let f = 0; f < columns.length; f++) {
        const { codes, dictionary } = columns[f] as Strings;
        place = place * dictionary.size + (codes[i] as number);
      }
      if ((slots[place] as number) < 0) {
        const value = known.of(columns, i);
        if (value === undefined) return false;
        slots[place] = values.push(value) - 1;
      }
      slotOf[i] = slots[place] as number;
    }
    return true;
  }

  #planOf(input: Schema): JoinPlan | null {
    let plan = this.#plans.get(input.id);
    if (plan === undefined) {
      plan = joinPlan(input, this.#spec);
      this.#plans.set(input.id, plan);
    }
    return plan;
  }
}

/** A value that is at hand, and until when. */
export interface KnownValue {
  /** Null for none. */
  readonly value: unknown;
  /** Of the clock that {@link ColumnJoinSpec.nowMs} reads. */
  readonly untilMs: number;
}

/**
 * Values by the strings that their keys were made of, for a moment each: what many batches ask for is found without making its key, and
 * without a look into the cache.
 */
class KnownValues {
  readonly #spec: ColumnJoinSpec;
  readonly #fields: readonly KeyField[];
  readonly #byIds = new Map<number, KnownValue>();

  constructor(spec: ColumnJoinSpec, fields: readonly KeyField[]) {
    this.#spec = spec;
    this.#fields = fields;
  }

  /** The value for record `i`, null for none, undefined when it is not at hand or its key cannot be made. */
  of(columns: readonly Strings[], i: number): unknown {
    let ids = 0;
    for (let f = 0; f < columns.length; f++) {
      const { codes, dictionary } = columns[f] as Strings;
      const code = codes[i] as number;
      ids =
        ids * IDS_MAX +
        (this.#fields[f] as KeyField).ids.internEntry(dictionary, code, dictionary.hash(code));
    }
    let known = this.#byIds.get(ids);
    if (known === undefined || known.untilMs <= this.#spec.nowMs()) {
      known = this.#look(columns, i);
      if (known === undefined) return undefined;
      this.#byIds.set(ids, known);
    }
    return known.value;
  }

  /** Starts afresh when much is remembered; between two batches, each of which adds less than half of IDS_MAX. */
  forget(): void {
    const isSmall = this.#fields.every(({ ids }) => ids.size < IDS_MAX / 2);
    if (isSmall && this.#byIds.size < KNOWN_MAX) return;
    for (const field of this.#fields) field.ids = new StringInterner();
    this.#byIds.clear();
  }

  #look(columns: readonly Strings[], i: number): KnownValue | undefined {
    const texts = columns.map(({ codes, dictionary }, f) => [
      (this.#fields[f] as KeyField).name,
      dictionary.text(codes[i] as number),
    ]);
    try {
      return this.#spec.valueOf(Object.fromEntries(texts));
    } catch {
      return undefined; // one by one, this record throws again
    }
  }
}

/** A string field of the input that the key is made of. */
interface KeyField {
  readonly name: string;
  readonly index: number;
  ids: StringInterner;
}

/** How batches of one schema are joined. */
interface JoinPlan {
  readonly keyFields: readonly KeyField[];
  readonly known: KnownValues;
  /** Per field of the result: the input's column that stays, or -1. */
  readonly stays: readonly number[];
}

/** Null where a batch does not tell as much as its rows do. */
function joinPlan(input: Schema, spec: ColumnJoinSpec): JoinPlan | null {
  const { schema, derive } = spec.derived;
  const read = fieldsRead(spec.key as (row: never) => unknown);
  if (read === null || read.size > KEY_FIELDS_MAX) return null;
  const keyFields = [...read].map((name) => ({
    name,
    index: input.fields.findIndex((field) => field.name === name),
    ids: new StringInterner(),
  }));
  const areStrings = keyFields.every(({ index }) => {
    const field = input.fields[index];
    return field?.type === 'string' && !field.nullable;
  });
  const stays = schema.fields.map(({ name, type, nullable }) =>
    derive.has(name)
      ? -1
      : input.fields.findIndex((f) => f.name === name && f.type === type && (nullable || !f.nullable)),
  );
  const areThere = schema.fields.every(({ name }, c) => derive.has(name) || (stays[c] as number) >= 0);
  const keepsTime = stays[schema.timeIndex] === input.timeIndex;
  if (!areStrings || !areThere || !keepsTime) return null;
  return { keyFields, stays, known: new KnownValues(spec, keyFields) };
}

interface DerivedColumn {
  readonly index: number;
  readonly name: string;
  readonly run: (record: never, value: unknown) => unknown;
  readonly store: ColumnStore;
  /** It is computed from the value alone. */
  readonly isOfValue: boolean;
}

/** Computes the derived fields of each record into columns. */
class DerivingConsumer implements RowConsumer {
  readonly #spec: ColumnJoinSpec;
  readonly #columns: readonly DerivedColumn[];
  #slotOf = new Int32Array(0);
  #values: unknown[] = [];
  /** Per slot: a record whose fields of the value are there, or -1. */
  #firsts = new Int32Array(0);
  #kept = new Uint16Array(0);
  #count = 0;

  constructor(spec: ColumnJoinSpec) {
    this.#spec = spec;
    const { schema, derive } = spec.derived;
    this.#columns = schema.fields.flatMap((field, index) => {
      const run = derive.get(field.name);
      if (run === undefined) return [];
      const isOfValue = fieldsRead(run)?.size === 0;
      return [{ index, name: field.name, run, store: columnStore(field), isOfValue }];
    });
  }

  /** Arrays for a batch: the slot of each record, and the values by slot. */
  begin(count: number): { readonly slotOf: Int32Array; readonly values: unknown[] } {
    if (this.#slotOf.length < count) {
      this.#slotOf = new Int32Array(count);
      this.#firsts = new Int32Array(count);
      this.#kept = new Uint16Array(count);
    }
    this.#firsts.fill(-1);
    this.#values = [];
    this.#count = 0;
    return { slotOf: this.#slotOf, values: this.#values };
  }

  /** Makes room for the fields of a batch, once all its values are found. */
  grow(count: number): void {
    for (const { store } of this.#columns) store.grow(count);
  }

  /** The derived columns by their place in the schema, and the records that came through. */
  take(count: number): { readonly made: ReadonlyMap<number, Column>; readonly kept: Uint16Array } {
    const made = new Map(this.#columns.map(({ index, store }) => [index, store.finish(count)]));
    this.#values = [];
    return { made, kept: this.#kept.slice(0, this.#count) };
  }

  accept(): void {
    // Loops of columns are generated.
  }

  generate(writer: LoopWriter, row: RowText): void {
    const join = writer.bind('join', this);
    const i = (row.columns as { readonly index: string }).index;
    const value = writer.local('value');
    writer.line(`const ${value} = ${join}.value(${i});`);
    if (!this.#spec.isLeft) writer.line(`if (${value} === null) continue;`);
    const ofValue = this.#columns.filter(({ isOfValue }) => isOfValue);
    const ofRecord = this.#columns.filter(({ isOfValue }) => !isOfValue);
    if (ofValue.length > 0) {
      writer.open(`if (!${join}.repeat(${i})) {`);
      this.#derive(writer, ofValue, () => '{}', { join, i, value });
      writer.line(`${join}.repeatable(${i});`);
      writer.close('}');
    }
    this.#derive(writer, ofRecord, ({ run }) => argumentText(row, run), { join, i, value });
    writer.line(`${join}.keep(${i});`);
  }

  #derive(
    writer: LoopWriter,
    columns: readonly DerivedColumn[],
    argument: (column: DerivedColumn) => string,
    { join, i, value }: { readonly join: string; readonly i: string; readonly value: string },
  ): void {
    for (const column of columns) {
      const run = writer.bind('derive', column.run);
      writer.line(
        `${join}.set(${this.#columns.indexOf(column)}, ${i}, ${run}(${argument(column)}, ${value}));`,
      );
    }
  }

  value(i: number): unknown {
    return this.#values[this.#slotOf[i] as number];
  }

  /** Gives record `i` the fields of its value, if another record has them already. */
  repeat(i: number): boolean {
    const first = this.#firsts[this.#slotOf[i] as number] as number;
    if (first < 0) return false;
    for (const { store, isOfValue } of this.#columns) if (isOfValue) copy(store, first, i);
    return true;
  }

  repeatable(i: number): void {
    this.#firsts[this.#slotOf[i] as number] = i;
  }

  set(column: number, i: number, value: unknown): void {
    const { store, index } = this.#columns[column] as DerivedColumn;
    const checked = checkedField(this.#spec.derived.schema, index, value);
    if (checked === null) store.setNull(i);
    else store.set(i, checked);
  }

  keep(i: number): void {
    this.#kept[this.#count++] = i;
  }
}

function copy(store: ColumnStore, from: number, to: number): void {
  if (isNullAt(store.nulls, from)) store.setNull(to);
  else (store.values as unknown[])[to] = store.values[from];
}
