import { argumentText, fieldsRead, type LoopWriter, type RowConsumer, type RowText } from '#engine';
import { type Column, type ColumnStore, columnStore, type FieldType } from '#wire';
import { checkedField, type DerivedSpec } from './derived-fields.ts';
import type { KnownValues } from './known-values.ts';
import { OtherValues, TextValues, type ValuesByPlace } from './values-by-place.ts';

/** Texts of one field that are remembered, at most; a batch may add its own to them. */
const TEXTS_MAX = 2 ** 18;

interface DerivedColumn {
  readonly index: number;
  readonly type: FieldType;
  readonly run: (record: never, value: unknown) => unknown;
  readonly store: ColumnStore;
}

/** A column that is computed of values alone. */
interface ValueColumn extends DerivedColumn {
  readonly byPlace: ValuesByPlace;
}

/**
 * The consumer of a generated loop that computes the derived fields of each record into columns: those of the value alone once per value,
 * by the place that it has in `known`.
 */
export class DerivedColumns implements RowConsumer {
  /** Of the batch at hand: the place of each record's value. Read by the generated loop, as the two below. */
  places: Int32Array = new Int32Array(0);
  readonly #known: KnownValues;
  readonly #derived: DerivedSpec;
  readonly #isLeft: boolean;
  readonly #ofRecord: readonly DerivedColumn[];
  readonly #ofValue: readonly ValueColumn[];
  #kept = new Uint16Array(0);
  #count = 0;

  constructor(derived: DerivedSpec, isLeft: boolean, known: KnownValues) {
    this.#known = known;
    this.#derived = derived;
    this.#isLeft = isLeft;
    const columns = derived.schema.fields.flatMap((field, index) => {
      const run = derived.derive.get(field.name);
      return run === undefined ? [] : [{ index, type: field.type, run, store: columnStore(field) }];
    });
    const isOfValue = ({ run }: DerivedColumn) => fieldsRead(run)?.size === 0;
    this.#ofRecord = columns.filter((column) => !isOfValue(column));
    this.#ofValue = columns.filter(isOfValue).map((column) => {
      const { store } = column;
      return { ...column, byPlace: 'dictionary' in store ? new TextValues(store) : new OtherValues(store) };
    });
  }

  get values(): readonly unknown[] {
    return this.#known.values;
  }

  get isDerived(): Uint8Array {
    return this.#known.isDerived;
  }

  /** Makes room for a batch. */
  begin(count: number, places: Int32Array): void {
    this.places = places;
    this.#count = 0;
    if (this.#kept.length < count) this.#kept = new Uint16Array(count);
    for (const { store } of this.#ofRecord) store.grow(count);
  }

  /** The derived columns by their place in the schema, and the records that came through. */
  take(count: number): { readonly made: ReadonlyMap<number, Column>; readonly kept: Uint16Array } {
    const kept = this.#kept.slice(0, this.#count);
    const made = new Map(this.#ofRecord.map(({ index, store }) => [index, store.finish(count)]));
    for (const { index, store, byPlace } of this.#ofValue) {
      store.grow(count);
      byPlace.fill(kept, this.places);
      made.set(index, store.finish(count));
      if (byPlace.texts < TEXTS_MAX) continue;
      byPlace.forget();
      this.isDerived.fill(0);
    }
    return { made, kept };
  }

  accept(): void {
    // Loops of columns are generated.
  }

  generate(writer: LoopWriter, row: RowText): void {
    const join = writer.bind('join', this);
    const i = (row.columns as { readonly index: string }).index;
    const [place, value] = [writer.local('place'), writer.local('value')];
    writer.setup(`const { places, values, isDerived } = ${join};`);
    writer.line(`const ${place} = places[${i}];`);
    writer.line(`const ${value} = values[${place}];`);
    if (!this.#isLeft) writer.line(`if (${value} === null) continue;`);
    if (this.#ofValue.length > 0)
      writer.line(`if (isDerived[${place}] === 0) ${join}.deriveAt(${place}, ${value});`);
    this.#ofRecord.forEach(({ run, type }, c) => {
      const [made, into] = [writer.local('made'), writer.local('into')];
      const call = `${writer.bind('derive', run)}(${argumentText(row, run)}, ${value})`;
      writer.setup(`const ${into} = ${join}.valuesOf(${c});`);
      writer.line(`const ${made} = ${call};`);
      const { fits, stored } = PLAIN[type]?.(made) ?? { fits: 'false', stored: made };
      writer.line(`if (${fits}) ${into}[${i}] = ${stored}; else ${join}.set(${c}, ${i}, ${made});`);
    });
    writer.line(`${join}.keep(${i});`);
  }

  /** Computes what depends on the value alone. */
  deriveAt(place: number, value: unknown): void {
    for (const { index, run, byPlace } of this.#ofValue)
      byPlace.put(place, checkedField(this.#derived.schema, index, run({} as never, value)));
    this.isDerived[place] = 1;
  }

  valuesOf(column: number): ColumnStore['values'] {
    return (this.#ofRecord[column] as DerivedColumn).store.values;
  }

  set(column: number, i: number, value: unknown): void {
    const { store, index } = this.#ofRecord[column] as DerivedColumn;
    const checked = checkedField(this.#derived.schema, index, value);
    if (checked === null) store.setNull(i);
    else store.set(i, checked);
  }

  keep(i: number): void {
    this.#kept[this.#count++] = i;
  }
}

/** What is stored as it is: when a value is such a one, and how it is stored. */
const PLAIN: Partial<
  Record<FieldType, (value: string) => { readonly fits: string; readonly stored: string }>
> = {
  f64: (value) => ({ fits: `typeof ${value} === 'number'`, stored: value }),
  i32: (value) => ({ fits: `(${value} | 0) === ${value}`, stored: value }),
  bool: (value) => ({ fits: `typeof ${value} === 'boolean'`, stored: `${value} ? 1 : 0` }),
};
