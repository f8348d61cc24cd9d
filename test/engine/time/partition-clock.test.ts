import fc from 'fast-check';
import t from 'tap';
import { LIMITS } from '../../../engine/base/limits.ts';
import { PartitionClock } from '../../../engine/time/partition-clock.ts';
import { MAX_WATERMARK, MIN_WATERMARK } from '../../../engine/time/watermark.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const NONE = Number.NaN;
const clock = (outOfOrdernessMs = 100, idleAfterMs = 1_000) =>
  new PartitionClock({ outOfOrdernessMs, idleAfterMs, nowMs: 0 });

void t.test('time is the newest record minus the bound minus one, as in Flink', async (test) => {
  const one = clock();
  test.equal(one.watermark, MIN_WATERMARK);
  one.observe('p', 5_000, NONE, 0);
  test.equal(one.watermark, 4_899);
  one.observe('p', 4_000, NONE, 0);
  test.equal(one.watermark, 4_899, 'PC1');
  const ascending = clock(0);
  ascending.observe('p', 5_000, NONE, 0);
  test.equal(ascending.watermark, 4_999);
});

void t.test("a producer's own watermark holds its time back, and never pushes it on", async (test) => {
  const one = clock();
  one.observe('p', 5_000, 3_000, 0);
  test.equal(one.watermark, 3_000);
  one.observe('p', 6_000, 9_000, 0);
  test.equal(one.watermark, 5_899);
});

void t.test('the slowest active producer decides', async (test) => {
  const one = clock(0);
  one.observe('slow', 1_000, NONE, 0);
  one.observe('fast', 9_000, NONE, 0);
  test.equal(one.watermark, 999);
  one.observe('slow', 2_000, NONE, 0);
  test.equal(one.watermark, 1_999);
});

void t.test('PC2: silence at the head makes a producer idle; silence alone does not', async (test) => {
  const one = clock(0);
  one.observe('slow', 1_000, NONE, 0);
  one.observe('fast', 5_000, NONE, 0);
  one.observe('fast', 6_000, NONE, 10_000);
  test.equal(one.watermark, 999, 'not at the head: a backlog is no idleness');
  one.atHead(10_000);
  test.equal(one.watermark, 5_999);
  test.equal(one.idle, false);
  one.observe('slow', 2_000, NONE, 10_100);
  one.observe('fast', 7_000, NONE, 10_200);
  test.equal(one.watermark, 6_999, 'back again, but behind: not waited for');
  one.observe('slow', 7_500, NONE, 10_300);
  one.observe('fast', 9_000, NONE, 10_400);
  test.equal(one.watermark, 7_499, 'caught up: waited for');
});

void t.test(
  'PC3: a quiet partition reaches the highest time of its producers, and turns idle',
  async (test) => {
    const one = clock(0);
    one.observe('a', 1_000, NONE, 0);
    one.observe('b', 5_000, NONE, 500);
    one.atHead(999);
    test.equal(one.idle, false);
    one.atHead(1_500);
    test.equal(one.idle, true);
    test.equal(one.watermark, 4_999);
    one.observe('a', 6_000, NONE, 2_000);
    test.equal(one.idle, false);
  },
);

void t.test('a restored clock waits for exactly the producers that it waited for before', async (test) => {
  // Regression: a new producer behind the others was waited for, but no more after a restore.
  const before = clock(0);
  before.observe('a', 1_000, NONE, 0);
  before.observe('late-comer', 500, NONE, 0);
  const after = clock(0);
  after.restore(structuredClone(before.snapshot()), 0);
  for (const one of [before, after]) one.observe('a', 2_000, NONE, 10);
  test.equal(before.watermark, 999);
  test.equal(after.watermark, 999);
});

type Step =
  | {
      readonly kind: 'observe';
      readonly producer: string;
      readonly newest: number;
      readonly declared: number;
    }
  | { readonly kind: 'head' }
  | { readonly kind: 'restore' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('observe' as const),
      producer: fc.constantFrom('a', 'b', 'c'),
      newest: fc.integer({ min: -5_000, max: 5_000 }),
      declared: fc.oneof(fc.constant(NONE), fc.integer({ min: -5_000, max: 6_000 })),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'head' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restore' as const }) },
);

void t.test(
  'PC1: rises only, under any script, restores included; and no active producer is overtaken',
  async () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat(900)), { maxLength: 60 }), (script) => {
        let now = 0;
        let one = clock(50, 1_000);
        const bounds = new Map<string, number>();
        for (const [it, passed] of script) {
          now += passed;
          const before = one.watermark;
          if (it.kind === 'observe') {
            one.observe(it.producer, it.newest, it.declared, now);
            const bound = Math.min(it.newest - 51, Number.isNaN(it.declared) ? it.newest : it.declared);
            bounds.set(it.producer, Math.max(bounds.get(it.producer) ?? MIN_WATERMARK, bound));
          } else if (it.kind === 'head') one.atHead(now);
          else {
            const state = structuredClone(one.snapshot());
            one = clock(50, 1_000);
            one.restore(state, now);
            if (one.watermark !== before) return false;
          }
          if (one.watermark < before) return false;
          if (one.watermark > Math.max(MIN_WATERMARK, ...bounds.values())) return false;
          if (
            it.kind === 'observe' &&
            one.watermark > before &&
            one.watermark > (bounds.get(it.producer) as number)
          )
            return false;
        }
        return true;
      }),
      { numRuns: propertyRuns(2000) },
    );
  },
);

