import { type GenerationOptions, generate } from '../wire/code-generation.ts';
import type { PlanNode, RowPlan } from './row-plan.ts';
import type { ColumnStore, RowStores } from './row-store.ts';
import { isPlainObject } from './value-kind.ts';

/** Puts rows into the stores it was made for; false when one of them has another shape. */
export type RowGatherer = (rows: readonly unknown[], count: number) => boolean;

/** Makes the gatherer of a shape: generated, and interpreted where that is forbidden. */
export function rowGatherer(plan: RowPlan, stores: RowStores, options: GenerationOptions = {}): RowGatherer {
  const generated = options.codeGeneration === 'never' ? null : generateGatherer(plan, stores);
  return generated ?? ((rows, count) => interpret(plan, stores, rows, count));
}

function generateGatherer({ root, columns }: RowPlan, stores: RowStores): RowGatherer | null {
  const setup = columns.flatMap(({ kind, column }) => [
    `const c${column} = columns[${column}].values;`,
    ...(kind === 'string'
      ? [`const s${column} = columns[${column}]; let last${column} = null, code${column} = 0;`]
      : []),
  ]);
  const body = [
    'const plain = Object.prototype, prototypeOf = Object.getPrototypeOf;',
    ...nodesOf(root).flatMap(({ index, fields }) => [
      `const m${index} = marks[${index}];`,
      ...(fields.length === 0
        ? []
        : [`const names${index} = ${JSON.stringify(fields.map(([name]) => name))};`]),
    ]),
    'return function gather(rows, count) {',
    ...setup,
    'for (let i = 0; i < count; i++) {',
    `const v${root.index} = rows[i];`,
    ...gatherText(root),
    '}',
    'return true;',
    '};',
  ].join('\n');
  return generate('exchange/gather', { ...stores }, body);
}

/** Lines that take the value of a node, a local by then, into the stores. */
function gatherText(node: PlanNode): string[] {
  const { index, column } = node;
  const value = `v${index}`;
  const absent = `if (!m${index}.absent(i, ${value})) return false;`;
  switch (node.kind) {
    case 'any':
      return [`c${column}[i] = ${value};`];
    case 'nothing':
      return [absent];
    case 'number':
      return [
        `if (typeof ${value} === 'number') c${column}[i] = ${value};`,
        `else { ${absent} c${column}[i] = 0; }`,
      ];
    case 'boolean':
      return [
        `if (typeof ${value} === 'boolean') c${column}[i] = ${value} ? 1 : 0;`,
        `else { ${absent} c${column}[i] = 0; }`,
      ];
    case 'string':
      return [
        `if (typeof ${value} === 'string') {`,
        `if (${value} !== last${column}) {`,
        `code${column} = s${column}.codeOf(${value});`,
        `if (code${column} < 0) return false;`,
        `last${column} = ${value};`,
        `}`,
        `c${column}[i] = code${column};`,
        `} else { ${absent} c${column}[i] = 0; }`,
      ];
    case 'object':
      return objectText(node, value, absent);
  }
}

/** Fields are read before the prototype is looked at: V8 knows the object's class by then, and with it the prototype, at no cost. */
function objectText(node: PlanNode, value: string, absent: string): string[] {
  const { index, fields } = node;
  const name = fields.length === 0 ? 'undefined' : `names${index}[j${index}++]`;
  return [
    `if (typeof ${value} === 'object' && ${value} !== null) {`,
    ...fields.map(([field, each]) => `const v${each.index} = ${value}[${JSON.stringify(field)}];`),
    `if (prototypeOf(${value}) !== plain) return false;`,
    `let j${index} = 0;`,
    `for (const key in ${value}) if (key !== ${name}) return false;`,
    `if (j${index} !== ${fields.length}) return false;`,
    ...fields.flatMap(([, each]) => gatherText(each)),
    '} else {',
    absent,
    ...nodesOf(node)
      .filter((each) => each.column >= 0)
      .map((each) => `c${each.column}[i] = ${each.kind === 'any' ? 'undefined' : '0'};`),
    '}',
  ];
}

/** A node and all below it. */
function nodesOf(node: PlanNode): PlanNode[] {
  return [node, ...node.fields.flatMap(([, each]) => nodesOf(each))];
}

function interpret({ root }: RowPlan, stores: RowStores, rows: readonly unknown[], count: number): boolean {
  for (let i = 0; i < count; i++) if (!gatherNode(root, stores, rows[i], i)) return false;
  return true;
}

function gatherNode(node: PlanNode, stores: RowStores, value: unknown, i: number): boolean {
  if (node.kind === 'object' && isPlainObject(value)) {
    const names = Object.keys(value);
    return (
      names.length === node.fields.length &&
      node.fields.every(([name, each], f) => name === names[f] && gatherNode(each, stores, value[name], i))
    );
  }
  const column = stores.columns[node.column];
  if (column !== undefined && put(column, value, i)) return true;
  if (!stores.marks[node.index]?.absent(i, value)) return false;
  for (const each of nodesOf(node)) {
    const skipped = stores.columns[each.column];
    if (skipped !== undefined) skipped.values[i] = skipped.kind === 'any' ? undefined : 0;
  }
  return true;
}

/** False when the column does not hold such values. */
function put(column: ColumnStore, value: unknown, i: number): boolean {
  switch (column.kind) {
    case 'number':
      if (typeof value !== 'number') return false;
      column.values[i] = value;
      return true;
    case 'boolean':
      if (typeof value !== 'boolean') return false;
      column.values[i] = value ? 1 : 0;
      return true;
    case 'string': {
      const code = typeof value === 'string' ? column.codeOf(value) : -1;
      column.values[i] = Math.max(0, code);
      return code >= 0;
    }
    case 'any':
      column.values[i] = value;
      return true;
  }
}
