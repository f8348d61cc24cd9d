import fc from 'fast-check';
import t from 'tap';
import {
  MAX_WATERMARK,
  MIN_WATERMARK,
  minusSaturating,
  plusSaturating,
} from '../../../engine/time/watermark.ts';
import { WatermarkMerger } from '../../../engine/time/watermark-merger.ts';
import { propertyRuns } from '../../support/property-runs.ts';

void t.test(
  'WM1: the merged watermark is the minimum, and nothing before every channel has one',
  async (test) => {
    const merger = new WatermarkMerger(3);
    test.equal(merger.watermark(0, 10), false);
    test.equal(merger.watermark(1, 20), false);
    test.equal(merger.merged, MIN_WATERMARK);
    test.equal(merger.watermark(2, 30), true);
    test.equal(merger.merged, 10);
    test.equal(merger.watermark(1, 15), false, 'a lower one is ignored');
    test.equal(merger.of(1), 20);
    test.equal(merger.watermark(0, 25), true);
    test.equal(merger.merged, 20);
  },
);

void t.test(
  'WM2: an idle channel leaves the minimum, and is waited for again once it has caught up',
  async (test) => {
    const merger = new WatermarkMerger(2);
    merger.watermark(0, 10);
    merger.watermark(1, 50);
    test.equal(merger.idle(0), true, 'the slow channel is not waited for');
    test.equal(merger.merged, 50);
    test.equal(merger.watermark(0, 20), false, 'active again, but behind');
    test.equal(merger.watermark(1, 60), true, 'so it does not hold the others back');
    test.equal(merger.merged, 60);
    test.equal(merger.watermark(0, 70), false, 'caught up');
    test.equal(merger.watermark(1, 80), true);
    test.equal(merger.merged, 70, 'and is waited for from then on');
  },
);

void t.test('WM3: the last channel turning idle gives the maximum once', async (test) => {
  const merger = new WatermarkMerger(2);
  merger.watermark(0, 10);
  merger.watermark(1, 50);
  merger.idle(1);
  test.equal(merger.merged, 10);
  test.equal(merger.idle(0), true);
  test.equal(merger.merged, 50);
  test.equal(merger.allIdle, true);
  test.equal(merger.idle(0), false);
  test.equal(merger.idle(1), false);
  test.equal(merger.merged, 50);
});

/** The rules said again, by recomputing everything from the channels each time. */
class Model {
  merged = MIN_WATERMARK;
  readonly channels: { time: number; idle: boolean; aligned: boolean }[];
  constructor(count: number) {
    this.channels = Array.from({ length: count }, () => ({
      time: MIN_WATERMARK,
      idle: false,
      aligned: true,
    }));
  }
  step({ channel, kind, time }: Step): void {
    const it = this.channels[channel % this.channels.length] as Model['channels'][number];
    if (kind === 'idle') {
      if (it.idle) return;
      it.idle = true;
      if (this.channels.every((c) => c.idle)) this.raise(Math.max(...this.channels.map((c) => c.time)));
    } else {
      if (it.idle) it.aligned = it.time >= this.merged;
      it.idle = false;
      // As in Flink, that a channel is active again gives nothing: its next watermark does.
      if (kind === 'active' || time <= it.time) return;
      it.time = time;
      if (it.time >= this.merged) it.aligned = true;
    }
    const waited = this.channels.filter((c) => !c.idle && c.aligned);
    if (waited.length > 0) this.raise(Math.min(...waited.map((c) => c.time)));
  }
  raise(time: number): void {
    this.merged = Math.max(this.merged, time);
  }
}

interface Step {
  readonly channel: number;
  readonly kind: 'watermark' | 'idle' | 'active';
  readonly time: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  channel: fc.nat(3),
  kind: fc.constantFrom<Step['kind']>('watermark', 'watermark', 'watermark', 'idle', 'active'),
  time: fc.integer({ min: -20, max: 60 }),
});

void t.test(
  'WM1 WM2 WM3: equal to the rules under any script; rises only, and says so exactly when it does',
  async () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.array(step, { maxLength: 80, size: 'max' }),
        (channels, script) => {
          const merger = new WatermarkMerger(channels);
          const model = new Model(channels);
          for (const it of script) {
            const channel = it.channel % channels;
            const before = merger.merged;
            let said = false;
            if (it.kind === 'watermark') said = merger.watermark(channel, it.time);
            else if (it.kind === 'idle') said = merger.idle(channel);
            else merger.active(channel);
            model.step(it);
            if (merger.merged < before || said !== merger.merged > before || merger.merged !== model.merged)
              return false;
            if (merger.allIdle !== model.channels.every((c) => c.idle)) return false;
          }
          return true;
        },
      ),
      { numRuns: propertyRuns(2000) },
    );
  },
);

void t.test('watermarks saturate at both ends of time', async (test) => {
  test.equal(minusSaturating(MIN_WATERMARK + 5, 10), MIN_WATERMARK);
  test.equal(plusSaturating(MAX_WATERMARK - 5, 10), MAX_WATERMARK);
  test.equal(plusSaturating(5, 10), 15);
});
