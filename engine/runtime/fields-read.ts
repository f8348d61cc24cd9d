import type { Node, Pattern } from 'acorn';
import { type FunctionNode, functionNode, isIdentifier, nameOf, type RowFunction } from './function-node.ts';

const known = new WeakMap<RowFunction, ReadonlySet<string> | null>();

/**
 * Names of the fields that a function may read of its first argument, by its text; null when that does not tell: it hands the row on,
 * spreads it, changes it, or is no plain function. So that a row of many columns need not be made for a function that looks at two.
 *
 * FR1 a function that is given an object of these fields alone does what it does with the whole row. Its first parameter is a pattern of
 *     named properties, or a name that stands nowhere but before `.field`, neither assigned, updated, deleted nor called, and behind
 *     `const { field } =`.
 */
export function fieldsRead(run: RowFunction): ReadonlySet<string> | null {
  let fields = known.get(run);
  if (fields === undefined) {
    fields = analyse(functionNode(run));
    known.set(run, fields);
  }
  return fields;
}

function analyse(node: FunctionNode | null): ReadonlySet<string> | null {
  if (node === null) return null;
  const [row] = node.params;
  const fields = new Set<string>();
  if (row?.type === 'Identifier') {
    const rest = [...node.params.slice(1), node.body];
    return rest.every((part) => collects(part, row.name, fields)) ? fields : null;
  }
  if (row !== undefined && !namesFields(row, fields)) return null;
  return collects(node, '', fields) ? fields : null;
}

/** Whether what a row is taken apart by is a pattern of named properties; adds them. */
function namesFields(pattern: Pattern, fields: Set<string>): boolean {
  if (pattern.type !== 'ObjectPattern') return false;
  return pattern.properties.every((property) => {
    const name = property.type === 'Property' ? nameOf(property.key, property.computed) : null;
    if (name !== null) fields.add(name);
    return name !== null;
  });
}

/** Adds what is read of `row` below `node`; false when it is used in any other way. */
function collects(node: Node, row: string, fields: Set<string>): boolean {
  const all = (nodes: readonly Node[]) => nodes.every((child) => collects(child, row, fields));
  if (isIdentifier(node)) return node.name !== row && node.name !== 'arguments' && node.name !== 'eval';
  const each = node as unknown as Readonly<Record<string, unknown>>;
  if (node.type === 'MemberExpression') {
    const { object, property, computed } = each as { object: Node; property: Node; computed: boolean };
    if (!isIdentifier(object) || object.name !== row) return all(computed ? [object, property] : [object]);
    const name = nameOf(property, computed);
    if (name !== null) fields.add(name);
    return name !== null;
  }
  if (node.type === 'VariableDeclarator') {
    const { id, init } = each as { id: Pattern; init: Node | null };
    if (init !== null && isIdentifier(init) && init.name === row)
      return namesFields(id, fields) && collects(id, row, fields);
  }
  const target = each[TARGETS[node.type] ?? ''] as Node | undefined;
  if (target !== undefined && (node.type !== 'UnaryExpression' || each['operator'] === 'delete'))
    if (!collects(target, row, new Set()) || isOf(target, row)) return false;
  const isNamed = 'key' in each && each['computed'] === false;
  return all(
    Object.entries(each).flatMap(([name, value]) => {
      if (isNamed && name === 'key') return [];
      return (Array.isArray(value) ? value : [value]).filter(isNode);
    }),
  );
}

/** Where an expression of this type changes, deletes or calls something. */
const TARGETS: Readonly<Record<string, string>> = {
  AssignmentExpression: 'left',
  ForInStatement: 'left',
  ForOfStatement: 'left',
  UpdateExpression: 'argument',
  UnaryExpression: 'argument',
  CallExpression: 'callee',
  TaggedTemplateExpression: 'tag',
};

/** Whether a target is a member of the row itself, or has one in its pattern. */
function isOf(target: Node, row: string): boolean {
  if (target.type === 'ChainExpression')
    return isOf((target as unknown as { readonly expression: Node }).expression, row);
  const fields = new Set<string>();
  if (target.type === 'MemberExpression') {
    const { object } = target as unknown as { readonly object: Node };
    return isIdentifier(object) && object.name === row;
  }
  collects(target, row, fields);
  return target.type.endsWith('Pattern') && fields.size > 0;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}
