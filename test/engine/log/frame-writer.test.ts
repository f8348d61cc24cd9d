import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { MillraceError } from '../../../engine/base/errors.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import { seededRandom } from '../../../engine/base/random.ts';
import { FrameWriter, type FrameWriterOptions } from '../../../engine/log/frame-writer.ts';
import { openMemoryPartitionLog } from '../../../engine/log/memory-partition-log.ts';
import type { PartitionLog } from '../../../engine/log/partition-log.ts';
import { START, until } from './log-harness.ts';
import { frameOf, Sample, valuesOf } from './test-frames.ts';

const row = (value: number, note: string | null = null): Sample => ({ ts: 1_000 + value, value, note });

async function topicOf(log: PartitionLog, partitions = 1, quotaBytes?: number): Promise<string> {
  await log.createTopic('t', {
    partitions,
    schema: Sample,
    ...(quotaBytes === undefined ? {} : { quotaBytes }),
  });
  return 't';
}

function options(
  log: PartitionLog,
  more: Partial<FrameWriterOptions<Sample>> = {},
): FrameWriterOptions<Sample> {
  const defaults = { topic: 't', schema: Sample, producer: 'writer', epoch: 1, random: seededRandom(7) };
  return { log, ...defaults, partitionOf: () => 0, clock: systemClock, ...more };
}

