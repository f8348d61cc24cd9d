import t from 'tap';
import { compilePattern } from '../../../operators/pattern/automaton.ts';
import { type Capture, capturesOf } from '../../../operators/pattern/captures.ts';
import { Matcher, type Run } from '../../../operators/pattern/matcher.ts';
import { pattern } from '../../../operators/pattern/pattern.ts';

interface Row {
  readonly kind: string;
  readonly n: number;
}

/** `a+ b`, where a condition throws for the partial match that began with `unluckyAt`. */
const plan = (unluckyAt: () => number) =>
  pattern<Row>()
    .start('a', ({ kind }) => kind === 'a')
    .oneOrMore()
    .followedBy('b', ({ kind }, { captures }) => {
      if (captures.a[0]?.n === unluckyAt()) throw new Error('unlucky');
      return kind === 'b';
    }).plan;

void t.test('MA1: a condition that throws leaves the runs as they were, wherever it throws', async (test) => {
  for (const begun of [0, 1, 2]) {
    let unluckyAt = -1;
    const automaton = compilePattern(plan(() => unluckyAt));
    const matcher = new Matcher(automaton);
    let runs: readonly Run[] = [];
    const feed = (kind: string, n: number) => {
      const next: Run[] = [];
      const completed: Capture[] = [];
      matcher.advance(runs, { kind, n }, n, next, completed);
      runs = next;
      return completed.map((match) => capturesOf(automaton.steps, match));
    };
    for (const n of [0, 1, 2]) feed('a', n);
    const before = [...runs];
    const copies = structuredClone(before);
    unluckyAt = begun;
    test.throws(() => feed('b', 3), { message: 'unlucky' });
    test.equal(runs.length, before.length);
    test.ok(runs.every((run, i) => run === before[i]));
    test.same(structuredClone(runs), copies);
    unluckyAt = -1;
    const fresh = new Matcher(automaton);
    const completed: Capture[] = [];
    fresh.advance(before, { kind: 'b', n: 4 }, 4, [], completed);
    test.same(
      feed('b', 4),
      completed.map((match) => capturesOf(automaton.steps, match)),
      'the next event finds what it would have found',
    );
    test.ok(completed.length > 0);
  }
});
