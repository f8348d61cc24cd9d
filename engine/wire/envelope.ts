import { crc32 } from '../base/crc32.ts';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { isTime } from './field-check.ts';
import { align8, corrupt } from './frame-layout.ts';
import type { SchemaId } from './schema.ts';

/**
 * What leads every stored frame. Little endian; producer-relative numbers are f64 that hold safe integers, because
 * scripts inside Redis count in doubles too.
 *
 *      0  u8[4]  'MRF1'
 *      4  u32    frame CRC: CRC-32 of bytes 8 … headerBytes−1. It covers the payload through the payload's CRC, so that
 *                one number stands for the whole frame and the envelope can be checked without its payload
 *      8  u16    version: 1, or 2 where CRCs of the columns lead the payload (column-crcs.ts), which is not compressed then
 *     10  u16    compression: 0 none, 1 zstd (2 is reserved for lz4)
 *     12  u32    headerBytes: where the payload starts, a multiple of 8
 *     16  u32    records, 1 … LIMITS.frameRecordsMax
 *     20  u32    bodyBytes, uncompressed, a multiple of 8, at most LIMITS.frameBodyBytesMax
 *     24  u32    storedBytes of the payload; the frame ends with it
 *     28  u32    CRC-32 of the payload as stored; in version 2 of its head
 *     32  f64    minTime, epoch ms, of the event-time column
 *     40  f64    maxTime
 *     48  f64    the producer's own watermark, epoch ms, or NaN
 *     56  u8[8]  schema id
 *     64  f64    epoch of the producer, ≥ 0
 *     72  f64    prev: last sequence of the frame before, 0 for the first frame
 *     80  f64    first sequence, > prev
 *     88  f64    last sequence, first + records − 1
 *     96  u16    bytes of the producer's name, 1 … 128
 *     98  u16    0
 *    100  u8[]   the producer's name, UTF-8, then zeros up to headerBytes
 */
export const FRAME_CRC_AT = 4;
export const FRAME_RECORDS_AT = 16;
export const FRAME_EPOCH_AT = 64;
export const FRAME_PREV_AT = 72;
export const FRAME_FIRST_AT = 80;
export const FRAME_LAST_AT = 88;
export const FRAME_PRODUCER_BYTES_AT = 96;
export const FRAME_PRODUCER_AT = 100;
/** Length of a producer's name in UTF-8 at most. */
const PRODUCER_BYTES_MAX = 128;

/** What a producer says of a frame; the rest of the envelope follows from the batch. */
export interface FrameHeader {
  /** 1 … 128 bytes of UTF-8. */
  readonly producer: string;
  /** Rises with every restart of the producer that may overlap an older self; older epochs are fenced off. */
  readonly epoch: number;
  /** Last sequence of the frame before; 0 for the first. Sequences count records per producer and partition, from 1. */
  readonly prev: number;
  /** Sequence of the frame's first record: prev + 1, or higher where the producer dropped records on purpose. */
  readonly first: number;
  /** No record with an earlier time will follow from this producer, epoch ms. Default: NaN, says nothing. */
  readonly watermark?: number;
  /** Default `none`; `zstd` (level 1) is used where it saves at least an eighth. */
  readonly compression?: 'none' | 'zstd';
}

/** Everything a frame says without its records. */
export interface Envelope extends Required<FrameHeader> {
  readonly records: number;
  /** first + records − 1 */
  readonly last: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly schemaId: SchemaId;
  /** CRC-32 that stands for the whole frame. */
  readonly frameCrc: number;
  readonly headerBytes: number;
  readonly bodyBytes: number;
  readonly storedBytes: number;
  /** What leads the payload before the body; 0 in version 1. */
  readonly columnCrcBytes: number;
  readonly payloadCrc: number;
}

/** Bytes that the envelope of a producer takes. @throws MR_CONFIG_INVALID for a name that cannot be one */
export function envelopeBytes(producer: string): number {
  const bytes = Buffer.byteLength(producer);
  if (bytes < 1 || bytes > PRODUCER_BYTES_MAX || !producer.isWellFormed()) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `A producer's name must have 1 to ${PRODUCER_BYTES_MAX} bytes of UTF-8, got '${producer.slice(0, 80)}'.`,
    );
  }
  return align8(FRAME_PRODUCER_AT + bytes);
}

