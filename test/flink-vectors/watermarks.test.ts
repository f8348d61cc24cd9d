import t from 'tap';
import { MAX_WATERMARK, MIN_WATERMARK, minusSaturating, plusSaturating } from '#engine';
import { count, defineJob, defineOperator, partitionLog, tumbling, type } from '#operators';
import { eventTime, schema, string } from '#wire';
import {
  barrier,
  crash,
  idle,
  input,
  type Marker,
  pause,
  testJob,
  testOperator,
  watermark,
} from '../../operators/testing/index.ts';
import { createJobBench, until } from '../support/job-bench.ts';
import { Event, event, type Step, steps, windowed } from './windowed.ts';

const events = partitionLog('events', Event);
const Text = schema('text', { at: eventTime(1), text: string(2) });
const texts = partitionLog('texts', Text, { partitions: 1 });

/** Each record with the event time that its operator has reached when the record comes. */
const watermarksSeen = defineOperator({
  key: type<{ readonly key: string }>(),
  input: type<Event>(),
  output: type<string>(),
  onRecord: ({ at }, { watermark: reached, emit }) =>
    emit(`${at} at ${reached === MIN_WATERMARK ? 'MIN' : reached}`),
});

for (const [bound, seen] of [
  [0, ['10 at MIN', '9 at 9', '30 at 9', '12 at 29']],
  [5, ['10 at MIN', '9 at 4', '30 at 4', '12 at 24']],
] as const) {
  const rule = bound === 0 ? 'ascending: maxTs − 1' : 'bounded out-of-orderness: maxTs − bound − 1';
  void t.test(`§2.2: ${rule}; a lower one is ignored; MIN before the first`, async (test) => {
    const job = defineJob('seen', { guarantee: 'exactly-once' }, (build) => {
      build
        .source('in', events, { outOfOrderness: bound })
        .keyBy('key')
        .process('seen', watermarksSeen)
        .map((text) => ({ at: 0, text }))
        .to('out', texts);
    });
    const { records } = await testJob(job, { inputs: { in: input(Event, steps([10, 9, 30, 12])) } });
    test.same(
      records<{ text: string }>('out').map(({ text }) => text),
      seen,
    );
  });
}

void t.test('§2.2: the ends of time are exact numbers, stay in JSON, and sums saturate', async (test) => {
  for (const end of [MIN_WATERMARK, MAX_WATERMARK]) {
    test.ok(Number.isSafeInteger(end));
    test.equal(JSON.parse(JSON.stringify(end)), end);
  }
  test.equal(plusSaturating(MAX_WATERMARK, 1), MAX_WATERMARK);
  test.equal(minusSaturating(MIN_WATERMARK, 1), MIN_WATERMARK);
});

/** Windows of 10 over two sources, which take turns, `a` first. Nothing ends: what comes out, watermarks have closed. */
async function closed(a: readonly Step[], b: readonly Step[]): Promise<string[]> {
  const job = defineJob('two', { guarantee: 'exactly-once' }, (build) => {
    build
      .source('a', events)
      .union(build.source('b', events))
      .keyBy('key')
      .window(tumbling(10))
      .aggregate('counts', { n: count() })
      .map(({ window: { start }, value: { n } }) => ({ at: start, text: `${start}:${n}` }))
      .to('out', texts);
  });
  const script = (all: readonly Step[]) => input(Event, steps(all), { watermarks: 'from-markers' });
  const { records } = await testJob(job, { inputs: { a: script(a), b: script(b) }, endOfInput: false });
  return records<{ text: string }>('out').map(({ text }) => text);
}

const merges: readonly (readonly [
  rule: string,
  a: readonly Step[],
  b: readonly Step[],
  closed: readonly string[],
])[] = [
  ['the slower of two inputs decides', [5, watermark(50)], [15, watermark(9)], ['0:1']],
  ['an input without a watermark holds all back', [5, watermark(50)], [15], []],
  ['an idle input leaves the minimum', [5, watermark(50)], [15, idle()], ['0:1', '10:1']],
  [
    'an input back from idleness is not waited for while it lags behind',
    [5, watermark(20), 25, watermark(40)],
    [15, idle(), watermark(12), watermark(13)],
    ['0:1', '10:1', '20:1'],
  ],
  [
    'once it has caught up it is waited for again',
    [5, watermark(20), 45, watermark(60)],
    [15, idle(), watermark(30), watermark(31)],
    ['0:1', '10:1'],
  ],
  [
    'all idle: the maximum counts, once',
    [5, watermark(20), idle(), idle()],
    [15, watermark(9), idle(), idle()],
    ['0:1', '10:1'],
  ],
  [
    'while all are idle nothing goes further',
    [5, watermark(20), idle()],
    [25, watermark(9), idle()],
    ['0:1'],
  ],
];

