import t from 'tap';
import { defineJob, partitionLog, type Pattern, pattern } from '#operators';
import { eventTime, schema, string } from '#wire';
import { input, testJob } from '../../operators/testing/index.ts';

const Word = schema('word', { at: eventTime(1), key: string(2), word: string(3) });
interface Word {
  readonly at: number;
  readonly key: string;
  readonly word: string;
}
const words = partitionLog('words', Word);
const texts = partitionLog('texts', schema('text', { at: eventTime(1), text: string(2) }));

/** Whether a word begins so. */
const is = (letter: string) => (event: Word) => event.word.startsWith(letter);
const p = () => pattern<Word>().start('a', is('a'));
const loop = () => p().followedBy('b', is('b'));
const bs = () => pattern<Word>().start('b', is('b')).oneOrMore().consecutive().next('c', is('c'));

/** Matches among words, one per ms, as their captured words; ended by the end of the input. */
async function matches(of: Pattern<Word, unknown>, text: string, crashing: boolean): Promise<string[]> {
  const job = defineJob('matches', { guarantee: 'exactly-once' }, (build) => {
    build
      .source('in', words)
      .keyBy('key')
      .match('match', {
        pattern: of,
        select: (captures) => ({
          at: 0,
          text: Object.values(captures as Record<string, Word | readonly Word[] | undefined>)
            .flatMap((it) => it ?? [])
            .map(({ word }) => word)
            .join(' '),
        }),
      })
      .to('out', texts);
  });
  const rows = text.split(' ').map((word, i): Word => ({ at: i + 1, key: 'k', word }));
  const { records } = await testJob(job, {
    inputs: { in: input(Word, rows) },
    restoreAfterEveryStep: crashing,
    rescale: [2, 1, 3],
  });
  return records<{ text: string }>('out').map((record) => record.text);
}

type Vector = readonly [rule: string, of: Pattern<Word, unknown>, text: string, expected: readonly string[]];
const vector = <C>(rule: string, of: Pattern<Word, C>, text: string, ...expected: string[]): Vector => [
  rule,
  of as unknown as Pattern<Word, unknown>,
  text,
  expected,
];

const vocabulary: readonly Vector[] = [
  vector('next is strict', p().next('b', is('b')), 'a c b1 a b2', 'a b2'),
  vector('followedBy is relaxed', p().followedBy('b', is('b')), 'a c b1 b2', 'a b1'),
  vector('followedByAny takes each', p().followedByAny('b', is('b')), 'a c b1 b2', 'a b1', 'a b2'),
  vector('notNext', p().notNext('n', is('n')).followedBy('b', is('b')), 'a1 n a2 d b', 'a2 b'),
  vector('notFollowedBy', p().notFollowedBy('n', is('n')).followedBy('b', is('b')), 'a1 d n a2 d b', 'a2 b'),
  vector(
    'notFollowedBy at the end, by within',
    p().notFollowedBy('n', is('n')).within(3),
    'a1 d d a2 n',
    'a1',
  ),
  vector('times', loop().times(2).followedBy('c', is('c')), 'a b1 d b2 b3 c', 'a b1 b2 c'),
  vector(
    'oneOrMore is relaxed inside by default',
    loop().oneOrMore().followedBy('c', is('c')),
    'a b1 d b2 c',
    'a b1 b2 c',
    'a b1 c',
  ),
  vector(
    'oneOrMore, consecutive',
    loop().oneOrMore().consecutive().followedBy('c', is('c')),
    'a b1 d b2 c',
    'a b1 c',
  ),
  vector(
    'greedy takes what it can',
    loop().oneOrMore().greedy().followedBy('c', is('c')),
    'a b1 b2 c',
    'a b1 b2 c',
  ),
  vector('optional', loop().optional().followedBy('c', is('c')), 'a b c', 'a b c', 'a c'),
  vector('within: less than, from the first event', loop().within(2), 'a1 a2 b', 'a2 b'),
];
const skips: readonly Vector[] = [
  vector('noSkip is the default', bs(), 'b1 b2 b3 c', 'b1 b2 b3 c', 'b2 b3 c', 'b3 c'),
  vector('noSkip', bs().noSkip(), 'b1 b2 b3 c', 'b1 b2 b3 c', 'b2 b3 c', 'b3 c'),
  vector('skipToNext', loop().oneOrMore().skipToNext(), 'a b1 b2 b3', 'a b1'),
  vector('skipPastLast', bs().skipPastLast(), 'b1 b2 b3 c', 'b1 b2 b3 c'),
  vector('skipToFirst', bs().skipToFirst('b'), 'b1 b2 b3 c', 'b1 b2 b3 c', 'b2 b3 c', 'b3 c'),
  vector('skipToLast', bs().skipToLast('b'), 'b1 b2 b3 c', 'b1 b2 b3 c', 'b3 c'),
];

for (const [group, vectors] of Object.entries({ vocabulary, skip: skips })) {
  for (const [rule, of, text, expected] of vectors) {
    void t.test(`§2.11 pattern ${group}: ${rule}`, async (test) => {
      test.same(await matches(of, text, false), expected);
      test.same(await matches(of, text, true), expected, 'the same, restored after every event');
    });
  }
}
