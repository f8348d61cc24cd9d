import { crc32 } from 'node:zlib';
import { FRAME_CRC_AT } from '../../engine/wire/envelope.ts';

/** The frame with both CRCs made right again, as someone hostile would: what is refused then, the decoder itself refused. */
export function resigned(frame: Uint8Array): Uint8Array {
  const bytes = Buffer.from(frame);
  if (bytes.length < 32) return bytes;
  const headerBytes = Math.min(bytes.readUInt32LE(12), bytes.length);
  bytes.writeUInt32LE(crc32(bytes.subarray(headerBytes)), 28);
  bytes.writeUInt32LE(crc32(bytes.subarray(8, Math.max(8, headerBytes))), FRAME_CRC_AT);
  return bytes;
}
