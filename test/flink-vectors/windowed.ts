import {
  count,
  defineJob,
  eventTime,
  f64,
  type Infer,
  onEventTime,
  partitionLog,
  schema,
  type SessionWindows,
  type SlidingWindows,
  string,
  type Trigger,
  type TumblingWindows,
} from '#operators';
import { input, type Marker, testJob } from '../../operators/testing/index.ts';

export const Event = schema('event', { at: eventTime(1), key: string(2), n: f64(3) });
export type Event = Infer<typeof Event>;
const events = partitionLog('events', Event);
const texts = partitionLog('texts', schema('text', { at: eventTime(1), text: string(2) }));

/** A record at a time, or a marker. */
export type Step = number | Event | Marker;

export const event = (at: number, key = 'k', n = 1): Event => ({ at, key, n });
export const steps = (all: readonly Step[]): (Event | Marker)[] =>
  all.map((step) => (typeof step === 'number' ? event(step) : step));

export interface Windowed {
  /** As `[start,end)=count@time`. */
  readonly results: readonly string[];
  /** Times of late records. */
  readonly late: readonly number[];
}

/** How a window job may run; the rules are the same in all. `general`: with its own trigger named, by the operator for any trigger. */
export const WAYS = ['generated', 'interpreted', 'general'] as const;

/** Counts per window in a job, event time moved by the markers alone. */
export async function windowed(
  way: (typeof WAYS)[number],
  windows: TumblingWindows | SlidingWindows | SessionWindows<unknown>,
  script: readonly Step[],
  options: {
    readonly lateness?: number;
    readonly trigger?: Trigger<unknown>;
    readonly endOfInput?: boolean;
  } = {},
): Promise<Windowed> {
  const { lateness = 0, endOfInput = true } = options;
  const trigger = options.trigger ?? (way === 'general' ? onEventTime() : null);
  const job = defineJob('windowed', { guarantee: 'exactly-once' }, (build) => {
    const stream = build.source('in', events).keyBy('key').window(windows).allowedLateness(lateness);
    const counts = (trigger === null ? stream : stream.trigger(trigger)).aggregate('counts', { n: count() });
    counts
      .map(({ window: { start, end }, value: { n } }) => ({ at: start, text: `[${start},${end})=${n}` }))
      .to('out', texts);
    counts.side.late.to('late', events);
  });
  const { output, records } = await testJob(job, {
    inputs: { in: input(Event, steps(script), { watermarks: 'from-markers' }) },
    interpreted: way === 'interpreted',
    endOfInput,
  });
  return {
    results: output<{ text: string }>('out').map(({ record, timestamp }) => `${record.text}@${timestamp}`),
    late: records<Event>('late').map(({ at }) => at),
  };
}
