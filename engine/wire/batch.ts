import { invariant } from '../base/errors.ts';
import type { Schema } from './schema.ts';
import type { StringDictionary } from './string-dictionary.ts';

/**
 * Columns of records in memory: what a frame decodes to, what flows between operators, and what a frame is encoded
 * from. Immutable once built; shared freely between tasks of one thread.
 */
export interface Batch<Row = unknown> {
  readonly schema: Schema<Row>;
  /** Records, 1 … LIMITS.frameRecordsMax. */
  readonly count: number;
  /**
   * The column of the schema's `c`-th field, with at least `count` values.
   * @throws MR_FRAME_CORRUPT where it is only now decoded ({@link ColumnsInUse}) and makes no sense
   */
  readonly column: (c: number) => Column;
  /** Values of the event-time column, epoch ms. */
  readonly times: Float64Array;
}

/**
 * One column. `nulls` is a bitmap (bit i of byte i>>>3 set = record i is null), or null where nothing is null;
 * a null's place in `values` / `codes` holds zero. Always these array kinds, so that generated loops stay monomorphic.
 */
export type Column =
  | { readonly kind: 'f64'; readonly values: Float64Array; readonly nulls: Uint8Array | null } // f64, f32 and time
  | { readonly kind: 'i32'; readonly values: Int32Array; readonly nulls: Uint8Array | null }
  | { readonly kind: 'i64'; readonly values: BigInt64Array; readonly nulls: Uint8Array | null }
  | { readonly kind: 'bool'; readonly values: Uint8Array; readonly nulls: Uint8Array | null } // one byte each, 0 or 1
  | {
      readonly kind: 'string';
      /** Index into `dictionary` per record. */
      readonly codes: Uint16Array;
      readonly dictionary: StringDictionary;
      readonly nulls: Uint8Array | null;
    }
  | { readonly kind: 'cells'; readonly values: readonly unknown[]; readonly nulls: Uint8Array | null }; // bytes and obj

/** A batch of columns that are there: one per schema field, in schema order. */
export function batchOfColumns<Row>(
  schema: Schema<Row>,
  count: number,
  columns: readonly Column[],
): Batch<Row> {
  const time = columns[schema.timeIndex];
  invariant(time?.kind === 'f64', `the event time of '${schema.name}' is an f64 column`);
  return { schema, count, column: (c) => columns[c] as Column, times: time.values };
}

/** True when record `i` of a column is null. */
export function isNullAt(nulls: Uint8Array | null, i: number): boolean {
  return nulls !== null && (((nulls[i >>> 3] as number) >>> (i & 7)) & 1) === 1;
}
