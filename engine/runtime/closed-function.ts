import type {
  BinaryExpression,
  Expression,
  Literal,
  Node,
  Pattern,
  Property,
  SpreadElement,
  TemplateLiteral,
  UnaryExpression,
} from 'acorn';
import { functionNode, isIdentifier, nameOf, type RowFunction } from './function-node.ts';

/**
 * What a value may be: `number` a number, boolean, null or undefined; `text` also a string; `any` also what an operator may call into or
 * throw on: bigints, objects.
 */
export type Holds = 'number' | 'text' | 'any';

/** What a closed function may ask of the row that it is written for. */
export interface ReadableRow {
  /** What a field holds; null when the row is not known to have it as its own. */
  readonly holds: (name: string) => Holds | null;
  /** Expression of what an object of the row has in a field. */
  readonly cell: (name: string) => string;
}

/** A closed expression of a row's fields. */
export interface ClosedText {
  /** An operand as it stands; looks at the row's columns only now. */
  readonly text: () => string;
  readonly holds: Holds;
  /** It may fail: strings have a greatest length. So it stands where the function would be called, asked for or not. */
  readonly mayThrow: boolean;
  /** The field that it is, unchanged. */
  readonly field: string | null;
}

/**
 * What a function gives for `row`, as an expression of its fields; null where the function must be called.
 *
 * CF1 a closed function is a plain one of a single `return`, whose parameter is a name that stands only before `.field`, or a pattern of
 *     names; nothing in it comes from outside: fields, literals, operators, conditions, templates. So calling it once, never or twice
 *     is one.
 * CF2 operators that convert their operands stand between numbers, booleans, strings, null and undefined only: they call nothing of the
 *     job's, and throw nothing but at the greatest length of a string.
 */
export function closedResult(run: RowFunction, row: ReadableRow): ClosedText | null {
  const closed = bodyOf(run);
  return closed === null ? null : expression(closed.body, { ...row, fieldOf: closed.fieldOf });
}

/** The fields of the object that a function makes of `row`, in its order; null where the function must be called. */
export function closedFields(run: RowFunction, row: ReadableRow): ReadonlyMap<string, ClosedText> | null {
  const closed = bodyOf(run);
  if (closed?.body.type !== 'ObjectExpression') return null;
  const fields = new Map<string, ClosedText>();
  for (const property of closed.body.properties) {
    const name = plainName(property);
    const value =
      name === null ? null : expression((property as Property).value, { ...row, fieldOf: closed.fieldOf });
    if (name === null || value === null || fields.has(name)) return null;
    fields.set(name, value);
  }
  return fields;
}

type FieldOf = (node: Node) => string | null;
type Row = ReadableRow & { readonly fieldOf: FieldOf };

/** What a function returns, and which of its nodes are a field of its parameter. */
function bodyOf(run: RowFunction): { readonly body: Expression; readonly fieldOf: FieldOf } | null {
  const node = functionNode(run);
  if (node === null || node.async || node.generator || node.params.length > 1) return null;
  const fieldOf = node.params[0] === undefined ? () => null : fieldsOf(node.params[0]);
  const body = node.body.type === 'BlockStatement' ? returned(node.body.body) : node.body;
  return fieldOf === null || body === null ? null : { body, fieldOf };
}

function returned(statements: readonly Node[]): Expression | null {
  const [statement] = statements as readonly (Node & { readonly argument?: Expression | null })[];
  if (statements.length !== 1 || statement?.type !== 'ReturnStatement') return null;
  return statement.argument ?? null;
}

function fieldsOf(parameter: Pattern): FieldOf | null {
  if (parameter.type === 'Identifier') {
    return (node) => {
      if (node.type !== 'MemberExpression') return null;
      const { object, property, computed } = node as Extract<Expression, { type: 'MemberExpression' }>;
      return isIdentifier(object) && object.name === parameter.name ? nameOf(property, computed) : null;
    };
  }
  if (parameter.type !== 'ObjectPattern') return null;
  const names = new Map<string, string>();
  for (const property of parameter.properties) {
    if (property.type !== 'Property' || !isIdentifier(property.value)) return null;
    const field = nameOf(property.key, property.computed);
    if (field === null) return null;
    names.set(property.value.name, field);
  }
  return (node) => (isIdentifier(node) ? (names.get(node.name) ?? null) : null);
}

