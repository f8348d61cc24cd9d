import t from 'tap';
import { MillraceError } from '#engine';
import {
  decideRestart,
  type FailureFacts,
  failuresInRow,
} from '../../../engine/coordinator/restart-policy.ts';
import type { RestartOptions } from '../../../engine/graph/job-graph.ts';

const bug = new Error('user code');
const lost = new MillraceError('MR_HOST_LOST', 'gone');
const facts = (changes: Partial<FailureFacts> = {}): FailureFacts => ({
  error: bug,
  failedAt: [1_000],
  ranMs: 5,
  inRow: 0,
  ...changes,
});
const delay = (options: RestartOptions, changes: Partial<FailureFacts> = {}, random = 0.5) => {
  const decision = decideRestart(facts(changes), options, () => random);
  return decision.kind === 'restart' ? decision.delayMs : decision.why;
};
const exponential: RestartOptions = {
  strategy: 'exponential',
  firstMs: 1_000,
  maxMs: 60_000,
  resetAfterMs: 600_000,
  attemptsMax: Number.POSITIVE_INFINITY,
};

void t.test(
  'E9: exponential delays double up to their most, within a tenth, and begin anew after quiet running',
  async (test) => {
    test.same(
      [0, 1, 2, 3, 5, 6, 200].map((inRow) => delay(exponential, { inRow })),
      [1_000, 2_000, 4_000, 8_000, 32_000, 60_000, 60_000],
    );
    test.same(
      [0, 1].map((random) => delay(exponential, { inRow: 6 }, random)),
      [54_000, 66_000],
    );
    test.equal(delay(exponential, { inRow: 6, ranMs: 600_000 }), 1_000);
    test.equal(failuresInRow(facts({ inRow: 6, ranMs: 600_000 }), exponential), 1);
    test.equal(failuresInRow(facts({ inRow: 6, ranMs: 599_999 }), exponential), 7);
    test.equal(delay({ ...exponential, attemptsMax: 3 }, { inRow: 1 }), 2_000);
    test.match(delay({ ...exponential, attemptsMax: 3 }, { inRow: 2 }), /3 attempts in a row/);
  },
);

void t.test(
  'E9: fixed delays, as often as declared; none; and never what trying again cannot mend',
  async (test) => {
    const fixed: RestartOptions = { strategy: 'fixed', delayMs: 700, attemptsMax: 2 };
    test.equal(delay(fixed), 700);
    test.match(delay(fixed, { inRow: 1 }), /2 attempts in a row/);
    test.match(delay({ strategy: 'none' }), /no restarts/);
    test.match(delay({ strategy: 'none' }, { error: lost }), /no restarts/);
    for (const options of [fixed, exponential])
      test.match(
        delay(options, { error: new MillraceError('MR_CHECKPOINT_FENCED', '') }),
        /cannot be mended/,
      );
  },
);

void t.test('E9: a rate counts the failures of its time, however many they may be', async (test) => {
  const rate: RestartOptions = { strategy: 'failure-rate', failuresMax: 100, perMs: 1_000, delayMs: 20 };
  const failedAt = (n: number, apartMs: number) => Array.from({ length: n }, (_, i) => i * apartMs);
  test.equal(delay(rate, { failedAt: failedAt(100, 1) }), 20);
  test.match(delay(rate, { failedAt: failedAt(101, 1) }), /101 attempts/);
  test.equal(delay(rate, { failedAt: failedAt(1_000, 10) }), 20, '100 in any 1,000 ms');
});

void t.test(
  'E10: the first failure in a row restarts at once when it is a lost host or a lost way to one',
  async (test) => {
    const strategies: readonly RestartOptions[] = [
      exponential,
      { strategy: 'fixed', delayMs: 700, attemptsMax: 9 },
      { strategy: 'failure-rate', failuresMax: 9, perMs: 1_000, delayMs: 700 },
    ];
    for (const options of strategies) {
      for (const code of ['MR_HOST_LOST', 'MR_EXCHANGE_LOST', 'MR_CONTROL_FAILED'] as const) {
        const error = new MillraceError(code, 'gone');
        test.equal(delay(options, { error }), 0, `${options.strategy}, ${code}`);
        test.ok(
          (delay(options, { error, inRow: 1, failedAt: [999, 1_000] }) as number) >= 700,
          'the second waits',
        );
      }
      test.ok((delay(options, { error: new MillraceError('MR_REDIS_UNAVAILABLE', '') }) as number) >= 700);
    }
  },
);
