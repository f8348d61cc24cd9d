import { createKeySpace, type FieldKeySpace, type Records } from '#engine';
import type { Batch, Column } from '#wire';

/** Values that are remembered at most; a batch may add its own to them. */
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
 * and without a look into the cache. Each combination of strings has a place, which is its slot in a space of keys.
 */
export class KnownValues {
  /** By place; null for none. */
  readonly values: unknown[] = [];
  /** By place: 1 where what is computed of the value alone is there. Whoever computes it says so. */
  isDerived = new Uint8Array(1024);
  readonly #spec: KnownValuesSpec;
  readonly #columns: readonly KeyColumn[];
  /** Whose slots nobody holds and nobody reclaims: it is left as a whole. */
  #keys: FieldKeySpace;
  #untilMs = new Float64Array(1024);
  #places = new Int32Array(0);

  constructor(spec: KnownValuesSpec, columns: readonly KeyColumn[]) {
    this.#spec = spec;
    this.#columns = columns;
    this.#keys = newKeys(columns);
  }

  /** The place of each record that is meant, by its index, until the next call; null when a value is not at hand, or its key cannot be made. */
  find(records: Columns): Int32Array | null {
    if (this.#keys.size >= KNOWN_MAX) this.#forget();
    const places = this.#placesOf(records);
    if (places === null) return null;
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

  #placesOf(records: Columns): Int32Array | null {
    const { batch, selection } = records;
    if (this.#places.length < batch.count) this.#places = new Int32Array(batch.count);
    const places = this.#places;
    const keys = this.#keys;
    const width = this.#columns.length;
    if (width === 0) return places.fill(0);
    const count = selection?.length ?? batch.count;
    try {
      const ids = this.#columns.map((_, c) => this.#idsOf(records, c));
      const [first, second] = ids as [Int32Array, Int32Array];
      for (let k = 0; k < count; k++) {
        const i = selection === null ? k : (selection[k] as number);
        if (width === 1) places[i] = keys.slotOf1(first[i] as number);
        else if (width === 2) places[i] = keys.slotOf2(first[i] as number, second[i] as number);
        else places[i] = keys.slotOfIds(ids.map((field) => field[i] as number));
      }
    } catch {
      // Strings too long for a key may have a value all the same: one by one. What was taken in of this batch has no place that counts.
      this.#forget();
      return null;
    }
    return places;
  }

  /** Ids of one field's strings, by record; of those that are meant. */
  #idsOf({ batch, selection }: Columns, c: number): Int32Array {
    const holder = this.#keys.components[c] as FieldKeySpace['components'][number];
    const { codes, dictionary } = batch.column((this.#columns[c] as KeyColumn).index) as Strings;
    const count = selection?.length ?? batch.count;
    const byCode = new Int32Array(dictionary.size);
    // A batch may mean few of its records: then the others' strings are not looked at.
    if (dictionary.size <= count) holder.findEntries(dictionary, byCode);
    else byCode.fill(-1);
    const ids = new Int32Array(batch.count);
    for (let k = 0; k < count; k++) {
      const i = selection === null ? k : (selection[k] as number);
      const code = codes[i] as number;
      if ((byCode[code] as number) < 0)
        byCode[code] = holder.internEntry(dictionary, code, dictionary.hash(code));
      ids[i] = byCode[code] as number;
    }
    return ids;
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

  #forget(): void {
    this.#keys = newKeys(this.#columns);
    this.values.length = 0;
    this.#untilMs.fill(0);
    this.isDerived.fill(0);
  }
}

function newKeys(columns: readonly KeyColumn[]): FieldKeySpace {
  return createKeySpace({ kind: 'fields', fields: columns.map(({ name }) => name) }, 1) as FieldKeySpace;
}
