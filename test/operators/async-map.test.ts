import fc from 'fast-check';
import t from 'tap';
import { LIMITS, type Operator, type OperatorState, seededRandom } from '#engine';
import { decodeSnapshot, encodeSnapshot } from '../support/stored-snapshot.ts';
import { asyncMap, type AsyncMapOptions } from '../../operators/async-map.ts';
import type { CallAttempt } from '../../operators/async/call-policy.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { createOperatorBench, type Given, rowRecords } from '../support/operator-bench.ts';
import { propertyRuns } from '../support/property-runs.ts';

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
  transform: (row: unknown, call: CallAttempt) => unknown,
  options: AsyncMapOptions,
  onError: 'fail' | 'dead-letter' = 'dead-letter',
) => {
  const clock = manualClock(0);
  const bench = createOperatorBench({ onError, clock });
  return { bench, clock, operator: asyncMap(transform, options, seededRandom(7)).create(bench.context) };
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

/** Watermarks with no record between them are one: the last. */
function merged(said: readonly (number | string)[]): (number | string)[] {
  return said.filter((it, i) => typeof it === 'number' || typeof said[i + 1] !== 'string');
}

/** The records between two watermarks, sorted: what an unordered operator may shuffle. */
function sortedBetween(said: readonly (number | string)[]): (number | string)[] {
  const sorted: (number | string)[] = [];
  let stretch: number[] = [];
  for (const it of said) {
    if (typeof it === 'number') stretch.push(it);
    else {
      sorted.push(...stretch.sort((a, b) => a - b), it);
      stretch = [];
    }
  }
  return [...sorted, ...stretch.sort((a, b) => a - b)];
}

void t.test(
  'AM1 AM2 AM3 AM4: results leave in their order, no watermark overtakes or is overtaken, calls stay bounded, a restore loses and doubles nothing',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom<'ordered' | 'unordered'>('ordered', 'unordered'),
        fc.nat(),
        async (script, concurrency, resultOrder, seed) => {
          let calls = new Calls();
          let { bench, operator } = open(calls.transform, { concurrency, order: resultOrder });
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
              ({ bench, operator } = open(calls.transform, { concurrency, order: resultOrder }));
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
          const left = order.filter((entry) => typeof entry === 'string' || !failed.has(entry));
          const expected = merged(left).join();
          const got = merged(resultOrder === 'ordered' ? given : sortedBetween(given));
          if (got.join() !== expected) throw new Error(`got ${got.join()} instead of ${expected}`);
          return given.every((it) => order.includes(it));
        },
      ),
      { numRuns: propertyRuns(400) },
    );
  },
);

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

void t.test(
  'a call without an answer is given up at its timeout: an error of its record, its signal aborts',
  async (test) => {
    const signals: AbortSignal[] = [];
    const { bench, operator, clock } = open(
      (n, { signal }) => {
        signals.push(signal);
        return n === 2 ? Promise.resolve(20) : new Promise(() => {});
      },
      { timeout: '5s' },
    );
    operator.records(rowRecords([1, 2], [1, 2]));
    await settle();
    clock.advance(4_999);
    operator.poll?.();
    test.same(bench.output.take(), []);
    test.same(
      signals.map(({ aborted }) => aborted),
      [false, false],
    );
    const wakes = bench.wakes;
    clock.advance(1);
    test.ok(bench.wakes > wakes, 'a turn is asked for');
    operator.poll?.();
    test.same(bench.output.take(), [row(2)]);
    test.same(
      signals.map(({ aborted }) => aborted),
      [true, false],
    );
    test.match(signals[0]?.reason, { code: 'MR_OPERATOR_TIMEOUT' });
    test.same(
      bench.errors.map(({ code, row, time }) => [code, row, time]),
      [['MR_OPERATOR_TIMEOUT', 1, 1]],
    );
    test.match(bench.errors[0]?.message, /'under-test' gave no answer within 5s \(attempt 1 of 1\)/);
  },
);

void t.test(
  'onTimeout gives the result of a record whose last attempt has timed out, and of no other',
  async (test) => {
    const onTimeout = (n: unknown) => {
      if (n === 3) throw new Error('no default');
      return `default of ${String(n)}`;
    };
    const { bench, operator, clock } = open(
      (n) => (n === 2 ? Promise.reject(new Error('refused')) : new Promise(() => {})),
      { timeout: 100, onTimeout },
    );
    operator.records(rowRecords([1, 2, 3], [1, 2, 3]));
    await settle();
    clock.advance(100);
    operator.poll?.();
    test.same(bench.output.rows(), ['default of 1']);
    test.same(
      bench.errors.map(({ message }) => message),
      ['refused', 'no default'],
    );
  },
);

