import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { MAX_WATERMARK, type OperatorDefinition } from '#engine';
import { count, defineOperator, pattern, type StateOptions, tumbling, type, valueState } from '#operators';
import { coProcessOperator, defineCoOperator } from '../../../operators/define-co-operator.ts';
import { processOperator } from '../../../operators/define-operator.ts';
import { distinct } from '../../../operators/distinct.ts';
import { coGroup } from '../../../operators/join/co-group.ts';
import { intervalJoin } from '../../../operators/join/interval-join.ts';
import { temporalJoin } from '../../../operators/join/temporal-join.ts';
import { openCheckpoint } from '../../../engine/inspect/inspected-checkpoint.ts';
import { STATE_DESCRIBERS } from '../../../operators/inspect/state-describers.ts';
import { patternMatch } from '../../../operators/pattern/pattern-operator.ts';
import { reduce } from '../../../operators/reduce.ts';
import type { StateView } from '../../../operators/inspect/describe-states.ts';
import { topN } from '../../../operators/top-n.ts';
import { defineWindowFunction } from '../../../operators/window/window-process.ts';
import { generalWindow } from '../../../operators/window/general-window-operator.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { rowRecords } from '../../support/operator-bench.ts';
import { allKinds, type Command, obey, ring, ringByClock, VERBS } from '../state/command-operator.ts';
import { allStates, inputsOf, KeptOperator, type Step } from '../../support/kept-operator.ts';

const what = { key: type<unknown>(), output: type<unknown>() };
const HOUR_MS = 3_600_000;

function commands(life: StateOptions): OperatorDefinition {
  const definition = defineOperator({
    ...what,
    state: allKinds(life),
    input: type<Command>(),
    onRecord: obey as never,
    onTimer: ring as never,
    onProcessingTimer: ringByClock as never,
  });
  return processOperator(definition as never);
}

const command: fc.Arbitrary<Step> = fc
  .record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    zone: fc.constantFrom(1, 2),
    verb: fc.constantFrom(...VERBS),
    a: fc.integer({ min: 3, max: 9 }),
    b: fc.integer({ min: 3, max: 9 }),
  })
  .map((row) => ({ row: { ts: 0, ...row }, time: 0 }));

for (const [name, life] of [['', {}] as const, [' with a ttl', { ttl: '1h' }] as const]) {
  void t.test(`every kind of state${name}: get shows what handles of a restored operator give`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 50 }), async (steps) => {
        const keys = { kind: 'fields', fields: ['key', 'zone'] } as const;
        const kept = await KeptOperator.start(commands(life), keys);
        kept.run(steps);
        const manifest = await kept.checkpoint();
        const { operator, bench } = await kept.restored(manifest);
        const states = await allStates(await kept.inspect(manifest));
        for (const [text, view] of states) {
          const key = JSON.parse(text) as object;
          const held = ['value.get', 'list.get', 'map.entries', 'reducing.get', 'aggregating.get'].map(
            (verb) => {
              inputsOf(operator)[0]?.records(rowRecords([{ ...key, verb, ts: 0, a: 0, b: 0 }], [0]));
              return (bench.output.rows().at(-1) as { verb: string; gave: unknown } | undefined)?.verb ===
                verb
                ? (bench.output.take().at(-1) as { row: { gave: unknown } }).row.gave
                : undefined;
            },
          );
          const shown = view['state'] as Readonly<Record<string, StateView | undefined>>;
          assert.deepEqual(held, [
            shown['value']?.value,
            shown['list']?.elements ?? [],
            shown['map']?.entries ?? [],
            shown['reducing']?.value,
            shown['aggregating']?.result,
          ]);
          for (const state of Object.values(shown)) checkLife(state as StateView, life.ttl !== undefined);
        }
        const rung = (time: 'timer' | 'processing-time timer') =>
          (bench.output.take() as unknown as { row?: { key: unknown; verb: string; firedAt: number } }[])
            .flatMap(({ row }) => (row?.verb === time ? [`${JSON.stringify(row.key)} ${row.firedAt}`] : []))
            .sort();
        const shown = (field: string) =>
          [...states].flatMap(([key, view]) => (view[field] as number[]).map((at) => `${key} ${at}`)).sort();
        inputsOf(operator)[0]?.watermark(MAX_WATERMARK - 1);
        assert.deepEqual(shown('timers'), rung('timer'));
        operator.poll?.();
        assert.deepEqual(shown('processingTimers'), rung('processing-time timer'));
        await operator.close?.();
      }),
      { numRuns: propertyRuns(40) },
    );
  });
}

