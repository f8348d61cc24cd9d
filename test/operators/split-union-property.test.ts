import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import type { Output } from '#engine';
import { split } from '../../operators/split.ts';
import { union } from '../../operators/union.ts';
import { createOperatorBench, type Recorder } from '../support/operator-bench.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { form, forms, type Sample, samples, stages } from '../support/row-arbitraries.ts';

const predicates: Readonly<Record<string, (row: Sample) => unknown>> = {
  high: (row) => row.level > 1,
  acme: (row) => row.tenant === 'acme',
  odd: (row) => {
    if (row.value === -50) throw new Error('no such value');
    return row.value !== null && row.value % 2 === 1;
  },
};
const rowsOf = (recorder: Recorder) =>
  recorder.take().flatMap((it) => (it.kind === 'row' ? [[it.row, it.time] as const] : []));

void t.test(
  'E1: each record is in exactly the first branch it meets, or in the rest, or has thrown; in order',
  async () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(samples(), form()), { maxLength: 4 }),
        fc.boolean(),
        (input, interpreted) => {
          const bench = createOperatorBench({ interpreted });
          const operator = split(predicates as never).create(bench.context);
          for (const [rows, how] of input) operator.records(forms(rows, how));
          const all = input.flatMap(([rows]) => rows);
          const branchOf = (row: Sample): string => {
            try {
              return Object.keys(predicates).find((name) => predicates[name]?.(row)) ?? 'rest';
            } catch {
              return 'thrown';
            }
          };
          const expected = (branch: string) =>
            all.filter((row) => branchOf(row) === branch).map((row) => [row, row.ts]);
          return (
            isDeepStrictEqual(rowsOf(bench.output), expected('rest')) &&
            Object.keys(predicates).every((name) =>
              isDeepStrictEqual(rowsOf(bench.side(name)), expected(name)),
            ) &&
            isDeepStrictEqual(
              bench.errors.map(({ row, time }) => [row, time]),
              expected('thrown'),
            )
          );
        },
      ),
      { numRuns: propertyRuns(300) },
    );
  },
);

void t.test(
  'E1: split does the same whether generated or interpreted, whatever stages are in front',
  async () => {
    fc.assert(
      fc.property(stages(), samples(), form(), (steps, rows, how) => {
        const run = (interpreted: boolean) => {
          const bench = createOperatorBench({ interpreted, stages: steps });
          const operator = split(predicates as never).create(bench.context);
          operator.records(forms(rows, how));
          return [
            rowsOf(bench.output),
            ...Object.keys(predicates).map((name) => rowsOf(bench.side(name))),
            bench.errors,
          ];
        };
        return isDeepStrictEqual(run(false), run(true));
      }),
      { numRuns: propertyRuns(300) },
    );
  },
);

/** What one input of a union gives. */
type Given =
  | { readonly input: number; readonly kind: 'records'; readonly rows: Sample[] }
  | { readonly input: number; readonly kind: 'watermark'; readonly time: number };

void t.test(
  'E1 E2: a union gives every record once, in order of arrival, with the time of the slowest input',
  async () => {
    const given: fc.Arbitrary<Given> = fc.oneof(
      fc.record({ input: fc.nat(2), kind: fc.constant('records' as const), rows: samples({ maxLength: 4 }) }),
      fc.record({
        input: fc.nat(2),
        kind: fc.constant('watermark' as const),
        time: fc.integer({ min: -60, max: 120 }),
      }),
    );
    fc.assert(
      fc.property(fc.array(given, { maxLength: 20 }), (script) => {
        const bench = createOperatorBench({ inputKeys: [null, null, null] });
        const { inputs } = union().create(bench.context);
        const reached = [-Infinity, -Infinity, -Infinity];
        const expected: unknown[] = [];
        for (const it of script) {
          const target = inputs[it.input] as Output;
          if (it.kind === 'records') {
            target.records(forms(it.rows, 'columns'));
            expected.push(...it.rows.map((row) => ({ kind: 'row', row, time: row.ts })));
            continue;
          }
          const before = Math.min(...reached);
          reached[it.input] = Math.max(reached[it.input] as number, it.time);
          target.watermark(it.time);
          if (Math.min(...reached) > before) expected.push({ kind: 'watermark', time: Math.min(...reached) });
        }
        return isDeepStrictEqual(bench.output.take(), expected);
      }),
      { numRuns: propertyRuns(300) },
    );
  },
);
