import fc from 'fast-check';
import t from 'tap';
import { tumbling, windowStart } from '../../../operators/window/assigner.ts';

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
      const offset = some % sizeMs;
      const start = windowStart(time, offset, sizeMs);
      const aligned = (((start - offset) % sizeMs) + sizeMs) % sizeMs === 0;
      return start <= time && time < start + sizeMs && aligned;
    }),
    { numRuns: 2000 },
  );
});

void t.test('a window needs a size and an offset within it', async (test) => {
  test.same(tumbling('10s', { offset: '3s' }), { kind: 'tumbling', sizeMs: 10_000, offsetMs: 3_000 });
  for (const make of [
    () => tumbling(0),
    () => tumbling(10, { offset: 10 }),
    () => tumbling(1.5),
    () => tumbling(-5),
  ])
    test.throws(make, { code: 'MR_CONFIG_INVALID' });
});
