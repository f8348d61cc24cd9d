import * as arrow from 'apache-arrow';
import type { ColumnData, NullBits, RowChunk } from './row-chunk.ts';
import type { IcebergSchema } from './table-schema.ts';

/**
 * A chunk as one Arrow record batch in IPC stream form, with Iceberg's field ids where parquet-wasm looks for them.
 * Arrow's value builders are not used: they take milliseconds only and cost 8 times the CPU.
 */
export function arrowIpc(chunk: RowChunk, schema: IcebergSchema): Uint8Array {
  const children = chunk.columns.map((column) => arrowData(column, chunk.rows));
  const fields = schema.fields.map(
    ({ id, name, required }, i) =>
      new arrow.Field(
        name,
        (children[i] as arrow.Data).type,
        !required,
        new Map([['PARQUET:field_id', String(id)]]),
      ),
  );
  const struct = arrow.makeData({
    type: new arrow.Struct(fields),
    length: chunk.rows,
    nullCount: 0,
    children,
  });
  const arrowSchema = new arrow.Schema(fields);
  return arrow.tableToIPC(
    new arrow.Table(arrowSchema, [new arrow.RecordBatch(arrowSchema, struct)]),
    'stream',
  );
}

/** Adds the NaNs of each float column to `totals`: Parquet footers do not count them, Iceberg manifests do. */
export function countNans(chunk: RowChunk, totals: number[]): void {
  chunk.columns.forEach((column, index) => {
    if (column.kind !== 'f64' && column.kind !== 'f32') return;
    let count = 0;
    for (let i = 0; i < chunk.rows; i++) if (Number.isNaN(column.values[i])) count++;
    totals[index] = (totals[index] ?? 0) + count;
  });
}

function arrowData(column: ColumnData, length: number): arrow.Data {
  const validity = validityOf(column.nulls, length);
  switch (column.kind) {
    case 'f64':
      return arrow.makeData({
        type: new arrow.Float64(),
        length,
        ...validity,
        data: column.values.subarray(0, length),
      });
    case 'f32':
      return arrow.makeData({
        type: new arrow.Float32(),
        length,
        ...validity,
        data: column.values.subarray(0, length),
      });
    case 'i32':
      return arrow.makeData({
        type: new arrow.Int32(),
        length,
        ...validity,
        data: column.values.subarray(0, length),
      });
    case 'i64':
      return arrow.makeData({
        type: new arrow.Int64(),
        length,
        ...validity,
        data: column.values.subarray(0, length),
      });
    case 'time':
      return arrow.makeData({
        type: new arrow.TimestampMicrosecond('UTC'),
        length,
        ...validity,
        data: micros(column.values, length),
      });
    case 'bool':
      return arrow.makeData({
        type: new arrow.Bool(),
        length,
        ...validity,
        data: packBits(column.values, length),
      });
    case 'text':
    case 'binary': {
      const type = column.kind === 'text' ? new arrow.Utf8() : new arrow.Binary();
      const valueOffsets = column.ends.subarray(0, length + 1);
      const data = column.bytes.subarray(0, column.ends[length]);
      return arrow.makeData({ type: type as arrow.Utf8, length, ...validity, valueOffsets, data });
    }
  }
}

/** Arrow's bitmap says what is there, ours what is not. */
function validityOf(nulls: NullBits, length: number): { nullCount: number; nullBitmap?: Uint8Array } {
  if (nulls === null) return { nullCount: 0 };
  const nullBitmap = new Uint8Array((length + 7) >>> 3);
  let nullCount = 0;
  for (let i = 0; i < length; i++) {
    const isNull = ((nulls[i >>> 3] as number) >>> (i & 7)) & 1;
    nullCount += isNull;
    nullBitmap[i >>> 3] = (nullBitmap[i >>> 3] as number) | ((isNull ^ 1) << (i & 7));
  }
  return { nullCount, nullBitmap };
}

/** Milliseconds to whole microseconds, as two words each: BigInt arithmetic per row would cost ten times as much. */
function micros(times: Float64Array, length: number): BigInt64Array {
  const words = new Int32Array(length * 2);
  for (let i = 0; i < length; i++) {
    const value = Math.round((times[i] as number) * 1000);
    const high = Math.floor(value / 4_294_967_296);
    words[2 * i] = (value - high * 4_294_967_296) | 0;
    words[2 * i + 1] = high;
  }
  return new BigInt64Array(words.buffer);
}

function packBits(flags: Uint8Array, length: number): Uint8Array {
  const bits = new Uint8Array((length + 7) >>> 3);
  for (let i = 0; i < length; i++)
    bits[i >>> 3] = (bits[i >>> 3] as number) | ((flags[i] as number) << (i & 7));
  return bits;
}
