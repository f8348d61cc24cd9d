import fc from 'fast-check';
import t from 'tap';
import {
  checkParallelism,
  defaultMaxParallelism,
  keyGroupOf,
  keyGroupRange,
  mixHash,
  subtaskOf,
} from '../../../engine/key/key-group.ts';
import { propertyRuns } from '../../support/property-runs.ts';

/** Java's String.hashCode, the hash that Flink's own vectors start from. */
function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}

void t.test("the mixer of hashes is Flink's", async (test) => {
  const vectors: readonly (readonly [number, number])[] = [
    [0, 593689054],
    [1, 68075478],
    [42, 1134849565],
    [-1, 1982413648],
    [2147483647, 1653689534],
    [-2147483648, 1718298732],
    [javaHash('hello'), 1715862179],
  ];
  for (const [hash, mixed] of vectors) test.equal(mixHash(hash), mixed, `${hash}`);
  test.equal(javaHash('hello'), 99162322);
  test.same(
    ['hello', 'user-1', 'user-2'].map((text) => keyGroupOf(javaHash(text), 128)),
    [35, 121, 22],
  );
});

void t.test('mixed hashes are never negative', async () => {
  fc.assert(
    fc.property(fc.integer(), (hash) => {
      const mixed = mixHash(hash);
      return Number.isInteger(mixed) && mixed >= 0 && mixed <= 0x7fffffff && !Object.is(mixed, -0);
    }),
    { numRuns: propertyRuns(2000) },
  );
});

void t.test("key group ranges are Flink's", async (test) => {
  const ranges = (max: number, parallelism: number) =>
    Array.from({ length: parallelism }, (_, i) => keyGroupRange(i, parallelism, max));
  test.same(ranges(128, 3), [
    [0, 42],
    [43, 85],
    [86, 127],
  ]);
  test.same(ranges(128, 5), [
    [0, 25],
    [26, 51],
    [52, 76],
    [77, 102],
    [103, 127],
  ]);
  test.same(ranges(10, 3), [
    [0, 3],
    [4, 6],
    [7, 9],
  ]);
});

void t.test('every group lies in the range of the subtask that owns it, and in no other', async (test) => {
  let wrong = 0;
  for (const max of [1, 2, 7, 10, 127, 128, 200, 1000]) {
    for (let parallelism = 1; parallelism <= Math.min(max, 130); parallelism++) {
      let next = 0;
      for (let i = 0; i < parallelism; i++) {
        const [first, last] = keyGroupRange(i, parallelism, max);
        if (first !== next) wrong++;
        for (let group = first; group <= last; group++) if (subtaskOf(group, parallelism, max) !== i) wrong++;
        next = last + 1;
      }
      if (next !== max) wrong++;
    }
  }
  test.equal(wrong, 0);
});

void t.test("the default of max parallelism is Flink's", async (test) => {
  const wanted = [1, 2, 85, 86, 128, 170, 171, 200, 20_000, 32_768].map(defaultMaxParallelism);
  test.same(wanted, [128, 128, 128, 256, 256, 256, 256, 512, 32_768, 32_768]);
});

void t.test('a parallelism that cannot run is refused', async (test) => {
  for (const [parallelism, max] of [
    [0, 128],
    [-1, 128],
    [1.5, 128],
    [129, 128],
    [1, 32_769],
    [1, 0],
    [1, Number.NaN],
  ] as const) {
    test.throws(
      () => checkParallelism(parallelism, max),
      { code: 'MR_CONFIG_INVALID' },
      `${parallelism} of ${max}`,
    );
  }
  test.doesNotThrow(() => checkParallelism(128, 128));
});
