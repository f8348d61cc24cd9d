import t from 'tap';
import {
  countWindow,
  defineJob,
  defineTrigger,
  defineWindowFunction,
  global,
  type GlobalWindows,
  onCount,
  onEventTime,
  partitionLog,
  purging,
  tumbling,
  type Trigger,
  type TumblingWindows,
  type,
} from '#operators';
import { eventTime, schema, string } from '#wire';
import { input, testJob, watermark } from '../../operators/testing/index.ts';
import { Event, event, type Step, steps } from './windowed.ts';

const texts = partitionLog('texts', schema('text', { at: eventTime(1), text: string(2) }));

/** The times of a window's records, in order of arrival. */
const listing = defineWindowFunction({
  key: type<{ readonly key: string }>(),
  input: type<Event>(),
  output: type<{ at: number; text: string }>(),
  process: (records, { emit }) => emit({ at: 0, text: [...records].map(({ at }) => at).join(' ') }),
});

/** What each firing sees. */
async function fired(
  windows: TumblingWindows | GlobalWindows,
  trigger: Trigger<unknown> | null,
  script: readonly Step[],
  options: { readonly lateness?: number; readonly restoreAfterEveryStep?: boolean } = {},
): Promise<string[]> {
  const { lateness = 0, restoreAfterEveryStep = false } = options;
  const job = defineJob('fired', { guarantee: 'exactly-once' }, (build) => {
    const stream = build
      .source('in', partitionLog('events', Event))
      .keyBy('key')
      .window(windows)
      .allowedLateness(lateness);
    (trigger === null ? stream : stream.trigger(trigger)).process('listing', listing).to('out', texts);
  });
  const { records } = await testJob(job, {
    inputs: { in: input(Event, steps(script), { watermarks: 'from-markers' }) },
    restoreAfterEveryStep,
    rescale: [2, 1, 3],
  });
  return records<{ text: string }>('out').map(({ text }) => text);
}

const thirdPurges = defineTrigger({
  name: 'third-purges',
  state: () => ({ seen: 0 }),
  onRecord(_record, _time, { state }) {
    state.seen++;
    return state.seen === 3 ? 'purge' : state.seen % 2 === 0 ? 'fire' : 'continue';
  },
});

const vectors: readonly (readonly [
  rule: string,
  windows: Parameters<typeof fired>[0],
  trigger: Trigger<unknown> | null,
  lateness: number,
  script: readonly Step[],
  expected: readonly string[],
])[] = [
  ['FIRE keeps the contents', tumbling(10), onCount(2), 0, [1, 2, 3, 4], ['1 2', '1 2 3 4']],
  ['FIRE_AND_PURGE clears them', tumbling(10), purging(onCount(2)), 0, [1, 2, 3, 4], ['1 2', '3 4']],
  [
    'PURGE clears contents without a result, and not the trigger’s state',
    tumbling(10),
    thirdPurges,
    0,
    [1, 2, 3, 4, 5, 6],
    ['1 2', '4', '4 5 6'],
  ],
  [
    'the event-time trigger fires at maxTimestamp, not before',
    tumbling(10),
    onEventTime(),
    0,
    [1, watermark(8), 2, watermark(9)],
    ['1 2'],
  ],
  [
    'the event-time trigger fires at once for each allowed late record',
    tumbling(10),
    null,
    5,
    [1, watermark(9), 2, watermark(13), 3],
    ['1', '1 2', '1 2 3'],
  ],
  [
    'a purged window that is late-fired gives only what came since',
    tumbling(10),
    purging(onEventTime()),
    5,
    [1, watermark(9), 2, watermark(13), 3],
    ['1', '2', '3'],
  ],
  [
    'the cleanup clears contents and trigger state',
    tumbling(10),
    onCount(2),
    0,
    [1, watermark(9), 11, 12],
    ['11 12'],
  ],
  [
    'count(2) on a window gives nothing at its end',
    tumbling(10),
    onCount(2),
    0,
    [1, 2, 3, watermark(50)],
    ['1 2'],
  ],
  [
    'a count window gives each n records once',
    countWindow(3),
    null,
    0,
    [5, 1, 9, 2, 3, 8, 7],
    ['5 1 9', '2 3 8'],
  ],
  [
    'a count window is a global window with a purging count trigger',
    global(),
    purging(onCount(3)),
    0,
    [5, 1, 9, 2, 3, 8, 7],
    ['5 1 9', '2 3 8'],
  ],
  [
    'a count trigger without purging on a global window keeps everything',
    global(),
    onCount(2),
    0,
    [5, 1, 9, 2],
    ['5 1', '5 1 9 2'],
  ],
  [
    'a sliding count window evicts all but the last n before each result',
    countWindow(3, 2),
    null,
    0,
    [1, 2, 3, 4, 5, 6],
    ['1 2', '2 3 4', '4 5 6'],
  ],
];

for (const [rule, windows, trigger, lateness, script, expected] of vectors) {
  void t.test(`§2.3 triggers: ${rule}`, async (test) => {
    test.same(await fired(windows, trigger, script, { lateness }), expected);
    test.same(
      await fired(windows, trigger, script, { lateness, restoreAfterEveryStep: true }),
      expected,
      'the same, restored after every step at other parallelisms',
    );
  });
}

void t.test('§2.3 triggers: keys count apart', async (test) => {
  const script = [event(1, 'a'), event(2, 'b'), event(3, 'a'), event(4, 'b')];
  test.same(await fired(countWindow(2), null, script), ['1 3', '2 4']);
});

void t.test(
  '§2.3 triggers: a global window never fires by itself: without a trigger it is refused',
  async (test) => {
    await test.rejects(fired(global(), null, [1]), {
      code: 'MR_GRAPH_INVALID',
      message: /never give a result/,
    });
    const never = defineTrigger({ name: 'never', onRecord: () => 'continue' });
    test.same(await fired(global(), never, [1, 2, watermark(1_000)]), [], 'not even at the end of its input');
  },
);