void t.test(
  'CL1 CL2: a failed call is tried again after growing waits, keeps its place, and is answered once',
  async (test) => {
    const made: string[] = [];
    const late: ((value: unknown) => void)[] = [];
    const { bench, operator, clock } = open(
      (n, { attempt, signal }) => {
        made.push(`${String(n)}/${attempt}`);
        if (n === 2) return Promise.resolve(20);
        if (attempt === 3) return Promise.resolve(10);
        if (attempt === 1) throw new Error('busy');
        // Answers after it has been given up.
        return new Promise((resolve) => signal.addEventListener('abort', () => late.push(resolve)));
      },
      {
        concurrency: 1,
        timeout: 1_000,
        retry: { attempts: 3, first: 100, max: 150, jitter: false },
      },
    );
    operator.records(rowRecords([1, 2], [1, 2]));
    test.same(made, ['1/1'], 'a call that waits for its next attempt keeps its place: 2 is not called');
    const turn = async (ms: number) => {
      clock.advance(ms);
      operator.poll?.();
      await settle();
    };
    await turn(99);
    test.same(made, ['1/1']);
    await turn(1);
    test.same(made, ['1/1', '1/2'], 'after 100 ms');
    await turn(1_000);
    late[0]?.('too late');
    await turn(149);
    test.same(made, ['1/1', '1/2'], 'given up at its timeout; the second wait would be 200 ms, 150 at most');
    await turn(1);
    await turn(0);
    await turn(0);
    test.same(made, ['1/1', '1/2', '1/3', '2/1']);
    test.same(bench.output.take(), [row(1), row(2)]);
    test.same(bench.errors, []);
  },
);

void t.test('the last error is the one reported; `if` decides what is tried again', async (test) => {
  const made: string[] = [];
  const { bench, operator, clock } = open(
    (n, { attempt }) => {
      made.push(`${String(n)}/${attempt}`);
      return Promise.reject(new Error(n === 1 ? `failure ${attempt}` : n === 2 ? 'final' : 'odd'));
    },
    {
      retry: {
        attempts: 2,
        first: 10,
        if(error) {
          if ((error as Error).message === 'odd') throw new Error('in the test of it');
          return (error as Error).message !== 'final';
        },
      },
    },
  );
  operator.records(rowRecords([1, 2, 3], [1, 2, 3]));
  for (let i = 0; i < 3; i++) {
    await settle();
    clock.advance(10);
    operator.poll?.();
  }
  test.same(made, ['1/1', '2/1', '3/1', '1/2']);
  test.same(
    bench.errors.map(({ message }) => message),
    ['failure 2', 'final', 'in the test of it'],
  );
});

void t.test('jitter draws each wait from its upper half; a seed gives the same waits again', async (test) => {
  const waits = async () => {
    const times: number[] = [];
    const { operator, clock } = open(
      () => {
        times.push(clock.now());
        throw new Error('busy');
      },
      { retry: { attempts: 5, first: 100, max: 400 } },
    );
    give(operator, 1);
    for (let i = 0; i < 2_000; i++) {
      clock.advance(1);
      operator.poll?.();
    }
    return times.slice(1).map((at, i) => at - (times[i] as number));
  };
  const drawn = await waits();
  test.equal(drawn.length, 4);
  for (const [i, most] of [100, 200, 400, 400].entries()) {
    test.ok((drawn[i] as number) >= most / 2 && (drawn[i] as number) <= most, `${drawn[i]} of ${most}`);
  }
  test.same(await waits(), drawn);
});

void t.test(
  'close gives up what is open: signals abort, nothing is called or given any more',
  async (test) => {
    const calls = new Calls();
    let signal: AbortSignal | undefined;
    const { bench, operator, clock } = open(
      (n, call) => {
        if (n === 1) signal = call.signal;
        if (n === 2) throw new Error('busy');
        return calls.transform(n);
      },
      { timeout: 1_000, retry: { attempts: 9 } },
    );
    operator.records(rowRecords([1, 2], [1, 2]));
    await operator.close?.();
    test.equal(signal?.aborted, true);
    calls.answer(0);
    await settle();
    clock.advance(100_000);
    operator.poll?.();
    test.same(calls.made, [1]);
    test.same([bench.output.take(), bench.errors], [[], []]);
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
