import { type LoopWriter, resultOf, type RowText } from '#engine';
import type { CellInput, CellPlan, CellStep } from './cells.ts';
import { PAGE_BITS, PAGE_SLOTS } from './frozen-pane.ts';

/** Expressions that an update works on; `values` are the plan's inputs in order. */
export interface CellTexts {
  readonly page: string;
  /** Index of the row's first cell. */
  readonly at: string;
  /** The row's objects. */
  readonly objects: string;
  readonly time: string;
  readonly values: readonly { readonly value: string; readonly isNull: string | null }[];
}

/** Writes the arithmetic of one record on its key's cells in a pane. */
export function writeCellUpdate(
  writer: LoopWriter,
  plan: CellPlan,
  names: Pick<CellTexts, 'time' | 'values'> & { readonly slot: string; readonly pane: string },
): void {
  const { slot, pane, time, values } = names;
  const page = writer.local('page');
  const at = writer.local('at');
  writer.line(
    `const ${page} = ${pane}.pages[${slot} >>> ${PAGE_BITS}] ?? ${pane}.addPage(${slot} >>> ${PAGE_BITS});`,
  );
  writer.line(`const ${at} = (${slot} & ${PAGE_SLOTS - 1}) * ${plan.cells.length};`);
  writer.line(`if (${page}[${at}] === 0) ${pane}.touch(${slot}, ${page}, ${at});`);
  if (plan.objects.length > 0) writer.line(`if (${pane}.frozen !== null) ${pane}.frozen.changing(${slot});`);
  writeAddToCells(writer, plan, { page, at, objects: `${pane}.objects[${slot}]`, time, values });
}

/** The text of addToCells (cells.ts). */
export function writeAddToCells(writer: LoopWriter, plan: CellPlan, row: CellTexts): void {
  const { page, at, objects, time, values } = row;
  writer.line(`${page}[${at}] += 1;`);
  for (const [index, { value, isNull }] of values.entries()) {
    const steps = plan.steps.filter(({ input }) => input === index);
    if (isNull !== null) {
      const nulls = steps.find(({ kind }) => kind === 'nulls');
      const count = nulls === undefined ? '' : ` ${page}[${at} + ${nulls.at}] += 1;`;
      writer.line(`if (${isNull}) {${count} }`);
      writer.open('else {');
    }
    for (const step of steps) writeStep(writer, step, { page, at, value });
    for (const [i, object] of plan.objects.entries())
      if (object.input === index) writer.line(`${objects}[${i}].add(${value}, ${time});`);
    if (isNull !== null) writer.close('}');
  }
}

/** Puts one input of the record into a local, undefined or null where it has none. */
export function writeInput(
  writer: LoopWriter,
  row: RowText,
  of: CellInput['of'],
): { readonly value: string; readonly isNull: string | null } {
  const value = writer.local('value');
  if (typeof of !== 'string') {
    writer.line(`const ${value} = ${resultOf(writer, row, 'input', of).text()};`);
    return { value, isNull: `${value} == null` };
  }
  const field = row.field(of);
  if (field.isNull === null) {
    writer.line(`const ${value} = ${field.value};`);
    return { value, isNull: null };
  }
  writer.line(`const ${value} = ${row.cell(of)};`);
  return { value, isNull: `${value} == null` };
}

/** One step of it, for a value that is not null. */
function writeStep(
  writer: LoopWriter,
  step: CellStep,
  { page, at, value }: { readonly page: string; readonly at: string; readonly value: string },
): void {
  const target = `${page}[${at} + ${step.at}]`;
  switch (step.kind) {
    case 'nulls':
      return;
    case 'sum':
      return writer.line(`${target} += ${value};`);
    case 'countIf':
      return writer.line(`if (${value}) ${target} += 1;`);
    case 'min':
      return writer.line(`if (${value} < ${target} || ${value} !== ${value}) ${target} = ${value};`);
    case 'max':
      return writer.line(`if (${value} > ${target} || ${value} !== ${value}) ${target} = ${value};`);
    case 'moments': {
      const [mean, m2] = [`${page}[${at} + ${step.at + 1}]`, `${page}[${at} + ${step.at + 2}]`];
      const apart = writer.local('apart');
      writer.line(`const ${apart} = ${value} - ${mean};`);
      writer.line(`${mean} += ${apart} / (${target} += 1);`);
      return writer.line(`${m2} += ${apart} * (${value} - ${mean});`);
    }
  }
}