/** Results and names of steps come from the job's code. */
function withoutKnowledge(state: unknown): unknown {
  return JSON.parse(JSON.stringify(state), (name, it: unknown) =>
    ['value', 'step'].includes(name) ? null : it,
  );
}

function checkLife({ since, expires }: StateView, isMortal: boolean): void {
  assert.equal(since !== undefined, isMortal);
  const times = [since ?? []].flat();
  assert.deepEqual(
    [expires ?? []].flat(),
    times.map((at) => at + HOUR_MS),
  );
}

interface Row {
  readonly id: string;
  readonly n: number;
}
const BY_ID = { kind: 'fields', fields: ['id'] } as const;
const at = (time: number, n: number, input = 0): Step => ({ row: { id: 'x', n }, time, input });
const row = (n: number) => ({ id: 'x', n });

const rises = pattern<Row>()
  .start('low', (it) => it.n < 5)
  .followedBy('high', (it) => it.n >= 5);

/** One operator each, what it was given, and what `get` shows of key x. */
const EXAMPLES: Readonly<Record<string, readonly [OperatorDefinition, readonly Step[], object]>> = {
  reduce: [
    reduce<Row>({ reduce: (a, b) => ({ ...a, n: a.n + b.n }) }),
    [at(1, 2), at(2, 3)],
    { value: row(5) },
  ],
  distinct: [
    distinct<Row>({ ttl: '10ms', of: 'n' }),
    [at(1, 2), at(2, 3), at(3, 2)],
    {
      time: 'event',
      seen: [
        { value: 2, until: 11 },
        { value: 3, until: 12 },
      ],
    },
  ],
  'distinct for ever': [
    distinct<Row>({ forever: true }),
    [at(1, 2)],
    { time: 'forever', seen: [{ until: null }] },
  ],
  'running top-n': [
    topN<Row>({ n: 2, by: 'n' }),
    [at(1, 2), at(2, 9), at(3, 5)],
    {
      rankings: [
        {
          window: null,
          entries: [
            { score: 9, time: 2, row: row(9) },
            { score: 5, time: 3, row: row(5) },
          ],
        },
      ],
    },
  ],
  'windowed top-n': [
    topN<Row>({ n: 1, by: 'n', windows: tumbling(10) }),
    [at(11, 2), at(1, 9), at(12, 5)],
    {
      rankings: [
        { window: { start: 0, end: 10 }, entries: [{ score: 9, time: 1, row: row(9) }] },
        { window: { start: 10, end: 20 }, entries: [{ score: 5, time: 12, row: row(5) }] },
      ],
    },
  ],
  'interval join': [
    intervalJoin({
      lowerMs: -5,
      upperMs: 5,
      type: 'left',
      join: (a: Row | null, b: Row | null) => [a, b],
    }) as never,
    [at(1, 1), at(20, 2), at(3, 3, 1)],
    {
      left: {
        count: 2,
        rows: [
          { time: 1, row: row(1), matched: true },
          { time: 20, row: row(2), matched: false },
        ],
      },
      right: { count: 1, rows: [{ time: 3, row: row(3) }] },
    },
  ],
  'temporal join': [
    temporalJoin({ join: (a: Row, b: Row) => [a, b], isDeleted: (it) => it.n < 0 }),
    [at(5, 1), at(1, 2, 1), at(3, -1, 1)],
    {
      facts: { count: 1, rows: [{ time: 5, row: row(1) }] },
      versions: {
        count: 2,
        rows: [
          { time: 1, row: row(2), deleted: false },
          { time: 3, row: null, deleted: true },
        ],
      },
      usedAt: null,
    },
  ],
  'co-group': [
    coGroup({ windows: tumbling(10), group: () => [] }),
    [at(11, 1), at(12, 2, 1), at(3, 3)],
    {
      windows: [
        {
          start: 0,
          end: 10,
          fresh: { left: { count: 1, rows: [row(3)] }, right: { count: 0, rows: [] } },
          given: [],
        },
        {
          start: 10,
          end: 20,
          fresh: { left: { count: 1, rows: [row(1)] }, right: { count: 1, rows: [row(2)] } },
          given: [],
        },
      ],
    },
  ],
  pattern: [
    patternMatch({ pattern: rises, select: (match) => match }),
    [at(1, 2), { watermark: 5 }, at(9, 7)],
    {
      buffered: [{ time: 9, row: row(7) }],
      partialMatches: [{ events: [{ step: 'low', time: 1, row: row(2) }] }],
      heldMatches: [],
    },
  ],
  'window function': [
    generalWindow({
      assigner: tumbling(10),
      trigger: null,
      allowedLatenessMs: 100,
      function: {
        kind: 'process',
        over: { kind: 'aggregate', aggregates: { n: count() } },
        function: defineWindowFunction({
          input: type<{ n: number }>(),
          output: type<number>(),
          state: { given: valueState<number>() },
          keyState: { all: valueState<number>() },
          process([of], { state, keyState }) {
            state.given.set(of?.n ?? 0);
            keyState.all.set(of?.n ?? 0);
          },
        }) as never,
      },
    }),
    [at(1, 1), at(2, 1), { watermark: 10 }],
    {
      windows: [{ start: 0, end: 10, value: { n: 2 }, state: { given: { kind: 'value', value: 2 } } }],
      state: { all: { value: 2 } },
    },
  ],
  'co-process': [
    coProcessOperator(
      defineCoOperator({
        ...what,
        left: type<Row>(),
        right: type<Row>(),
        state: { left: valueState<number>() },
        onLeft: (it, { state }) => state.left.set(it.n),
        onRight: () => {},
      }) as never,
    ),
    [at(1, 4)],
    { state: { left: { kind: 'value', version: 1, value: 4 } }, timers: [], processingTimers: [] },
  ],
};

for (const [name, [definition, steps, expected]] of Object.entries(EXAMPLES)) {
  void t.test(`${name}: get shows what is kept of a key, with and without the job's code`, async (t) => {
    const kept = await KeptOperator.start(definition, BY_ID);
    kept.run([...steps, { row: { id: 'other', n: 1 }, time: 50 }]);
    const checkpoint = await kept.inspect(await kept.checkpoint());
    const found = await checkpoint.get('op', { id: 'x' });
    t.match(found?.state, expected);
    t.same(found, await checkpoint.get('op', 'x'), 'the canonical key will do');
    t.equal(await checkpoint.get('op', { id: 'nobody' }), null);
    const { id } = checkpoint.manifest;
    const withoutCode = await openCheckpoint(kept.store, 'kept', id, { describers: STATE_DESCRIBERS });
    const plain = await withoutCode.get('op', 'x');
    t.equal(plain?.key, 'x');
    t.match(withoutKnowledge(found?.state), withoutKnowledge(plain?.state) as object);
    const raw = await (await kept.inspect(checkpoint.manifest, false)).get('op', 'x');
    t.ok(Object.hasOwn(raw?.state ?? {}, 'stored'), 'of an unknown kind all of the group is shown');
  });
}
