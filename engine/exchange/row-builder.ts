import { isNullAt } from '../wire/batch.ts';
import { type GenerationOptions, generate } from '../wire/code-generation.ts';
import { memberText, type PlanNode, type RowPlan } from './row-plan.ts';

/** What was read of a batch of rows: as {@link RowStores} hold it, with texts. */
export interface RowColumns {
  readonly columns: readonly ReadColumn[];
  readonly marks: readonly ReadMarks[];
}

/** `texts` by the codes in `values`; empty for columns that are not strings. */
export interface ReadColumn {
  readonly values: Float64Array | Uint8Array | Uint16Array | readonly unknown[];
  readonly texts: readonly string[];
}

/** Bitmaps of one node; null where no record has the mark. */
export interface ReadMarks {
  nulls: Uint8Array | null;
  undefineds: Uint8Array | null;
}

export type RowBuilder = (count: number, columns: RowColumns) => unknown[];

/** Makes the builder of a shape: generated, so that all rows share hidden classes, and interpreted where that is forbidden. */
export function rowBuilder(plan: RowPlan, options: GenerationOptions = {}): RowBuilder {
  const generated = options.codeGeneration === 'never' ? null : generateBuilder(plan);
  return (
    generated ?? ((count, columns) => Array.from({ length: count }, (_, i) => valueAt(plan.root, columns, i)))
  );
}

function generateBuilder({ root, columns, nodeCount }: RowPlan): RowBuilder | null {
  const body = [
    'return function build(count, { columns, marks }) {',
    ...columns.flatMap(({ kind, column }) => [
      `const c${column} = columns[${column}].values;`,
      ...(kind === 'string' ? [`const t${column} = columns[${column}].texts;`] : []),
    ]),
    ...Array.from(
      { length: nodeCount },
      (_, n) => `const z${n} = marks[${n}].nulls, u${n} = marks[${n}].undefineds;`,
    ),
    'const rows = new Array(count);',
    `for (let i = 0; i < count; i++) rows[i] = ${valueText(root)};`,
    'return rows;',
    '};',
  ].join('\n');
  return generate('exchange/build', { isNullAt }, body);
}

function valueText(node: PlanNode): string {
  const { index, kind } = node;
  if (kind === 'any') return presentText(node);
  const rest = kind === 'nothing' ? 'null' : presentText(node);
  const isNull = kind === 'nothing' ? '' : `z${index} !== null && isNullAt(z${index}, i) ? null : `;
  return `(${isNull}u${index} !== null && isNullAt(u${index}, i) ? undefined : ${rest})`;
}

function presentText({ kind, column, fields }: PlanNode): string {
  switch (kind) {
    case 'object':
      return `{ ${fields.map(([name, each]) => `${memberText(name)}: ${valueText(each)}`).join(', ')} }`;
    case 'string':
      return `t${column}[c${column}[i]]`;
    case 'boolean':
      return `c${column}[i] === 1`;
    default:
      return `c${column}[i]`;
  }
}

function valueAt(node: PlanNode, read: RowColumns, i: number): unknown {
  const marks = read.marks[node.index] as ReadMarks;
  if (isNullAt(marks.nulls, i)) return null;
  if (isNullAt(marks.undefineds, i)) return undefined;
  const column = read.columns[node.column];
  const value = column?.values[i];
  switch (node.kind) {
    case 'nothing':
      return null;
    case 'string':
      return column?.texts[value as number];
    case 'boolean':
      return value === 1;
    case 'number':
    case 'any':
      return value;
    case 'object':
      return Object.fromEntries(node.fields.map(([name, each]) => [name, valueAt(each, read, i)]));
  }
}
