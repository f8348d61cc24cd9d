import { type Records, StringInterner } from '#engine';
import type { Batch, Column, StringDictionary } from '#wire';
import { PairIndex } from './pair-index.ts';

/** Strings of one field that are remembered, and values, at most; a batch may add its own to them. */
const KNOWN_MAX = 2 ** 18;

/** A value that is at hand, and until when. */
export interface KnownValue {
  /** Null for none. */
  readonly value: unknown;
  /** Of the clock that {@link KnownValuesSpec.nowMs} reads. */
  readonly untilMs: number;
}

export interface KnownValuesSpec {
  /** The value for a row; undefined when it is not at hand. May throw. */
  readonly valueOf: (row: unknown) => KnownValue | undefined;
  readonly nowMs: () => number;
}

/** A string field of the input that the key is made of. */
export interface KeyColumn {
  readonly name: string;
  readonly index: number;
}

type Columns = Extract<Records, { readonly kind: 'columns' }>;
type Strings = Extract<Column, { readonly kind: 'string' }>;

/**
 * Values by the strings that their keys were made of, while they may be used: what many batches ask for is found without making its key,
 * and without a look into the cache. Each combination of strings has a place, a whole number from 0.
 */
export class KnownValues {
  /** By place; null for none. */
  readonly values: unknown[] = [];
  /** By place: 1 where what is computed of the value alone is there. Whoever computes it says so. */
  isDerived = new Uint8Array(1024);
  readonly #spec: KnownValuesSpec;
  readonly #columns: readonly KeyColumn[];
  #fields: readonly FieldIds[] = [];
  /** Of a place and the id of the next field. */
  #pairs: readonly PairIndex[] = [];
  #untilMs = new Float64Array(1024);
  #places = new Int32Array(0);

  constructor(spec: KnownValuesSpec, columns: readonly KeyColumn[]) {
    this.#spec = spec;
    this.#columns = columns;
    this.#forget();
  }

  /** The place of each record that is meant, by its index, until the next call; null when a value is not at hand, or its key cannot be made. */
  find(records: Columns): Int32Array | null {
    if (!this.#isSmall()) this.#forget();
    const places = this.#placesOf(records);
    const { batch, selection } = records;
    const nowMs = this.#spec.nowMs();
    const count = selection?.length ?? batch.count;
    for (let k = 0; k < count; k++) {
      const i = selection === null ? k : (selection[k] as number);
      const place = places[i] as number;
      const isKnown = place < this.values.length && (this.#untilMs[place] as number) > nowMs;
      if (!isKnown && !this.#look(place, batch, i)) return null;
    }
    return places;
  }

  #placesOf({ batch, selection }: Columns): Int32Array {
    if (this.#places.length < batch.count) this.#places = new Int32Array(batch.count);
    const places = this.#places;
    const count = selection?.length ?? batch.count;
    if (this.#columns.length === 0) places.fill(0);
    this.#columns.forEach(({ index }, f) => {
      const { codes, dictionary } = batch.column(index) as Strings;
      const field = this.#fields[f] as FieldIds;
      const ids = field.idsOf(dictionary, count);
      const pairs = f === 0 ? null : (this.#pairs[f - 1] as PairIndex);
      for (let k = 0; k < count; k++) {
        const i = selection === null ? k : (selection[k] as number);
        const code = codes[i] as number;
        let id = ids[code] as number;
        if (id < 0) id = field.add(dictionary, code);
        places[i] = pairs === null ? id : pairs.of(places[i] as number, id);
      }
    });
    return places;
  }

  #look(place: number, batch: Batch, i: number): boolean {
    let known: KnownValue | undefined;
    try {
      known = this.#spec.valueOf(this.#rowOf(batch, i));
    } catch {
      return false; // one by one, this record throws again
    }
    if (known === undefined) return false;
    while (this.values.length <= place) this.values.push(undefined);
    this.#reserve(place);
    if (this.values[place] !== known.value) this.isDerived[place] = 0;
    this.values[place] = known.value;
    this.#untilMs[place] = known.untilMs;
    return true;
  }

  #rowOf(batch: Batch, i: number): unknown {
    const texts = this.#columns.map(({ name, index }) => {
      const { codes, dictionary } = batch.column(index) as Strings;
      return [name, dictionary.text(codes[i] as number)];
    });
    return Object.fromEntries(texts);
  }

  #reserve(place: number): void {
    if (place < this.#untilMs.length) return;
    const untilMs = new Float64Array(Math.max(2 * this.#untilMs.length, place + 1));
    const isDerived = new Uint8Array(untilMs.length);
    untilMs.set(this.#untilMs);
    isDerived.set(this.isDerived);
    this.#untilMs = untilMs;
    this.isDerived = isDerived;
  }

  #isSmall(): boolean {
    return (
      this.#fields.every(({ size }) => size < KNOWN_MAX) && this.#pairs.every(({ size }) => size < KNOWN_MAX)
    );
  }

  #forget(): void {
    this.#fields = this.#columns.map(() => new FieldIds());
    this.#pairs = this.#columns.slice(1).map(() => new PairIndex());
    this.values.length = 0;
    this.#untilMs.fill(0);
    this.isDerived.fill(0);
  }
}

/** Ids of the strings of one field. */
class FieldIds {
  readonly #interner = new StringInterner();
  #byCode = new Int32Array(0);

  get size(): number {
    return this.#interner.size;
  }

  /** Ids by code, for `count` records of a dictionary; negative where {@link add} is to be asked. */
  idsOf(dictionary: StringDictionary, count: number): Int32Array {
    if (this.#byCode.length < dictionary.size) this.#byCode = new Int32Array(dictionary.size);
    // A batch may mean few of its records: then the others' strings are not looked at.
    if (dictionary.size <= count) this.#interner.findEntries(dictionary, this.#byCode);
    else this.#byCode.fill(-1, 0, dictionary.size);
    return this.#byCode;
  }

  add(dictionary: StringDictionary, code: number): number {
    const id = this.#interner.internEntry(dictionary, code, dictionary.hash(code));
    this.#byCode[code] = id;
    return id;
  }
}