for (const [rule, a, b, expected] of merges)
  void t.test(`§2.2: ${rule}`, async (test) => {
    test.same(await closed(a, b), expected);
  });

void t.test('§2.2: the end of a bounded input is the end of time: every window fires', async (test) => {
  const { results } = await windowed('generated', tumbling(10), [1, 4_000_000_000_000]);
  test.same(results, ['[0,10)=1@9', '[4000000000000,4000000000010)=1@4000000000009']);
});

void t.test('§2.2: stop does not send the end of time: open windows stay open, and go on', async (test) => {
  const bench = createJobBench();
  const job = defineJob('stopped', { guarantee: 'exactly-once', checkpointInterval: '1h' }, (build) => {
    build
      .source('in', events, { outOfOrderness: 0, idleAfter: '50ms' })
      .keyBy('key')
      .window(tumbling(10))
      .aggregate('counts', { n: count() })
      .map(({ window: { start }, value: { n } }) => ({ at: start, text: `${start}:${n}` }))
      .to('out', texts);
  }).graph();
  const runUntil = async (time: number) => {
    const handle = bench.run(job);
    const reached = () =>
      handle.status().operators.find(({ id }) => id === 'counts')?.watermark ?? MIN_WATERMARK;
    await until(() => reached() >= time, `event time is ${time}`);
    await handle.stop();
    test.equal(await handle.done, 'stopped');
    return (await bench.read('texts', Text)).map(({ text }) => text);
  };
  await bench.feed('events', Event, [event(1), event(2), event(11), event(12)], { partitions: 1 });
  test.same(await runUntil(11), ['0:2'], 'the second window is open');
  await bench.feed('events', Event, [event(13), event(21)], { partitions: 1, producer: 'next' });
  test.same(await runUntil(20), ['0:2', '10:3']);
});

const timers = defineOperator({
  key: type<{ readonly key: string }>(),
  input: type<Event>(),
  output: type<string>(),
  onRecord: ({ n }, { timers: { at, atProcessingTime } }) => (n < 0 ? atProcessingTime(-n) : at(n)),
  onTimer: (time, { key, emit }) => emit(`${key.key} ${time}`),
  onProcessingTimer: (time, { key, emit, processingTime }) => emit(`${key.key} ${time} at ${processingTime}`),
});
const setTimers = (script: readonly (Event | Marker)[], restoreAfterEveryStep = false) =>
  testOperator(timers, {
    keyBy: ['key'],
    input: input(Event, script, { watermarks: 'from-markers' }),
    endOfInput: false,
    restoreAfterEveryStep,
  });

void t.test(
  '§2.2: event-time timers are one per key and time, and fire in time order once time ≤ watermark',
  async (test) => {
    const set = [30, 10, 20, 10, 41].map((time) => event(0, 'a', time));
    const script = [...set, event(0, 'b', 10), watermark(9), watermark(10), watermark(40)];
    for (const restores of [false, true]) {
      const { records } = await setTimers(script, restores);
      // Which key comes first at one time is nobody's promise.
      test.same([...records.slice(0, 2).toSorted(), ...records.slice(2)], ['a 10', 'b 10', 'a 20', 'a 30']);
    }
  },
);

void t.test('§2.2: processing-time timers fire in time order when the clock reaches them', async (test) => {
  const script = [event(0, 'a', -30), event(0, 'a', -20), event(0, 'a', -20), pause(19), pause(1), pause(10)];
  for (const restores of [false, true])
    test.same((await setTimers(script, restores)).records, ['a 20 at 20', 'a 30 at 30']);
});

void t.test(
  '§2.2: processing-time timers that became due in a downtime fire right after it',
  async (test) => {
    const script = [event(0, 'a', -20), event(0, 'b', -90), barrier(), pause(50), crash()];
    test.same(
      (await setTimers(script)).records,
      ['a 20 at 50'],
      'the firing before the crash is not part of any checkpoint; it is made good late',
    );
  },
);
