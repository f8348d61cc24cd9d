import type { Aggregate, Scalar } from './aggregates.ts';
import type { CellPlan, CellView } from './cells.ts';
import type { HyperLogLog } from './hyperloglog.ts';
import type { QuantileSketch } from './quantile-sketch.ts';
import type { TimedValue } from './timed-value.ts';

/** How one named result comes out of the cells. */
export interface CellResult {
  readonly name: string;
  readonly kind: Aggregate<never, unknown>['kind'];
  /** Its first cell; of what numbers do not do, index of its object. */
  readonly at: number;
  /** Of sum, min, max and avg: the cell that counts its nulls. */
  readonly nulls: number;
  /** Of a quantile. */
  readonly q: number | null;
}

export type ReadResults = (cells: CellView) => Record<string, Scalar | null>;

/** Reads all results of a row: by generated text, in which they are one literal, unless that is forbidden. */
export function resultReader({ results }: CellPlan, interpreted: boolean): ReadResults {
  if (!interpreted) return generated(results);
  return (cells) => {
    const values: Record<string, Scalar | null> = {};
    for (const result of results) values[result.name] = readResult(result, cells);
    return values;
  };
}

function readResult({ kind, at, nulls, q }: CellResult, cells: CellView): Scalar | null {
  const { page, at: first, objects } = cells;
  const cell = page[first + at] as number;
  switch (kind) {
    case 'count':
    case 'countIf':
      return cell;
    case 'sum':
    case 'min':
    case 'max':
    case 'avg': {
      const seen = (page[first] as number) - (page[first + nulls] as number);
      if (seen === 0) return null;
      return kind === 'avg' ? cell / seen : cell;
    }
    case 'variance':
    case 'stddev': {
      if (cell === 0) return null;
      const squared = (page[first + at + 2] as number) / cell;
      return kind === 'variance' ? squared : Math.sqrt(squared);
    }
    case 'quantile':
      return (objects[at] as QuantileSketch).quantile(q as number);
    case 'distinct':
      return (objects[at] as HyperLogLog).count();
    case 'first':
    case 'last':
      return (objects[at] as TimedValue).value;
  }
}

let readers = 0;

/** The text is unique per reader, because V8 shares call feedback between identical bodies. */
function generated(results: readonly CellResult[]): ReadResults {
  const seen = [...new Set(results.filter(isOfInput).map(({ nulls }) => nulls))];
  const text = [
    `return function read(cells) {`,
    `  const { page, at } = cells;`,
    ...seen.map((nulls) => `  const seen${nulls} = page[at] - page[at + ${nulls}];`),
    `  return {`,
    ...results.map((result, i) => `    ${JSON.stringify(result.name)}: ${resultText(result, i)},`),
    `  };`,
    `};`,
    `//# sourceURL=millrace-results-${readers++}.js`,
  ].join('\n');
  // oxlint-disable-next-line typescript/no-implied-eval -- the text is ours: values are bound, names are quoted
  const make = new Function('results', 'readResult', text) as (...values: readonly unknown[]) => ReadResults;
  return make(results, readResult);
}

const isOfInput = ({ kind }: CellResult): boolean =>
  kind === 'sum' || kind === 'min' || kind === 'max' || kind === 'avg';

/** The text of readResult. */
function resultText(result: CellResult, i: number): string {
  const { kind, at, nulls } = result;
  if (kind === 'count' || kind === 'countIf') return `page[at + ${at}]`;
  if (!isOfInput(result)) return `readResult(results[${i}], cells)`;
  return `seen${nulls} === 0 ? null : page[at + ${at}]${kind === 'avg' ? ` / seen${nulls}` : ''}`;
}