void t.test(
  'E1: bounded out-of-orderness gives newest − bound − 1; the start value is the minimum',
  async (test) => {
    for (const [bound, times, reached] of [
      [0, [5_000], 4_999],
      [2_000, [5_000, 4_000, 6_000], 3_999],
      [2_000, [-5_000], -7_001],
      [0, [MIN_WATERMARK + 1], MIN_WATERMARK],
      [1_000, [MIN_WATERMARK + 5], MIN_WATERMARK],
      [0, [MAX_WATERMARK], MAX_WATERMARK - 1],
    ] as const) {
      const one = clock(bound);
      test.equal(one.watermark, MIN_WATERMARK, 'nothing read, nothing claimed');
      for (const newest of times) one.observe('p', newest, NONE, 0);
      test.equal(one.watermark, reached, `bound ${bound}, times ${times.join(' ')}`);
    }
  },
);

void t.test(
  'PC4: time that the partition was held back does not count as quiet (FLINK-35886)',
  async (test) => {
    const one = clock(0, 1_000);
    one.observe('a', 1_000, NONE, 0);
    one.observe('b', 5_000, NONE, 500);
    one.excuse(60_000);
    one.atHead(60_900);
    test.equal(one.idle, false);
    test.equal(one.watermark, 999, 'a was quiet for 900 ms only');
    one.atHead(61_000);
    test.equal(one.watermark, 4_999, 'a is idle after 1 s of its own');
    test.equal(one.idle, false, 'b, and so the partition, is not');
    one.atHead(61_500);
    test.equal(one.idle, true);
  },
);

void t.test(
  'the producer that was silent for longest is forgotten where there are too many',
  async (test) => {
    const one = clock(0);
    one.observe('silent', 10, NONE, 0);
    for (let i = 1; i < LIMITS.producersPerPartitionMax; i++) one.observe(`p${i}`, 1_000, NONE, i);
    test.equal(one.watermark, 9);
    one.observe('one too many', 1_000, NONE, 20_000);
    test.equal(one.watermark, 999, 'the silent one holds nobody any more');
    test.equal(one.snapshot().producers.length, LIMITS.producersPerPartitionMax);
  },
);

/** The rules said again, by going through all producers each time. */
class Model {
  watermark = MIN_WATERMARK;
  idle = false;
  seenAtMs = 0;
  readonly producers = new Map<string, { time: number; idle: boolean; aligned: boolean; seenAtMs: number }>();
  observe(id: string, newest: number, declared: number, nowMs: number): void {
    const it = this.producers.get(id) ?? { time: MIN_WATERMARK, idle: false, aligned: true, seenAtMs: nowMs };
    this.producers.set(id, it);
    it.time = Math.max(
      it.time,
      Math.min(newest - 51, Number.isNaN(declared) ? Number.POSITIVE_INFINITY : declared),
    );
    it.aligned = (it.aligned && !it.idle) || it.time >= this.watermark;
    it.idle = false;
    it.seenAtMs = nowMs;
    this.seenAtMs = nowMs;
    this.idle = false;
    this.advance();
  }
  atHead(nowMs: number): void {
    for (const it of this.producers.values()) it.idle ||= nowMs - it.seenAtMs >= 1_000;
    this.idle ||= nowMs - this.seenAtMs >= 1_000;
    this.advance();
  }
  excuse(ms: number): void {
    for (const it of this.producers.values()) it.seenAtMs += ms;
    this.seenAtMs += ms;
  }
  advance(): void {
    const all = [...this.producers.values()];
    const waited = all.filter((it) => !it.idle && it.aligned).map((it) => it.time);
    if (waited.length > 0) this.watermark = Math.max(this.watermark, Math.min(...waited));
    else if (all.every((it) => it.idle))
      this.watermark = Math.max(this.watermark, ...all.map((it) => it.time));
  }
}

const anyStep = fc.oneof(
  { weight: 6, arbitrary: step },
  { weight: 1, arbitrary: fc.constant({ kind: 'excuse' as const }) },
);

void t.test('PC1 PC2 PC3 PC4: equal to the rules under any script', async (test) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyStep, fc.nat(900)), { maxLength: 80 }), (script) => {
      let now = 0;
      const one = clock(50, 1_000);
      const model = new Model();
      for (const [it, passed] of script) {
        now += passed;
        if (it.kind === 'observe') {
          one.observe(it.producer, it.newest, it.declared, now);
          model.observe(it.producer, it.newest, it.declared, now);
        } else if (it.kind === 'excuse') {
          one.excuse(passed);
          model.excuse(passed);
        } else {
          one.atHead(now);
          model.atHead(now);
        }
        if (one.watermark !== model.watermark || one.idle !== model.idle) return false;
      }
      return true;
    }),
    { numRuns: propertyRuns(1_000) },
  );
  test.pass();
});
