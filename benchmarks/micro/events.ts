import { eventTime, f64, type Infer, type Random, schema, seededRandom, string } from '#wire';
import { BOUND_MS, type Feed, type FeedSize, FeedWriter } from './feed.ts';

/** One record of every workload but the ranking. */
export const Event = schema('micro', { ts: eventTime(1), key: string(2), value: f64(3) });
export type Event = Infer<typeof Event>;

const START_MS = 1_700_000_000_000;
/** Values are whole numbers below this: sums are exact, in whatever order they are made. */
const VALUES = 10_000;
const LATE_SHARE = 0.01;

/** Records of uniformly drawn keys, evenly spread over time; `perKeySecond` of each key and input. */
export function uniformFeed(size: FeedSize, perKeySecond: number, inputs = 1): Feed {
  const random = seededRandom(size.seed);
  const writer = new FeedWriter(Event, inputs);
  const perSecond = perKeySecond * size.keys * inputs;
  for (let i = 0; i < size.events; i++) {
    const key = keyText(Math.floor(random() * size.keys));
    writer.add({ ts: timeOf((i * 1000) / perSecond, random), key, value: Math.floor(random() * VALUES) });
  }
  return writer.finish(size.keys);
}

/** Records of a burst, on average. */
const BURST_RECORDS = 10;
const BURST_STEP_MS = 300;
const PAUSE_MIN_MS = 900;
const PAUSE_SPREAD_MS = 8_000;

/**
 * Keys that come in bursts: about ten records, 1 to 300 ms apart, then nothing for 0.9 to 8.9 s. Now and then the pause is too short
 * to end a session, or a late record bridges it.
 */
export function burstFeed(size: FeedSize): Feed {
  const random = seededRandom(size.seed);
  const writer = new FeedWriter(Event, 1);
  const upTo = (ms: number) => 1 + Math.floor(random() * ms);
  const wheel: number[][] = Array.from({ length: 16_384 }, () => []);
  const at = (ms: number) => wheel[ms & (wheel.length - 1)] as number[];
  for (let key = 0; key < size.keys; key++) at(upTo(PAUSE_SPREAD_MS)).push(key);
  for (let ms = 0, events = 0; events < size.events; ms++) {
    for (const key of at(ms).splice(0)) {
      if (events++ >= size.events) break;
      writer.add({ ts: timeOf(ms, random), key: keyText(key), value: Math.floor(random() * VALUES) });
      const isLast = random() * BURST_RECORDS < 1;
      at(ms + (isLast ? PAUSE_MIN_MS + upTo(PAUSE_SPREAD_MS) : upTo(BURST_STEP_MS))).push(key);
    }
  }
  return writer.finish(size.keys);
}

/** A record's event time: `ms` after the start, 1 % of them up to the bound late. */
export function timeOf(ms: number, random: Random): number {
  const behind = random() < LATE_SHARE ? random() * (BOUND_MS - 2) : 0;
  return Math.floor(START_MS + ms - behind);
}

const KEY_PREFIX = 'key-';

export function keyText(index: number): string {
  return KEY_PREFIX + String(index).padStart(8, '0');
}

/** The number in a key's text. */
export function keyIndex(text: string): number {
  let index = 0;
  for (let i = KEY_PREFIX.length; i < text.length; i++) index = index * 10 + text.charCodeAt(i) - 48;
  return index;
}
