import t from 'tap';
import { MAX_WATERMARK } from '#engine';
import { patternMatch } from '../../../operators/pattern/pattern-operator.ts';
import { type Pattern, pattern } from '../../../operators/pattern/pattern.ts';
import { createOperatorBench, rowRecords } from '../../support/operator-bench.ts';

/** Events are words, fitted by their first letter. */
interface Word {
  readonly key: string;
  readonly word: string;
}
const a = (event: Word) => event.word.startsWith('a');
const b = (event: Word) => event.word.startsWith('b');
const c = (event: Word) => event.word.startsWith('c');
const d = (event: Word) => event.word.startsWith('d');
const n = (event: Word) => event.word.startsWith('n');
const ab = (event: Word) => a(event) || b(event);

const p = () => pattern<Word>();

/** Matches of a text of words, one per ms from 1, each as its words; with `@` the time where asked. */
function find<C>(
  of: Pattern<Word, C>,
  text: string,
  timed = false,
  watermarks = [1_000_000],
): { matches: string[]; timedOut: string[] } {
  const bench = createOperatorBench({ keys: { kind: 'fields', fields: ['key'] } });
  const words = (captures: unknown) =>
    Object.values(captures as Record<string, Word | Word[] | undefined>)
      .flatMap((it) => it ?? [])
      .map((event) => event.word)
      .join(' ');
  const operator = patternMatch({
    pattern: of,
    select: (match, { times }) => words(match) + (timed ? `@${times.at}` : ''),
    timedOut: (partial, { times }) => words(partial) + (timed ? `@${times.at}` : ''),
  }).create(bench.context);
  const rows = text.split(' ').map((word): Word => ({ key: 'k', word }));
  operator.records(
    rowRecords(
      rows,
      rows.map((_, i) => i + 1),
    ),
  );
  for (const watermark of watermarks) operator.watermark(watermark);
  for (const it of [...bench.output.given, ...bench.side('timedOut').given])
    if (it.kind === 'row' && timed && !String(it.row).endsWith(`@${it.time}`))
      throw new Error(`${String(it.row)} came with time ${it.time}`);
  return {
    matches: bench.output.rows() as string[],
    timedOut: bench.side('timedOut').rows() as string[],
  };
}

type Vector = readonly [rule: string, of: Pattern<Word, never>, text: string, matches: readonly string[]];
const vector = <C>(rule: string, of: Pattern<Word, C>, text: string, matches: readonly string[]): Vector => [
  rule,
  of as unknown as Pattern<Word, never>,
  text,
  matches,
];

const contiguity: readonly Vector[] = [
  vector('next is strict', p().start('a', a).next('b', b), 'a c b1 b2', []),
  vector('next takes a neighbour', p().start('a', a).next('b', b), 'a b1 b2', ['a b1']),
  vector('followedBy takes the first that fits', p().start('a', a).followedBy('b', b), 'a c b1 b2', ['a b1']),
  vector('followedByAny takes each', p().start('a', a).followedByAny('b', b), 'a c b1 b2', ['a b1', 'a b2']),
  vector('each first event begins a match', p().start('a', a).followedBy('b', b), 'a1 a2 b1 b2', [
    'a1 b1',
    'a2 b1',
  ]),
  vector('no event is in a match twice', p().start('a', a).followedBy('b', a), 'a1 a2 a3', [
    'a1 a2',
    'a2 a3',
  ]),
];

