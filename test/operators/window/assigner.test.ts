import fc from 'fast-check';
import t from 'tap';
import { sliding, slidingStarts, tumbling, windowStart } from '../../../operators/window/assigner.ts';
import { propertyRuns } from '../../support/property-runs.ts';

void t.test("window starts are Flink's, negative times and offsets included", async (test) => {
  const vectors: readonly (readonly [number, number, number, number])[] = [
    [9, 0, 10, 0],
    [10, 0, 10, 10],
    [-1, 0, 10, -10],
    [-10, 0, 10, -10],
    [-11, 0, 10, -20],
    [3, 5, 10, -5],
    [-6, -5, 10, -15],
    [12, -5, 10, 5],
  ];
  for (const [time, offset, size, start] of vectors)
    test.equal(windowStart(time, offset, size), start, `${time} with offset ${offset}`);
});

void t.test('every time lies in exactly the window that starts where it is said to', async () => {
  const size = fc.integer({ min: 1, max: 100_000 });
  fc.assert(
    fc.property(size, fc.nat(), fc.integer({ min: -4e12, max: 4e12 }), (sizeMs, some, time) => {
      const offset = (some % (2 * sizeMs - 1)) - sizeMs + 1;
      const start = windowStart(time, offset, sizeMs);
      const aligned = (((start - offset) % sizeMs) + sizeMs) % sizeMs === 0;
      return start <= time && time < start + sizeMs && aligned;
    }),
    { numRuns: propertyRuns(2000) },
  );
});

void t.test('a window needs a size and an offset within it', async (test) => {
  test.same(tumbling('10s', { offset: '3s' }), { kind: 'tumbling', sizeMs: 10_000, offsetMs: 3_000 });
  test.same(tumbling('1d', { offset: '-8h' }), {
    kind: 'tumbling',
    sizeMs: 86_400_000,
    offsetMs: -28_800_000,
  });
  test.same(sliding('10s', '1s', { offset: -999 }), {
    kind: 'sliding',
    sizeMs: 10_000,
    slideMs: 1_000,
    offsetMs: -999,
  });
  test.same(sliding(5, 10, { offset: 9 }).offsetMs, 9, 'the offset is measured by the slide');
  for (const make of [
    () => tumbling(0),
    () => tumbling(10, { offset: 10 }),
    () => tumbling(10, { offset: -10 }),
    () => tumbling('10s', { offset: '-10s' }),
    () => tumbling(10, { offset: '--5ms' as '5ms' }),
    () => sliding(10, 0),
    () => sliding(0, 10),
    () => sliding(10, 5, { offset: 5 }),
    () => sliding(10, 5, { offset: -5 }),
    () => tumbling(1.5),
    () => tumbling(-5),
  ])
    test.throws(make, { code: 'MR_CONFIG_INVALID' });
});

void t.test("the sliding windows of a time are Flink's, latest first", async (test) => {
  const vectors: readonly (readonly [
    time: number,
    size: number,
    slide: number,
    offset: number,
    starts: number[],
  ])[] = [
    [12, 10, 5, 0, [10, 5]],
    [-1, 10, 5, 0, [-5, -10]],
    [7, 5, 10, 0, []],
    [4, 5, 10, 0, [0]],
    [-6, 5, 10, 0, [-10]],
    [-5, 5, 10, 0, []],
    [10, 10, 5, 0, [10, 5]],
    [9, 10, 10, 0, [0]],
    [4, 5, 2, 0, [4, 2, 0]],
    [0, 10, 5, -2, [-2, -7]],
    [3, 10, 5, 4, [-1, -6]],
  ];
  for (const [time, sizeMs, slideMs, offsetMs, starts] of vectors)
    test.same(
      slidingStarts(time, { kind: 'sliding', sizeMs, slideMs, offsetMs }),
      starts,
      `${time} in ${sizeMs} every ${slideMs}, offset ${offsetMs}`,
    );
});
