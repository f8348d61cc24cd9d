import t from 'tap';
import {
  memoryLogStore,
  openMemoryPartitionLog,
  partitionLog,
  type SourceReader,
  systemClock,
} from '#engine';
import { eventTime, type Infer, schema } from '#wire';
import { createJobBench, until } from '../../support/job-bench.ts';

const Tick = schema('tick', { ts: eventTime(1) });
type Tick = Infer<typeof Tick>;

const PARTITIONS = 2;
const OUT_OF_ORDER_MS = 2_000;
/** The newest watermark that a reader has given. */
const watermarks = new WeakMap<SourceReader, number>();

await t.test('a restored partition that lags is waited for, as it was before (LS3)', async (t) => {
  const log = openMemoryPartitionLog({ clock: systemClock, store: memoryLogStore() });
  const bench = createJobBench({ log });
  const feed = (partition: number, ts: number) =>
    bench.feed<Tick>('ticks', Tick, [{ ts }], {
      partitions: PARTITIONS,
      partitionOf: () => partition,
    });
  const open = (restored: readonly unknown[]) =>
    partitionLog('ticks', Tick, { partitions: PARTITIONS }).open({
      job: 'job',
      operator: 'source',
      subtask: 0,
      parallelism: 1,
      log,
      clock: systemClock,
      signal: new AbortController().signal,
      options: {
        outOfOrdernessMs: OUT_OF_ORDER_MS,
        idleAfterMs: 60_000,
        maxAheadMs: 60_000,
        startFrom: 'earliest',
      },
      restored,
      deadLetter: () => t.fail('no record is refused'),
      unreadable: (error) => t.error(error),
      wake: () => undefined,
    });
  await feed(0, 95_000);
  await feed(1, 90_000);
  const first = await open([]);
  t.equal(await lastWatermark(first, 2), 87_999, 'the lower of both');
  const { items } = first.snapshot();
  await first.close();

  await feed(0, 99_000);
  const second = await open(items);
  t.equal(await lastWatermark(second, 1), 87_999, 'partition 0 alone moves nothing');
  await feed(1, 91_000);
  t.equal(await lastWatermark(second, 1), 88_999, 'its own records are not late');
  await second.close();
});

/** Polls until `batches` have come; the newest watermark so far. */
async function lastWatermark(reader: SourceReader, batches: number): Promise<number> {
  let left = batches;
  await until(() => {
    for (let element = reader.poll(); element !== null; element = reader.poll()) {
      if (element.kind === 'records') left--;
      if (element.kind === 'watermark') watermarks.set(reader, element.time);
    }
    return left <= 0;
  }, `${batches} batches`);
  return watermarks.get(reader) ?? Number.NaN;
}
