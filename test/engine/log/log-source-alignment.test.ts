import t from 'tap';
import {
  memoryLogStore,
  openMemoryPartitionLog,
  partitionLog,
  type SourceOptions,
  systemClock,
} from '#engine';
import { eventTime, i32, type Infer, schema } from '#wire';
import { WatermarkAlignment } from '../../../engine/source/watermark-alignment.ts';
import { createJobBench } from '../../support/job-bench.ts';
import { openSource } from '../source/source-bench.ts';

const Tick = schema('tick', { ts: eventTime(1), partition: i32(2) });
type Tick = Infer<typeof Tick>;

const alignment = { group: 'ticks', maxDriftMs: 2_000 };

function createTopics() {
  const log = openMemoryPartitionLog({ clock: systemClock, store: memoryLogStore() });
  const bench = createJobBench({ log });
  return {
    /** One frame per time. */
    feed: async (topic: string, partition: number, ...times: readonly number[]) => {
      for (const ts of times)
        await bench.feed<Tick>(topic, Tick, [{ ts, partition }], {
          partitions: 2,
          partitionOf: () => partition,
        });
    },
    open: (
      topic: string,
      options: Partial<SourceOptions>,
      shared = new WatermarkAlignment(),
      restored: readonly unknown[] = [],
    ) =>
      openSource(partitionLog(topic, Tick, { partitions: 2 }), {
        log,
        restored,
        alignment: shared,
        options: { alignment, ...options },
      }),
  };
}

const timesOf = (rows: readonly Tick[], partition: number) =>
  rows.filter((row) => row.partition === partition).map((row) => row.ts);
const range = (from: number, to: number, step: number) =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);

void t.test(
  'E1 LS4: a partition is not read beyond the drift, and goes on when the slow one has caught up',
  async (test) => {
    const { feed, open } = createTopics();
    await feed('t', 1, 1_000);
    await feed('t', 0, ...range(1_000, 10_000, 1_000));
    const source = await open('t', {});
    source.drain();
    source.drain();
    test.same(timesOf(source.rows, 0), [1_000, 2_000, 3_000, 4_000], 'up to the first that is beyond');
    test.same(
      source.reader.status().map((it) => [it.partition, it.paused, it.idle]),
      [
        [0, true, false],
        [1, false, false],
      ],
    );
    test.equal(source.watermarks.at(-1), 999);
    const wakes = source.wakes();
    await feed('t', 1, 5_000);
    source.drain();
    test.ok(source.wakes() > wakes, 'its task was woken');
    test.same(timesOf(source.rows, 0), range(1_000, 8_000, 1_000));
    await feed('t', 1, 20_000);
    source.drain();
    test.same(timesOf(source.rows, 0), range(1_000, 10_000, 1_000));
    test.same(
      source.reader.status().map((it) => it.paused),
      [false, true],
      'now the other one is ahead',
    );
    await source.close();
  },
);

void t.test(
  'E1: sources of one group wait for each other, others do not; one that is closed is not waited for',
  async (test) => {
    const { feed, open } = createTopics();
    const shared = new WatermarkAlignment();
    for (const topic of ['fast', 'free']) await feed(topic, 0, ...range(1_000, 9_000, 1_000));
    await feed('slow', 0, 1_000);
    const slow = await open('slow', {}, shared);
    slow.drain();
    const [fast, free] = [await open('fast', {}, shared), await open('free', { alignment: null }, shared)];
    fast.drain();
    free.drain();
    test.same([fast.rows.length, free.rows.length], [4, 9]);
    await slow.close();
    fast.drain();
    test.equal(fast.rows.length, 9);
    await fast.close();
    await free.close();
  },
);

void t.test(
  'E1 ET2 PC4: a pause is no idleness, and who waits for an idle partition goes on',
  async (test) => {
    const { feed, open } = createTopics();
    await feed('t', 1, 1_000);
    await feed('t', 0, ...range(1_000, 9_000, 1_000));
    const source = await open('t', { idleAfterMs: 300 });
    for (let i = 0; i < 8; i++) {
      await feed('t', 1, 1_000);
      source.drain();
      await systemClock.sleep(100);
    }
    test.same(
      source.reader.status().map((it) => [it.paused, it.idle]),
      [
        [true, false],
        [false, false],
      ],
    );
    test.same(source.watermarks, [999], 'the paused one is waited for all the time');
    await feed('t', 1, 4_900);
    source.drain();
    test.same(
      source.reader.status().map((it) => it.idle),
      [false, false],
      'nor is it idle as soon as it goes on',
    );
    test.same(timesOf(source.rows, 0), range(1_000, 7_000, 1_000));
    await source.until(() => source.rows.length === 9 + 10, 'the rest, once the slow one is idle');
    test.same(timesOf(source.rows, 0), range(1_000, 9_000, 1_000), 'no deadlock');
    await source.until(() => source.elements.at(-1) === 'idle', 'in the end all are idle');
    test.equal(source.watermarks.at(-1), 8_999, 'with the highest watermark, given once');
    test.equal(new Set(source.watermarks).size, source.watermarks.length);
    await source.close();
  },
);

void t.test('E1 ET1: a restored source is held to the drift from its first record', async (test) => {
  const { feed, open } = createTopics();
  await feed('t', 1, 1_000);
  await feed('t', 0, ...range(1_000, 6_000, 1_000));
  const first = await open('t', {});
  first.drain();
  const restored = structuredClone(first.reader.snapshot().items);
  await first.close();
  const second = await open('t', {}, new WatermarkAlignment(), restored);
  second.drain();
  test.same(second.rows, []);
  test.same(
    second.reader.status().map((it) => it.paused),
    [true, false],
  );
  await feed('t', 1, 3_500);
  second.drain();
  test.same(timesOf(second.rows, 0), [5_000, 6_000]);
  await second.close();
});