const LOOP = 'a b1 d1 b2 d2 b3 c';
const any = () => p().start('a', a).followedByAny('b', b);
const first = () => p().start('a', a).followedBy('b', b);
const loops: readonly Vector[] = [
  vector('consecutive', any().oneOrMore().consecutive().followedBy('c', c), LOOP, [
    'a b1 c',
    'a b2 c',
    'a b3 c',
  ]),
  vector('relaxed by default', any().oneOrMore().followedBy('c', c), LOOP, [
    'a b1 b2 b3 c',
    'a b1 b2 c',
    'a b1 c',
    'a b2 b3 c',
    'a b2 c',
    'a b3 c',
  ]),
  vector('allowCombinations', any().oneOrMore().allowCombinations().followedBy('c', c), LOOP, [
    'a b1 b2 b3 c',
    'a b1 b2 c',
    'a b1 b3 c',
    'a b1 c',
    'a b2 b3 c',
    'a b2 c',
    'a b3 c',
  ]),
  vector(
    'consecutive after followedBy',
    first().oneOrMore().consecutive().followedBy('c', c),
    'a b1 d b2 c',
    ['a b1 c'],
  ),
  vector('relaxed after followedBy', first().oneOrMore().followedBy('c', c), 'a b1 d b2 c', [
    'a b1 b2 c',
    'a b1 c',
  ]),
  vector(
    'combinations after followedBy',
    first().oneOrMore().allowCombinations().followedBy('c', c),
    'a b1 b2 b3 c',
    ['a b1 b2 b3 c', 'a b1 b2 c', 'a b1 b3 c', 'a b1 c'],
  ),
  vector('a loop at the end gives each length', first().oneOrMore(), 'a b1 d b2', ['a b1', 'a b1 b2']),
  vector('times(n)', first().times(2).followedBy('c', c), 'a b1 d b2 b3 c', ['a b1 b2 c']),
  vector('times(n) consecutive', first().times(2).consecutive().followedBy('c', c), 'a b1 d b2 b3 c', []),
  vector('times(min, max)', first().times(2, 3).followedBy('c', c), 'a b1 b2 b3 b4 c', [
    'a b1 b2 b3 c',
    'a b1 b2 c',
  ]),
  vector('times(0, max) is optional', first().times(0, 1).followedBy('c', c), 'a b c', ['a b c', 'a c']),
  vector('timesOrMore', first().timesOrMore(2), 'a b1 b2 b3', ['a b1 b2', 'a b1 b2 b3']),
  vector(
    'next before a loop is strict for its first event only',
    p().start('a', a).next('b', b).oneOrMore(),
    'a b1 d b2',
    ['a b1', 'a b1 b2'],
  ),
  vector(
    'until ends the loop, and its event is not in it',
    p().start('a', a).oneOrMore().until(b),
    'a1 c a2 b a3',
    ['a1', 'a1 a2', 'a2', 'a3'],
  ),
  vector('until leaves the event to a later step', first().oneOrMore().until(c).next('c', c), 'a b1 b2 c', [
    'a b1 b2 c',
  ]),
  vector('optional', first().optional().followedBy('c', c), 'a b c', ['a b c', 'a c']),
  vector('optional, left out', first().optional().followedBy('c', c), 'a c', ['a c']),
  vector('optional at the end', first().optional(), 'a b', ['a', 'a b']),
  vector('optional at the start', p().start('a', a).optional().followedBy('b', b), 'a1 b1', ['a1 b1', 'b1']),
  vector(
    'contiguity over a step left out counts from the event before',
    first().optional().next('c', c),
    'a d c',
    [],
  ),
  vector('zero or more', first().oneOrMore().optional().followedBy('c', c), 'a b1 b2 c', [
    'a b1 b2 c',
    'a b1 c',
    'a c',
  ]),
  vector('greedy takes what it can', first().oneOrMore().greedy().followedBy('c', c), 'a b1 d b2 c', [
    'a b1 b2 c',
  ]),
  vector(
    'greedy against a step that fits the same',
    first().oneOrMore().greedy().followedBy('ab', ab),
    'a1 b1 b2 a2',
    ['a1 b1 b2 a2'],
  ),
  vector(
    'without greedy the next step may take it',
    first().oneOrMore().followedBy('ab', ab),
    'a1 b1 b2 a2',
    ['a1 b1 b2', 'a1 b1 b2 a2'],
  ),
  vector('greedy times', first().times(1, 3).greedy().followedBy('c', c), 'a b1 b2 c', ['a b1 b2 c']),
  vector(
    'greedy zero or more is not left out',
    first().oneOrMore().optional().greedy().followedBy('c', c),
    'a b1 c',
    ['a b1 c'],
  ),
  vector(
    'greedy consecutive ends where the neighbours end',
    first().oneOrMore().greedy().consecutive().followedBy('c', c),
    'a b1 d b2 c',
    ['a b1 c'],
  ),
  vector('greedy ends at max', first().times(1, 2).greedy().followedBy('c', c), 'a b1 b2 b3 c', [
    'a b1 b2 c',
  ]),
];

