import { invariant } from '../base/errors.ts';
import { type Batch, type Column, isNullAt } from './batch.ts';
import { type GenerationOptions, generate } from './code-generation.ts';
import type { NamedField, Schema } from './schema.ts';

/** The row of record `i`: a new plain object with every field of the schema in order, null where null. */
export type RowReader<Row> = (batch: Batch<Row>, i: number) => Row;

/**
 * Makes the row reader of a schema. It is generated, so that all rows of a schema share one hidden class, and interpreted
 * where that is forbidden. Cells (`bytes`, `obj`) are those of the batch and must not be changed.
 */
export function rowReader<Row>(schema: Schema<Row>, options: GenerationOptions = {}): RowReader<Row> {
  const generated = options.codeGeneration === 'never' ? null : generateReader<Row>(schema);
  return generated ?? interpretedReader(schema);
}

function generateReader<Row>(schema: Schema<Row>): RowReader<Row> | null {
  const columns = schema.fields.map((_, c) => `const c${c} = batch.column(${c});`);
  const members = schema.fields.map((field, c) => {
    const value = valueExpression(field, c);
    return `${JSON.stringify(field.name)}: ${field.nullable ? `isNullAt(c${c}.nulls, i) ? null : ${value}` : value}`;
  });
  const body = `return function readRow(batch, i) {\n${columns.join('\n')}\nreturn {\n${members.join(',\n')}\n};\n};`;
  return generate(`row-reader/${schema.name}`, { isNullAt }, body);
}

function valueExpression(field: NamedField, c: number): string {
  if (field.type === 'string') return `c${c}.dictionary.text(c${c}.codes[i])`;
  return field.type === 'bool' ? `c${c}.values[i] === 1` : `c${c}.values[i]`;
}

function interpretedReader<Row>({ fields }: Schema<Row>): RowReader<Row> {
  return (batch, i) => {
    const row: Record<string, unknown> = {};
    for (let c = 0; c < fields.length; c++) {
      row[(fields[c] as NamedField).name] = valueAt(batch.column(c), i);
    }
    return row as Row;
  };
}

function valueAt(column: Column, i: number): unknown {
  if (isNullAt(column.nulls, i)) return null;
  switch (column.kind) {
    case 'string':
      return column.dictionary.text(column.codes[i] as number);
    case 'bool':
      return column.values[i] === 1;
    case 'f64':
    case 'i32':
    case 'i64':
    case 'cells':
      invariant(i < column.values.length, `record ${i} lies within its batch`);
      return column.values[i];
  }
}
