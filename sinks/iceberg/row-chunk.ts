/**
 * Rows of one file on their way to the Parquet thread: one column per schema field, in schema order, in plain typed
 * arrays whose buffers are transferred, not copied. Arrays may be longer than `rows`.
 */
export interface RowChunk {
  readonly rows: number;
  readonly columns: readonly ColumnData[];
}

/** `nulls` is a bitmap, bit i of byte i>>>3 set = row i is null (its value is zero or empty); null = nothing is null. */
export type ColumnData =
  | { readonly kind: 'f64'; readonly values: Float64Array<ArrayBuffer>; readonly nulls: NullBits }
  | { readonly kind: 'f32'; readonly values: Float32Array<ArrayBuffer>; readonly nulls: NullBits }
  | { readonly kind: 'i32'; readonly values: Int32Array<ArrayBuffer>; readonly nulls: NullBits }
  | { readonly kind: 'i64'; readonly values: BigInt64Array<ArrayBuffer>; readonly nulls: NullBits }
  /** Epoch ms; the thread turns it into microseconds. */
  | { readonly kind: 'time'; readonly values: Float64Array<ArrayBuffer>; readonly nulls: NullBits }
  /** One byte each, 0 or 1. */
  | { readonly kind: 'bool'; readonly values: Uint8Array<ArrayBuffer>; readonly nulls: NullBits }
  /** Row i is bytes `ends[i]` to `ends[i + 1]`; UTF-8 for `text`. */
  | {
      readonly kind: 'text' | 'binary';
      readonly ends: Int32Array<ArrayBuffer>;
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly nulls: NullBits;
    };

export type NullBits = Uint8Array<ArrayBuffer> | null;

/** The buffers to transfer with a chunk. */
export function chunkBuffers(chunk: RowChunk): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (const column of chunk.columns) {
    if (column.nulls !== null) buffers.push(column.nulls.buffer);
    if ('values' in column) buffers.push(column.values.buffer);
    else buffers.push(column.ends.buffer, column.bytes.buffer);
  }
  return buffers;
}

/** Memory that a chunk holds, bytes. */
export function chunkBytes(chunk: RowChunk): number {
  return chunkBuffers(chunk).reduce((sum, { byteLength }) => sum + byteLength, 0);
}