const absence: readonly Vector[] = [
  vector('notNext', p().start('a', a).notNext('n', n).followedBy('b', b), 'a1 n a2 d n b', ['a2 b']),
  vector('notNext at the end waits for an event', p().start('a', a).notNext('n', n), 'a1 a2 n a3', ['a1']),
  vector('notFollowedBy', p().start('a', a).notFollowedBy('n', n).followedBy('b', b), 'a1 d n a2 d b', [
    'a2 b',
  ]),
  vector(
    'notFollowedBy holds for all of followedByAny',
    p().start('a', a).notFollowedBy('n', n).followedByAny('b', b),
    'a b1 n b2',
    ['a b1'],
  ),
  vector(
    'MA3: an event that both steps fit is taken',
    p().start('a', a).notFollowedBy('n', ab).followedBy('b', b),
    'a1 b',
    ['a1 b'],
  ),
  vector(
    'before an optional step, that counts until it has come',
    p().start('a', a).notFollowedBy('n', n).followedBy('b', b).optional().followedBy('c', c),
    'a b n c',
    ['a b c'],
  ),
  vector(
    'after a loop it counts from the first of it on',
    first().oneOrMore().notFollowedBy('n', n).followedBy('c', c),
    'a b1 n b2 c',
    [],
  ),
  vector('at the end, with within', p().start('a', a).notFollowedBy('n', n).within(3), 'a1 d d a2 n d', [
    'a1',
  ]),
];

const within: readonly Vector[] = [
  vector(
    'the last event comes less than within after the first',
    p().start('a', a).followedBy('b', b).within(3),
    'a d b',
    ['a b'],
  ),
  vector(
    'an event exactly at within is too late',
    p().start('a', a).followedBy('b', b).within(2),
    'a d b',
    [],
  ),
  vector('within counts from each first event', p().start('a', a).followedBy('b', b).within(2), 'a1 a2 b', [
    'a2 b',
  ]),
];

// b+ c, where c must be the last b's neighbour.
const tail = () => p().start('b', b).oneOrMore().consecutive().next('c', c);
const abc = () =>
  p()
    .start('a', a)
    .optional()
    .next('b', b)
    .optional()
    .next('c', c)
    .oneOrMore()
    .greedy()
    .consecutive()
    .next('d', d);
const skips: readonly Vector[] = [
  vector('noSkip', tail().noSkip(), 'b1 b2 b3 c', ['b1 b2 b3 c', 'b2 b3 c', 'b3 c']),
  vector('skipToNext', tail().skipToNext(), 'b1 b2 b3 c', ['b1 b2 b3 c', 'b2 b3 c', 'b3 c']),
  vector('skipPastLast', tail().skipPastLast(), 'b1 b2 b3 c', ['b1 b2 b3 c']),
  vector('skipToFirst', tail().skipToFirst('b'), 'b1 b2 b3 c', ['b1 b2 b3 c', 'b2 b3 c', 'b3 c']),
  vector('skipToLast', tail().skipToLast('b'), 'b1 b2 b3 c', ['b1 b2 b3 c', 'b3 c']),
  vector('noSkip gives each length', p().start('a', a).followedBy('b', b).oneOrMore(), 'a b1 b2 b3', [
    'a b1',
    'a b1 b2',
    'a b1 b2 b3',
  ]),
  vector(
    'skipToNext gives one match per first event',
    p().start('a', a).followedBy('b', b).oneOrMore().skipToNext(),
    'a b1 b2 b3',
    ['a b1'],
  ),
  vector('noSkip on a? b? c+ d', abc(), 'a b c1 c2 c3 d', [
    'a b c1 c2 c3 d',
    'b c1 c2 c3 d',
    'c1 c2 c3 d',
    'c2 c3 d',
    'c3 d',
  ]),
  vector('skipToFirst ends what began before that step', abc().skipToFirst('c'), 'a b c1 c2 c3 d', [
    'a b c1 c2 c3 d',
    'c1 c2 c3 d',
    'c2 c3 d',
    'c3 d',
  ]),
  vector('skipToLast ends what began before its last event', abc().skipToLast('c'), 'a b c1 c2 c3 d', [
    'a b c1 c2 c3 d',
    'c3 d',
  ]),
  vector('a step that took nothing skips nothing', abc().skipToFirst('a'), 'b c1 d', ['b c1 d', 'c1 d']),
  vector(
    'skipPastLast gives one of those that complete together: the one that took earlier events',
    p().start('b', b).oneOrMore().followedBy('c', c).skipPastLast(),
    'b1 b2 c b3 c',
    ['b1 b2 c', 'b3 c'],
  ),
];

