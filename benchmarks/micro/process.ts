import { defineOperator, type KeyedOperator, type, valueState } from '#operators';
import { processOperator } from '../../operators/define-operator.ts';
import { type Event, keyIndex, uniformFeed } from './events.ts';
import type { Feed } from './feed.ts';
import { HandKeys, numbersOf, stringsOf } from './hand-keys.ts';
import type { ResultDigest } from './result-digest.ts';
import { runOperator } from './run-operator.ts';
import type { Workload } from './workload.ts';

const STEP_MS = 1_000;

interface Total {
  readonly key: string;
  readonly at: number;
  readonly total: number;
}

/** A running total per key in value state, given by a timer at the end of every second in which the key had a record. */
const runningTotal = defineOperator({
  key: type<{ key: string }>(),
  input: type<Event>(),
  output: type<Total>(),
  state: { total: valueState<number>() },
  onRecord(event, { state, timers, timestamp }) {
    state.total.set((state.total.get() ?? 0) + event.value);
    timers.at(timestamp - (timestamp % STEP_MS) + STEP_MS);
  },
  onTimer(at, { key, state, emit }) {
    emit({ key: key.key, at, total: state.total.get() ?? 0 });
  },
});

/** User functions with state and timers; 1 record per key and second, so that six of ten records set a new timer. */
export const processWorkload: Workload = {
  title: 'process, value state and a timer per key and second, 1 record per key and second: running sum',
  eventsShare: 1,
  feed: (size) => uniformFeed(size, 1),
  byHand,
  byEngine(feed, digest) {
    const definition = processOperator(runningTotal as KeyedOperator<unknown, unknown, unknown, unknown>);
    runOperator<Total>(definition, feed, ({ key, at, total }) => digest.add(keyIndex(key), at, total));
  },
};

/** Slots that have a timer at the end of one step. */
interface HandTimers {
  readonly start: number;
  readonly isSet: Uint8Array;
  readonly slots: Int32Array;
  count: number;
}

function byHand(feed: Feed, digest: ResultDigest): void {
  const keys = new HandKeys(feed.keys);
  const totals = new Float64Array(feed.keys);
  const steps = new Map<number, HandTimers>();
  for (const { batch, watermark } of feed.steps) {
    const slots = keys.slotsOf(batch);
    const { codes } = stringsOf(batch, 1);
    const values = numbersOf(batch, 2);
    const { times, count: records } = batch;
    let timers = timersAt(steps, times[0] as number, feed.keys);
    for (let i = 0; i < records; i++) {
      const slot = slots[codes[i] as number] as number;
      const time = times[i] as number;
      totals[slot] = (totals[slot] as number) + (values[i] as number);
      if (time < timers.start || time >= timers.start + STEP_MS) timers = timersAt(steps, time, feed.keys);
      if (timers.isSet[slot] !== 0) continue;
      timers.isSet[slot] = 1;
      timers.slots[timers.count++] = slot;
    }
    if (Number.isNaN(watermark)) continue;
    for (const due of steps.values()) {
      if (due.start + STEP_MS > watermark) continue;
      fire(due, totals, keys, digest);
      steps.delete(due.start);
    }
  }
}

function timersAt(steps: Map<number, HandTimers>, time: number, keys: number): HandTimers {
  const start = time - (time % STEP_MS);
  let timers = steps.get(start);
  if (timers === undefined) {
    timers = { start, isSet: new Uint8Array(keys), slots: new Int32Array(keys), count: 0 };
    steps.set(start, timers);
  }
  return timers;
}

function fire(
  { start, slots, count }: HandTimers,
  totals: Float64Array,
  { index }: HandKeys,
  digest: ResultDigest,
): void {
  for (let i = 0; i < count; i++) {
    const slot = slots[i] as number;
    digest.add(index[slot] as number, start + STEP_MS, totals[slot] as number);
  }
}