async function valuesIn(log: PartitionLog, partition = 0): Promise<number[]> {
  const reader = await log.openReader({ topic: 't', positions: new Map([[partition, START]]) });
  const values: number[] = [];
  for (let frame = reader.take(); frame !== null; frame = reader.take())
    values.push(...valuesOf(frame.bytes));
  await reader.close();
  return values;
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

/** The log with `append` behind `intercept`, which may fail before or after the frame is stored. */
function intercepted(
  log: PartitionLog,
  intercept: (append: PartitionLog['append']) => PartitionLog['append'],
): PartitionLog {
  return { ...log, append: intercept(log.append) };
}

void t.test('rows become frames of the target size, partition by partition, in order', async (t) => {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await topicOf(log, 2);
  const writer = await FrameWriter.open(options(log, { partitionOf: ({ value }) => value % 2 }));
  const total = 2 * LIMITS.frameTargetRecords + 10;
  for (let i = 1; i <= total; i++) await writer.write(row(i));
  await writer.close();
  t.same(
    await valuesIn(log, 0),
    upTo(total).filter((i) => i % 2 === 0),
  );
  t.same(
    await valuesIn(log, 1),
    upTo(total).filter((i) => i % 2 === 1),
  );
  t.match(writer.stats(), { recordsStored: total, framesStored: 4, duplicates: 0, retries: 0 });
  t.equal(writer.storedSequence(1), total / 2);
});

void t.test('a row that waits for company is sent after the linger', async (t) => {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await topicOf(log);
  const writer = await FrameWriter.open(options(log, { lingerMs: 20 }));
  await writer.write(row(1));
  t.same(await valuesIn(log), []);
  await until('the frame is stored', () => writer.stats().framesStored === 1);
  t.same(await valuesIn(log), [1]);
});

void t.test('a row that does not fit is refused and leaves no trace', async (t) => {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await topicOf(log);
  const writer = await FrameWriter.open(options(log));
  await writer.write(row(1));
  t.throws(() => writer.write({ ts: 1, value: 'two', note: null } as unknown as Sample), {
    code: 'MR_RECORD_INVALID',
  });
  await writer.write(row(2));
  await writer.close();
  t.same(await valuesIn(log), [1, 2]);
});

void t.test(
  'PR1 PR2 requests and answers may be lost in any mix: every row is stored once and in order',
  async (t) => {
    const random = seededRandom(42);
    const log = openMemoryPartitionLog({ clock: systemClock });
    await topicOf(log);
    const flaky = intercepted(log, (append) => async (...frame) => {
      if (random() < 0.2) throw new MillraceError('MR_REDIS_UNAVAILABLE', 'the request was lost');
      const result = await append(...frame);
      if (random() < 0.2) throw new MillraceError('MR_REDIS_UNAVAILABLE', 'the answer was lost');
      return result;
    });
    const clock = { ...systemClock, sleep: () => Promise.resolve() };
    const writer = await FrameWriter.open(options(flaky, { clock }));
    for (let i = 1; i <= 2_000; i++) {
      await writer.write(row(i, String(i).padEnd(2_000, 'x')));
      if (i % 100 === 0) await writer.flush();
    }
    await writer.close();
    t.same(await valuesIn(log), upTo(2_000));
    const { retries, duplicates } = writer.stats();
    t.ok(retries > 0 && duplicates > 0, `${retries} retries, ${duplicates} duplicates`);
  },
);

void t.test('a full partition holds the writer up until there is room again (PR3)', async (t) => {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await topicOf(log, 1, 400_000);
  const writer = await FrameWriter.open(options(log));
  let written = 0;
  const writing = (async () => {
    for (let i = 1; i <= 600; i++) {
      await writer.write(row(i, String(i).padEnd(20_000, 'x')));
      written = i;
    }
    await writer.close();
  })();
  await until('the writer meets full', () => writer.stats().retries > 0);
  await systemClock.sleep(50);
  const held = LIMITS.writerInFlightBytesMax + 400_000 + 2 * LIMITS.frameTargetBytes;
  t.ok(written * 20_000 <= held, `${written} rows were taken, no more than memory and quota allow`);
  const values: number[] = [];
  const reader = await log.openReader({ topic: 't', positions: new Map([[0, START]]) });
  while (values.length < 600) {
    for (let frame = reader.take(); frame !== null; frame = reader.take()) {
      values.push(...valuesOf(frame.bytes));
      await log.registerPositions('job', 1, [{ topic: 't', partition: 0, ...frame.next }]);
    }
    await systemClock.sleep(5);
  }
  await writing;
  t.same(values, upTo(600));
});

void t.test('a restarted writer goes on where the partition stands', async (t) => {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await topicOf(log);
  const first = await FrameWriter.open(options(log));
  for (const i of [1, 2, 3]) await first.write(row(i));
  await first.flush();
  await first.write(row(4)); // never sent: the process dies
  const second = await FrameWriter.open(options(log, { lingerMs: 0 }));
  t.equal(second.storedSequence(0), 3);
  for (const i of [4, 5]) await second.write(row(i));
  await second.close();
  t.same(await valuesIn(log), [1, 2, 3, 4, 5]);
});

void t.test('a writer that was replaced stops, and says so', async (t) => {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await topicOf(log);
  const old = await FrameWriter.open(options(log));
  const successor = await FrameWriter.open(options(log, { epoch: 2 }));
  await successor.write(row(1));
  await successor.close();
  await old.write(row(9));
  await t.rejects(old.flush(), { code: 'MR_LOG_FENCED' });
  t.throws(() => old.write(row(10)), { code: 'MR_LOG_FENCED' });
  await t.rejects(FrameWriter.open(options(log)), { code: 'MR_LOG_FENCED' });
  t.same(await valuesIn(log), [1]);
});

void t.test('two writers under one name and epoch are told so instead of mixing', async (t) => {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await topicOf(log);
  const writer = await FrameWriter.open(options(log));
  await log.append('t', 0, frameOf({ producer: 'writer', records: 2 }));
  for (const i of [1, 2, 3]) await writer.write(row(i));
  await t.rejects(writer.flush(), { code: 'MR_LOG_GAP' });
});

void t.test('what can never be stored ends the writer', async (t) => {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await t.rejects(FrameWriter.open(options(log)), { code: 'MR_LOG_NO_TOPIC' });
  await topicOf(log, 1, 1_000);
  const writer = await FrameWriter.open(options(log));
  await writer.write(row(1, 'x'.repeat(5_000)));
  await t.rejects(writer.close(), { code: 'MR_LOG_FRAME_OVER_QUOTA' });
});

void t.test('an aborted writer gives up instead of waiting for ever', async (t) => {
  const log = openMemoryPartitionLog({ clock: systemClock });
  await topicOf(log, 1, 1_000);
  const abort = new AbortController();
  const writer = await FrameWriter.open(options(log, { signal: abort.signal }));
  for (let i = 1; i <= 2; i++) {
    await writer.write(row(i, 'x'.repeat(500)));
    if (i === 1) await writer.flush();
  }
  setTimeout(() => abort.abort(), 30);
  await t.rejects(writer.close(), { code: 'MR_LOG_FULL' });
  t.same(await valuesIn(log), [1]);
});