for (const [name, vectors] of Object.entries({ contiguity, loops, absence, within, skips })) {
  void t.test(`E13 ${name}`, async (test) => {
    for (const [rule, of, text, matches] of vectors)
      test.same(find(of, text).matches, matches, `${rule}: ${text}`);
  });
}

void t.test('E13 SK1: a match waits for an earlier partial match, which may end it', async (test) => {
  const of = p().start('a', a).followedBy('b', b).followedBy('c', c).skipPastLast().within(6);
  test.same(find(of, 'a1 a2 b c', true).matches, ['a1 b c@4']);
  const held = p().start('ab', ab).next('x', ab).optional().followedBy('c', c).within(4);
  test.same(find(held, 'a c', true).matches, ['a c@2']);
  const two = p()
    .start('first', (e) => e.word === 'a1' || e.word === 'b1')
    .followedBy('last', (e, { captures }) => e.word === captures.first.word.replace('1', '2'))
    .within(10)
    .skipPastLast();
  test.same(
    find(two, 'a1 b1 b2 d a2', true).matches,
    ['a1 a2@5'],
    'the earlier one came, and ends the other',
  );
  test.same(find(two, 'a1 b1 b2 d d', true), { matches: ['b1 b2@11'], timedOut: ['a1@11'] }, 'it timed out');
});

void t.test('E13 SK1 PA3: the last watermark gives the matches that wait', async (test) => {
  const relaxed = p().start('b', b).oneOrMore().next('c', c).skipToFirst('b');
  const expected = ['b1 b2 c@3', 'b2 c@1001'];
  test.same(find(relaxed, 'b1 b2 c', true, [1000, MAX_WATERMARK]).matches, expected);
  test.same(find(relaxed, 'b1 b2 c', true, [1000]).matches, expected.slice(0, 1), 'b1 b2 might yet go on');
});

void t.test('E13 PA2: what times out, and when', async (test) => {
  const of = p().start('a', a).followedBy('b', b).followedBy('c', c).within(5);
  test.same(find(of, 'a1 b a2', true), { matches: [], timedOut: ['a1 b@6', 'a2@8'] });
  test.same(
    find(p().start('a', a).next('b', b).within(5), 'a d').timedOut,
    [],
    'strict contiguity ended it before',
  );
  test.same(
    find(p().start('a', a).followedBy('b', b).oneOrMore().within(5), 'a b1 b2').timedOut,
    [],
    'what is a match already does not time out',
  );
  test.same(
    find(p().start('a', a).followedBy('b', b).notFollowedBy('n', n).within(5), 'a1 b', true),
    { matches: ['a1 b@6'], timedOut: [] },
    'notFollowedBy at the end matches at the timeout',
  );
  test.same(
    find(p().start('a', a).followedBy('b', b).notFollowedBy('n', n).within(5), 'a1 b n', true),
    { matches: [], timedOut: [] },
    'what must not come ends a partial match, it does not time out',
  );
});

void t.test('E13: conditions see earlier captures, and those of their own step', async (test) => {
  const rising = p()
    .start('a', a)
    .followedBy('b', (e, { captures, taken }) => {
      const before = taken.at(-1) ?? captures.a;
      return b(e) && Number(e.word.slice(1)) > Number(before.word.slice(1));
    })
    .oneOrMore()
    .greedy()
    .followedBy('c', (e, { captures }) => c(e) && Number(e.word.slice(1)) === captures.b.length);
  test.same(find(rising, 'a2 b1 b3 b2 b5 c1 c2 c3').matches, ['a2 b3 b5 c2']);
  test.same(
    find(
      p()
        .start('x', a)
        .or(b)
        .where((e) => e.word !== 'b1'),
      'a1 b1 b2 c',
    ).matches,
    ['a1', 'b2'],
  );
  test.same(
    find(
      p()
        .start('a', a)
        .notFollowedBy('n', n)
        .or(c)
        .where((e) => e.word !== 'n1')
        .followedBy('b', b),
      'a1 n1 b1 a2 c b2',
    ).matches,
    ['a1 b1'],
  );
});
