import fc from 'fast-check';
import t from 'tap';
import { type Operator, type OperatorState, seededRandom } from '#engine';
import { decodeSnapshot, encodeSnapshot } from '../../engine/checkpoint/snapshot-codec.ts';
import { asyncMap } from '../../operators/async-map.ts';
import { createOperatorBench, type Given, rowRecords } from '../support/operator-bench.ts';

/** Calls that stay open until the test answers them. */
class Calls {
  readonly open: {
    readonly row: number;
    readonly resolve: (value: unknown) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  readonly made: number[] = [];
  openMax = 0;
  readonly transform = (row: unknown): Promise<unknown> => {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.made.push(row as number);
    this.open.push({ row: row as number, resolve, reject });
    this.openMax = Math.max(this.openMax, this.open.length);
    return promise;
  };
  /** Answers the n-th open call. */
  answer(n: number, fails = false): void {
    const [call] = this.open.splice(n % this.open.length, 1);
    if (call === undefined) return;
    if (fails) call.reject(new Error(`no answer for ${call.row}`));
    else call.resolve(call.row * 10);
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));
const give = (operator: Operator, row: number) => operator.records(rowRecords([row], [row]));
const open = (
  transform: (row: unknown) => unknown,
  concurrency: number,
  onError: 'fail' | 'dead-letter' = 'dead-letter',
) => {
  const bench = createOperatorBench({ onError });
  return { bench, operator: asyncMap(transform, { concurrency }).create(bench.context) };
};
const stored = (operator: Operator): OperatorState =>
  decodeSnapshot(encodeSnapshot(operator.snapshot?.() as OperatorState), [0, 127]);
const row = (n: number): Given => ({ kind: 'row', row: n * 10, time: n });

type Step =
  | { readonly kind: 'record' | 'watermark' | 'idle' | 'poll' | 'restore' }
  | { readonly kind: 'answer'; readonly nth: number; readonly fails: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Step>({ kind: 'record' }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'watermark' }) },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'poll' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'restore' }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      nth: fc.nat(9),
      fails: fc.nat(9).map((n) => n === 0),
    }),
  },
);

void t.test(
  'AM1 AM2 AM3: results leave in the order of their inputs, no watermark overtakes, calls stay bounded, a restore loses and doubles nothing',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        fc.nat(),
        async (script, concurrency, seed) => {
          let calls = new Calls();
          let { bench, operator } = open(calls.transform, concurrency);
          let order: (number | string)[] = [];
          const given: (number | string)[] = [];
          const failed = new Set<number>();
          let time = 0;
          const collect = () => {
            for (const it of bench.output.take())
              given.push(it.kind === 'row' ? it.time : it.kind === 'watermark' ? `w${it.time}` : 'idle');
            for (const error of bench.errors.splice(0)) failed.add(error.time);
          };
          const run = async (it: Step) => {
            if (it.kind === 'record' && operator.blocked?.() === null) {
              order.push(++time);
              give(operator, time);
            } else if (it.kind === 'watermark') {
              order.push(`w${++time}`);
              operator.watermark(time);
            } else if (it.kind === 'answer' && calls.open.length > 0) {
              calls.answer(it.nth, it.fails);
              await settle();
            } else if (it.kind === 'restore') {
              collect();
              const state = stored(operator);
              calls = new Calls();
              ({ bench, operator } = open(calls.transform, concurrency));
              operator.restore?.([state]);
              // Watermarks still in the queue come again from the source; so does the newest.
              const newest = order.findLast((entry) => typeof entry === 'string');
              if (newest !== undefined && !given.includes(newest)) {
                order = order.filter((entry) => typeof entry === 'number' || given.includes(entry));
                order.push(`w${++time}`);
                operator.watermark(time);
              }
            } else operator.poll?.();
            collect();
            if (calls.open.length > concurrency) throw new Error(`${calls.open.length} calls are open`);
          };
          for (const it of script) await run(it);
          const random = seededRandom(seed);
          for (let i = 0; operator.pending?.() && i < 1000; i++) {
            await run({ kind: 'poll' });
            await run({ kind: 'answer', nth: Math.floor(random() * 9), fails: false });
          }
          await run({ kind: 'poll' });
          return (
            given.join() === order.filter((entry) => typeof entry === 'string' || !failed.has(entry)).join()
          );
        },
      ),
      { numRuns: 300 },
    );
  },
);

void t.test(
  'AM2: at most `concurrency` calls are open; then the task takes no more, until an answer',
  async (test) => {
    const calls = new Calls();
    const { bench, operator } = open(calls.transform, 2);
    operator.records(rowRecords([1, 2, 3], [1, 2, 3]));
    test.same(calls.made, [1, 2]);
    const room = operator.blocked?.();
    test.ok(room instanceof Promise);
    calls.answer(0);
    await settle();
    test.ok(bench.wakes > 0, 'an answer asks for a turn');
    operator.poll?.();
    await room;
    test.same(calls.made, [1, 2, 3]);
    test.equal(operator.blocked?.(), null);
  },
);

void t.test(
  'AM3: a snapshot holds exactly what has not left; a restore calls it again, first',
  async (test) => {
    const calls = new Calls();
    const { bench, operator } = open(calls.transform, 10);
    operator.records(rowRecords([1, 2, 3], [1, 2, 3]));
    calls.answer(0);
    calls.answer(1); // the call of 3
    await settle();
    operator.poll?.();
    test.same(bench.output.take(), [row(1)]);
    const state = stored(operator);
    test.same(state.items, [
      { row: 2, time: 2 },
      { row: 3, time: 3 },
    ]);
    const again = new Calls();
    const next = open(again.transform, 10);
    next.operator.restore?.([state]);
    give(next.operator, 4);
    test.same(again.made, [2, 3, 4]);
    for (let i = 0; i < 3; i++) again.answer(2 - i);
    await settle();
    next.operator.poll?.();
    test.same(next.bench.output.take(), [row(2), row(3), row(4)]);
  },
);

void t.test('AM1: watermark and idleness wait for the results before them', async (test) => {
  const calls = new Calls();
  const { bench, operator } = open(calls.transform, 10);
  give(operator, 1);
  operator.watermark(5);
  operator.idle();
  operator.poll?.();
  test.same(bench.output.take(), []);
  calls.answer(0);
  await settle();
  operator.poll?.();
  test.same(bench.output.take(), [row(1), { kind: 'watermark', time: 5 }, { kind: 'idle' }]);
  operator.watermark(7);
  operator.watermark(6);
  test.same(
    bench.output.take(),
    [{ kind: 'watermark', time: 7 }],
    'nothing is in between: at once, and rising only',
  );
});

void t.test(
  'a call that fails, throws or rejects without a reason is an operator error of its record',
  async (test) => {
    const transform = (n: unknown) => {
      if (n === 1) throw new Error('thrown');
      return n === 2 ? Promise.reject(new Error('rejected')) : n === 3 ? Promise.reject() : n;
    };
    const { bench, operator } = open(transform, 10);
    operator.records(rowRecords([1, 2, 3, 4], [1, 2, 3, 4]));
    await settle();
    operator.poll?.();
    test.same(
      bench.errors.map(({ message, row: input, time }) => [message, input, time]),
      [
        ['thrown', 1, 1],
        ['rejected', 2, 2],
        ["asyncMap 'under-test' rejected without a reason", 3, 3],
      ],
    );
    test.same(bench.output.take(), [{ kind: 'row', row: 4, time: 4 }]);
    const failing = open(transform, 10, 'fail');
    test.throws(() => give(failing.operator, 1), { message: 'thrown' });
  },
);
