import { MillraceError } from '#engine';
import { murmur3Words } from '#wire';
import type { IcebergValue } from './single-value.ts';
import type { IcebergType } from './table-schema.ts';

/**
 * How a table is split by one column: a value made by {@link identity}, {@link day}, {@link bucket} and the others
 * (Iceberg spec, "Partition Transforms").
 */
export type PartitionTransform =
  | { readonly kind: 'identity' | 'year' | 'month' | 'day' | 'hour'; readonly field: string }
  | { readonly kind: 'bucket' | 'truncate'; readonly field: string; readonly width: number };

/** Rows with equal values of `field` lie together: string, i32, i64, bool or time. */
export const identity = (field: string): PartitionTransform => ({ kind: 'identity', field });
/** Rows of one UTC year of a time field lie together. */
export const year = (field: string): PartitionTransform => ({ kind: 'year', field });
/** Rows of one UTC month of a time field lie together. */
export const month = (field: string): PartitionTransform => ({ kind: 'month', field });
/** Rows of one UTC day of a time field lie together. */
export const day = (field: string): PartitionTransform => ({ kind: 'day', field });
/** Rows of one UTC hour of a time field lie together. */
export const hour = (field: string): PartitionTransform => ({ kind: 'hour', field });
/** Rows are spread by hash over `buckets` groups: i32, i64, time, string or bytes. */
export const bucket = (field: string, buckets: number): PartitionTransform => ({
  kind: 'bucket',
  field,
  width: buckets,
});
/** Strings by their first `width` code points, i32 and i64 by multiples of `width`. */
export const truncate = (field: string, width: number): PartitionTransform => ({
  kind: 'truncate',
  field,
  width,
});

/** What a transform gives; null for null. */
export type PartitionValue = Exclude<IcebergValue, Uint8Array> | null;

/** The transform as table metadata spells it: `day`, `bucket[16]`. */
export function transformText(transform: PartitionTransform): string {
  return 'width' in transform ? `${transform.kind}[${transform.width}]` : transform.kind;
}

/** The partition field's name: the column's for identity, else as Iceberg's builders name it (`ts_day`, `id_bucket`, `name_trunc`). */
export function partitionName({ kind, field }: PartitionTransform): string {
  if (kind === 'identity') return field;
  return `${field}_${kind === 'truncate' ? 'trunc' : kind}`;
}

/**
 * The type of the transform's results over a column of `source`.
 * @throws MR_CONFIG_INVALID when the transform does not apply to that type or its width is no whole number ≥ 1.
 */
export function resultType(transform: PartitionTransform, source: IcebergType): IcebergType {
  if (
    'width' in transform &&
    !(Number.isInteger(transform.width) && transform.width >= 1 && transform.width < 2 ** 31)
  ) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Partition ${transformText(transform)} of '${transform.field}': the width must be a whole number ≥ 1.`,
    );
  }
  if (!SOURCES[transform.kind].includes(source)) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Partition ${transformText(transform)} does not apply to '${transform.field}', which is ${source}. It takes ${SOURCES[transform.kind].join(', ')}.`,
    );
  }
  if (transform.kind === 'identity' || transform.kind === 'truncate') return source;
  return transform.kind === 'day' ? 'date' : 'int';
}

/** The transform over values of `source`; `timestamptz` values are microseconds (number or bigint). */
export function partitionFunction(
  transform: PartitionTransform,
  source: IcebergType,
): (value: IcebergValue) => Exclude<PartitionValue, null> {
  switch (transform.kind) {
    case 'identity':
      return (value) => (source === 'timestamptz' ? BigInt(value as number) : (value as string));
    case 'hour':
      return (micros) => Math.floor(Number(micros) / MICROS_PER_HOUR);
    case 'day':
      return (micros) => Math.floor(Number(micros) / MICROS_PER_DAY);
    case 'month':
      return (micros) => monthOf(Number(micros));
    case 'year':
      return (micros) => new Date(Math.floor(Number(micros) / 1000)).getUTCFullYear() - 1970;
    case 'bucket':
      return (value) => (hashValue(value) & 0x7fffffff) % transform.width;
    case 'truncate':
      return truncateFunction(source, transform.width);
  }
}

/** The 32-bit hash of bucket partitions (Iceberg spec, appendix B): whole numbers as 8-byte little-endian longs, strings as UTF-8. */
export function hashValue(value: IcebergValue): number {
  if (value instanceof Uint8Array) return hashBytes(value);
  if (typeof value === 'string') return hashBytes(Buffer.from(value, 'utf8'));
  const words = new Int32Array(2);
  new DataView(words.buffer).setBigInt64(0, BigInt(value), true);
  return murmur3Words(words, 0, 8, 0);
}

/** How people read a partition value in a path; readers of the table never do. */
export function partitionText(transform: PartitionTransform, value: PartitionValue): string {
  if (value === null) return 'null';
  switch (transform.kind) {
    case 'day':
      return new Date(Number(value) * 86_400_000).toISOString().slice(0, 10);
    case 'hour':
      return new Date(Number(value) * 3_600_000).toISOString().slice(0, 13).replace('T', '-');
    case 'month':
      return `${1970 + Math.floor(Number(value) / 12)}-${String((((Number(value) % 12) + 12) % 12) + 1).padStart(2, '0')}`;
    case 'year':
      return String(1970 + Number(value));
    case 'identity':
    case 'bucket':
    case 'truncate':
      return String(value);
  }
}

const MICROS_PER_HOUR = 3_600_000_000;
const MICROS_PER_DAY = 86_400_000_000;

const SOURCES: Readonly<Record<PartitionTransform['kind'], readonly IcebergType[]>> = {
  identity: ['string', 'int', 'long', 'boolean', 'timestamptz'],
  year: ['timestamptz'],
  month: ['timestamptz'],
  day: ['timestamptz'],
  hour: ['timestamptz'],
  bucket: ['int', 'long', 'timestamptz', 'string', 'binary'],
  truncate: ['string', 'int', 'long'],
};

function truncateFunction(
  source: IcebergType,
  width: number,
): (value: IcebergValue) => Exclude<PartitionValue, null> {
  if (source === 'string') return (value) => firstCodePoints(value as string, width);
  if (source === 'int') return (value) => Math.floor(Number(value) / width) * width;
  const step = BigInt(width);
  return (value) => {
    const long = value as bigint;
    return long - (((long % step) + step) % step);
  };
}

function firstCodePoints(text: string, width: number): string {
  return text.length <= width
    ? text
    : Array.from(text.slice(0, width * 2))
        .slice(0, width)
        .join('');
}

function monthOf(micros: number): number {
  const date = new Date(Math.floor(micros / 1000));
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

function hashBytes(bytes: Uint8Array): number {
  const words = new Int32Array((bytes.length + 3) >>> 2);
  new Uint8Array(words.buffer).set(bytes);
  return murmur3Words(words, 0, bytes.length, 0);
}
