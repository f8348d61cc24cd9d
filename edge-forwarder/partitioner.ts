import { MillraceError, murmur3Words, type Schema } from '#wire';

/** Partition of a row, 0 … partitions − 1. The same row goes to the same partition for ever. */
export type Partitioner<Row> = (row: Row) => number;

/** Separates the parts of a key; not a character that names are made of. */
const SEPARATOR = '\u001f';
const encoder = new TextEncoder();

/**
 * Partitions by the murmur3 hash (32-bit, seed 0) of the key fields' UTF-8 text, joined with U+001F; null counts as empty text.
 * @throws MR_CONFIG_INVALID when a field is not in the schema, or cannot be part of a key
 */
export function hashPartitioner<Row>(
  schema: Schema<Row>,
  fields: readonly string[],
  partitions: number,
): Partitioner<Row> {
  for (const name of fields) {
    const type = schema.fields.find((field) => field.name === name)?.type;
    if (type !== undefined && type !== 'bytes' && type !== 'obj') continue;
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `'${name}' cannot be a key of schema '${schema.name}': ${type ?? 'no such field'}.`,
    );
  }
  if (fields.length === 0) throw new MillraceError('MR_CONFIG_INVALID', 'A key needs at least one field.');
  const [only] = fields;
  const words = { array: new Int32Array(64) };
  return (row) => {
    const cells = row as Readonly<Record<string, unknown>>;
    const text =
      fields.length === 1
        ? cellText(cells[only as string])
        : fields.map((name) => cellText(cells[name])).join(SEPARATOR);
    return (hashText(text, words) & 0x7fffffff) % partitions;
  };
}

function cellText(value: unknown): string {
  if (typeof value === 'string') return value;
  return value === null || value === undefined ? '' : String(value as number | bigint | boolean);
}

function hashText(text: string, scratch: { array: Int32Array<ArrayBuffer> }): number {
  const wordsMax = Math.ceil((text.length * 3) / 4);
  if (scratch.array.length < wordsMax) scratch.array = new Int32Array(wordsMax);
  const { array } = scratch;
  const { written } = encoder.encodeInto(text, new Uint8Array(array.buffer));
  if ((written & 3) !== 0) {
    const last = written >>> 2;
    array[last] = (array[last] as number) & ((1 << ((written & 3) * 8)) - 1);
  }
  return murmur3Words(array, 0, written, 0);
}
