import fc from 'fast-check';
import t from 'tap';
import { WatermarkAlignment, type AlignedPartition } from '../../../engine/source/watermark-alignment.ts';
import { MAX_WATERMARK, MIN_WATERMARK } from '../../../engine/time/watermark.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const group = (maxDriftMs: number) => ({ group: 'g', maxDriftMs });

void t.test(
  'WA1 WA2: the limit is the minimum of the group plus the drift; who is above is paused',
  async (test) => {
    const alignment = new WatermarkAlignment();
    const [slow, fast] = [alignment.join(group(100), () => {}), alignment.join(group(100), () => {})];
    fast.report(10_000);
    test.equal(fast.paused, false, 'alone it is its own minimum');
    slow.report(1_000);
    test.equal(fast.paused, true);
    test.equal(slow.paused, false);
    slow.report(9_899);
    test.equal(fast.paused, true);
    slow.report(9_900);
    test.equal(fast.paused, false, 'at the limit it goes on');
  },
);

void t.test('WA1: groups know nothing of each other, and each member has its own drift', async (test) => {
  const alignment = new WatermarkAlignment();
  alignment.join(group(0), () => {}).report(0);
  const wide = alignment.join(group(500), () => {});
  const narrow = alignment.join(group(50), () => {});
  const other = alignment.join({ group: 'h', maxDriftMs: 0 }, () => {});
  for (const it of [wide, narrow, other]) it.report(400);
  test.same([wide.paused, narrow.paused, other.paused], [false, true, false]);
});

void t.test('WA1: idle ones leave the minimum; when all are idle there is no limit', async (test) => {
  const alignment = new WatermarkAlignment();
  const [slow, fast] = [alignment.join(group(100), () => {}), alignment.join(group(100), () => {})];
  slow.report(0);
  fast.report(10_000);
  test.equal(fast.paused, true);
  slow.idle();
  test.equal(fast.paused, false, 'no deadlock behind an idle partition');
  fast.report(20_000);
  fast.idle();
  test.same([slow.paused, fast.paused], [false, false]);
  slow.report(500);
  test.equal(slow.paused, false);
  fast.report(20_001);
  test.equal(fast.paused, true, 'back again, it is waited for');
  slow.leave();
  test.equal(fast.paused, false, 'an ended partition holds nobody');
});

void t.test('the limit saturates at both ends of time', async (test) => {
  const alignment = new WatermarkAlignment();
  const [a, b] = [
    alignment.join(group(Number.MAX_SAFE_INTEGER), () => {}),
    alignment.join(group(Number.MAX_SAFE_INTEGER), () => {}),
  ];
  a.report(MAX_WATERMARK);
  b.report(MAX_WATERMARK - 1);
  test.same([a.paused, b.paused], [false, false]);
  const [low, zero] = [
    alignment.join({ group: 'h', maxDriftMs: 0 }, () => {}),
    alignment.join({ group: 'h', maxDriftMs: 0 }, () => {}),
  ];
  low.report(MIN_WATERMARK);
  zero.report(0);
  test.same([low.paused, zero.paused], [false, true]);
});

void t.test('WA3: whoever may go on is woken, once', async (test) => {
  const alignment = new WatermarkAlignment();
  const wakes = [0, 0];
  const join = (i: number) => alignment.join(group(100), () => (wakes[i] = (wakes[i] as number) + 1));
  const slow = join(0);
  const fast = join(1);
  slow.report(0);
  fast.report(1_000);
  slow.report(500);
  test.same(wakes, [0, 0]);
  slow.report(950);
  test.same(wakes, [0, 1]);
  slow.report(960);
  test.same(wakes, [0, 1]);
  fast.report(2_000);
  slow.idle();
  test.same(wakes, [0, 2]);
});

type Act = { readonly who: number; readonly kind: 'report' | 'idle' | 'leave'; readonly by: number };
const act: fc.Arbitrary<Act> = fc.record({
  who: fc.nat(4),
  kind: fc.constantFrom<Act['kind']>('report', 'report', 'report', 'report', 'idle', 'leave'),
  by: fc.nat(300),
});

void t.test('WA1 WA2 WA3: equal to the rules under any script; somebody may always be read', async (test) => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(200), { minLength: 5, maxLength: 5 }),
      fc.array(act, { maxLength: 80 }),
      (drifts, script) => {
        const alignment = new WatermarkAlignment();
        const woken = new Set<number>();
        const members = drifts.map(
          (drift, i): AlignedPartition => alignment.join(group(drift), () => void woken.add(i)),
        );
        const times = drifts.map(() => 0);
        const holding = new Map<number, number>();
        const left = new Set<number>();
        let before = members.map(() => false);
        for (const { who, kind, by } of script) {
          if (left.has(who)) continue;
          const member = members[who] as AlignedPartition;
          if (kind === 'report') {
            times[who] = (times[who] as number) + by;
            holding.set(who, times[who] as number);
            member.report(times[who] as number);
          } else {
            holding.delete(who);
            if (kind === 'leave') left.add(who);
            member[kind]();
          }
          const lowest = Math.min(...holding.values());
          const paused = members.map(
            (_, i) => (holding.get(i) ?? Number.NEGATIVE_INFINITY) > lowest + (drifts[i] as number),
          );
          for (const [i, it] of members.entries()) {
            if (it.paused !== paused[i]) return false;
            if (before[i] === true && paused[i] === false && i !== who && !woken.has(i)) return false;
          }
          if (holding.size > 0 && [...holding.keys()].every((i) => paused[i])) return false;
          before = paused;
          woken.clear();
        }
        return true;
      },
    ),
    { numRuns: propertyRuns(1_000) },
  );
  test.pass();
});