/** `__proto__` would be no field; computed names, methods and accessors are none that are known. */
function plainName(property: Property | SpreadElement): string | null {
  if (property.type !== 'Property' || property.kind !== 'init' || property.method) return null;
  const name = nameOf(property.key, property.computed);
  return name === '__proto__' ? null : name;
}

function expression(node: Expression, row: Row): ClosedText | null {
  const field = row.fieldOf(node);
  if (field !== null) {
    const holds = row.holds(field);
    return holds === null ? null : { text: () => row.cell(field), holds, mayThrow: false, field };
  }
  switch (node.type) {
    case 'Literal':
      return literal(node);
    case 'UnaryExpression':
      return unary(node, row);
    case 'BinaryExpression':
      return binary(node, row);
    case 'LogicalExpression':
      return joined([node.left, node.right], row, ([a, b]) => `(${a} ${node.operator} ${b})`);
    case 'ConditionalExpression':
      return joined([node.test, node.consequent, node.alternate], row, ([a, b, c]) => `(${a} ? ${b} : ${c})`);
    case 'TemplateLiteral':
      return template(node, row);
    default:
      return null;
  }
}

function literal({ value, raw }: Literal): ClosedText | null {
  const made = (text: string, holds: Holds) => ({ text: () => text, holds, mayThrow: false, field: null });
  if (typeof value === 'string') return made(JSON.stringify(value), 'text');
  if (typeof value === 'number' || typeof value === 'boolean' || raw === 'null')
    return made(raw as string, 'number');
  return null;
}

function unary({ operator, argument }: UnaryExpression, row: Row): ClosedText | null {
  const isPlain = operator === '!' || operator === 'typeof';
  if (!isPlain && operator !== '-' && operator !== '+' && operator !== '~') return null;
  const made = joined([argument], row, ([a]) => `(${operator} ${a})`);
  if (made === null || (!isPlain && made.holds === 'any')) return null;
  return { ...made, holds: operator === 'typeof' ? 'text' : 'number' };
}

function binary({ operator, left, right }: BinaryExpression, row: Row): ClosedText | null {
  if (!BINARY.has(operator) || left.type === 'PrivateIdentifier') return null;
  const made = joined([left, right], row, ([a, b]) => `(${a} ${operator} ${b})`);
  if (made === null || operator === '===' || operator === '!==') return made && { ...made, holds: 'number' };
  if (made.holds === 'any') return null;
  return operator === '+' && made.holds === 'text'
    ? { ...made, mayThrow: true }
    : { ...made, holds: 'number' };
}

function template({ quasis, expressions }: TemplateLiteral, row: Row): ClosedText | null {
  const raw = quasis.map(({ value }) => value.raw);
  const made = joined(expressions, row, (texts) =>
    ['`', raw[0], ...texts.flatMap((text, i) => [`\${${text}}`, raw[i + 1]]), '`'].join(''),
  );
  return made === null || made.holds === 'any' ? null : { ...made, holds: 'text', mayThrow: true };
}

/** An expression of several: one of these holds its value where no operator makes another. */
function joined(
  nodes: readonly Expression[],
  row: Row,
  text: (texts: readonly string[]) => string,
): ClosedText | null {
  const parts: ClosedText[] = [];
  for (const node of nodes) {
    const part = expression(node, row);
    if (part === null) return null;
    parts.push(part);
  }
  return {
    text: () => text(parts.map((part) => part.text())),
    holds: WIDENING.findLast((holds) => parts.some((part) => part.holds === holds)) ?? 'number',
    mayThrow: parts.some(({ mayThrow }) => mayThrow),
    field: null,
  };
}

/** Each may be what the ones before it may be. */
const WIDENING: readonly Holds[] = ['number', 'text', 'any'];

/** Not `in` and `instanceof`, which look into objects. */
const BINARY: ReadonlySet<string> = new Set(
  '+ - * / % ** & | ^ << >> >>> < > <= >= == != === !=='.split(' '),
);
