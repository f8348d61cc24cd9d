import { createHash } from 'node:crypto';
import t from 'tap';
import type { JobHandle } from '#engine';
import { defineJob, partitionLog } from '#operators';
import { createJobBench, until } from '../support/job-bench.ts';
import { copyJob, numbers, QUICK, values } from './outcome-jobs.ts';
import { Reading, readings } from './outcome-reading.ts';
import { type RedisBench, startRedisBench } from './redis-bench.ts';

/* What becomes of a job whose output topic is full: the rows O10 and O11 of docs/outcomes.md. */

/** Of an output topic: holds what some checkpoints of {@link trickle} give, not all of them. */
const OUT_QUOTA_BYTES = 16 * 1024;

await t.test(
  'O10: an output topic that is full fails attempts until somebody reads it; then everything is there once',
  async (t) => {
    const bench = await startRedisBench(t);
    await bench.log.createTopic('out', { partitions: 1, schema: Reading, quotaBytes: OUT_QUOTA_BYTES });
    const copying = bench.run(copyJob('copying').graph());
    const rows = await trickle(bench, copying, 2_000);
    await until(() => copying.status().restarts >= 2, 'it restarts again and again');
    t.match(copying.status().failures[0], {
      code: 'MR_LOG_FULL',
      message: /partition 0 of 'out' holds \d+ of 16384 bytes/,
    });
    t.ok((await bench.read('out', Reading)).length < rows, `${rows} were fed`);
    const reading = defineJob('reading', QUICK, (job) => {
      job.source('copies', partitionLog('out', Reading)).to('seen', partitionLog('seen', Reading));
    });
    const draining = bench.run(reading.graph());
    await until(async () => (await bench.read('seen', Reading)).length >= rows, 'everything is through');
    await copying.stop();
    await draining.stop();
    t.same(values(await bench.read('seen', Reading)), numbers(0, rows), 'each once');
  },
);

await t.test(
  'O11: an output topic with a retention drops its oldest records when it is full, and holds nobody up',
  async (t) => {
    for (const bench of [await startRedisBench(t), createJobBench()]) {
      const retention = { bytes: OUT_QUOTA_BYTES / 2 };
      const topic = { partitions: 1, schema: Reading, quotaBytes: OUT_QUOTA_BYTES, retention };
      await bench.log.createTopic('out', topic);
      const handle = bench.run(copyJob('copying').graph());
      t.equal(await trickle(bench, handle, 1_000), 1_000, 'everything is out');
      await handle.stop();
      t.match(handle.status(), { state: 'stopped', restarts: 0, failures: [] });
      const kept = await bench.read('out', Reading);
      t.ok(kept.length > 100 && kept.length < 1_000, `${kept.length} are kept`);
      t.same(values(kept), numbers(1_000 - kept.length, 1_000), 'the newest');
    }
  },
);

/**
 * Feeds rows that do not compress, each part when the one before is out, so that a checkpoint's output stays far below the quota.
 * @returns how many were fed: fewer than `rows` when an attempt has failed
 */
async function trickle(
  bench: Pick<RedisBench, 'feed' | 'log'>,
  handle: JobHandle,
  rows: number,
): Promise<number> {
  const failed = () => handle.status().failures.length > 0;
  let fed = 0;
  while (fed < rows && !failed()) {
    const part = readings(fed, fed + 100).map((row) => ({ ...row, device: digest(row.value) }));
    await bench.feed('in', Reading, part, { partitions: 1 });
    fed += part.length;
    await until(async () => failed() || (await bench.log.ends('out'))[0]?.end === fed, `${fed} are out`);
  }
  return fed;
}

function digest(value: number): string {
  return createHash('sha256').update(String(value)).digest('base64');
}
