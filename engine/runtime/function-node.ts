import {
  type ArrowFunctionExpression,
  type Expression,
  type FunctionExpression,
  type Node,
  parseExpressionAt,
} from 'acorn';

/** A job's function of a row; what comes behind the row does not matter here. */
export type RowFunction = (row: never, ...rest: never[]) => unknown;

export type FunctionNode = ArrowFunctionExpression | FunctionExpression;

/** Syntax tree of a function's text; null for one that is native, bound or a class. */
export function functionNode(run: RowFunction): FunctionNode | null {
  const text = Function.prototype.toString.call(run);
  const node = parsed(text) ?? methodOf(parsed(`{${text}}`));
  return node?.type === 'ArrowFunctionExpression' || node?.type === 'FunctionExpression' ? node : null;
}

function parsed(text: string): Expression | null {
  try {
    const source = `(${text})`;
    return parseExpressionAt(source, 0, { ecmaVersion: 'latest', sourceType: 'module' });
  } catch {
    return null;
  }
}

/** The function of an object with one method, which is how text that is a method's own is read. */
function methodOf(object: Expression | null): Expression | null {
  const [property] = object?.type === 'ObjectExpression' ? object.properties : [];
  return property?.type === 'Property' && property.method ? property.value : null;
}

/** Name of a property that is written out; null for one that is computed. */
export function nameOf(key: Node, computed: boolean): string | null {
  if (!computed && isIdentifier(key)) return key.name;
  const { type, value } = key as Node & { readonly value?: unknown };
  return type === 'Literal' && typeof value === 'string' ? value : null;
}

export function isIdentifier(node: Node): node is Node & { readonly name: string } {
  return node.type === 'Identifier';
}
