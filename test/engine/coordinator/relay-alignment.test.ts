import fc from 'fast-check';
import t from 'tap';
import { LIMITS, seededRandom } from '#engine';
import { lowestOfOthers, relayAlignment } from '../../../engine/coordinator/relay-alignment.ts';
import type { HostStatus } from '../../../engine/host/host-protocol.ts';
import {
  type AlignedPartition,
  type LowestByGroup,
  WatermarkAlignment,
} from '../../../engine/source/watermark-alignment.ts';
import { virtualClock } from '../../../operators/testing/virtual-clock.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const ROUND_MS = LIMITS.hostStatusEveryMs;
const NOTHING: HostStatus = { members: [], tasks: [], sources: [], sinks: [] };
const group = (maxDriftMs: number, name = 'g') => ({ group: name, maxDriftMs });

await t.test('WA1 WA3: what is reached elsewhere limits and frees as what is reached here', async (t) => {
  const alignment = new WatermarkAlignment();
  let woken = 0;
  alignment.elsewhere({ g: 1_000, other: 0 });
  const fast = alignment.join(group(100), () => woken++);
  t.same(alignment.lowest, {}, 'who has not reported is not waited for');
  fast.report(1_100);
  t.equal(fast.paused, false, 'at the limit');
  fast.report(1_101);
  t.equal(fast.paused, true);
  t.same(alignment.lowest, { g: 1_101 }, 'others are told of its own only');
  alignment.elsewhere({ g: 1_001 });
  t.equal(fast.paused, false);
  t.equal(woken, 1);
  fast.report(5_000);
  alignment.elsewhere({});
  t.equal(fast.paused, false, 'nobody elsewhere holds it any more');
  t.equal(woken, 2);
  fast.idle();
  t.same(alignment.lowest, {});
});

await t.test('each host is told the minimum of the others, and only news', async (t) => {
  const reports = [{ g: 5, h: 1 }, { g: 3 }, {}, { g: 9, h: 2 }];
  t.same(lowestOfOthers(reports), [
    { g: 3, h: 2 },
    { g: 5, h: 1 },
    { g: 3, h: 1 },
    { g: 3, h: 1 },
  ]);
  const clock = virtualClock();
  const told: LowestByGroup[][] = [[], []];
  const alignment: LowestByGroup[] = [{}, {}];
  const end = relayAlignment(
    told.map((heard, i) => ({
      status: () => ({ ...NOTHING, alignment: alignment[i] as LowestByGroup }),
      align: (lowest: LowestByGroup) => void heard.push(lowest),
    })),
    clock,
  );
  clock.advance(10 * ROUND_MS);
  t.same(told, [[], []]);
  alignment[0] = { g: 7 };
  clock.advance(10 * ROUND_MS);
  t.same(told, [[], [{ g: 7 }]]);
  alignment[0] = {};
  clock.advance(ROUND_MS);
  end();
  alignment[1] = { g: 1 };
  clock.advance(10 * ROUND_MS);
  t.same(told, [[], [{ g: 7 }, {}]]);
});

/** One partition: it reads frames of `frameMs` of event time up to its end, a frame per tick with a probability. */
interface Feed {
  readonly host: number;
  readonly maxDriftMs: number;
  readonly frameMs: number;
  readonly speed: number;
  readonly frames: number;
  readonly idles: boolean;
}

const HOSTS = [0, 1, 2, 3];
const TICK_MS = 50;
const IDLE_MS = 800;
const DELAY_MAX_MS = 400;
/** From a change on one host until another host knows of it, at most: its status, the way there, the relay's round, the way back. */
const LATE_MS = 2 * (ROUND_MS + DELAY_MAX_MS) + TICK_MS;

const feeds = fc.array(
  fc.record<Feed>({
    host: fc.nat(3),
    maxDriftMs: fc.nat(3_000),
    frameMs: fc.integer({ min: 1, max: 2_000 }),
    speed: fc.double({ min: 0.1, max: 1, noNaN: true }),
    frames: fc.integer({ min: 1, max: 12 }),
    idles: fc.boolean(),
  }),
  { minLength: 2, maxLength: 7 },
);

class Partition {
  readonly feed: Feed;
  readonly #aligned: AlignedPartition;
  watermark = 0;
  left = 0;
  holds = false;
  idleUntil = 0;
  /** Since when it is paused and reads nothing although nobody is lower; NaN when it does not. */
  stuckSince = Number.NaN;

  constructor(feed: Feed, alignment: WatermarkAlignment) {
    this.feed = feed;
    this.left = feed.frames;
    this.#aligned = alignment.join(group(feed.maxDriftMs), () => {});
  }

  get paused(): boolean {
    return this.#aligned.paused;
  }

