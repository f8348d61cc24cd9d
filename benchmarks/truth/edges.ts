import {
  count,
  countWindow,
  type DataStream,
  defineJob,
  defineOperator,
  type JobBuilder,
  type KeyedStream,
  onEventTime,
  partitionLog,
  type SessionWindows,
  session,
  type SlidingWindows,
  sliding,
  sum,
  tumbling,
  type TumblingWindows,
  type,
  valueState,
} from '#operators';
import { runPlanned } from '../nexmark/engine.ts';
import { type PlannedQuery, TOPIC } from '../nexmark/query.ts';
import { ResultSink } from '../nexmark/result-sink.ts';
import { EDGE_BOUND_MS, EDGE_EVENTS, EdgeEvent } from './edge-events.ts';

/** Number of its case, then the values. */
interface Row {
  readonly values: number[];
}
type Rows = DataStream<Row, 'exactly-once'>;
type Windows = TumblingWindows | SlidingWindows | SessionWindows<EdgeEvent>;
type Keyed = KeyedStream<{ readonly key: number }, EdgeEvent, 'exactly-once'>;

/** Added to the number of a case for the rows of its late events. */
const LATE = 100;

/** Windows by case, with the lateness that they allow. */
const WINDOWS: Readonly<Record<number, readonly [Windows, lateness: number]>> = {
  1: [tumbling('1s'), 0],
  2: [tumbling('1s', { offset: '300ms' }), 700],
  3: [tumbling('1s', { offset: '-150ms' }), 0],
  4: [sliding('1s', '300ms'), 0],
  5: [sliding('2s', '500ms', { offset: '120ms' }), 1_000],
  6: [sliding('300ms', '1s', { offset: '50ms' }), 400],
  7: [session('400ms'), 0],
  8: [session('400ms'), 600],
  // Hardly any two gaps are equal: Flink forgets what a session holds when a record's own window is that session to the millisecond.
  9: [session<EdgeEvent>(({ value }) => 100 + value), 0],
};

/**
 * Runs all cases and gives their results.
 * @param isGeneral windows by the operator for any trigger, with the one that they have anyway
 */
export async function runEdges(
  frames: readonly Uint8Array[],
  isGeneral: boolean,
): Promise<PlannedQuery['results']> {
  const planned = plan(isGeneral);
  await runPlanned(planned, EdgeEvent, frames, EDGE_EVENTS);
  return planned.results;
}

function plan(isGeneral: boolean): PlannedQuery {
  const results = new ResultSink<Row>({ values: ({ values }) => values }, true);
  const job = defineJob('edges', { guarantee: 'exactly-once', checkpointInterval: '1s' }, (build) => {
    const events = eventsOf(build);
    const byKey = events.keyBy('key');
    const [first, ...others] = [
      ...Object.entries(WINDOWS).flatMap(([number, [windows, lateness]]) =>
        windowed(byKey, Number(number), windows, lateness, isGeneral),
      ),
      counted(byKey),
      timed(byKey),
      ...joined(events),
    ] as [Rows, Rows, ...Rows[]];
    first.union(...(others as [Rows, ...Rows[]])).to('results', results);
  });
  return { job, results };
}

function eventsOf(build: JobBuilder<'exactly-once'>): DataStream<EdgeEvent, 'exactly-once'> {
  return build.source('events', partitionLog(TOPIC, EdgeEvent), {
    idleAfter: '1h',
    outOfOrderness: EDGE_BOUND_MS,
  });
}

/** Count and sum of each window, and the events that were too late for it. */
function windowed(
  byKey: Keyed,
  number: number,
  windows: Windows,
  lateness: number,
  isGeneral: boolean,
): Rows[] {
  const stream = byKey.window(windows).allowedLateness(lateness);
  const sums = (isGeneral ? stream.trigger(onEventTime()) : stream).aggregate(`windows-${number}`, {
    n: count(),
    sum: sum('value'),
  });
  return [
    sums.map(({ key: { key }, window: { start, end }, value: { n, sum: all } }) => ({
      values: [number, key, start, end, n, all ?? 0],
    })),
    sums.side.late.map(({ key, at, value }) => ({ values: [LATE + number, key, at, value] })),
  ];
}

/** Case 20: every third event of a key. */
function counted(byKey: Keyed): Rows {
  return byKey
    .window(countWindow(3))
    .aggregate('threes', { n: count(), sum: sum('value') })
    .map(({ key: { key }, value: { n, sum: all } }) => ({ values: [20, key, n, all ?? 0] }));
}

const TIMER_MS = 250;

/** Timers of one key at one time are one; those set for the past fire too. */
const countAtTimers = defineOperator({
  key: type<{ readonly key: number }>(),
  input: type<EdgeEvent>(),
  output: type<Row>(),
  state: { n: valueState<number>() },
  onRecord({ at }, { state, timers }) {
    state.n.set((state.n.get() ?? 0) + 1);
    timers.at(at + TIMER_MS);
  },
  onTimer(firedAt, { key: { key }, state, emit }) {
    emit({ values: [21, key, firedAt, state.n.get() ?? 0] });
  },
});

/** Case 21: how many events of a key had come when its timers fired. */
function timed(byKey: Keyed): Rows {
  return byKey.process('timers', countAtTimers);
}

/** Cases 30 to 33: events of even values with those of odd ones. */
function joined(events: DataStream<EdgeEvent, 'exactly-once'>): Rows[] {
  const half = (rest: number) =>
    events.filter(({ value, isBehind }) => value % 2 === rest && isBehind === 0).keyBy('key');
  const [left, right] = [half(0), half(1)];
  const pair = (number: number) => (a: EdgeEvent, b: EdgeEvent) => ({
    values: [number, a.key, a.at, a.value, b.at, b.value],
  });
  return [
    left.intervalJoin('interval', right, { lower: '-300ms', upper: '200ms', join: pair(30) }),
    left.intervalJoin('open-interval', right, {
      lower: '-300ms',
      upper: '200ms',
      includeLower: false,
      includeUpper: false,
      join: pair(31),
    }),
    left.windowJoin('windows', right, { windows: tumbling('500ms', { offset: '100ms' }), join: pair(32) }),
    left.coGroup('groups', right, {
      windows: sliding('1s', '400ms'),
      group: ({ key }, _window, a, b) => [{ values: [33, key, a.length, b.length] }],
    }),
  ];
}
