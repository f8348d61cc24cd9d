import { crc32 } from 'node:zlib';
import { FRAME_CRC_AT } from '../../engine/wire/envelope.ts';

/** The frame with all CRCs made right again, as someone hostile would: what is refused then, the decoder itself refused. */
export function resigned(frame: Uint8Array): Uint8Array {
  const bytes = Buffer.from(frame);
  if (bytes.length < 32) return bytes;
  const headerBytes = Math.min(bytes.readUInt32LE(12), bytes.length);
  const payload = bytes.subarray(headerBytes);
  const head = bytes.readUInt16LE(8) === 2 ? signedHead(payload, bytes.readUInt32LE(20)) : payload;
  bytes.writeUInt32LE(crc32(head), 28);
  bytes.writeUInt32LE(crc32(bytes.subarray(8, Math.max(8, headerBytes))), FRAME_CRC_AT);
  return bytes;
}

/** A plainly stored frame with a CRC per column, however small they are. */
export function withColumnCrcs(frame: Uint8Array): Uint8Array {
  const headerBytes = Buffer.from(frame).readUInt32LE(12);
  const columns = Buffer.from(frame).readUInt32LE(headerBytes);
  const crcs = Buffer.alloc((columns * 4 + 7) & ~7);
  const bytes = Buffer.concat([frame.subarray(0, headerBytes), crcs, frame.subarray(headerBytes)]);
  bytes.writeUInt16LE(2, 8);
  bytes.writeUInt32LE(bytes.length - headerBytes, 24);
  return new Uint8Array(resigned(bytes));
}

/** Where the body of a plainly stored frame starts. */
export function bodyAt(frame: Uint8Array): number {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  return frame.length - bytes.readUInt32LE(20);
}

/** The payload up to its first section, with the CRCs of its columns, as far as it claims to have some. */
function signedHead(payload: Buffer, bodyBytes: number): Buffer {
  const bodyStart = Math.max(0, payload.length - bodyBytes);
  const body = payload.subarray(bodyStart);
  if (body.length < 8) return payload;
  const headEnd = 8 + body.readUInt32LE(0) * 24;
  let at = headEnd;
  for (let c = 0; 4 * c + 4 <= bodyStart && 8 + 24 * c + 24 <= body.length; c++) {
    const next = at + Math.ceil(body.readUInt32LE(8 + 24 * c + 8) / 8) * 8;
    payload.writeUInt32LE(crc32(body.subarray(at, next)), 4 * c);
    at = next;
  }
  return payload.subarray(0, bodyStart + headEnd);
}
