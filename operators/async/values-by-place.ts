import type { ColumnStore } from '#wire';

/** What was computed of values, checked, by the places of these. */
export interface ValuesByPlace {
  /** Different texts that are remembered. */
  readonly texts: number;
  /** Null for none. */
  readonly put: (place: number, value: unknown) => void;
  /** Stores, for each of the records `kept`, what is at its place. */
  readonly fill: (kept: Uint16Array, places: Int32Array) => void;
  readonly forget: () => void;
}

type StringStore = Extract<ColumnStore, { readonly dictionary: unknown }>;

/** In place of a text's number: there is none. */
const NO_TEXT = -1;

/** Texts: many places have few different ones, and a batch needs the code of each once. */
export class TextValues implements ValuesByPlace {
  readonly #store: StringStore;
  /** By place. */
  #numbers = new Int32Array(1024);
  readonly #numberOf = new Map<string, number>();
  /** By number, as the two below: its code in the batch that the last one says. */
  readonly #texts: string[] = [];
  #codes = new Uint16Array(64);
  #batches = new Int32Array(64);
  #batch = 0;

  constructor(store: StringStore) {
    this.#store = store;
  }

  get texts(): number {
    return this.#texts.length;
  }

  put(place: number, value: unknown): void {
    if (place >= this.#numbers.length) {
      const numbers = new Int32Array(Math.max(2 * this.#numbers.length, place + 1));
      numbers.set(this.#numbers);
      this.#numbers = numbers;
    }
    this.#numbers[place] = value === null ? NO_TEXT : this.#numberFor(value as string);
  }

  fill(kept: Uint16Array, places: Int32Array): void {
    const { dictionary, values } = this.#store;
    this.#batch++;
    for (let k = 0; k < kept.length; k++) {
      const i = kept[k] as number;
      const number = this.#numbers[places[i] as number] as number;
      if (number === NO_TEXT) {
        this.#store.setNull(i);
        continue;
      }
      if (this.#batches[number] !== this.#batch) {
        this.#batches[number] = this.#batch;
        this.#codes[number] = dictionary.add(this.#texts[number] as string);
      }
      values[i] = this.#codes[number] as number;
    }
  }

  forget(): void {
    this.#numberOf.clear();
    this.#texts.length = 0;
  }

  #numberFor(text: string): number {
    let number = this.#numberOf.get(text);
    if (number === undefined) {
      number = this.#texts.push(text) - 1;
      this.#numberOf.set(text, number);
      if (number >= this.#codes.length) this.#grow();
    }
    return number;
  }

  #grow(): void {
    const codes = new Uint16Array(2 * this.#codes.length);
    const batches = new Int32Array(codes.length);
    codes.set(this.#codes);
    batches.set(this.#batches);
    this.#codes = codes;
    this.#batches = batches;
  }
}

export class OtherValues implements ValuesByPlace {
  readonly texts = 0;
  readonly #store: ColumnStore;
  readonly #values: unknown[] = [];

  constructor(store: ColumnStore) {
    this.#store = store;
  }

  put(place: number, value: unknown): void {
    while (this.#values.length < place) this.#values.push(null);
    this.#values[place] = value;
  }

  fill(kept: Uint16Array, places: Int32Array): void {
    for (let k = 0; k < kept.length; k++) {
      const i = kept[k] as number;
      const value = this.#values[places[i] as number];
      if (value === null) this.#store.setNull(i);
      else this.#store.set(i, value);
    }
  }

  forget(): void {
    this.#values.length = 0;
  }
}