  read(): void {
    this.stuckSince = Number.NaN;
    this.watermark += this.feed.frameMs;
    this.left--;
    this.holds = this.left > 0;
    this.#aligned.report(this.watermark);
    if (this.left === 0) this.#aligned.leave();
  }

  idle(until: number): void {
    this.idleUntil = until;
    this.holds = false;
    this.#aligned.idle();
  }
}

/** Hosts whose messages to and from the relay are late by up to DELAY_MAX_MS each, in order. */
class Hosts {
  readonly clock = virtualClock();
  readonly partitions: readonly Partition[];
  readonly #random: () => number;
  /** Per tick and host, the lowest that holds there; Infinity without any. */
  readonly #history: number[][] = [];

  constructor(list: readonly Feed[], seed: number) {
    this.#random = seededRandom(seed);
    const alignments = HOSTS.map(() => new WatermarkAlignment());
    this.partitions = list.map((feed) => new Partition(feed, alignments[feed.host] as WatermarkAlignment));
    relayAlignment(
      alignments.map((alignment) => this.#remote(alignment)),
      this.clock,
    );
  }

  /** What is wrong, or null when everything was read in the end. */
  run(): string | null {
    const deadline = 300_000;
    while (this.partitions.some(({ left }) => left > 0)) {
      if (this.clock.now() > deadline) return 'it did not come to an end';
      this.clock.advance(TICK_MS);
      this.#history.push(HOSTS.map((host) => this.#lowest((feed) => feed.host === host)));
      for (const partition of this.partitions) {
        const wrong = this.#step(partition) ?? this.#stuck(partition);
        if (wrong !== null) return wrong;
      }
    }
    return null;
  }

  #step(partition: Partition): string | null {
    const { feed, watermark, holds, left, idleUntil } = partition;
    const now = this.clock.now();
    if (left === 0 || idleUntil > now || partition.paused || this.#random() > feed.speed) return null;
    const limit = this.#lowestKnown(feed.host) + feed.maxDriftMs;
    if (holds && watermark > limit)
      return `at ${now} it reads at ${watermark}, its limit was never above ${limit}`;
    if (feed.idles && holds && this.#random() < 0.05) partition.idle(now + IDLE_MS);
    else partition.read();
    return null;
  }

  /** WA4: the lowest of all is not held for longer than news take. */
  #stuck(partition: Partition): string | null {
    const now = this.clock.now();
    const isLowest = partition.holds && partition.watermark <= this.#lowest(() => true);
    if (!isLowest || !partition.paused) partition.stuckSince = Number.NaN;
    else if (Number.isNaN(partition.stuckSince)) partition.stuckSince = now;
    return now - partition.stuckSince > LATE_MS ? `the lowest waits since ${partition.stuckSince}` : null;
  }

  /** The most that a host may think the lowest is: its own, and of each other host the best of what is not too old to be known. */
  #lowestKnown(host: number): number {
    const recent = this.#history.slice(-Math.ceil(LATE_MS / TICK_MS) - 1);
    const early = this.#history.length * TICK_MS < LATE_MS;
    const known = HOSTS.map((other) => {
      if (other === host) return this.#lowest((feed) => feed.host === host);
      return early ? Number.POSITIVE_INFINITY : Math.max(...recent.map((lowest) => lowest[other] as number));
    });
    return Math.min(...known);
  }

  #lowest(of: (feed: Feed) => boolean): number {
    const holding = this.partitions.filter(({ feed, holds }) => holds && of(feed));
    return Math.min(...holding.map(({ watermark }) => watermark));
  }

  #remote(alignment: WatermarkAlignment): Parameters<typeof relayAlignment>[0][number] {
    const { clock } = this;
    let status = NOTHING;
    const toCoordinator = this.#link();
    const toHost = this.#link();
    const report = () => {
      const { lowest } = alignment;
      toCoordinator(() => {
        status = { ...NOTHING, alignment: lowest };
      });
      clock.after(ROUND_MS, report);
    };
    clock.after(Math.floor(this.#random() * ROUND_MS), report);
    return { status: () => status, align: (lowest) => toHost(() => alignment.elsewhere(lowest)) };
  }

  #link(): (deliver: () => void) => void {
    let last = 0;
    return (deliver) => {
      const now = this.clock.now();
      last = Math.max(last, now + Math.floor(this.#random() * DELAY_MAX_MS));
      this.clock.after(last - now, deliver);
    };
  }
}

await t.test(
  'WA2 WA4: with late news between hosts everything is read, the lowest waits for news at most, and drift is bounded by them',
  async (t) => {
    fc.assert(
      fc.property(feeds, fc.nat(), (list, seed) => {
        const wrong = new Hosts(list, seed).run();
        if (wrong !== null) throw new Error(wrong);
      }),
      { numRuns: propertyRuns(60) },
    );
    t.pass();
  },
);
