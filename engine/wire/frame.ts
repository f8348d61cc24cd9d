import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { crc32 } from '../base/crc32.ts';
import { invariant, MillraceError } from '../base/errors.ts';
import type { Batch } from './batch.ts';
import { withBodyWriter } from './body-writer.ts';
import { checkColumns, columnCrcsOf, payloadHeadBytes } from './column-crcs.ts';
import {
  type Envelope,
  envelopeBytes,
  type FrameHeader,
  readEnvelope,
  sequenceRefusal,
  writeEnvelope,
} from './envelope.ts';
import { isTime, TIME_MAX_MS } from './field-check.ts';
import type { ColumnsInUse } from './decoded-batch.ts';
import { decodeBody, encodeBody } from './frame-body.ts';
import { corrupt } from './frame-layout.ts';
import type { Schema, SchemaId } from './schema.ts';

export { type Envelope, type FrameHeader, readEnvelope } from './envelope.ts';

/**
 * The stored form of a batch: envelope (envelope.ts), then the columnar body (frame-layout.ts), perhaps compressed, or with
 * a CRC for each of its columns (column-crcs.ts). The result is one exactly sized allocation of its own that starts at a
 * multiple of 8 of its buffer.
 * @throws MR_CONFIG_INVALID for a producer's name, sequence or watermark that cannot be
 * @throws MR_RECORD_INVALID, MR_FRAME_TOO_LARGE as {@link encodeBody}
 */
