import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { MAX_WATERMARK, type OperatorDefinition } from '#engine';
import {
  avg,
  count,
  distinct,
  emitEarly,
  global,
  last,
  onCount,
  p95,
  session,
  sliding,
  stddev,
  sum,
  tumbling,
} from '#operators';
import { planCells } from '../../../operators/window/cells.ts';
import { generalWindow } from '../../../operators/window/general-window-operator.ts';
import { sessionAggregate } from '../../../operators/window/session-operator.ts';
import { windowAggregate } from '../../../operators/window/window-operator.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { allStates, inputsOf, KeptOperator, type Step } from '../../support/kept-operator.ts';

interface Row {
  readonly device: string;
  readonly zone: number;
  readonly value: number | null;
}

interface Fold {
  readonly n: number;
  readonly text: string;
}

const KEYS = { kind: 'fields', fields: ['device', 'zone'] } as const;
const aggregates = {
  n: count(),
  total: sum('value'),
  mean: avg('value'),
  high: p95('value'),
  spread: stddev('value'),
  newest: last('value'),
  different: distinct('value'),
};
const plan = planCells(aggregates as never);
const fold = {
  createAccumulator: (): Fold => ({ n: 0, text: '' }),
  add: (row: unknown, { n, text }: Fold): Fold => ({ n: n + 1, text: `${text}${(row as Row).value}` }),
  getResult: ({ n, text }: Fold) => `${n}:${text.length}`,
  merge: (a: Fold, b: Fold): Fold => ({ n: a.n + b.n, text: a.text + b.text }),
};
const built = { plan, fold: null, allowedLatenessMs: 0 };
const folded = { plan: planCells({}), fold: fold as never, allowedLatenessMs: 0 };

const CASES: Readonly<Record<string, OperatorDefinition>> = {
  'tumbling windows': windowAggregate({ ...built, windows: tumbling(10) }),
  'a fold over tumbling windows': windowAggregate({ ...folded, windows: tumbling(10) }),
  'sliding windows': windowAggregate({ ...built, windows: sliding(10, 3) }),
  'a fold over sliding windows': windowAggregate({ ...folded, windows: sliding(10, 5) }),
  'session windows': sessionAggregate({ ...built, windows: session(4) as never }),
  'a fold over session windows': sessionAggregate({ ...folded, windows: session(4) as never }),
  'windows with a trigger': generalWindow({
    assigner: tumbling(10),
    trigger: emitEarly({ every: '1h', on: 'event-time', mode: 'accumulate' }) as never,
    allowedLatenessMs: 0,
    function: { kind: 'aggregate', aggregates: aggregates as never },
  }),
};

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({
        device: fc.constantFrom('a', 'b', 'ä', ''),
        zone: fc.constantFrom(0, 1, -2.5),
        value: fc.oneof(fc.constant(null), fc.integer({ min: -50, max: 50 })),
        time: fc.nat(40),
      })
      .map(({ time, ...row }) => ({ row, time })),
  },
  { weight: 1, arbitrary: fc.nat(30).map((watermark) => ({ watermark })) },
);
const steps = fc.array(step, { minLength: 1, maxLength: 40 });

interface Result {
  readonly key: object;
  readonly window: { readonly start: number; readonly end: number };
  readonly value: unknown;
}

for (const [name, definition] of Object.entries(CASES)) {
  void t.test(
    `${name}: get shows of every key what a restored operator gives at the end of time (IC1)`,
    async () => {
      await fc.assert(
        fc.asyncProperty(steps, async (given) => {
          const kept = await KeptOperator.start(definition, KEYS);
          kept.run(given);
          const manifest = await kept.checkpoint();
          const { operator, bench } = await kept.restored(manifest);
          for (const input of inputsOf(operator)) input.watermark(MAX_WATERMARK - 1);
          const expected = (bench.output.rows() as Result[]).map(({ key, window, value }) =>
            text({ key, ...window, value }),
          );
          const shown: string[] = [];
          for (const [key, state] of await allStates(await kept.inspect(manifest))) {
            const windows = (state['windows'] ?? state['sessions']) as {
              start: number;
              end: number;
              value: unknown;
            }[];
            const watermark = Math.max(...given.map((it) => ('watermark' in it ? it.watermark : -1)));
            for (const { start, end, value } of windows)
              if (end - 1 > watermark)
                shown.push(text({ key: JSON.parse(key) as object, start, end, value }));
          }
          assert.deepEqual(shown.sort(), expected.sort());
        }),
        { numRuns: propertyRuns(30) },
      );
    },
  );
}

void t.test('count windows show their elements', async (t) => {
  const assigner = { ...global(), trigger: onCount(3), keepLast: 2 };
  const definition = generalWindow({
    assigner,
    trigger: null,
    allowedLatenessMs: 0,
    function: { kind: 'aggregate', aggregates: aggregates as never },
  });
  const kept = await KeptOperator.start(definition, KEYS);
  kept.run([1, 2].map((value) => ({ row: { device: 'a', zone: 1, value }, time: value })));
  const found = await (await kept.inspect(await kept.checkpoint())).get('op', { device: 'a', zone: 1 });
  t.match(found?.state, { windows: [{ value: { n: 2, total: 3 }, elements: [{ time: 1 }, { time: 2 }] }] });
});

/** Sums of floats depend on the order of merging in their last digits. */
function text(value: unknown): string {
  return JSON.stringify(value, (_, it: unknown) => (typeof it === 'number' ? Number(it.toPrecision(9)) : it));
}
