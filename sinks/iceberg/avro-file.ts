import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { MillraceError } from '#engine';
import { type AvroType, readValue, resolveNames, writeValue } from './avro-value.ts';
import { AvroReader, AvroWriter } from './avro-bytes.ts';

/**
 * An Avro object container file (Avro 1.11 spec, "Object Container Files"): what Iceberg keeps manifests in.
 *
 * ```
 * magic 'Obj' 01 | metadata: map<string, bytes> | sync marker, 16 bytes
 * blocks: long rows | long bytes | deflated rows | sync marker
 * ```
 */
export interface AvroFile {
  readonly metadata: ReadonlyMap<string, string>;
  /** The schema the file was written with, names resolved. */
  readonly schema: AvroType;
  readonly rows: readonly unknown[];
}

/** Rows per block: the longest stretch encoded without giving the event loop a turn, about 5 ms. */
const BLOCK_ROWS = 1_000;
const MAGIC = Uint8Array.of(0x4f, 0x62, 0x6a, 0x01);
const SYNC_BYTES = 16;
const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Encodes `rows` with deflate. `metadata` goes beside `avro.schema` and `avro.codec`. */
export async function encodeAvroFile(
  schema: AvroType,
  rows: readonly unknown[],
  metadata: Readonly<Record<string, string>>,
): Promise<Uint8Array> {
  const sync = randomBytes(SYNC_BYTES);
  const header = new AvroWriter();
  header.raw(MAGIC);
  const entries = Object.entries({
    ...metadata,
    'avro.schema': JSON.stringify(schema),
    'avro.codec': 'deflate',
  });
  header.long(entries.length);
  for (const [key, value] of entries) {
    header.text(key);
    header.text(value);
  }
  header.long(0);
  header.raw(sync);
  const resolved = resolveNames(schema);
  const parts: Uint8Array[] = [header.done()];
  for (let from = 0; from < rows.length; from += BLOCK_ROWS) {
    const block = rows.slice(from, from + BLOCK_ROWS);
    const body = new AvroWriter();
    for (const row of block) writeValue(body, resolved, row);
    const packed = await deflate(body.done());
    const frame = new AvroWriter();
    frame.long(block.length);
    frame.bytes(packed);
    frame.raw(sync);
    parts.push(frame.done());
  }
  return Buffer.concat(parts);
}

/**
 * Decodes a whole file with the schema inside it. Longs beyond ±2⁵³ come as bigint.
 * @param name what is read, for the message
 * @throws MR_TABLE_CORRUPT when the bytes are not such a file.
 */
export async function decodeAvroFile(bytes: Uint8Array, name: string): Promise<AvroFile> {
  try {
    const reader = new AvroReader(bytes);
    if (Buffer.compare(reader.raw(MAGIC.length), MAGIC) !== 0)
      throw new RangeError('it does not start with an Avro header');
    const metadata = readMetadata(reader);
    const sync = reader.raw(SYNC_BYTES);
    const schema = resolveNames(JSON.parse(metadata.get('avro.schema') ?? '""') as AvroType);
    const codec = metadata.get('avro.codec') ?? 'null';
    if (codec !== 'null' && codec !== 'deflate')
      throw new RangeError(`its codec '${codec}' is not supported`);
    const rows: unknown[] = [];
    while (!reader.atEnd) {
      const count = reader.count();
      const packed = reader.bytes();
      const block = new AvroReader(codec === 'deflate' ? await inflate(packed) : packed);
      for (let i = 0; i < count; i++) rows.push(readValue(block, schema));
      if (Buffer.compare(reader.raw(SYNC_BYTES), sync) !== 0)
        throw new RangeError('a sync marker does not match');
    }
    return { metadata, schema, rows };
  } catch (cause) {
    throw new MillraceError(
      'MR_TABLE_CORRUPT',
      `${name} cannot be read as an Avro file; restore it or roll the table back.`,
      { cause },
    );
  }
}

function readMetadata(reader: AvroReader): Map<string, string> {
  const metadata = new Map<string, string>();
  for (let count = reader.blockCount(); count > 0; count = reader.blockCount()) {
    for (let i = 0; i < count; i++) metadata.set(reader.text(), reader.text());
  }
  return metadata;
}
