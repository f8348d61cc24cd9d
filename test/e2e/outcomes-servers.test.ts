import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import t from 'tap';
import { FrameWriter, type JobHandle, systemClock } from '#engine';
import { count, defineJob, partitionLog, tumbling } from '#operators';
import { openTimeSeriesReader, postgresTimeSeries } from '#sinks';
import { startForwarder } from '../support/edge-forwarder.ts';
import { until } from '../support/job-bench.ts';
import { startPostgres } from '../support/postgres-server.ts';
import {
  Count,
  copyJob,
  countJob,
  IN,
  LIVE,
  numbers,
  QUICK,
  recordsRead,
  values,
  WINDOW_MS,
} from './outcome-jobs.ts';
import { Reading, reading, readings } from './outcome-reading.ts';
import { NAMESPACE, type RedisBench, startRedisBench } from './redis-bench.ts';

/* What becomes of a job when the servers around it are full, away or started again: the rows O7 to O9 of docs/outcomes.md. */

const SCHEMA = `${fileURLToPath(new URL('./outcome-reading.ts', import.meta.url))}#Reading`;

await t.test(
  'O7: a full log makes forwarder and writer wait; both go on when a job has let go of what it read',
  async (t) => {
    const bench = await startRedisBench(t);
    const quotaBytes = 96 * 1024;
    await bench.log.createTopic('in', { partitions: 1, schema: Reading, quotaBytes });
    const rows = 12_000;
    const to = [
      '--redis',
      bench.redis.url,
      '--topic',
      'in',
      '--producer',
      'gateway',
      '--outbox',
      bench.folder,
    ];
    const settings = ['--compression', 'none', '--progress'];
    const edge = startForwarder([...to, ...settings, '--schema', SCHEMA, '--key', 'device', 'stdin']);
    const lines = readings(0, rows).map((row) => `${JSON.stringify(row)}\n`);
    edge.child.stdin?.end(lines.join(''));
    const writer = await openWriter(bench);
    const written = (async () => {
      for (const row of readings(rows, 2 * rows)) await writer.write(row);
      await writer.close();
    })();
    await until(() => /partition 0 of 'in' is full/.test(edge.err()), 'the forwarder says so');
    await until(() => writer.stats().retries >= 3, 'the writer tries again');
    const full = (await bench.log.ends('in'))[0];
    t.ok(full !== undefined && full.end < 2 * rows && full.bytes <= quotaBytes, JSON.stringify(full));
    t.equal(edge.child.exitCode, null, 'the forwarder waits');

    const handle = bench.run(copyJob('draining').graph());
    await written;
    t.equal(await edge.exited, 0, edge.err());
    await until(() => recordsRead(handle) === 2 * rows, 'everything is read');
    await handle.stop();
    t.match(handle.status(), { restarts: 0, failures: [] });
    t.same(values(await bench.read('out', Reading)), numbers(0, 2 * rows), 'nothing lost, nothing twice');
  },
);

await t.test(
  'O8: a PostgreSQL that is away fails attempts after bounded retries; the job goes on by itself when it is back',
  async (t) => {
    const bench = await startRedisBench(t);
    const postgres = await startPostgres();
    t.teardown(() => postgres.stop());
    const definition = defineJob('history', QUICK, (job) => {
      const readingsIn = job.source('readings', IN);
      readingsIn.to('out', partitionLog('out', Reading));
      readingsIn
        .keyBy('device')
        .window(tumbling(WINDOW_MS))
        .aggregate('per-device', { n: count() })
        .to('history', postgresTimeSeries('history', { url: postgres.url, retryFor: '200ms' }), {
          accept: 'idempotent',
        });
    });
    await bench.feed('in', Reading, readings(0, 500), { partitions: 1 });
    const handle = bench.run(definition.graph());
    await until(async () => (await bench.read('out', Reading)).length >= 500, 'the first part is through');
    await postgres.kill9();
    await bench.feed('in', Reading, readings(500, 1_000), { partitions: 1 });
    await until(() => handle.status().restarts >= 2, 'it restarts again and again');
    t.match(handle.status().failures[0], {
      code: 'MR_SINK_FAILED',
      operator: 'history',
      message: /could not write to table .*history.* Check that PostgreSQL is up/,
    });
    t.notOk(['failed', 'stopped'].includes(handle.status().state), handle.status().state);
    await postgres.start();
    await bench.feed('in', Reading, [reading(1_020)], { partitions: 1 });
    await until(() => recordsRead(handle) > 0 && handle.status().state === 'running', 'it runs again');
    await until(async () => (await bench.read('out', Reading)).length >= 1_001, 'the second part is through');
    const windows = () => historyOf(postgres.url);
    await until(async () => (await windows()).length >= 1_000, 'all windows are there');
    await handle.stop();
    t.same(await windows(), expectedHistory(1_000), 'each window of each device, with all its records');
    t.same(values(await bench.read('out', Reading)), [...numbers(0, 1_000), 1_020], 'each record once');
  },
);

