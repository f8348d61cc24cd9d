import { nodeCount, type RowShape } from './row-shape.ts';

/** A shape's nodes, numbered from the root on, each before what it holds, with what it is in generated text and in bodies. */
export interface PlanNode {
  readonly index: number;
  readonly kind: RowShape['kind'];
  /** Where it is in its row, for messages; '' for the row itself. */
  readonly path: string;
  /** Number among the columns of values; −1 for an object and for `nothing`, which have none. */
  readonly column: number;
  /** Fields of an object, by name. */
  readonly fields: readonly (readonly [string, PlanNode])[];
}

export interface RowPlan {
  readonly root: PlanNode;
  /** Nodes that have a column, by its number. */
  readonly columns: readonly PlanNode[];
  readonly nodeCount: number;
}

export function planRows(shape: RowShape): RowPlan {
  const columns: PlanNode[] = [];
  let index = 0;
  const plan = (of: RowShape, path: string): PlanNode => {
    const node = { index: index++, kind: of.kind, path };
    if (of.kind === 'object') {
      const within = path === '' ? '' : `${path}.`;
      const fields = of.fields.map(({ name, shape: each }) => [name, plan(each, within + name)] as const);
      return { ...node, column: -1, fields };
    }
    if (of.kind === 'nothing') return { ...node, column: -1, fields: [] };
    const leaf: PlanNode = { ...node, column: columns.length, fields: [] };
    columns.push(leaf);
    return leaf;
  };
  return { root: plan(shape, ''), columns, nodeCount: nodeCount(shape) };
}

/** A key as a member of a literal; plainly written, this one would set the prototype. */
export function memberText(name: string): string {
  return name === '__proto__' ? '["__proto__"]' : JSON.stringify(name);
}
