import type { FileHandle } from 'node:fs/promises';
import { parquetMetadata } from 'hyparquet';
import type { ColumnMetrics, ParquetFileResult } from './parquet-thread.ts';

type Bound = NonNullable<ColumnMetrics['min']>;

const TRAILER_BYTES = 8;

/** Column metrics from the footer of a finished file of flat columns. `nans` are counted while writing. */
export async function fileMetrics(
  handle: FileHandle,
  bytes: number,
  nans: readonly number[],
): Promise<Pick<ParquetFileResult, 'columns' | 'splitOffsets'>> {
  const groups = parquetMetadata(await readFooter(handle, bytes), { parsers: RAW }).row_groups;
  const columns = nans.map((count, index) => {
    const chunks = groups.map((group) => {
      const chunk = group.columns[index]?.meta_data;
      if (chunk === undefined) throw new Error(`the file just written has no column ${index}`);
      return chunk;
    });
    return columnMetrics(chunks, count);
  });
  const splitOffsets = groups.map((group) => {
    const first = group.columns[0]?.meta_data;
    return Number(first?.dictionary_page_offset ?? first?.data_page_offset ?? 4);
  });
  return { columns, splitOffsets };
}

type ColumnChunk = NonNullable<
  ReturnType<typeof parquetMetadata>['row_groups'][number]['columns'][number]['meta_data']
>;

function columnMetrics(chunks: readonly ColumnChunk[], nans: number): ColumnMetrics {
  const sum = (value: (chunk: ColumnChunk) => bigint) =>
    Number(chunks.reduce((total, chunk) => total + value(chunk), 0n));
  const counts = {
    bytes: sum((chunk) => chunk.total_compressed_size),
    values: sum((chunk) => chunk.num_values),
    nulls: sum((chunk) => chunk.statistics?.null_count ?? 0n),
    nans,
  };
  // A group that is all null has no bounds and needs none; any other group without them leaves the column without.
  const bounded = chunks.filter((chunk) => chunk.statistics?.null_count !== chunk.num_values);
  const lows = bounded.map((chunk) => chunk.statistics?.min_value as Bound | undefined);
  const highs = bounded.map((chunk) => chunk.statistics?.max_value as Bound | undefined);
  if (bounded.length === 0 || [...lows, ...highs].includes(undefined)) return counts;
  const min = (lows as Bound[]).reduce((a, b) => (compare(a, b) <= 0 ? a : b));
  const max = (highs as Bound[]).reduce((a, b) => (compare(a, b) >= 0 ? a : b));
  return { ...counts, min, max };
}

function compare(a: Bound, b: Bound): number {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

async function readFooter(handle: FileHandle, bytes: number): Promise<Uint8Array> {
  const trailer = await readAt(handle, bytes - TRAILER_BYTES, TRAILER_BYTES);
  const footerBytes = trailer.readUInt32LE(0) + TRAILER_BYTES;
  return readAt(handle, bytes - footerBytes, footerBytes);
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead !== length)
    throw new Error(`${length} bytes at ${position} of the file just written cannot be read`);
  return buffer;
}

/** Keeps statistics as they are in the footer: text as bytes (a cut bound may be no valid UTF-8), times as microseconds. */
const RAW = {
  timestampFromMilliseconds: (value: bigint) => value,
  timestampFromMicroseconds: (value: bigint) => value,
  timestampFromNanoseconds: (value: bigint) => value,
  dateFromDays: (value: number) => value,
  stringFromBytes: (value: Uint8Array) => value,
} as unknown as NonNullable<NonNullable<Parameters<typeof parquetMetadata>[1]>['parsers']>;