await t.test(
  'O9: a Redis that is restarted, in good order and by kill -9, holds the job up; it goes on from its checkpoint, exactly once',
  async (t) => {
    const bench = await startRedisBench(t, { appendonly: 'everysec' });
    await bench.log.createTopic('in', { partitions: 1, schema: Reading });
    const copying = bench.run(copyJob('copying').graph());
    const counting = bench.run(countJob('counting').graph());
    const rows = 20_000;
    const writer = await openWriter(bench);
    const outages = (async () => {
      await progress(counting, rows * 0.2);
      await bench.redis.restart();
      await progress(counting, rows * 0.5);
      await bench.redis.kill9();
      await bench.redis.restart();
    })();
    for (const row of readings(0, rows)) {
      await writer.write(row);
      if (row.value % 200 === 199) await systemClock.sleep(15);
    }
    await writer.write(reading(rows + 20));
    await writer.close();
    await outages;
    for (const handle of [copying, counting]) {
      // One that was under way may still complete. The next notices the restart, if none has yet; the one after it completes.
      const { completed } = handle.status().checkpoints;
      await until(
        () => handle.status().checkpoints.completed > completed + 1,
        'two more checkpoints',
        30_000,
      );
      await progress(handle, rows + 1);
      t.equal(handle.status().state, 'running');
      t.type(await handle.stop(), 'number', 'with a last checkpoint');
      const { failures } = handle.status();
      const codes = new Set(failures.map(({ code }) => code));
      t.same(
        codes,
        new Set(['MR_CHECKPOINT_NOT_DURABLE']),
        failures.map(({ message }) => message).join(' | '),
      );
    }
    t.same(values(await bench.read('out', Reading)), [...numbers(0, rows), rows + 20], 'each record once');
    t.same(await bench.read('late', Reading), []);
    const counts = await bench.read('counts', Count);
    t.equal(counts.length, rows, 'each window of each device once');
    t.same(new Set(counts.map(({ n }) => n)), new Set([1]), 'with all its records');
    t.same(await livePoints(bench), rows, 'the live series has every window');
  },
);

function openWriter({ log }: RedisBench): Promise<FrameWriter<Reading>> {
  const producer = { producer: 'writer', epoch: 1, partitionOf: () => 0 };
  return FrameWriter.open({ log, topic: 'in', schema: Reading, clock: systemClock, ...producer });
}

async function progress(handle: JobHandle, offset: number): Promise<void> {
  const isPassed = () => (handle.status().sources[0]?.offset ?? 0) >= offset;
  await until(isPassed, `offset ${offset} is passed`, 30_000);
}

async function livePoints({ redis }: RedisBench): Promise<number> {
  const reader = await openTimeSeriesReader({ url: redis.url, namespace: NAMESPACE, clock: systemClock });
  try {
    let points = 0;
    for (const key of await reader.keys(LIVE, 100)) {
      const all = await reader.range({ name: LIVE, key, from: 0, to: 1e9, pointsMax: 10_000 });
      points += all.filter(({ values: { n } }) => n === 1).length;
    }
    return points;
  } finally {
    await reader.close();
  }
}

async function historyOf(
  url: string,
): Promise<readonly (readonly [device: string, start: number, n: number])[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ device: string; start: string; n: number }>(
      'SELECT device, extract(epoch FROM window_start) * 1000 AS start, n FROM history ORDER BY window_start, device',
    );
    return rows.map(({ device, start, n }) => [device, Number(start), n] as const);
  } finally {
    await client.end();
  }
}

/** Reading `i` is of device `i mod 10` at second `i`: one record per device and window of 10 s. */
function expectedHistory(rows: number) {
  return numbers(0, rows).map((i) => [`dev-${i % 10}`, Math.floor(i / 10) * WINDOW_MS, 1]);
}