/** Writes the envelope to the start of `frame` and signs it. */
export function writeEnvelope(frame: Uint8Array, envelope: Omit<Envelope, 'frameCrc'>): void {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, envelope.headerBytes).fill(0);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt16LE(envelope.columnCrcBytes === 0 ? 1 : 2, 8);
  bytes.writeUInt16LE(COMPRESSIONS.indexOf(envelope.compression), 10);
  bytes.writeUInt32LE(envelope.headerBytes, 12);
  bytes.writeUInt32LE(envelope.records, FRAME_RECORDS_AT);
  bytes.writeUInt32LE(envelope.bodyBytes, 20);
  bytes.writeUInt32LE(envelope.storedBytes, 24);
  bytes.writeUInt32LE(envelope.payloadCrc, 28);
  bytes.writeDoubleLE(envelope.minTime, 32);
  bytes.writeDoubleLE(envelope.maxTime, 40);
  bytes.writeDoubleLE(envelope.watermark, 48);
  bytes.write(envelope.schemaId, 56, 'hex');
  bytes.writeDoubleLE(envelope.epoch, FRAME_EPOCH_AT);
  bytes.writeDoubleLE(envelope.prev, FRAME_PREV_AT);
  bytes.writeDoubleLE(envelope.first, FRAME_FIRST_AT);
  bytes.writeDoubleLE(envelope.last, FRAME_LAST_AT);
  bytes.writeUInt16LE(bytes.write(envelope.producer, FRAME_PRODUCER_AT), FRAME_PRODUCER_BYTES_AT);
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), FRAME_CRC_AT);
}

/**
 * Reads and checks a frame's envelope; of the payload only its length is looked at. Allocates nothing but the result.
 * @param frame one whole frame and nothing else
 * @throws MR_FRAME_TRUNCATED, MR_FRAME_CORRUPT, MR_FRAME_VERSION, MR_FRAME_TOO_LARGE
 */
export function readEnvelope(frame: Uint8Array): Envelope {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  const headerBytes = checkSigned(bytes);
  const bodyBytes = bytes.readUInt32LE(20);
  const storedBytes = bytes.readUInt32LE(24);
  const envelope: Envelope = {
    producer: bytes.toString(
      'utf8',
      FRAME_PRODUCER_AT,
      FRAME_PRODUCER_AT + bytes.readUInt16LE(FRAME_PRODUCER_BYTES_AT),
    ),
    epoch: bytes.readDoubleLE(FRAME_EPOCH_AT),
    prev: bytes.readDoubleLE(FRAME_PREV_AT),
    first: bytes.readDoubleLE(FRAME_FIRST_AT),
    last: bytes.readDoubleLE(FRAME_LAST_AT),
    watermark: bytes.readDoubleLE(48),
    compression: COMPRESSIONS[bytes.readUInt16LE(10)] ?? 'none',
    records: bytes.readUInt32LE(FRAME_RECORDS_AT),
    minTime: bytes.readDoubleLE(32),
    maxTime: bytes.readDoubleLE(40),
    schemaId: bytes.toString('hex', 56, 64) as SchemaId,
    frameCrc: bytes.readUInt32LE(FRAME_CRC_AT),
    headerBytes,
    bodyBytes,
    storedBytes,
    columnCrcBytes: bytes.readUInt16LE(8) === 1 ? 0 : storedBytes - bodyBytes,
    payloadCrc: bytes.readUInt32LE(28),
  };
  checkEnvelope(envelope, bytes);
  return envelope;
}

/** Why the producer's part of an envelope cannot be, or null. */
export function sequenceRefusal({
  epoch,
  prev,
  first,
  last,
}: Pick<Envelope, 'epoch' | 'prev' | 'first' | 'last'>): string | null {
  if (!Number.isSafeInteger(epoch) || epoch < 0) return `epoch ${epoch} is not a whole number ≥ 0`;
  if (!Number.isSafeInteger(prev) || prev < 0) return `prev ${prev} is not a whole number ≥ 0`;
  if (!Number.isSafeInteger(first) || first <= prev) return `first ${first} does not come after prev ${prev}`;
  return Number.isSafeInteger(last) ? null : `last ${last} is beyond 2^53`;
}

