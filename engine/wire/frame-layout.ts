import { endianness } from 'node:os';
import { invariant, MillraceError } from '../base/errors.ts';
import type { FieldType } from './schema.ts';

/**
 * The body of a frame, as drawn here and nowhere else. All numbers are little endian; every section starts at a multiple
 * of 8 and is followed by zeros up to the next.
 *
 *     0  u32  columns
 *     4  u32  records
 *     8  columns × 24 bytes, in schema order:
 *          0  u16  field id
 *          2  u8   type        TYPE_CODES
 *          3  u8   encoding    ENCODING
 *          4  u8   1 when a null bitmap leads the section, else 0
 *          5  u8   decimal exponent k, 0 … 9; else 0
 *          6  u16  0
 *          8  u32  bytes of the section
 *         12  u32  entries of the string dictionary; else 0
 *         16  f64  base of offset and short, value of const (i64 for i64 columns); else 0
 *     …  one section per column, in the same order:
 *          null bitmap, (records + 7) >>> 3 bytes and zeros to the next multiple of 8, when flagged; then by type
 *            f64, time   plain f64[records] | decimal i32[records], v = i / 10^k | offset i32[records], v = base + i
 *                        | short u16[records], v = (base + i) / 10^k | const nothing
 *            f32, i32, i64, bool   plain f32[], i32[], i64[], u8[] (0 or 1) | const nothing
 *            string      u32[entries] lengths, then each entry's UTF-8 padded with zeros to 4 bytes,
 *                        then plain u16[records] codes | firstUse u16[records], 0 for the next entry, which is used here first, else
 *                        code + 1 | const nothing, all codes are 0
 *            bytes, obj  u32[records] lengths, then the cells without gaps; obj cells are msgpack
 *
 * A null's place holds zero (bits, code, length). There is one way to write a section's size and place, so sections cannot
 * overlap or leave room between them.
 */
export const BODY_HEADER_BYTES = 8;
export const COLUMN_ENTRY_BYTES = 24;

export const TYPE_CODES: Readonly<Record<FieldType, number>> = {
  f64: 1,
  f32: 2,
  time: 3,
  i32: 4,
  i64: 5,
  bool: 6,
  string: 7,
  bytes: 8,
  obj: 9,
};

export const ENCODING = { plain: 0, const: 1, decimal: 2, offset: 3, short: 4, firstUse: 5 } as const;

/** 10^k, exact. */
export const POWERS_OF_TEN: readonly number[] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/** `n` rounded up to a multiple of 8; right for every safe integer, because hostile sizes come this way. */
export function align8(n: number): number {
  return n + (-n & 7);
}

export function corrupt(what: string): MillraceError {
  return new MillraceError(
    'MR_FRAME_CORRUPT',
    `Frame is corrupt: ${what}. Read it again from its source; if it stays so, drop it.`,
  );
}

invariant(endianness() === 'LE', 'frames are read in place, which needs a little-endian machine');
