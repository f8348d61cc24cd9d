import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapSpaceStatistics } from 'node:v8';
import t from 'tap';
import { LIMITS } from '#engine';
import { trimHeapLater } from '../../../engine/host/trim-heap.ts';
import { virtualClock } from '../../../operators/testing/index.ts';
import { until } from '../../support/job-bench.ts';

const youngBytes = () =>
  getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.physical_space_size ?? 0;

/** As loading modules does: much is made, and much of it lives for a while. */
function growYoungGeneration(): void {
  const kept: object[][] = [];
  for (let i = 0; i < 2_000; i++) {
    kept.push(Array.from({ length: 1_000 }, (_, n) => ({ n })));
    if (kept.length > 40) kept.shift();
  }
}

await t.test('an idle heap gives its young generation back, once', async (t) => {
  const clock = virtualClock(0);
  growYoungGeneration();
  const grown = youngBytes();
  t.ok(grown > 4 * 1024 * 1024, `${grown} bytes`);
  trimHeapLater(clock);
  clock.advance(LIMITS.heapTrimAfterMs - 1);
  await sleep(50);
  t.ok(youngBytes() > grown / 2, 'not before its time');
  clock.advance(1);
  await until(() => youngBytes() < grown / 4, 'the young generation is small');
});

await t.test('a heap that is large by then, and one that is left, are not held up', async (t) => {
  const clock = virtualClock(0);
  const state = new Array<number>(LIMITS.heapTrimBytesMax / 8).fill(0.5);
  growYoungGeneration();
  const grown = youngBytes();
  trimHeapLater(clock);
  clock.advance(LIMITS.heapTrimAfterMs);
  await sleep(200);
  t.ok(youngBytes() > grown / 2);
  t.equal(state.length, LIMITS.heapTrimBytesMax / 8);
  state.length = 0;
  const leave = trimHeapLater(clock);
  leave();
  clock.advance(LIMITS.heapTrimAfterMs);
  await sleep(200);
  t.ok(youngBytes() > grown / 2);
});
