import fc from 'fast-check';
import t from 'tap';
import type { OperatorState } from '#engine';
import { reduce } from '../../operators/reduce.ts';
import { type KeyedReference, keyedDifference, keyedSteps, sampleKeys } from '../support/keyed-script.ts';
import { createOperatorBench, rowRecords } from '../support/operator-bench.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { type Sample, stages } from '../support/row-arbitraries.ts';
import { createSubtasks } from '../support/subtasks.ts';
import { text } from '../support/window-reference.ts';

/** Depends on order, and refuses some records. */
const join = (a: Sample, b: Sample): Sample => {
  if (b.level === -3) throw new Error('refused');
  return { ...b, tenant: `${a.tenant.length > 40 ? '' : a.tenant}+${b.tenant}`, level: a.level + b.level };
};

/** Folds every key's whole history again for each record. */
function reference(): KeyedReference {
  const histories = new Map<string, Sample[]>();
  let results: [unknown, number][] = [];
  return {
    record(key, row) {
      const history = histories.get(text(key)) ?? [];
      const value = [...history, row].reduce(join);
      histories.set(text(key), [...history, row]);
      results.push([value, row.ts]);
    },
    watermark() {},
    take: () => ({ results: results.splice(0), late: [] }),
  };
}

void t.test(
  'RE1 RE2: each record gives the fold of its key so far; one that throws leaves no trace; restores at any parallelism change nothing',
  async () => {
    const property = (parallelismMax: number, withStages: boolean) =>
      fc.property(
        fc.constantFrom(...sampleKeys),
        withStages ? stages() : fc.constant([]),
        fc.boolean(),
        keyedSteps(parallelismMax),
        ([keys, keyOf], steps, interpreted, script) => {
          const definition = reduce<Sample>({ reduce: join });
          const subtasks = createSubtasks(definition, { keys, stages: steps, interpreted });
          const wrong = keyedDifference(subtasks, reference(), script, { keyOf, stages: steps });
          if (wrong !== null) throw new Error(wrong);
        },
      );
    fc.assert(property(3, false), { numRuns: propertyRuns(200) });
    fc.assert(property(1, true), { numRuns: propertyRuns(100) });
  },
);

void t.test('E1: the first record comes as it is, later ones joined, at their own times', async (test) => {
  const bench = createOperatorBench({ keys: { kind: 'fields', fields: ['k'] } });
  const operator = reduce<{ k: string; n: number }>({
    reduce: (a, b) => ({ k: a.k, n: a.n + b.n }),
  }).create(bench.context);
  const rows = [
    { k: 'a', n: 1 },
    { k: 'b', n: 10 },
    { k: 'a', n: 2 },
    { k: 'a', n: 3 },
  ];
  operator.records(rowRecords(rows, [5, 6, -7, 8]));
  test.same(
    bench.output.take().map((it) => (it.kind === 'row' ? [it.row, it.time] : it)),
    [
      [{ k: 'a', n: 1 }, 5],
      [{ k: 'b', n: 10 }, 6],
      [{ k: 'a', n: 3 }, -7],
      [{ k: 'a', n: 6 }, 8],
    ],
  );
  operator.idle();
  operator.watermark(3);
  operator.watermark(2);
  test.same(bench.output.take(), [{ kind: 'idle' }, { kind: 'watermark', time: 3 }]);
  test.equal(operator.counters?.().keys, 2);
});

void t.test('a snapshot does not show what is changed in a value afterwards', async (test) => {
  const bench = createOperatorBench({ keys: { kind: 'fields', fields: ['k'] } });
  const operator = reduce<{ k: string; list: number[] }>({
    reduce(a, b) {
      a.list.push(...b.list);
      return a;
    },
  }).create(bench.context);
  operator.records(rowRecords([{ k: 'a', list: [1] }], [0]));
  const state = operator.snapshot?.();
  operator.records(rowRecords([{ k: 'a', list: [2] }], [0]));
  test.same(
    [...(state?.groups.values() ?? [])].map((group) => (group as { values: unknown[] }).values),
    [[{ k: 'a', list: [1] }]],
  );
});

void t.test('values that were stored one by one are read', async (test) => {
  const bench = createOperatorBench({ keys: { kind: 'fields', fields: ['k'] } });
  const definition = reduce<{ k: string; n: number }>({ reduce: (a, b) => ({ k: a.k, n: a.n + b.n }) });
  const operator = definition.create(bench.context);
  operator.records(rowRecords([{ k: 'a', n: 1 }], [0]));
  const now = operator.snapshot?.() as OperatorState;
  const before = [...now.groups].map(
    ([number, group]) => [number, { ...(group as object), values: [{ k: 'a', n: 5 }] }] as const,
  );
  const restored = definition.create(bench.context);
  restored.restore?.([{ ...now, groups: new Map(before) }]);
  restored.records(rowRecords([{ k: 'a', n: 2 }], [1]));
  test.same(bench.output.rows().at(-1), { k: 'a', n: 7 });
});

void t.test('a value may be of another shape than those before it', async (test) => {
  const bench = createOperatorBench({ keys: { kind: 'fields', fields: ['k'] } });
  const definition = reduce<Record<string, unknown>>({ reduce: (a, b) => ({ ...a, ...b }) });
  const operator = definition.create(bench.context);
  const rows = [{ k: 'a', n: 1 }, { k: 'b' }, { k: 'a', list: [1] }, { k: 'b', m: null }];
  operator.records(rowRecords(rows, [0, 1, 2, 3]));
  const last = [
    { k: 'a', n: 1, list: [1] },
    { k: 'b', m: null },
  ];
  test.same(bench.output.rows().slice(-2), last);
  const restored = definition.create(bench.context);
  restored.restore?.([operator.snapshot?.() as OperatorState]);
  restored.records(rowRecords([{ k: 'a' }, { k: 'b' }], [4, 5]));
  test.same(bench.output.rows().slice(-2), last);
});

void t.test('a function that returns nothing is an error of the record', async (test) => {
  const bench = createOperatorBench({ keys: { kind: 'fields', fields: ['k'] } });
  const operator = reduce<{ k: string } | undefined>({ reduce: () => undefined }).create(bench.context);
  operator.records(rowRecords([{ k: 'a' }, { k: 'a' }], [1, 2]));
  test.same(
    bench.errors.map(({ code, time }) => [code, time]),
    [['MR_OPERATOR_FAILED', 2]],
  );
  test.match(bench.errors[0]?.message, /'under-test' returned undefined/);
});
