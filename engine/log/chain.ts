import { hash } from 'node:crypto';

/** The digest after a frame: first 16 hex digits of SHA-1 over the digest before it and the frame's CRC; see `Position`. */
export function nextChain(chain: string, crc: number): string {
  return hash('sha1', chain + crcHex(crc), 'hex').slice(0, 16);
}

/** A CRC-32 as 8 hex digits. */
export function crcHex(crc: number): string {
  return (crc >>> 0).toString(16).padStart(8, '0');
}
