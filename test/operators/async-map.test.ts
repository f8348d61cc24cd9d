import t from 'tap';
import { LIMITS } from '#engine';
import { asyncMap } from '../../operators/async-map.ts';
import { Calls, give, open, row, settle, stored } from '../support/async-map-bench.ts';
import { rowRecords } from '../support/operator-bench.ts';

void t.test(
  'AM2 CL1 CL3: at most `concurrency` calls are open, begun in order; then the task takes no more, until an answer',
  async (test) => {
    const calls = new Calls();
    const { bench, operator } = open(calls.transform, { concurrency: 2 });
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
  'AM3 IF2: a snapshot holds exactly what has not left, in order; a restore calls it again, first',
  async (test) => {
    const calls = new Calls();
    const { bench, operator } = open(calls.transform, {});
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
    const next = open(again.transform, {});
    next.operator.restore?.([state]);
    give(next.operator, 4);
    test.same(again.made, [2, 3, 4]);
    for (let i = 0; i < 3; i++) again.answer(2 - i);
    await settle();
    next.operator.poll?.();
    test.same(next.bench.output.take(), [row(2), row(3), row(4)]);
  },
);

void t.test(
  'AM5: what is there at once leaves in the same turn, and waits behind what is not',
  async (test) => {
    const calls = new Calls();
    const mixed = (row: unknown) => {
      if (row === 2) return calls.transform(row);
      if (row === 5) throw new Error('not 5');
      return (row as number) * 10;
    };
    const { bench, operator } = open(mixed, { concurrency: 1 });
    give(operator, 1);
    test.same(bench.output.take(), [row(1)]);
    test.equal(operator.pending?.(), false);
    test.equal(bench.wakes, 0, 'no turn is asked for');
    operator.records(rowRecords([2, 3], [2, 3]));
    operator.watermark(3);
    test.same(bench.output.take(), [], '3 waits behind 2, for its place and its order');
    test.same(stored(operator).items, [
      { row: 2, time: 2 },
      { row: 3, time: 3 },
    ]);
    calls.answer(0);
    await settle();
    operator.poll?.();
    test.same(bench.output.take(), [row(2), row(3), { kind: 'watermark', time: 3 }]);
    operator.records(rowRecords([4, 5, 6], [4, 5, 6]));
    test.same(bench.output.take(), [row(4), row(6)]);
    test.same(bench.errors, [{ code: 'NONE', message: 'not 5', row: 5, time: 5 }], 'once, with its row');
  },
);

void t.test('AM5: unordered, what is there at once passes what is not, but no watermark', async (test) => {
  const calls = new Calls();
  const mixed = (row: unknown) => ((row as number) % 2 === 1 ? (row as number) * 10 : calls.transform(row));
  const { bench, operator } = open(mixed, { order: 'unordered' });
  operator.records(rowRecords([2, 3], [2, 3]));
  test.same(bench.output.take(), [row(3)]);
  operator.watermark(3);
  operator.records(rowRecords([5], [5]));
  test.same(bench.output.take(), [], '5 came behind the watermark, which waits for 2');
  calls.answer(0);
  await settle();
  operator.poll?.();
  test.same(bench.output.take(), [row(2), { kind: 'watermark', time: 3 }, row(5)]);
});

void t.test('AM1 IF1: watermark and idleness wait for the results before them', async (test) => {
  const calls = new Calls();
  const { bench, operator } = open(calls.transform, {});
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
    const { bench, operator } = open(transform, {});
    operator.records(rowRecords([1, 2, 3, 4], [1, 2, 3, 4]));
    await settle();
    operator.poll?.();
    test.same(
      bench.errors.map(({ message, row: input, time }) => [message, input, time]),
      [
        ['thrown', 1, 1],
        ['rejected', 2, 2],
        ["a call of 'under-test' rejected without a reason", 3, 3],
      ],
    );
    test.same(bench.output.take(), [{ kind: 'row', row: 4, time: 4 }]);
    const failing = open(transform, {}, 'fail');
    test.throws(() => give(failing.operator, 1), { message: 'thrown' });
  },
);

void t.test(
  'AM2: a result that waits for an earlier one counts; when 10,000 are held the task takes no more',
  async (test) => {
    let first = (_: unknown) => {};
    const { bench, operator } = open((n) => (n === 0 ? new Promise((resolve) => (first = resolve)) : n), {});
    const numbers = Array.from({ length: LIMITS.asyncInputsMax }, (_, n) => n);
    operator.records(rowRecords(numbers.slice(0, -1), numbers.slice(0, -1)));
    test.equal(operator.blocked?.(), null);
    operator.records(rowRecords([9_999], [9_999]));
    test.ok(operator.blocked?.() instanceof Promise);
    test.same(operator.waiting?.(), { what: 'call', until: null, count: 10_000 });
    first(0);
    await settle();
    operator.poll?.();
    test.equal(operator.blocked?.(), null);
    test.equal(operator.waiting?.(), null);
    test.same(bench.output.rows(), numbers);
  },
);

void t.test(
  'AM4: unordered: results pass each other between two watermarks only (Flink, AsyncDataStream)',
  async (test) => {
    const calls = new Calls();
    const { bench, operator } = open(calls.transform, { order: 'unordered' });
    give(operator, 1);
    give(operator, 2);
    operator.watermark(5);
    give(operator, 6);
    operator.watermark(7);
    operator.watermark(8);
    operator.idle();
    calls.answer(2); // the call of 6
    await settle();
    operator.poll?.();
    test.same(bench.output.take(), [], '6 must not pass the watermark before it');
    calls.answer(1); // the call of 2
    await settle();
    operator.poll?.();
    test.same(bench.output.take(), [row(2)], '2 passes 1');
    test.same(stored(operator).items, [
      { row: 1, time: 1 },
      { row: 6, time: 6 },
    ]);
    calls.answer(0);
    await settle();
    operator.poll?.();
    test.same(bench.output.take(), [
      row(1),
      { kind: 'watermark', time: 5 },
      row(6),
      { kind: 'watermark', time: 8 },
      { kind: 'idle' },
    ]);
  },
);

void t.test('options out of range are refused', async (test) => {
  for (const options of [
    { concurrency: 0 },
    { concurrency: 1.5 },
    { timeout: 0 },
    { retry: { attempts: 0 } },
    { retry: { attempts: 101 } },
    { retry: { attempts: 2, first: -1 } },
  ])
    test.throws(() => asyncMap(() => null, options), { code: 'MR_CONFIG_INVALID' });
});
