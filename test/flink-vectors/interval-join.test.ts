import t from 'tap';
import { defineJob, partitionLog } from '#operators';
import { eventTime, schema, string } from '#wire';
import { input, testJob, watermark } from '../../operators/testing/index.ts';
import { Event, type Step, steps } from './windowed.ts';

const events = partitionLog('events', Event);
const texts = partitionLog('texts', schema('text', { at: eventTime(1), text: string(2) }));

interface Bounds {
  readonly lower: number;
  readonly upper: number;
  readonly includeLower?: boolean;
  readonly includeUpper?: boolean;
}

/** Pairs as `left+right@time`, and the times of late records. Inputs take turns, left first, one element each. */
async function joined(bounds: Bounds, left: readonly Step[], right: readonly Step[]) {
  const job = defineJob('joined', { guarantee: 'exactly-once' }, (build) => {
    const pairs = build
      .source('left', events)
      .keyBy('key')
      .intervalJoin('pairs', build.source('right', events).keyBy('key'), {
        ...bounds,
        join: (l, r) => ({ at: 0, text: `${l.at}+${r.at}` }),
      });
    pairs.to('out', texts);
    pairs.side.lateLeft.to('lateLeft', events);
    pairs.side.lateRight.to('lateRight', events);
  });
  const { output, records } = await testJob(job, {
    inputs: {
      left: input(Event, steps(left), { watermarks: 'from-markers' }),
      right: input(Event, steps(right), { watermarks: 'from-markers' }),
    },
  });
  return {
    pairs: output<{ text: string }>('out').map(({ record, timestamp }) => `${record.text}@${timestamp}`),
    late: [...records<Event>('lateLeft'), ...records<Event>('lateRight')].map(({ at }) => at),
  };
}

const bounds: readonly (readonly [
  rule: string,
  bounds: Bounds,
  left: number,
  rights: readonly number[],
  pairs: readonly string[],
])[] = [
  [
    'lower ≤ right − left ≤ upper, both inclusive',
    { lower: -1, upper: 2 },
    10,
    [8, 9, 10, 12, 13],
    ['10+9@10', '10+10@10', '10+12@12'],
  ],
  [
    'lower exclusive',
    { lower: -1, upper: 2, includeLower: false },
    10,
    [9, 10, 12],
    ['10+10@10', '10+12@12'],
  ],
  ['upper exclusive', { lower: -1, upper: 2, includeUpper: false }, 10, [9, 11, 12], ['10+9@10', '10+11@11']],
  [
    'both exclusive',
    { lower: -1, upper: 1, includeLower: false, includeUpper: false },
    10,
    [9, 10, 11],
    ['10+10@10'],
  ],
  ['lower = upper = 0: equal times only', { lower: 0, upper: 0 }, 10, [9, 10, 11], ['10+10@10']],
  ['both bounds negative', { lower: -5, upper: -3 }, 10, [4, 5, 7, 8], ['10+5@10', '10+7@10']],
  ['both bounds positive', { lower: 3, upper: 5 }, 10, [12, 13, 15, 16], ['10+13@13', '10+15@15']],
  ['times before the epoch', { lower: -1, upper: 1 }, -10, [-12, -11, -9, -8], ['-10+-11@-10', '-10+-9@-9']],
];

for (const [rule, of, left, rights, pairs] of bounds) {
  void t.test(`§2.3 interval join: ${rule}; a pair has the later time`, async (test) => {
    test.same(await joined(of, [left], rights), { pairs, late: [] });
  });
}

void t.test(
  '§2.3 interval join: a record with ts < watermark is late, one at the watermark is not',
  async (test) => {
    const { pairs, late } = await joined(
      { lower: -5, upper: 5 },
      [10, watermark(10), 9, 10],
      [10, watermark(10), 9, 10],
    );
    test.same(late, [9, 9]);
    test.same(
      pairs,
      ['10+10@10', '10+10@10', '10+10@10', '10+10@10'],
      'the two at the watermark join as well',
    );
  },
);

const cleanups: readonly (readonly [rule: string, side: 'left' | 'right', last: number])[] = [
  ['left at ts + upper', 'left', 15],
  ['right at ts − lower', 'right', 13],
];

for (const [rule, side, last] of cleanups) {
  void t.test(`§2.3 interval join: a record is freed, ${rule}, not before`, async (test) => {
    const pairsAt = async (time: number) => {
      const kept: Step[] = [10, watermark(time)];
      const partner: Step[] = [watermark(0), watermark(time), last];
      const [left, right] = side === 'left' ? [kept, partner] : [partner, kept];
      return (await joined({ lower: -3, upper: 5 }, left, right)).pairs.length;
    };
    test.equal(await pairsAt(last - 1), 1, 'kept while the watermark is 1 ms below');
    test.equal(await pairsAt(last), 0, 'gone at that time');
  });
}
