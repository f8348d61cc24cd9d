import { bool, eventTime, f64, i32, type Infer, nullable, schema, string } from '#wire';

/** What goes in: a pure function of its numbers, so that a feeder can send any part again and a verifier can make all of it. */
export interface Workload {
  readonly seed: number;
  /** Event time of the first record, epoch ms. */
  readonly startMs: number;
  readonly feeders: number;
  readonly lanes: number;
  /** Records per second of event time, all feeders together. */
  readonly rate: number;
  readonly devicesPerLane: number;
  /** Keys of state that each (feeder, lane) begins with, as fast as it goes; they take part in no window. 0 in general. */
  readonly coldKeysPerLane: number;
}

/** One record; (feeder, lane, n) is its identity, with n dense from 1. A lane is a partition of the topic. */
export const ChaosEvent = schema('chaos-event', {
  at: eventTime(1),
  device: string(2),
  feeder: i32(3),
  lane: i32(4),
  n: f64(5),
  value: f64(6),
  /** Sent so long after its time that its window has closed. */
  late: bool(7),
  cold: bool(8),
});
export type ChaosEvent = Infer<typeof ChaosEvent>;

/** An event as the lake has it. */
export const EnrichedEvent = schema('chaos-enriched', {
  at: eventTime(1),
  device: string(2),
  feeder: i32(3),
  lane: i32(4),
  n: f64(5),
  value: f64(6),
  model: nullable(string(7)),
});
export type EnrichedEvent = Infer<typeof EnrichedEvent>;

/** One window's result in the topic {@link TOPICS.windows}. */
export const WindowRow = schema('chaos-window', {
  at: eventTime(1),
  device: string(2),
  count: f64(3),
  sum: f64(4),
});
export type WindowRow = Infer<typeof WindowRow>;

/** What the operator with state and timers says: `mark` with the device's count so far, `tick` at a time that it had a timer for. */
export const Mark = schema('chaos-mark', {
  at: eventTime(1),
  device: string(2),
  kind: string(3),
  count: f64(4),
});
export type Mark = Infer<typeof Mark>;

export const JOB = 'chaos';
export const TOPICS = { events: 'events', windows: 'windows', late: 'late', marks: 'marks' } as const;
export const SERIES = 'chaos_1s';
export const LAKE = 'chaos.events';
export const WINDOW_MS = 1_000;
export const OUT_OF_ORDER_MS = 1_000;
export const TICK_MS = 5_000;
/** A mark comes with every so many records of a device; of a cold key with every one but the first. */
export const MARK_EVERY = 50;
/** Late records are so much and up to twice as late. Far more than the lanes may be apart, so that the order of reading decides little. */
const LATE_MS = 60_000;
const LATE_ONE_IN = 200;
const COLD_ONE_IN = 10;

/** The record `n` of a feeder's lane. */
export function eventAt(workload: Workload, feeder: number, lane: number, n: number): ChaosEvent {
  const { seed, startMs, coldKeysPerLane, devicesPerLane } = workload;
  const a = mix(seed ^ Math.imul(feeder + 1, 0x9e3779b1), Math.imul(lane + 1, 0x85ebca6b) ^ n);
  const b = mix(a, n);
  const value = a % 1_000;
  const first = n <= coldKeysPerLane;
  if (first || (coldKeysPerLane > 0 && b % COLD_ONE_IN === 0)) {
    const key = first ? n : 1 + ((b >>> 4) % coldKeysPerLane);
    const at = first ? startMs : onTime(workload, a, n);
    return { at, device: `cold-${feeder}-${lane}-${key}`, feeder, lane, n, value, late: false, cold: true };
  }
  const late = (b >>> 3) % LATE_ONE_IN === 0;
  const at = onTime(workload, a, n) - (late ? LATE_MS + ((b >>> 12) % LATE_MS) : 0);
  const device = `dev-${lane}-${(b >>> 5) % devicesPerLane}`;
  return { at, device, feeder, lane, n, value, late, cold: false };
}

/** How many records of each (feeder, lane) belong to the first `elapsedMs`, the cold keys first. */
export function dueAfter({ rate, feeders, lanes, coldKeysPerLane }: Workload, elapsedMs: number): number {
  return coldKeysPerLane + Math.floor((elapsedMs * rate) / (1_000 * feeders * lanes));
}

/** What the lake must say of a device. */
export function modelOf(device: string): string | null {
  const number = Number(device.slice(device.lastIndexOf('-') + 1));
  return number % 7 === 3 ? null : `model-${number % 5}`;
}

export function tickOf(at: number): number {
  return Math.floor(at / TICK_MS) * TICK_MS + TICK_MS;
}

function onTime({ startMs, rate, feeders, lanes, coldKeysPerLane }: Workload, noise: number, n: number) {
  const elapsedMs = Math.floor(((n - coldKeysPerLane) * 1_000 * feeders * lanes) / rate);
  return startMs + elapsedMs - ((noise >>> 7) % (OUT_OF_ORDER_MS - 100));
}

/** 32 bits out of two; each bit of the input moves about half of them (murmur3's finalizer). */
function mix(a: number, b: number): number {
  let h = Math.imul(a ^ Math.imul(b, 0xcc9e2d51), 0x1b873593);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
