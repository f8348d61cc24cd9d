import fc from 'fast-check';
import t from 'tap';
import { InputMerger, MIN_WATERMARK } from '#engine';
import { rowRecords } from '../../support/operator-bench.ts';
import { propertyRuns } from '../../support/property-runs.ts';

interface Signal {
  readonly input: number;
  readonly kind: 'records' | 'idle' | 'watermark';
  readonly time?: number;
}

function merge(count: number, restored: number | null = null) {
  const said: (readonly [string, number | null])[] = [];
  const merger = new InputMerger(count, {
    records: (input) => said.push(['records', input]),
    watermark: (time) => said.push(['watermark', time]),
    idle: () => said.push(['idle', null]),
  });
  if (restored !== null) merger.restore(restored);
  const give = (signal: Signal) => {
    const input = merger.inputs[signal.input] as (typeof merger.inputs)[number];
    if (signal.kind === 'records') input.records(rowRecords([{}], [0]));
    else if (signal.kind === 'idle') input.idle();
    else input.watermark(signal.time ?? 0);
  };
  return { said, give };
}

void t.test(
  '§2.2: two inputs have the minimum of their watermarks; an idle one is left out, and waited for again once it has caught up',
  async (test) => {
    const { said, give } = merge(2);
    give({ input: 0, kind: 'watermark', time: 100 });
    test.same(said.splice(0), [], 'nothing is known of the second');
    give({ input: 1, kind: 'watermark', time: 40 });
    test.same(said.splice(0), [['watermark', 40]]);
    give({ input: 1, kind: 'idle' });
    test.same(said.splice(0), [['watermark', 100]]);
    give({ input: 1, kind: 'watermark', time: 60 });
    give({ input: 0, kind: 'watermark', time: 110 });
    test.same(said.splice(0), [['watermark', 110]], 'the second is active but behind what was said');
    give({ input: 1, kind: 'watermark', time: 115 });
    give({ input: 0, kind: 'watermark', time: 200 });
    test.same(said.splice(0), [['watermark', 115]], 'and is waited for again');
  },
);

void t.test('§2.2: when all are idle the maximum is given once, then idleness, once', async (test) => {
  const { said, give } = merge(2);
  give({ input: 0, kind: 'watermark', time: 10 });
  give({ input: 1, kind: 'watermark', time: 30 });
  give({ input: 0, kind: 'idle' });
  give({ input: 1, kind: 'idle' });
  give({ input: 1, kind: 'idle' });
  test.same(said, [
    ['watermark', 10],
    ['watermark', 30],
    ['idle', null],
  ]);
});

void t.test(
  'a restored watermark is not given again, and no input that lags behind it lowers it',
  async (test) => {
    const { said, give } = merge(2, 50);
    give({ input: 0, kind: 'watermark', time: 20 });
    give({ input: 1, kind: 'watermark', time: 50 });
    test.same(said.splice(0), []);
    give({ input: 0, kind: 'watermark', time: 70 });
    give({ input: 1, kind: 'watermark', time: 60 });
    test.same(said, [['watermark', 60]]);
  },
);

void t.test(
  'IM1: whatever the inputs do, watermarks rise, no record is lost, and idleness is said once per idle spell',
  async () => {
    const signal = fc.record({
      input: fc.nat(2),
      kind: fc.constantFrom<Signal['kind']>('records', 'idle', 'watermark'),
      time: fc.integer({ min: -20, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(signal, { maxLength: 40 }), (signals) => {
        const { said, give } = merge(3);
        let last = MIN_WATERMARK;
        let wasActive = true;
        for (const it of signals) {
          const from = said.length;
          give(it);
          wasActive ||= it.kind !== 'idle';
          for (const [kind, value] of said.slice(from)) {
            if (kind === 'idle' && !wasActive) return false;
            if (kind === 'idle') wasActive = false;
            if (kind === 'watermark' && (value as number) <= last) return false;
            if (kind === 'watermark') last = value as number;
          }
        }
        const lows = signals.filter((it) => it.kind === 'watermark').map((it) => it.time);
        const records = signals.filter((it) => it.kind === 'records').length;
        return (
          said.filter(([kind]) => kind === 'records').length === records &&
          last <= Math.max(MIN_WATERMARK, ...lows)
        );
      }),
      { numRuns: propertyRuns(500) },
    );
  },
);

void t.test('IM2: after a restore the watermark waits for every input, as before it', async (test) => {
  // Regression: an input that went on first took the watermark past the other's records, which then were late.
  const { said, give } = merge(2, 50);
  give({ input: 1, kind: 'watermark', time: 60 });
  test.same(said, []);
  give({ input: 0, kind: 'watermark', time: 55 });
  test.same(said.splice(0), [['watermark', 55]]);
  const idle = merge(2, 50);
  idle.give({ input: 1, kind: 'watermark', time: 60 });
  idle.give({ input: 0, kind: 'idle' });
  test.same(idle.said, [['watermark', 60]], 'unless it is idle');
});