export function encodeFrame(batch: Batch, header: FrameHeader): Uint8Array {
  const headerBytes = envelopeBytes(header.producer);
  const { producer, epoch, prev, first, watermark = Number.NaN } = header;
  const last = first + batch.count - 1;
  const why = sequenceRefusal({ epoch, prev, first, last });
  if (why !== null) throw new MillraceError('MR_CONFIG_INVALID', `Frame of producer '${producer}': ${why}.`);
  if (!Number.isNaN(watermark) && !isTime(watermark)) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Frame of producer '${producer}': watermark ${watermark} is neither a time nor NaN.`,
    );
  }
  const { minTime, maxTime } = timeRange(batch);
  return withBodyWriter((writer) => {
    const compressible = header.compression === 'zstd';
    encodeBody(batch, writer, compressible);
    const body = writer.bytes.subarray(0, writer.length);
    const packed = compressible ? compressed(body) : null;
    const crcs = packed === null ? columnCrcsOf(body, batch.schema.fields.length) : null;
    const columnCrcBytes = crcs?.length ?? 0;
    const storedBytes = columnCrcBytes + (packed ?? body).length;
    const frame = new Uint8Array(headerBytes + storedBytes);
    if (crcs !== null) frame.set(crcs, headerBytes);
    frame.set(packed ?? body, headerBytes + columnCrcBytes);
    writeEnvelope(frame, {
      producer,
      epoch,
      prev,
      first,
      last,
      watermark,
      minTime,
      maxTime,
      headerBytes,
      compression: packed === null ? 'none' : 'zstd',
      records: batch.count,
      schemaId: batch.schema.id,
      bodyBytes: body.length,
      storedBytes,
      columnCrcBytes,
      payloadCrc: payloadCrc(frame.subarray(headerBytes), columnCrcBytes),
    });
    return frame;
  });
}

/**
 * Checks a frame completely and gives its batch. Takes over `frame`: columns are views of it where it is stored plainly
 * and aligned, so nobody may write to it afterwards. (An unaligned frame is copied once.)
 * @param schemaById knows schemas by content id
 * @param inUse of the stream that it belongs to; columns that nobody reads there are neither decoded nor checked, unless one CRC covers them all
 * @throws MR_SCHEMA_UNKNOWN naming the id; MR_SCHEMA_MISMATCH; MR_FRAME_TRUNCATED, _CORRUPT, _VERSION, _TOO_LARGE
 */
export function decodeFrame(
  frame: Uint8Array,
  schemaById: (id: SchemaId) => Schema | undefined,
  inUse?: ColumnsInUse,
): { readonly envelope: Envelope; readonly batch: Batch } {
  const envelope = readEnvelope(frame);
  const payload = checkedPayload(frame, envelope);
  const { schemaId, records, minTime, maxTime } = envelope;
  const schema = schemaById(schemaId);
  if (schema === undefined) {
    throw new MillraceError(
      'MR_SCHEMA_UNKNOWN',
      `Frame of producer '${envelope.producer}' has schema ${schemaId}, which is not registered. Register it, or upgrade the reader.`,
      { details: { schemaId, producer: envelope.producer } },
    );
  }
  if (schema.id !== schemaId) {
    throw new MillraceError(
      'MR_SCHEMA_MISMATCH',
      `Frame has schema ${schemaId}, asked to decode it as '${schema.name}' (${schema.id}).`,
      {
        details: { schemaId, schema: schema.name },
      },
    );
  }
  const { columnCrcBytes } = envelope;
  const crcs = columnCrcBytes === 0 ? null : new DataView(payload.buffer, payload.byteOffset, columnCrcBytes);
  const batch = decodeBody(bodyOf(payload, envelope), schema, records, inUse, crcs);
  const range = timeRange(batch);
  if (range.minTime !== minTime || range.maxTime !== maxTime)
    throw corrupt('envelope and records disagree on the range of times');
  return { envelope, batch };
}

/** Checks envelope and payload against their CRCs without decoding. @throws MR_FRAME_* as {@link readEnvelope} */
export function verifyFrame(frame: Uint8Array): Envelope {
  const envelope = readEnvelope(frame);
  const payload = checkedPayload(frame, envelope);
  if (envelope.columnCrcBytes > 0) checkColumns(payload, envelope.columnCrcBytes);
  return envelope;
}

/** The payload, as far checked as the envelope's CRC of it goes. */
function checkedPayload(frame: Uint8Array, envelope: Envelope): Uint8Array {
  const payload = frame.subarray(envelope.headerBytes);
  if (payloadCrc(payload, envelope.columnCrcBytes) !== envelope.payloadCrc)
    throw corrupt('the CRC of its payload does not match');
  return payload;
}

/** CRC of all of a payload, or of its head where its columns have their own. */
function payloadCrc(payload: Uint8Array, columnCrcBytes: number): number {
  return crc32(
    columnCrcBytes === 0 ? payload : payload.subarray(0, payloadHeadBytes(payload, columnCrcBytes)),
  );
}

/** Below this a zstd frame's own overhead eats what it saves. */
const COMPRESSIBLE_BYTES_MIN = 256;
/** Window that a decoder grants, log2 bytes: the largest body. Without it a few bytes of input may ask for 128 MiB. */
const ZSTD_WINDOW_LOG_MAX = 24;
/** How much better than its stored size a body may claim to be before memory is taken only as output really comes. */
const CREDIBLE_RATIO = 16;
const CHUNK_BYTES_MIN = 64 * 1024;

/** The compressed body, or null where that saves less than an eighth. */
function compressed(body: Uint8Array): Uint8Array | null {
  if (body.length < COMPRESSIBLE_BYTES_MIN) return null;
  const packed = zstdCompressSync(body, {
    chunkSize: Math.max(64, body.length),
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
  });
  return packed.length <= body.length - (body.length >>> 3) ? packed : null;
}

/** The uncompressed body at a multiple of 8: the frame's own memory where possible, else a copy. */
function bodyOf(payload: Uint8Array, { compression, columnCrcBytes, bodyBytes }: Envelope): Uint8Array {
  const body = compression === 'zstd' ? decompressed(payload, bodyBytes) : payload.subarray(columnCrcBytes);
  if ((body.byteOffset & 7) !== 0) return new Uint8Array(body);
  // Never a Buffer: generated loops stay monomorphic, and nested bytes come back as what went in.
  return new Uint8Array(body.buffer, body.byteOffset, body.length);
}

function decompressed(payload: Uint8Array, bodyBytes: number): Uint8Array {
  let result: { readonly buffer: Uint8Array; readonly engine: { readonly bytesWritten: number } };
  try {
    // One chunk where the claim is credible (slack lets zlib see the end of the stream inside it); more as output comes.
    const chunkSize = Math.min(bodyBytes + 64, CHUNK_BYTES_MIN + payload.length * CREDIBLE_RATIO);
    const options = { chunkSize, maxOutputLength: bodyBytes, info: true };
    const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
    result = zstdDecompressSync(payload, { ...options, params }) as unknown as typeof result;
  } catch (cause) {
    throw new MillraceError(
      'MR_FRAME_CORRUPT',
      'Frame is corrupt: its payload cannot be decompressed. Read it again from its source.',
      { cause },
    );
  }
  if (result.buffer.length !== bodyBytes)
    throw corrupt(`its payload unpacks to ${result.buffer.length} of ${bodyBytes} bytes`);
  if (result.engine.bytesWritten !== payload.length) throw corrupt('bytes follow its compressed payload');
  return result.buffer;
}

function timeRange({ times, count, schema }: Batch): { readonly minTime: number; readonly maxTime: number } {
  invariant(count > 0, `a frame of '${schema.name}' needs at least one record`);
  let minTime = Number.POSITIVE_INFINITY;
  let maxTime = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const time = times[i] as number;
    if (!(time >= -TIME_MAX_MS && time <= TIME_MAX_MS)) {
      throw new MillraceError(
        'MR_RECORD_INVALID',
        `Event time ${time} of record ${i} of '${schema.name}' is not epoch ms within ±8.64e15.`,
      );
    }
    if (time < minTime) minTime = time;
    if (time > maxTime) maxTime = time;
  }
  return { minTime, maxTime };
}
