import type { FieldType, Schema } from '../wire/schema.ts';
import { TextCache } from '../state/text-cache.ts';
import { fieldsRead, type RowFunction } from './fields-read.ts';
import type { LoopWriter } from './loop-writer.ts';

/** How generated text reaches the current record. */
export interface RowText {
  /** Expression of its time, epoch ms. */
  readonly time: string;
  /** Name of a local that holds the whole row; made on first call. */
  readonly object: () => string;
  /** It is there already. */
  readonly isMade: () => boolean;
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

/** Expression of the current record for a function of it: while it is columns, with the fields alone that the function reads (FR1). */
export function argumentText(row: RowText, run: RowFunction): string {
  const { columns, fields } = row;
  const read = columns === null || fields === null || row.isMade() ? null : fieldsRead(run);
  if (read === null || fields === null || ![...read].every((name) => fields.includes(name)))
    return row.object();
  const named = [...read].map((name) => {
    const { value, isNull } = row.field(name);
    return `${JSON.stringify(name)}: ${isNull === null ? value : `${isNull} ? null : ${value}`}`;
  });
  return `{ ${named.join(', ')} }`;
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
  return {
    time: 'times[k]',
    object,
    isMade: () => true,
    field: (name) => {
      const value = `${object()}[${JSON.stringify(name)}]`;
      return { value, isNull: `${value} == null` };
    },
    columns: null,
    isInput: true,
    fields: null,
  };
}

/** The current record as a position in columns. */
export function columnRow(writer: LoopWriter, schema: Schema): RowText {
  writer.setup('const { batch, selection } = records;');
  writer.setup('const n = selection === null ? batch.count : selection.length;');
  writer.setup('const times = batch.times;');
  writer.line('const i = selection === null ? k : selection[k];');
  let local: string | null = null;
  return {
    time: 'times[i]',
    isMade: () => local !== null,
    object: () => {
      if (local === null) {
        local = writer.local('row');
        const fields = schema.fields.map((field, j) => {
          const { value, isNull } = columnField(writer, j, field.type, field.nullable);
          return `${JSON.stringify(field.name)}: ${isNull === null ? value : `${isNull} ? null : ${value}`}`;
        });
        writer.line(`const ${local} = { ${fields.join(', ')} };`);
      }
      return local;
    },
    field: (name) => {
      const j = schema.fields.findIndex((field) => field.name === name);
      const field = schema.fields[j];
      return field === undefined
        ? { value: 'undefined', isNull: 'true' }
        : columnField(writer, j, field.type, field.nullable);
    },
    columns: {
      index: 'i',
      strings: (name) => {
        const j = schema.fields.findIndex((field) => field.name === name);
        const field = schema.fields[j];
        if (field?.type !== 'string') return null;
        writer.setup(`const codes${j} = batch.column(${j}).codes;`);
        writer.setup(`const dictionary${j} = batch.column(${j}).dictionary;`);
        return {
          codes: `codes${j}`,
          dictionary: `dictionary${j}`,
          isNull: nullText(writer, j, field.nullable),
        };
      },
    },
    isInput: true,
    fields: schema.fields.map((field) => field.name),
  };
}

/** A row that is a plain object in a local. */
export function objectText(name: string, time: string): RowText {
  return {
    time,
    object: () => name,
    isMade: () => true,
    field: (field) => ({
      value: `${name}[${JSON.stringify(field)}]`,
      isNull: `${name}[${JSON.stringify(field)}] == null`,
    }),
    columns: null,
    isInput: false,
    fields: null,
  };
}

/** `row` with more fields, whose values stand in locals: columns stay columns, and an object is made only where one is asked for. */
export function derivedText(writer: LoopWriter, row: RowText, derived: ReadonlyMap<string, string>): RowText {
  let local: string | null = null;
  const { columns } = row;
  const fields = row.fields === null ? null : [...new Set([...row.fields, ...derived.keys()])];
  return {
    time: row.time,
    isMade: () => local !== null,
    object: () => {
      if (local === null) {
        const base = row.object();
        local = writer.local('row');
        const named = (fields ?? [...derived.keys()]).map((field) => {
          const name = JSON.stringify(field);
          return `${name}: ${derived.get(field) ?? `${base}[${name}]`}`;
        });
        const made = `{ ${named.join(', ')} }`;
        // Object spread would make a dictionary of every row.
        writer.line(`const ${local} = ${fields === null ? `Object.assign({}, ${base}, ${made})` : made};`);
      }
      return local;
    },
    field: (name) => {
      const value = derived.get(name);
      return value === undefined ? row.field(name) : { value, isNull: `${value} == null` };
    },
    columns:
      columns === null
        ? null
        : { ...columns, strings: (name) => (derived.has(name) ? null : columns.strings(name)) },
    isInput: false,
    fields,
  };
}

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
  return { value: type === 'bool' ? `values${j}[i] === 1` : `values${j}[i]`, isNull };
}
