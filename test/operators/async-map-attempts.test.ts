import t from 'tap';
import { Calls, give, open, row, settle } from '../support/async-map-bench.ts';
import { rowRecords } from '../support/operator-bench.ts';

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
