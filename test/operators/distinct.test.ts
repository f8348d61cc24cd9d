import fc from 'fast-check';
import t from 'tap';
import type { Operator, OperatorState } from '#engine';
import { decodeSnapshot, encodeSnapshot } from '../support/stored-snapshot.ts';
import { distinct, type DistinctOptions } from '../../operators/distinct.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { type KeyedReference, keyedDifference, keyedSteps, sampleKeys } from '../support/keyed-script.ts';
import { createOperatorBench, rowRecords } from '../support/operator-bench.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { type Sample, stages } from '../support/row-arbitraries.ts';
import { createSubtasks } from '../support/subtasks.ts';
import { text } from '../support/window-reference.ts';

type Of = 'none' | 'device' | 'function';
const ofOf = (of: Of) => (row: Sample) =>
  of === 'none' ? null : of === 'device' ? row.device : row.level % 2;
const optionsOf = (of: Of, ttlMs: number | null): DistinctOptions<Sample> => ({
  ...(of === 'none' ? {} : { of: of === 'device' ? 'device' : (row: Sample) => row.level % 2 }),
  ...(ttlMs === null ? { forever: true } : { ttl: ttlMs }),
});

/** Keeps everything that has ever passed, and looks at the last of the same key and value. */
function reference(of: Of, ttlMs: number | null): KeyedReference {
  const passed: { readonly key: string; readonly end: number }[] = [];
  const results: [unknown, number][] = [];
  let watermark = Number.MIN_SAFE_INTEGER;
  return {
    record(key, row) {
      const id = text([key, ofOf(of)(row)]);
      // A record that was late when it passed has left no entry: the one before it may still count.
      const known = passed.findLast((it) => it.key === id && it.end > watermark);
      if (known !== undefined && row.ts < known.end) return;
      passed.push({ key: id, end: ttlMs === null ? Number.POSITIVE_INFINITY : row.ts + ttlMs });
      results.push([row, row.ts]);
    },
    watermark(time) {
      watermark = time;
    },
    take: () => ({ results: results.splice(0), late: [] }),
  };
}

void t.test(
  'DI1 DI3 DI4: event time: what passes equals a look through all that has passed, across restores at any parallelism',
  async () => {
    const property = (parallelismMax: number, withStages: boolean) =>
      fc.property(
        fc.constantFrom<Of>('none', 'device', 'function'),
        fc.constantFrom(null, 1, 10, 40, 150, 1_000),
        fc.constantFrom(...sampleKeys),
        withStages ? stages() : fc.constant([]),
        fc.boolean(),
        keyedSteps(parallelismMax),
        (of, ttlMs, [keys, keyOf], steps, interpreted, script) => {
          const subtasks = createSubtasks(distinct(optionsOf(of, ttlMs)), {
            keys,
            stages: steps,
            interpreted,
          });
          const wrong = keyedDifference(subtasks, reference(of, ttlMs), script, { keyOf, stages: steps });
          if (wrong !== null) throw new Error(wrong);
        },
      );
    fc.assert(property(3, false), { numRuns: propertyRuns(200) });
    fc.assert(property(1, true), { numRuns: propertyRuns(100) });
  },
);

interface Row {
  readonly k: string;
  readonly v: unknown;
}
const open = (options: DistinctOptions<Row>, clock = manualClock(0)) => {
  const bench = createOperatorBench({ keys: { kind: 'fields', fields: ['k'] }, clock });
  const operator = distinct<Row>(options).create(bench.context);
  return {
    bench,
    clock,
    operator,
    give: (k: string, time: number, v: unknown = null) => operator.records(rowRecords([{ k, v }], [time])),
    passed: () => bench.output.take().flatMap((it) => (it.kind === 'row' ? [it.time] : [])),
  };
};
const stored = (operator: Operator) => {
  const state = operator.snapshot?.();
  if (state === undefined) throw new Error('distinct has state');
  return decodeSnapshot(encodeSnapshot(state), [0, 127]);
};