const MAGIC = 0x3146524d;
const VERSION_MAX = 2;
const COMPRESSIONS: readonly Envelope['compression'][] = ['none', 'zstd'];

/** Magic, version, length and CRC of the envelope; returns its length. */
function checkSigned(bytes: Buffer): number {
  if (bytes.length < FRAME_PRODUCER_AT) throw truncated(bytes.length, FRAME_PRODUCER_AT);
  if (bytes.readUInt32LE(0) !== MAGIC) throw corrupt("it does not start with 'MRF1'");
  const version = bytes.readUInt16LE(8);
  if (version < 1 || version > VERSION_MAX) {
    throw new MillraceError(
      'MR_FRAME_VERSION',
      `Frame has version ${version}, this release reads 1 to ${VERSION_MAX}. Upgrade the reader.`,
      {
        details: { version },
      },
    );
  }
  const producerBytes = bytes.readUInt16LE(FRAME_PRODUCER_BYTES_AT);
  const headerBytes = bytes.readUInt32LE(12);
  if (
    producerBytes < 1 ||
    producerBytes > PRODUCER_BYTES_MAX ||
    headerBytes !== align8(FRAME_PRODUCER_AT + producerBytes)
  ) {
    throw corrupt('the length of its envelope makes no sense');
  }
  if (bytes.length < headerBytes) throw truncated(bytes.length, headerBytes);
  if (crc32(bytes.subarray(8, headerBytes)) !== bytes.readUInt32LE(FRAME_CRC_AT))
    throw corrupt('the CRC of its envelope does not match');
  return headerBytes;
}

function checkEnvelope(envelope: Envelope, bytes: Buffer): void {
  const { records, bodyBytes, storedBytes, columnCrcBytes, headerBytes, producer } = envelope;
  if (records > LIMITS.frameRecordsMax || bodyBytes > LIMITS.frameBodyBytesMax) {
    throw new MillraceError(
      'MR_FRAME_TOO_LARGE',
      `Frame claims ${records} records in ${bodyBytes} bytes, at most ${LIMITS.frameRecordsMax} in ${LIMITS.frameBodyBytesMax} are allowed.`,
      { details: { records, bodyBytes } },
    );
  }
  if (bytes.length < headerBytes + storedBytes) throw truncated(bytes.length, headerBytes + storedBytes);
  if (bytes.length > headerBytes + storedBytes)
    throw corrupt(`${bytes.length - headerBytes - storedBytes} bytes follow it`);
  const compression = bytes.readUInt16LE(10);
  const whole = compression === 0 ? storedBytes === bodyBytes : storedBytes < bodyBytes;
  const fits = bytes.readUInt16LE(8) === 1 ? whole : compression === 0 && columnCrcBytes > 0;
  if (!fits || compression >= COMPRESSIONS.length) throw corrupt('its compression or lengths make no sense');
  if (records < 1 || (bodyBytes & 7) !== 0) throw corrupt('its counts make no sense');
  const { minTime, maxTime, watermark } = envelope;
  const timesFit = isTime(minTime) && isTime(maxTime) && minTime <= maxTime;
  if (!timesFit || !(Number.isNaN(watermark) || isTime(watermark))) throw corrupt('its times make no sense');
  const why = sequenceRefusal(envelope);
  if (why !== null) throw corrupt(why);
  if (envelope.last - envelope.first + 1 !== records) throw corrupt('its sequences do not count its records');
  const producerEnd = FRAME_PRODUCER_AT + bytes.readUInt16LE(FRAME_PRODUCER_BYTES_AT);
  const tail = bytes.subarray(producerEnd, headerBytes);
  if (bytes.readUInt16LE(98) !== 0 || tail.some((byte) => byte !== 0))
    throw corrupt('its envelope has unknown fields');
  if (Buffer.from(producer).compare(bytes, FRAME_PRODUCER_AT, producerEnd) !== 0)
    throw corrupt("its producer's name is not UTF-8");
}

function truncated(have: number, need: number): MillraceError {
  return new MillraceError(
    'MR_FRAME_TRUNCATED',
    `Frame is cut off: ${have} bytes of at least ${need}. Read it again from its source.`,
    {
      details: { have, need },
    },
  );
}
