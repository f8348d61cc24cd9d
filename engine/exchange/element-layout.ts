/**
 * One element of one channel as bytes, as drawn here and nowhere else. All numbers are little endian.
 *
 *     0  u32  magic and version, `MRX1`
 *     4  u8   kind                 ELEMENT_KINDS
 *     5  u8   1 when a definition follows, else 0
 *     6  u16  columns: number of the schema; rows: number of the shape, 0 for any value; else 0
 *     8  u32  number of the element in its channel, modulo 2^32
 *    12  u32  columns, rows: records; else 0
 *    16  f64  watermark: its time; barrier: its checkpoint; else 0
 *    24  u32  bytes of the definition
 *    28  u32  0
 *    32  the definition, schemaText or shapeText as UTF-8, and zeros to the next multiple of 8
 *     …  columns: a body as in frame-layout.ts, its numbers plain; rows: a body as in row-body.ts
 *
 * Schemas and shapes are numbered per channel, from 0 and from 1, and defined where they are first used; a number that is defined again
 * stands for the new one from then on. Dictionaries of strings are those of the one element: whoever reads columns looks at every entry of
 * their dictionaries, so that one that grew with its channel would cost more with every batch.
 */
export const ELEMENT_MAGIC = 0x3158524d;
export const ELEMENT_HEADER_BYTES = 32;

export const ELEMENT_KINDS = { columns: 1, rows: 2, watermark: 3, idle: 4, barrier: 5, end: 6 } as const;

/** Schemas of one channel that have numbers at a time. */
export const SCHEMAS_MAX = 256;
/** Shapes of one channel; rows of any further one travel value by value. */
export const SHAPES_MAX = 64;
