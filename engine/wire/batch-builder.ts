import { invariant, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { type Batch, batchOfColumns } from './batch.ts';
import { type GenerationOptions, generate } from './code-generation.ts';
import { type ColumnStore, columnStore } from './column-store.ts';
import { recordInvalid, refusal, TIME_MAX_MS } from './field-check.ts';
import type { NamedField, Schema } from './schema.ts';

/**
 * Rows → columns. Every value is checked against its field before anything is kept, so a refused row leaves no trace.
 * `undefined` counts as null. The appending loop is generated per schema, and interpreted where that is forbidden.
 */
export class BatchBuilder<Row> {
  readonly schema: Schema<Row>;
  readonly #stores: readonly ColumnStore[];
  readonly #append: AppendRow;
  readonly #bytesPerRecord: number;
  #count = 0;
  #capacity = 0;
  #capacityNext = 16;

  constructor(schema: Schema<Row>, options: GenerationOptions = {}) {
    this.schema = schema;
    this.#stores = schema.fields.map(columnStore);
    this.#bytesPerRecord = this.#stores.reduce((sum, store) => sum + store.bytesPerRecord, 0);
    const generated = options.codeGeneration === 'never' ? null : generateAppend(schema, this.#stores);
    this.#append = generated ?? interpretedAppend(schema, this.#stores);
  }

  /**
   * The columns, in schema order, for readers of other formats that write values themselves: checked, all of a record, at {@link next},
   * then {@link added}. What lies at `next()` without `added()` does not count, except that a null there stays.
   */
  get stores(): readonly ColumnStore[] {
    return this.#stores;
  }

  /** Records appended since the last {@link finish}. */
  get count(): number {
    return this.#count;
  }

  /** About the bytes of the body to come, uncompressed and before decimals shrink it; rather too many than too few. */
  get bytes(): number {
    let bytes = 8 + this.#count * this.#bytesPerRecord;
    for (const store of this.#stores)
      bytes += SECTION_OVERHEAD_BYTES + (this.#count >>> 3) + store.variableBytes;
    return bytes;
  }

  /**
   * Adds a row. `f64` takes any number, `f32` rounds to 32 bits, everything else must fit exactly.
   * @throws MR_RECORD_INVALID naming field and value; the builder is as before.
   * @throws MR_FRAME_TOO_LARGE when it holds LIMITS.frameRecordsMax records already; finish() first.
   */
  append(row: Row): void {
    const i = this.next();
    if (typeof row !== 'object' || row === null) {
      throw new MillraceError(
        'MR_RECORD_INVALID',
        `A row of schema '${this.schema.name}' must be an object, got ${typeof row}.`,
      );
    }
    this.#append(row as Readonly<Record<string, unknown>>, i);
    this.added();
  }

  /**
   * Index of the record to come, with room for it in every store.
   * @throws MR_FRAME_TOO_LARGE as {@link append} does
   */
  next(): number {
    if (this.#count === this.#capacity) this.#grow();
    return this.#count;
  }

  /** Counts the record that was written at {@link next}. */
  added(): void {
    this.#count++;
  }

  /** The batch of all rows since the last finish. The builder is empty again and keeps nothing of it. */
  finish(): Batch<Row> {
    invariant(this.#count > 0, `finish() needs at least one record of '${this.schema.name}'`);
    const count = this.#count;
    const columns = this.#stores.map((store) => store.finish(count));
    this.#count = 0;
    this.#capacity = 0;
    this.#capacityNext = Math.min(LIMITS.frameRecordsMax, Math.max(16, count));
    return batchOfColumns(this.schema, count, columns);
  }

  /** Doubles from the size of the last batch, so that steady traffic allocates its columns once per batch. */
  #grow(): void {
    if (this.#count >= LIMITS.frameRecordsMax) {
      throw new MillraceError(
        'MR_FRAME_TOO_LARGE',
        `A batch of '${this.schema.name}' is full at ${this.#count} records; finish it first.`,
      );
    }
    this.#capacity =
      this.#capacity === 0 ? this.#capacityNext : Math.min(LIMITS.frameRecordsMax, this.#capacity * 2);
    for (const store of this.#stores) store.grow(this.#capacity);
  }
}

/** Checks a whole row, then writes it at index `i`. */
type AppendRow = (row: Readonly<Record<string, unknown>>, i: number) => void;

/** Directory entry and alignment of one column. */
const SECTION_OVERHEAD_BYTES = 40;

function check(schema: Schema, field: NamedField, value: unknown): void {
  if (value === undefined || value === null) {
    if (!field.nullable) throw recordInvalid(schema, field, value, 'the field is not nullable');
    return;
  }
  const why = refusal(field.type, value);
  if (why !== null) throw recordInvalid(schema, field, value, why);
}

function interpretedAppend(schema: Schema, stores: readonly ColumnStore[]): AppendRow {
  const { fields } = schema;
  const values = new Array<unknown>(fields.length);
  return (row, i) => {
    for (let f = 0; f < fields.length; f++) {
      const field = fields[f] as NamedField;
      values[f] = row[field.name];
      check(schema, field, values[f]);
    }
    for (let f = 0; f < fields.length; f++) {
      const store = stores[f] as ColumnStore;
      const value = values[f];
      if (value === undefined || value === null) store.setNull(i);
      else store.set(i, value);
      values[f] = undefined;
    }
  };
}

/** Same as {@link interpretedAppend}: `pass` says in one expression when a value needs no further look. */
function generateAppend(schema: Schema, stores: readonly ColumnStore[]): AppendRow | null {
  const reads: string[] = [];
  const writes: string[] = [];
  for (const [f, field] of schema.fields.entries()) {
    reads.push(`const v${f} = row[${JSON.stringify(field.name)}];`);
    if (field.type === 'string') reads.push(`const e${f} = s${f}.dictionary.entries.get(v${f});`);
    reads.push(`if (!(${passExpression(field, f)})) check(schema, schema.fields[${f}], v${f});`);
    const write = writeStatement(field, f);
    writes.push(field.nullable ? `if (v${f} == null) s${f}.setNull(i); else ${write}` : write);
  }
  const parameters = { check, schema, ...Object.fromEntries(stores.map((store, f) => [`s${f}`, store])) };
  const body = `return function appendRow(row, i) {\n${[...reads, ...writes].join('\n')}\n};`;
  return generate(`batch-builder/${schema.name}`, parameters, body);
}

function passExpression(field: NamedField, f: number): string {
  switch (field.type) {
    case 'f64':
      return `typeof v${f} === 'number'`;
    case 'time':
      return `typeof v${f} === 'number' && v${f} >= ${-TIME_MAX_MS} && v${f} <= ${TIME_MAX_MS}`;
    case 'i32':
      return `typeof v${f} === 'number' && (v${f} | 0) === v${f}`;
    case 'bool':
      return `typeof v${f} === 'boolean'`;
    case 'string':
      return `e${f} !== undefined`;
    default:
      return 'false';
  }
}

function writeStatement(field: NamedField, f: number): string {
  switch (field.type) {
    case 'f64':
    case 'time':
    case 'i32':
    case 'i64':
      return `s${f}.values[i] = v${f};`;
    case 'f32':
      return `s${f}.values[i] = Math.fround(v${f});`;
    case 'bool':
      return `s${f}.values[i] = v${f} ? 1 : 0;`;
    case 'string':
      return `s${f}.values[i] = e${f} === undefined ? s${f}.dictionary.add(v${f}) : s${f}.dictionary.use(e${f});`;
    default:
      return `s${f}.set(i, v${f});`;
  }
}