void t.test(
  'DI1: an entry ends ttl after the record that passed; repetitions do not prolong it',
  async (test) => {
    const { operator, give, passed } = open({ ttl: 100 });
    give('a', 0);
    give('a', 99);
    give('a', -500);
    test.same(passed(), [0], 'everything before the end is a repetition, also what is older');
    give('a', 100);
    test.same(passed(), [100], 'later by the whole ttl: a new first, whatever the watermark');
    operator.watermark(199);
    give('a', 150);
    test.same(passed(), []);
    operator.watermark(200);
    give('a', 150);
    give('a', 150);
    test.same(passed(), [150], 'the entry has ended with the watermark; 150 + ttl is ahead of it');
    give('b', 50);
    give('b', 50);
    test.same(passed(), [50, 50], 'an entry that would have ended already is none');
  },
);

void t.test('DI3: what has ended is swept, and the key given back', async (test) => {
  const { operator, give } = open({ ttl: '64s' });
  for (let i = 0; i < 1_000; i++) give(`key-${i}`, i * 100);
  test.equal(operator.counters?.().keys, 1_000);
  operator.watermark(63_999);
  give('another', 100_000);
  test.equal(operator.counters?.().keys, 1_001);
  operator.watermark(64_000 + 50_000 + 1_000);
  give('another', 100_000);
  test.ok((operator.counters?.().keys ?? 0) <= 500, 'at the latest a step after its end');
  operator.watermark(300_000);
  give('one', 400_000);
  test.same(operator.counters?.(), { keys: 1, timers: 1, lateRecords: 0 });
});

void t.test('DI3: between its end and its sweep an entry neither counts nor is stored', async (test) => {
  const { operator, give, passed } = open({ ttl: '64s' });
  give('a', 500);
  operator.watermark(64_499);
  give('a', 700);
  test.same(passed(), [500]);
  operator.watermark(64_500);
  test.equal(operator.counters?.().timers, 1, 'the sweep comes at 65 s');
  test.same(expiries(stored(operator)), []);
  give('a', 700);
  give('a', 800);
  test.same(passed(), [700]);
});

void t.test('DI2: processing time: entries end by the clock, not by event time', async (test) => {
  const { operator, give, passed, clock } = open({ ttl: '10s', time: 'processing' });
  give('a', 0);
  operator.watermark(1_000_000);
  clock.advance(9_999);
  give('a', 2_000_000);
  test.same(passed(), [0]);
  const state = stored(operator);
  const after = open({ ttl: '10s', time: 'processing' }, clock);
  after.operator.restore?.([state]);
  after.give('a', 5);
  test.same(after.passed(), []);
  clock.advance(1);
  after.give('a', 6);
  after.give('a', 7);
  test.same(after.passed(), [6]);
  clock.advance(20_000);
  test.ok(after.bench.wakes > 0, 'a turn is asked for when there is something to sweep');
  after.operator.poll?.();
  after.give('b', 0);
  test.equal(after.operator.counters?.().keys, 1, 'only b');
  await after.operator.close?.();
});

void t.test('values of one key are told apart; what cannot be is an error of the record', async (test) => {
  const { bench, give, passed } = open({ forever: true, of: 'v' });
  const values = [1, '1', true, null, undefined, Number.NaN, 1, '1', true, null, Number.NaN, {}];
  for (const [i, value] of values.entries()) give('a', i, value);
  test.same(passed(), [0, 1, 2, 3, 5], 'undefined is null');
  test.same(
    bench.errors.map(({ code, time }) => [code, time]),
    [['MR_KEY_INVALID', 11]],
  );
});

void t.test('DI4: an entry that has ended is not stored; state of another kind is refused', async (test) => {
  const { operator, give } = open({ ttl: 100 });
  give('a', 0);
  give('b', 50);
  operator.watermark(100);
  const state = stored(operator);
  test.same(expiries(state), [150]);
  for (const options of [{ ttl: 100, time: 'processing' }, { forever: true }, { ttl: 100, of: 'v' }] as const)
    test.throws(() => open(options).operator.restore?.([state]), { code: 'MR_STATE_INCOMPATIBLE' });
});

void t.test('a ttl is needed unless forever', async (test) => {
  test.throws(() => distinct({} as never), { code: 'MR_CONFIG_INVALID', message: /forever/ });
  test.throws(() => distinct({ ttl: 0 }), { code: 'MR_CONFIG_INVALID' });
});

function expiries({ groups }: OperatorState): number[] {
  return [...groups.values()].flatMap((group) => (group as { expiry: number[] }).expiry);
}
