import type { LoopWriter } from '#engine';
import type { Cell, CellPlan } from './cells.ts';
import { PAGE_SLOTS } from './pane.ts';

const PAGE_BITS = Math.log2(PAGE_SLOTS);

/** Names of the locals that the update works on; `values` are the plan's inputs in order. */
interface UpdateNames {
  readonly slot: string;
  readonly pane: string;
  readonly values: readonly { readonly value: string; readonly isNull: string | null }[];
}

/** Writes the arithmetic of one record on its key's cells. */
export function writeCellUpdate(
  writer: LoopWriter,
  plan: CellPlan,
  { slot, pane, values }: UpdateNames,
): void {
  const page = writer.local('page');
  const at = writer.local('at');
  writer.line(
    `const ${page} = ${pane}.pages[${slot} >>> ${PAGE_BITS}] ?? ${pane}.addPage(${slot} >>> ${PAGE_BITS});`,
  );
  writer.line(`const ${at} = (${slot} & ${PAGE_SLOTS - 1}) * ${plan.cells.length};`);
  writer.line(`if (${page}[${at}] === 0) ${pane}.touch(${slot}, ${page}, ${at});`);
  writer.line(`${page}[${at}] += 1;`);
  for (const [index, { value, isNull }] of values.entries()) {
    const updates = plan.cells.flatMap((cell, i) =>
      cell.input === index ? [cellText(cell, `${page}[${at} + ${i}]`, value)] : [],
    );
    const sketch = plan.sketches.indexOf(plan.inputs[index] as CellPlan['inputs'][number]);
    if (sketch >= 0) updates.push(`${pane}.sketches[${slot}][${sketch}].add(${value});`);
    if (isNull !== null) {
      writer.line(`if (${isNull}) ${pane}.addNulls(${slot}, ${index}, 1);`);
      writer.open('else {');
    }
    for (const update of updates) writer.line(update);
    if (isNull !== null) writer.close('}');
  }
}

function cellText(cell: Cell, target: string, value: string): string {
  switch (cell.kind) {
    case 'records':
      return '';
    case 'sum':
      return `${target} += ${value};`;
    case 'min':
      return `if (${value} < ${target} || ${value} !== ${value}) ${target} = ${value};`;
    case 'max':
      return `if (${value} > ${target} || ${value} !== ${value}) ${target} = ${value};`;
  }
}
