import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import type { InspectedCheckpoint, OperatorDefinition, OperatorDiff } from '#engine';
import { count, defineOperator, listState, sum, tumbling, type, valueState } from '#operators';
import { diffCheckpoints } from '../../../engine/inspect/diff-checkpoints.ts';
import { processOperator } from '../../../operators/define-operator.ts';
import { reduce } from '../../../operators/reduce.ts';
import { planCells } from '../../../operators/window/cells.ts';
import { windowAggregate } from '../../../operators/window/window-operator.ts';
import { allStates, KeptOperator, type Step } from '../../support/kept-operator.ts';
import { propertyRuns } from '../../support/property-runs.ts';

interface Row {
  readonly id: string;
  readonly n: number;
}
const BY_ID = { kind: 'fields', fields: ['id'] } as const;

const lists = defineOperator({
  key: type<{ id: string }>(),
  input: type<Row>(),
  output: type<never>(),
  state: { all: listState<number>(), last: valueState<number>() },
  onRecord({ n }, { state: { all, last }, timers }) {
    last.set(n);
    if (n === 0) all.clear();
    else if (n === 1) last.clear();
    else if (n === 2) timers.at(20);
    else all.add(n);
  },
  onTimer() {},
});

const DEFINITIONS: Readonly<Record<string, OperatorDefinition>> = {
  reduce: reduce<Row>({ reduce: (a, b) => ({ ...a, n: a.n + b.n }) }),
  process: processOperator(lists as never),
  'tumbling windows': windowAggregate({
    windows: tumbling(10),
    plan: planCells({ n: count(), total: sum('n') } as never),
    fold: null,
    allowedLatenessMs: 0,
  }),
};

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .record({ id: fc.nat(15).map((i) => `k${i}`), n: fc.nat(5), time: fc.nat(30) })
      .map(({ time, ...row }) => ({ row, time })),
  },
  { weight: 1, arbitrary: fc.nat(25).map((watermark) => ({ watermark })) },
);
const steps = fc.array(step, { maxLength: 20 });

/** Counted from all states of both, read one by one. */
async function expectedCounts(a: InspectedCheckpoint, b: InspectedCheckpoint) {
  const [before, after] = [await allStates(a), await allStates(b)];
  const counts = { added: 0, removed: 0, changed: 0 };
  for (const [key, state] of after) {
    if (!before.has(key)) counts.added++;
    else if (!isDeepStrictEqual(before.get(key), state)) counts.changed++;
  }
  for (const key of before.keys()) if (!after.has(key)) counts.removed++;
  return counts;
}

const countsOf = ([diff]: readonly OperatorDiff[]) => ({
  added: diff?.added ?? 0,
  removed: diff?.removed ?? 0,
  changed: diff?.changed ?? 0,
});

for (const [name, definition] of Object.entries(DEFINITIONS)) {
  void t.test(
    `${name}: a diff counts every key that differs, however little of it is read; the other way round what was added is removed (DF1, DF2)`,
    async () => {
      await fc.assert(
        fc.asyncProperty(steps, steps, async (first, then) => {
          const kept = await KeptOperator.start(definition, BY_ID);
          kept.run(first);
          const [a, a2] = [await kept.checkpoint(), await kept.checkpoint()];
          kept.run(then);
          const b = await kept.checkpoint();
          const [from, same, to] = [await kept.inspect(a), await kept.inspect(a2), await kept.inspect(b)];
          const none = { added: 0, removed: 0, changed: 0 };
          assert.deepEqual(countsOf(await diffCheckpoints(from, from)), none);
          assert.deepEqual(countsOf(await diffCheckpoints(from, same)), none);
          const forth = await diffCheckpoints(from, to, { examples: 100 });
          const expected = await expectedCounts(from, to);
          assert.deepEqual(countsOf(forth), expected);
          const back = await diffCheckpoints(to, from, { examples: 100 });
          assert.deepEqual(countsOf(back), { ...expected, added: expected.removed, removed: expected.added });
          const turned = (diff: readonly OperatorDiff[]) =>
            diff
              .flatMap(({ examples }) =>
                examples.map(({ key, before, after }) => JSON.stringify([key, after, before])),
              )
              .sort();
          const straight = forth
            .flatMap(({ examples }) =>
              examples.map(({ key, before, after }) => JSON.stringify([key, before, after])),
            )
            .sort();
          assert.deepEqual(turned(back), straight);
          assert.equal(straight.length, expected.added + expected.removed + expected.changed);
          const raw = countsOf(
            await diffCheckpoints(await kept.inspect(a, false), await kept.inspect(b, false)),
          );
          assert.ok(
            raw.added === expected.added &&
              raw.removed === expected.removed &&
              raw.changed >= expected.changed,
          );
        }),
        { numRuns: propertyRuns(40) },
      );
    },
  );
}

void t.test('of an incremental checkpoint only the groups that changed are read (DF1)', async (t) => {
  const kept = await KeptOperator.start(DEFINITIONS['reduce'] as OperatorDefinition, BY_ID);
  const rows = Array.from({ length: 400 }, (_, i): Step => ({ row: { id: `k${i}`, n: i }, time: 0 }));
  kept.run(rows);
  const a = await kept.checkpoint();
  kept.run([{ row: { id: 'k7', n: 1 }, time: 0 }]);
  const b = await kept.checkpoint();
  const [from, to] = [await kept.inspect(a), await kept.inspect(b)];
  const [diff] = await diffCheckpoints(from, to);
  t.match(diff, { added: 0, removed: 0, changed: 1, groupsRead: 1, groupsSame: 15, othersChanged: false });
  t.match(diff?.examples, [{ key: { id: 'k7' }, before: { value: { n: 7 } }, after: { value: { n: 8 } } }]);
});

void t.test('checkpoints with different numbers of key groups are not compared', async (t) => {
  const kept = await KeptOperator.start(DEFINITIONS['reduce'] as OperatorDefinition, BY_ID);
  const checkpoint = await kept.inspect(await kept.checkpoint());
  const other = { ...checkpoint, manifest: { ...checkpoint.manifest, maxParallelism: 32 } };
  await t.rejects(diffCheckpoints(checkpoint, other), { code: 'MR_CONFIG_INVALID' });
});
