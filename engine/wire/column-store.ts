import type { Column } from './batch.ts';
import { DictionaryBuilder } from './dictionary-builder.ts';
import { objCellBytes } from './obj-cell.ts';
import type { NamedField } from './schema.ts';

/**
 * One column while its batch is being built. Values arrive checked (field-check.ts); generated code writes `values`
 * directly. `set` and `setNull` go to index `count` and upwards only, within the capacity of the last `grow`.
 */
export type ColumnStore = NumberStore | BigIntStore | StringStore | CellStore;

export function columnStore(field: NamedField): ColumnStore {
  switch (field.type) {
    case 'f64':
    case 'f32':
    case 'time':
    case 'i32':
    case 'bool':
      return new NumberStore(field.type);
    case 'i64':
      return new BigIntStore();
    case 'string':
      return new StringStore();
    case 'bytes':
    case 'obj':
      return new CellStore(field.type);
  }
}

/** Numbers and booleans. */
export class NumberStore {
  readonly bytesPerRecord: number;
  readonly variableBytes = 0;
  nulls: Uint8Array | null = null;
  values: Float64Array | Int32Array | Uint8Array;
  readonly #type: 'f64' | 'f32' | 'time' | 'i32' | 'bool';

  constructor(type: 'f64' | 'f32' | 'time' | 'i32' | 'bool') {
    this.#type = type;
    this.values = newNumbers(type, 0);
    this.bytesPerRecord = type === 'f32' || type === 'i32' ? 4 : type === 'bool' ? 1 : 8;
  }

  set(i: number, value: unknown): void {
    this.values[i] = this.#type === 'f32' ? Math.fround(value as number) : Number(value);
  }

  setNull(i: number): void {
    this.values[i] = 0;
    this.nulls = withNull(this.nulls, i, this.values.length);
  }

  grow(capacity: number): void {
    const grown = newNumbers(this.#type, capacity);
    grown.set(this.values);
    this.values = grown;
    this.nulls = grownNulls(this.nulls, capacity);
  }

  finish(count: number): Column {
    const values = fitted(this.values, count);
    const nulls = this.nulls;
    this.values = newNumbers(this.#type, 0);
    this.nulls = null;
    if (values instanceof Float64Array) return { kind: 'f64', values, nulls };
    if (values instanceof Int32Array) return { kind: 'i32', values, nulls };
    return { kind: 'bool', values, nulls };
  }
}

export class BigIntStore {
  readonly bytesPerRecord = 8;
  readonly variableBytes = 0;
  nulls: Uint8Array | null = null;
  values = new BigInt64Array(0);

  set(i: number, value: unknown): void {
    this.values[i] = value as bigint;
  }

  setNull(i: number): void {
    this.values[i] = 0n;
    this.nulls = withNull(this.nulls, i, this.values.length);
  }

  grow(capacity: number): void {
    const grown = new BigInt64Array(capacity);
    grown.set(this.values);
    this.values = grown;
    this.nulls = grownNulls(this.nulls, capacity);
  }

  finish(count: number): Column {
    const column: Column = { kind: 'i64', values: fitted(this.values, count), nulls: this.nulls };
    this.values = new BigInt64Array(0);
    this.nulls = null;
    return column;
  }
}

export class StringStore {
  readonly bytesPerRecord = 2;
  readonly dictionary = new DictionaryBuilder();
  nulls: Uint8Array | null = null;
  values = new Uint16Array(0);

  get variableBytes(): number {
    return this.dictionary.byteCount;
  }

  set(i: number, value: unknown): void {
    this.values[i] = this.dictionary.add(value as string);
  }

  setNull(i: number): void {
    this.values[i] = 0;
    this.nulls = withNull(this.nulls, i, this.values.length);
  }

  grow(capacity: number): void {
    const grown = new Uint16Array(capacity);
    grown.set(this.values);
    this.values = grown;
    this.nulls = grownNulls(this.nulls, capacity);
  }

  finish(count: number): Column {
    const codes = fitted(this.values, count);
    const column: Column = { kind: 'string', codes, dictionary: this.dictionary.finish(), nulls: this.nulls };
    this.values = new Uint16Array(0);
    this.nulls = null;
    return column;
  }
}

/** Bytes are copied in, because callers reuse buffers; `obj` values are taken as they are and must not change later. */
export class CellStore {
  readonly bytesPerRecord = 4;
  variableBytes = 0;
  nulls: Uint8Array | null = null;
  values: unknown[] = [];
  readonly #type: 'bytes' | 'obj';
  #capacity = 0;

  constructor(type: 'bytes' | 'obj') {
    this.#type = type;
  }

  set(i: number, value: unknown): void {
    const cell = this.#type === 'bytes' ? new Uint8Array(value as Uint8Array) : value;
    this.values[i] = cell;
    this.variableBytes += this.#type === 'bytes' ? (cell as Uint8Array).length : Number(objCellBytes(cell));
  }

  setNull(i: number): void {
    this.values[i] = null;
    this.nulls = withNull(this.nulls, i, this.#capacity);
  }

  grow(capacity: number): void {
    this.#capacity = capacity;
    this.nulls = grownNulls(this.nulls, capacity);
  }

  finish(_count: number): Column {
    const column: Column = { kind: 'cells', values: this.values, nulls: this.nulls };
    this.values = [];
    this.nulls = null;
    this.variableBytes = 0;
    this.#capacity = 0;
    return column;
  }
}

function newNumbers(type: 'f64' | 'f32' | 'time' | 'i32' | 'bool', capacity: number) {
  if (type === 'i32') return new Int32Array(capacity);
  return type === 'bool' ? new Uint8Array(capacity) : new Float64Array(capacity);
}

/** The array itself, or a copy of its used part where more than half would be waste. */
function fitted<A extends { readonly length: number; slice(start: number, end: number): A }>(
  array: A,
  count: number,
): A {
  return count * 2 < array.length ? array.slice(0, count) : array;
}

function withNull(nulls: Uint8Array | null, i: number, capacity: number): Uint8Array {
  const bits = nulls ?? new Uint8Array((capacity + 7) >>> 3);
  bits[i >>> 3] = (bits[i >>> 3] as number) | (1 << (i & 7));
  return bits;
}

function grownNulls(nulls: Uint8Array | null, capacity: number): Uint8Array | null {
  if (nulls === null) return null;
  const grown = new Uint8Array((capacity + 7) >>> 3);
  grown.set(nulls);
  return grown;
}
