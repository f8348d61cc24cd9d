import { invariant } from '#engine';
import { type Column, isNullAt, type FieldType } from '#wire';
import type { ColumnData, NullBits } from './row-chunk.ts';

/** A column to read rows from: of a batch, or of plain rows (checked values; obj already as JSON text). */
export type ColumnSource = Column | { readonly kind: 'values'; readonly values: readonly unknown[] };

/** Values of one column of one open file, growing from small; {@link take} gives them away and starts over. */
export interface ColumnBuffer {
  /** Copies the values of `rows[from … to)`. */
  readonly append: (source: ColumnSource, rows: Uint32Array, from: number, to: number) => void;
  readonly take: () => ColumnData;
  /** Memory held now. */
  readonly bytes: () => number;
}

/** Partitions can be many and slow: a column starts this small. After {@link ColumnBuffer.take} half as large as it was. */
const FIRST_ROWS = 64;
/** Below this a loop over words beats the call of TypedArray.set. */
const SHORT_TEXT_BYTES = 64;
/** A text is copied in whole words, so that up to so many bytes behind it are written too. */
const WORD_BYTES = 4;

export function columnBuffer(type: FieldType): ColumnBuffer {
  switch (type) {
    case 'f64':
    case 'time':
      return new FixedColumn<Float64Array<ArrayBuffer>>(type, (rows) => new Float64Array(rows), copyNumbers);
    case 'f32':
      return new FixedColumn<Float32Array<ArrayBuffer>>(type, (rows) => new Float32Array(rows), copyFloats);
    case 'i32':
      return new FixedColumn<Int32Array<ArrayBuffer>>(type, (rows) => new Int32Array(rows), copyInts);
    case 'i64':
      return new FixedColumn<BigInt64Array<ArrayBuffer>>(type, (rows) => new BigInt64Array(rows), copyLongs);
    case 'bool':
      return new FixedColumn<Uint8Array<ArrayBuffer>>(type, (rows) => new Uint8Array(rows), copyBooleans);
    case 'string':
    case 'obj':
      return new BytesColumn('text');
    case 'bytes':
      return new BytesColumn('binary');
  }
}

type FixedData = Extract<ColumnData, { readonly values: unknown }>;
type FixedArray = FixedData['values'];
type Copy<A> = (
  target: A,
  at: number,
  source: ColumnSource,
  rows: Uint32Array,
  from: number,
  to: number,
) => void;

class FixedColumn<A extends FixedArray> implements ColumnBuffer {
  readonly #kind: FixedData['kind'];
  readonly #make: (rows: number) => A;
  readonly #copy: Copy<A>;
  readonly #nulls = new NullMarks();
  #values: A;
  #rowsAtFirst = FIRST_ROWS;
  #count = 0;

  constructor(kind: FixedData['kind'], make: (rows: number) => A, copy: Copy<A>) {
    this.#kind = kind;
    this.#make = make;
    this.#copy = copy;
    this.#values = make(0);
  }

