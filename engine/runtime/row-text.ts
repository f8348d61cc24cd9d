import type { FieldType, Schema } from '../wire/schema.ts';
import { TextCache } from '../state/text-cache.ts';
import { closedResult, type ClosedText, type Holds, type ReadableRow } from './closed-function.ts';
import { fieldsRead } from './fields-read.ts';
import type { RowFunction } from './function-node.ts';
import type { LoopWriter } from './loop-writer.ts';
import { rowAt } from './record-at.ts';

/** How generated text reaches the current record. */
export interface RowText extends ReadableRow {
  /** Expression of its time, epoch ms. */
  readonly time: string;
  /** Name of a local that holds the whole row; made on first call. */
  readonly object: () => string;
  /** It is there already. */
  readonly isMade: () => boolean;
  /** Expression that makes the row from the input's, for what is rare; null where that could be told from making it once. */
  readonly again: () => string | null;
  /** Expression of one field, and of its being null (null = it never is). */
  readonly field: (name: string) => FieldText;
  /** Direct access to string columns; null when the row is an object. */
  readonly columns: ColumnsText | null;
  /** The record is the input's own, unchanged: its index in the columns stands for it. */
  readonly isInput: boolean;
  /** Names of its fields where they are known before it runs. */
  readonly fields: readonly string[] | null;
}

export interface FieldText {
  readonly value: string;
  readonly isNull: string | null;
}

export interface ColumnsText {
  /** Names of a string column's codes and dictionary (no text is made), or null when it is no string column. */
  readonly strings: (field: string) => StringsText | null;
  /** Expression of the current record's index in the columns. */
  readonly index: string;
}

export interface StringsText {
  readonly codes: string;
  readonly dictionary: string;
  /** Expression of the current record's being null (null = it never is). */
  readonly isNull: string | null;
}

/** What a function gives for the current record: its own expression where it is closed (CF1), else a call of it. */
export function resultOf(writer: LoopWriter, row: RowText, prefix: string, run: RowFunction): ClosedText {
  const call = () => `${writer.bind(prefix, run)}(${argumentText(row, run)})`;
  return closedResult(run, row) ?? { text: call, holds: 'any', mayThrow: true, field: null };
}

/** Expression of the current record for a function of it: while it is columns, with the fields alone that the function reads (FR1). */
export function argumentText(row: RowText, run: RowFunction): string {
  const { columns, fields } = row;
  const read = columns === null || fields === null || row.isMade() ? null : fieldsRead(run);
  if (read === null || fields === null || ![...read].every((name) => fields.includes(name)))
    return row.object();
  return objectOf([...read], row.cell);
}

/** The current record as an element of a rows batch. */
export function objectRow(writer: LoopWriter): RowText {
  writer.setup('const { rows, times } = records;');
  writer.setup('const n = rows.length;');
  let local: string | null = null;
  const object = () => {
    if (local === null) {
      local = writer.local('row');
      writer.line(`const ${local} = rows[k];`);
    }
    return local;
  };
  return { ...ofObject(object), time: 'times[k]', again: () => 'rows[k]', isInput: true };
}

/** The current record as a position in columns. */
export function columnRow(writer: LoopWriter, schema: Schema): RowText {
  writer.setup('const { batch, selection } = records;');
  writer.setup('const n = selection === null ? batch.count : selection.length;');
  writer.setup('const times = batch.times;');
  writer.line('const i = selection === null ? k : selection[k];');
  let local: string | null = null;
  const fields = schema.fields.map(({ name }) => name);
  const typeOf = (name: string) => schema.fields[fields.indexOf(name)]?.type;
  const field = (name: string) => {
    const j = fields.indexOf(name);
    const it = schema.fields[j];
    return it === undefined ? NO_FIELD : columnField(writer, j, it.type, it.nullable);
  };
  const cell = (name: string) => {
    const { value, isNull } = field(name);
    return isNull === null || typeOf(name) === undefined ? value : `(${isNull} ? null : ${value})`;
  };
  return {
    time: 'times[i]',
    isMade: () => local !== null,
    object: () => {
      if (local === null) {
        local = writer.local('row');
        writer.line(`const ${local} = ${objectOf(fields, cell)};`);
      }
      return local;
    },
    again: () => `${writer.bind('rowAt', rowAt)}(records, k)`,
    field,
    cell,
    holds: (name) => HOLDS[typeOf(name) ?? 'none'],
    columns: {
      index: 'i',
      strings: (name) => {
        const j = fields.indexOf(name);
        const it = schema.fields[j];
        if (it?.type !== 'string') return null;
        writer.setup(`const codes${j} = batch.column(${j}).codes;`);
        writer.setup(`const dictionary${j} = batch.column(${j}).dictionary;`);
        return { codes: `codes${j}`, dictionary: `dictionary${j}`, isNull: nullText(writer, j, it.nullable) };
      },
    },
    isInput: true,
    fields,
  };
}

/** A row that is a plain object in a local. */
export function objectText(name: string, time: string): RowText {
  return { ...ofObject(() => name), time, again: () => name, isInput: false };
}

function ofObject(object: () => string): Omit<RowText, 'time' | 'again' | 'isInput'> {
  const cell = (name: string) => `${object()}[${JSON.stringify(name)}]`;
  return {
    object,
    isMade: () => true,
    field: (name) => ({ value: cell(name), isNull: `${cell(name)} == null` }),
    cell,
    holds: () => null,
    columns: null,
    fields: null,
  };
}

/** Text of a new object with some fields of a row. */
export function objectOf(names: readonly string[], cell: (name: string) => string): string {
  return `{ ${names.map((name) => `${JSON.stringify(name)}: ${cell(name)}`).join(', ')} }`;
}

export const NO_FIELD: FieldText = { value: 'undefined', isNull: 'true' };

const HOLDS: Readonly<Record<FieldType | 'none', Holds | null>> = {
  f64: 'number',
  f32: 'number',
  i32: 'number',
  time: 'number',
  bool: 'number',
  string: 'text',
  i64: 'any',
  bytes: 'any',
  obj: 'any',
  none: null,
};

function nullText(writer: LoopWriter, j: number, isNullable: boolean): string | null {
  if (!isNullable) return null;
  writer.setup(`const nulls${j} = batch.column(${j}).nulls;`);
  return `(nulls${j} !== null && (nulls${j}[i >>> 3] >>> (i & 7) & 1) === 1)`;
}

function columnField(writer: LoopWriter, j: number, type: FieldType, isNullable: boolean): FieldText {
  const isNull = nullText(writer, j, isNullable);
  if (type === 'string') {
    writer.setup(`const codes${j} = batch.column(${j}).codes;`);
    const cache = writer.once(`texts${j}`, () => new TextCache());
    writer.setup(`const dictionary${j} = batch.column(${j}).dictionary;`);
    writer.setup(`const texts${j} = dictionary${j}.known;`);
    return {
      value: `(texts${j}[codes${j}[i]] ?? ${cache}.text(dictionary${j}, codes${j}[i]))`,
      isNull,
    };
  }
  writer.setup(`const values${j} = batch.column(${j}).values;`);
  return { value: type === 'bool' ? `(values${j}[i] === 1)` : `values${j}[i]`, isNull };
}
