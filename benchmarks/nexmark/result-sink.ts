import { createHash } from 'node:crypto';
import type { Sink, SinkInput } from '#engine';
import { fmix32, LIMITS } from '#wire';
import { LatestHashes } from './latest-hashes.ts';

export type Value = number | string;

/** What the result rows of a query look like to whoever compares them. */
export interface ResultForm<Row> {
  /** A row's values, in the order agreed. Numbers are not negative. */
  readonly values: (row: Row) => readonly Value[];
  /** The same as number fields without nulls, for rows that come as columns. */
  readonly columns?: readonly string[];
  /** Of rows with the same key, a number from 0, only the last one counts. */
  readonly key?: (row: Row) => number;
  /** Index of the value that has six decimals in lines even where it is whole. */
  readonly decimal?: number;
}

const TWO_32 = 2 ** 32;
const EVERY_ROW = Uint16Array.from({ length: LIMITS.frameRecordsMax }, (_, i) => i);
const DECIMALS = 6;

/**
 * An exactly-once sink in memory that sums up what it is given: rows and a checksum that does not depend on their order.
 * A row's hash starts at 0 and takes in its values one after another. A number v is n = round(1000 v), of which first the low and then
 * the high 32 bits go in: h = fmix32(h ^ low), h = fmix32(h + high). Of a string goes in its length in UTF-16 units: h = fmix32(h ^ length).
 * The checksum is the sum of all rows' hashes modulo 2³².
 */
export class ResultSink<Row> implements Sink<Row, 'exactly-once'> {
  readonly kind = 'nexmark-result';
  readonly guarantee = 'exactly-once';
  readonly target = 'memory';
  readonly #form: ResultForm<Row>;
  readonly #keepsLines: boolean;
  readonly #lines: string[] = [];
  /** Of each key, where only its last row counts. */
  readonly #latest = new LatestHashes();
  /** The same, when lines are kept. */
  readonly #latestRows = new Map<number, Row>();
  #rows = 0;
  #sum = 0;

  constructor(form: ResultForm<Row>, keepsLines = false) {
    this.#form = form;
    this.#keepsLines = keepsLines;
  }

  async openWriter() {
    return {
      write: (input: SinkInput<Row>) => this.#write(input),
      prepareCommit: async () => null,
      close: async () => {},
    };
  }

  /** What has come, once all has. */
  summary(): { readonly rows: number; readonly checksum: number } {
    const { size, sum } = this.#latest;
    return { rows: this.#rows + size, checksum: (this.#sum + sum) >>> 0 };
  }

  /** One canonical line per row, sorted bytewise. */
  lines(): readonly string[] {
    const latest = [...this.#latestRows.values()].map((row) => this.#line(this.#form.values(row)));
    // All are ASCII, where code units, which this compares, and bytes have one order.
    return [...this.#lines, ...latest].sort();
  }

  #write(input: SinkInput<Row>): void {
    const { values, key } = this.#form;
    if (input.kind === 'columns') return this.#writeColumns(input);
    if (key === undefined) for (const row of input.rows) this.#add(values(row));
    else for (const row of input.rows) this.#replace(key(row), row);
  }

  #writeColumns({ batch, selection }: Extract<SinkInput<Row>, { kind: 'columns' }>): void {
    const { columns: names = [] } = this.#form;
    const columns = names.map((name) => {
      const column = batch.column(batch.schema.fields.findIndex((field) => field.name === name));
      if (column.kind !== 'f64' && column.kind !== 'i32') throw new Error(`no numbers in column '${name}'`);
      return column.values;
    });
    const rows = selection ?? EVERY_ROW.subarray(0, batch.count);
    const hashes = new Int32Array(rows.length);
    for (const values of columns) {
      // Two calls: each is compiled for one kind of array.
      if (values instanceof Int32Array) hashInts(hashes, values, rows);
      else hashNumbers(hashes, values, rows);
    }
    for (const hash of hashes) this.#sum = (this.#sum + hash) | 0;
    this.#rows += rows.length;
    if (this.#keepsLines)
      for (const i of rows) this.#lines.push(this.#line(columns.map((values) => values[i] as number)));
  }

  #add(values: readonly Value[]): void {
    this.#rows++;
    this.#sum = (this.#sum + rowHash(values)) | 0;
    if (this.#keepsLines) this.#lines.push(this.#line(values));
  }

  #replace(key: number, row: Row): void {
    this.#latest.set(key, rowHash(this.#form.values(row)));
    if (this.#keepsLines) this.#latestRows.set(key, row);
  }

  #line(values: readonly Value[]): string {
    return canonicalLine(values, this.#form.decimal);
  }
}

export function rowHash(values: readonly Value[]): number {
  let hash = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as Value;
    hash = typeof value === 'number' ? withNumber(hash, value) : fmix32(hash ^ value.length);
  }
  return hash;
}

/** Values with commas between them; numbers that are not whole, and the one at `decimal`, with six decimals. */
export function canonicalLine(values: readonly Value[], decimal?: number): string {
  return values
    .map((value, i) =>
      typeof value === 'string' || (i !== decimal && Number.isInteger(value))
        ? String(value)
        : value.toFixed(DECIMALS),
    )
    .join(',');
}

/** SHA-256 of sorted lines, each with its line end. */
export function linesDigest(lines: readonly string[]): string {
  return createHash('sha256').update(fileText(lines)).digest('hex');
}

/** A file of these lines. */
export function fileText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function hashInts(hashes: Int32Array, values: Int32Array, rows: Uint16Array): void {
  for (let k = 0; k < rows.length; k++)
    hashes[k] = withNumber(hashes[k] as number, values[rows[k] as number] as number);
}

function hashNumbers(hashes: Int32Array, values: Float64Array, rows: Uint16Array): void {
  for (let k = 0; k < rows.length; k++)
    hashes[k] = withNumber(hashes[k] as number, values[rows[k] as number] as number);
}

function withNumber(hash: number, value: number): number {
  const scaled = Math.round(value * 1000);
  // Bit operations take the low 32 bits.
  return fmix32((fmix32(hash ^ scaled) + Math.floor(scaled / TWO_32)) | 0);
}
