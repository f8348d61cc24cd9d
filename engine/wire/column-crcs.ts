import { crc32 } from '../base/crc32.ts';
import { align8, BODY_HEADER_BYTES, COLUMN_ENTRY_BYTES, corrupt } from './frame-layout.ts';

/**
 * What leads the payload of a frame of version 2, so that a reader of three columns of twenty-one leaves the bytes of the others alone:
 *
 *     0  u32[columns]  CRC-32 of each section of the body and of the zeros after it, in their order
 *     …  zeros up to the next multiple of 8, then the body (frame-layout.ts)
 *
 * These CRCs, the body's header and its directory are the payload's head. The envelope has the head's CRC.
 */

/** Bytes per column, on average, below which a CRC for each saves too little for what the calls cost readers of all. */
const COLUMN_BYTES_MIN = 2048;

/** The CRCs of a body's columns as they are stored, or null where they would not pay. */
export function columnCrcsOf(body: Uint8Array, columns: number): Uint8Array | null {
  if (body.length < columns * COLUMN_BYTES_MIN) return null;
  const stored = new Uint8Array(align8(columns * 4));
  const crcs = new DataView(stored.buffer);
  eachSection(body, columns, (c, start, end) => crcs.setUint32(c * 4, sectionCrc(body, start, end), true));
  return stored;
}

/** Bytes of a payload's head. @throws MR_FRAME_CORRUPT when it has none */
export function payloadHeadBytes(payload: Uint8Array, crcBytes: number): number {
  const body = payload.subarray(crcBytes);
  const columns = body.length < BODY_HEADER_BYTES ? 0 : columnsOf(body);
  const bytes = crcBytes + BODY_HEADER_BYTES + columns * COLUMN_ENTRY_BYTES;
  if (align8(columns * 4) !== crcBytes || bytes > payload.length)
    throw corrupt('it does not have a CRC for each column');
  return bytes;
}

/** Checks every column of a payload whose head is right. @throws MR_FRAME_CORRUPT */
export function checkColumns(payload: Uint8Array, crcBytes: number): void {
  const crcs = new DataView(payload.buffer, payload.byteOffset, crcBytes);
  const body = payload.subarray(crcBytes);
  eachSection(body, columnsOf(body), (c, start, end) => {
    if (sectionCrc(body, start, end) !== crcs.getUint32(c * 4, true))
      throw corrupt(`the CRC of column ${c} does not match`);
  });
}

/** @param end the section's, where the zeros after it begin */
export function sectionCrc({ buffer, byteOffset }: Uint8Array, start: number, end: number): number {
  return end === start ? 0 : crc32(new Uint8Array(buffer, byteOffset + start, align8(end) - start));
}

function columnsOf(body: Uint8Array): number {
  return new DataView(body.buffer, body.byteOffset, BODY_HEADER_BYTES).getUint32(0, true);
}

function eachSection(
  body: Uint8Array,
  columns: number,
  visit: (c: number, start: number, end: number) => void,
): void {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  let at = BODY_HEADER_BYTES + columns * COLUMN_ENTRY_BYTES;
  for (let c = 0; c < columns; c++) {
    const end = at + view.getUint32(BODY_HEADER_BYTES + c * COLUMN_ENTRY_BYTES + 8, true);
    if (align8(end) > body.length) throw corrupt(`column ${c} ends beyond the body`);
    visit(c, at, end);
    at = align8(end);
  }
  if (at !== body.length) throw corrupt(`${body.length - at} bytes follow the last column`);
}