  append = (source: ColumnSource, rows: Uint32Array, from: number, to: number): void => {
    const needed = this.#count + to - from;
    if (needed > this.#values.length) {
      const grown = this.#make(Math.max(this.#values.length * 2, needed, this.#rowsAtFirst));
      (grown as Float64Array).set(this.#values as Float64Array);
      this.#values = grown;
    }
    this.#nulls.mark(source, this.#count, rows, from, to);
    this.#copy(this.#values, this.#count, source, rows, from, to);
    this.#count = needed;
  };

  take = (): ColumnData => {
    const data = { kind: this.#kind, values: this.#values, nulls: this.#nulls.take(this.#count) };
    this.#rowsAtFirst = this.#values.length >>> 1;
    this.#values = this.#make(0);
    this.#count = 0;
    return data as unknown as ColumnData;
  };

  bytes = (): number => this.#values.byteLength + this.#nulls.bytes;
}

class BytesColumn implements ColumnBuffer {
  readonly #kind: 'text' | 'binary';
  readonly #nulls = new NullMarks();
  #ends = new Int32Array(1);
  #bytes = Buffer.alloc(0);
  #view = new DataView(new ArrayBuffer(0));
  #endsAtFirst = FIRST_ROWS + 1;
  #bytesAtFirst = FIRST_ROWS * 16;
  #count = 0;

  constructor(kind: 'text' | 'binary') {
    this.#kind = kind;
  }

  append = (source: ColumnSource, rows: Uint32Array, from: number, to: number): void => {
    const needed = this.#count + to - from;
    if (needed >= this.#ends.length) {
      const grown = new Int32Array(Math.max(this.#ends.length * 2, needed + 1, this.#endsAtFirst));
      grown.set(this.#ends);
      this.#ends = grown;
    }
    this.#nulls.mark(source, this.#count, rows, from, to);
    if (source.kind === 'string') this.#appendDictionary(source, rows, from, to);
    else this.#appendValues(valuesOf(source), rows, from, to);
  };

  take = (): ColumnData => {
    const data = {
      kind: this.#kind,
      ends: this.#ends,
      bytes: this.#bytes,
      nulls: this.#nulls.take(this.#count),
    };
    this.#endsAtFirst = this.#ends.length >>> 1;
    this.#bytesAtFirst = this.#bytes.length >>> 1;
    this.#ends = new Int32Array(1);
    this.#bytes = Buffer.alloc(0);
    this.#count = 0;
    return data;
  };

  bytes = (): number => this.#bytes.length + this.#ends.byteLength + this.#nulls.bytes;

  /** Copies UTF-8 from the batch's dictionary: no string is ever made. */
  #appendDictionary(source: Column & { kind: 'string' }, rows: Uint32Array, from: number, to: number): void {
    const first = this.#count;
    this.#appendEnds(source, rows, from, to);
    const ends = this.#ends;
    this.#reserve(
      ends[first] as number,
      (ends[this.#count] as number) - (ends[first] as number) + WORD_BYTES,
    );
    const { codes, dictionary } = source;
    const { words, bytes, starts } = dictionary;
    const view = this.#view;
    for (let i = from, o = first; i < to; i++, o++) {
      const at = ends[o] as number;
      const end = ends[o + 1] as number;
      if (at === end) continue;
      const start = starts[codes[rows[i] as number] as number] as number;
      if (end - at > SHORT_TEXT_BYTES) this.#bytes.set(bytes.subarray(start, start + end - at), at);
      else
        for (let to4 = at, word = start >>> 2; to4 < end; to4 += WORD_BYTES, word++)
          view.setInt32(to4, words[word] as number, true);
    }
  }

  #appendEnds(
    { codes, dictionary, nulls }: Column & { kind: 'string' },
    rows: Uint32Array,
    from: number,
    to: number,
  ): void {
    const { lengths } = dictionary;
    const ends = this.#ends;
    let count = this.#count;
    let end = ends[count] as number;
    for (let i = from; i < to; i++) {
      const row = rows[i] as number;
      if (nulls === null || !isNullAt(nulls, row)) end += lengths[codes[row] as number] as number;
      ends[++count] = end;
    }
    this.#count = count;
  }

  #appendValues(values: readonly unknown[], rows: Uint32Array, from: number, to: number): void {
    let at = this.#ends[this.#count] as number;
    for (let i = from; i < to; i++) {
      const value = values[rows[i] as number];
      if (typeof value === 'string') {
        this.#reserve(at, value.length * 3); // UTF-8 has at most 3 bytes per UTF-16 unit
        at += this.#bytes.write(value, at, 'utf8');
      } else if (value instanceof Uint8Array) {
        this.#reserve(at, value.length);
        this.#bytes.set(value, at);
        at += value.length;
      }
      this.#ends[++this.#count] = at;
    }
  }

  #reserve(at: number, length: number): void {
    if (at + length <= this.#bytes.length) return;
    // Buffer.alloc, not allocUnsafe: its memory must not come from Node's shared pool, as it is transferred.
    const grown = Buffer.alloc(Math.max(this.#bytes.length * 2, at + length, this.#bytesAtFirst));
    this.#bytes.copy(grown, 0, 0, at);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer, grown.byteOffset, grown.length);
  }
}

/** Null bitmap that exists only once something is null. */
class NullMarks {
  #bits: NullBits = null;

  get bytes(): number {
    return this.#bits?.length ?? 0;
  }

  mark(source: ColumnSource, at: number, rows: Uint32Array, from: number, to: number): void {
    if (source.kind === 'values') {
      for (let i = from; i < to; i++)
        if ((source.values[rows[i] as number] ?? null) === null) this.#set(at + i - from);
    } else if (source.nulls !== null) {
      for (let i = from; i < to; i++) if (isNullAt(source.nulls, rows[i] as number)) this.#set(at + i - from);
    }
  }

  /** The bitmap for `count` rows, or null. */
  take(count: number): NullBits {
    if (this.#bits !== null) this.#grow((count + 7) >>> 3);
    const bits = this.#bits;
    this.#bits = null;
    return bits;
  }

  #set(i: number): void {
    const bits = this.#grow((i >>> 3) + 1);
    bits[i >>> 3] = (bits[i >>> 3] as number) | (1 << (i & 7));
  }

  #grow(bytes: number): Uint8Array {
    if (this.#bits !== null && this.#bits.length >= bytes) return this.#bits;
    const grown = new Uint8Array(Math.max((this.#bits?.length ?? FIRST_ROWS >>> 3) * 2, bytes));
    if (this.#bits !== null) grown.set(this.#bits);
    this.#bits = grown;
    return grown;
  }
}

// One loop per kind of array, so that each stays monomorphic.

function copyNumbers(
  target: Float64Array,
  at: number,
  source: ColumnSource,
  rows: Uint32Array,
  from: number,
  to: number,
): void {
  if (source.kind === 'f64') {
    const { values } = source;
    for (let i = from, o = at; i < to; i++, o++) target[o] = values[rows[i] as number] as number;
  } else {
    const values = valuesOf(source);
    for (let i = from, o = at; i < to; i++, o++) target[o] = (values[rows[i] as number] ?? 0) as number;
  }
}

function copyFloats(
  target: Float32Array,
  at: number,
  source: ColumnSource,
  rows: Uint32Array,
  from: number,
  to: number,
): void {
  if (source.kind === 'f64') {
    const { values } = source;
    for (let i = from, o = at; i < to; i++, o++) target[o] = values[rows[i] as number] as number;
  } else {
    const values = valuesOf(source);
    for (let i = from, o = at; i < to; i++, o++) target[o] = (values[rows[i] as number] ?? 0) as number;
  }
}

function copyInts(
  target: Int32Array,
  at: number,
  source: ColumnSource,
  rows: Uint32Array,
  from: number,
  to: number,
): void {
  if (source.kind === 'i32') {
    const { values } = source;
    for (let i = from, o = at; i < to; i++, o++) target[o] = values[rows[i] as number] as number;
  } else {
    const values = valuesOf(source);
    for (let i = from, o = at; i < to; i++, o++) target[o] = (values[rows[i] as number] ?? 0) as number;
  }
}

function copyLongs(
  target: BigInt64Array,
  at: number,
  source: ColumnSource,
  rows: Uint32Array,
  from: number,
  to: number,
): void {
  if (source.kind === 'i64') {
    const { values } = source;
    for (let i = from, o = at; i < to; i++, o++) target[o] = values[rows[i] as number] as bigint;
  } else {
    const values = valuesOf(source);
    for (let i = from, o = at; i < to; i++, o++) target[o] = (values[rows[i] as number] ?? 0n) as bigint;
  }
}

function copyBooleans(
  target: Uint8Array,
  at: number,
  source: ColumnSource,
  rows: Uint32Array,
  from: number,
  to: number,
): void {
  if (source.kind === 'bool') {
    const { values } = source;
    for (let i = from, o = at; i < to; i++, o++) target[o] = values[rows[i] as number] as number;
  } else {
    const values = valuesOf(source);
    for (let i = from, o = at; i < to; i++, o++) target[o] = values[rows[i] as number] === true ? 1 : 0;
  }
}

function valuesOf(source: ColumnSource): readonly unknown[] {
  invariant(source.kind === 'values' || source.kind === 'cells', `a ${source.kind} column fits its schema`);
  return source.values;
}
