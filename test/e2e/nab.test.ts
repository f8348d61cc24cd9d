import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { type JobHandle, type OperatorStatus, systemClock } from '#engine';
import { openTimeSeriesReader } from '#sinks';
import { keyPartitioner, PARTITIONER_KEY_GROUPS } from '#wire';
import type { ForwarderStats } from '../../edge-forwarder/forwarder.ts';
import { startOf, storedField } from '../../sinks/timeseries/series-layout.ts';
import { duckdb, icebird } from '../sinks/iceberg/table-oracles.ts';
import { createTopic, type EdgeProcess, startForwarder } from '../support/edge-forwarder.ts';
import { until } from '../support/job-bench.ts';
import { cutOff, mergeByTime, NAB_FOLDER, readNab } from './nab-data.ts';
import { CLOSING, HOUR_MS, LAKE_TABLE, NabHour, nabJob, SERIES } from './nab-job.ts';
import { NabReading } from './nab-reading.ts';
import { inOrder, recountHours } from './nab-recount.ts';
import { NAMESPACE, type RedisBench, startRedisBench } from './redis-bench.ts';

const PARTITIONS = 3;
const CUT_OFF = 'ambient_temperature_system_failure';
const SCHEMA = `${fileURLToPath(new URL('./nab-reading.ts', import.meta.url))}#NabReading`;

const series = readNab();

await t.test(
  'A year of real series, through forwarder, Redis and job, is counted once everywhere (E1 E3 E9 S2.4 S2.5)',
  { skip: series === null ? `the Numenta Anomaly Benchmark is not in ${NAB_FOLDER}` : false },
  async (t) => {
    const files = series as NonNullable<typeof series>;
    const { arriving, held } = cutOff(mergeByTime(files.values()), { series: CUT_OFF, every: 50 });
    const bench = await startRedisBench(t);
    await createTopic(bench.redis.url, 'nab', PARTITIONS, NabReading);
    const warehouse = join(bench.folder, 'warehouse');
    const handle = bench.run(nabJob(warehouse).graph());
    const closing = closingRows(arriving);
    await deliver(t, bench, 'gateway-1', [...arriving, ...closing]);
    await allRead(handle, arriving.length + closing.length);
    const closedAt = (closing[0] as NabReading).ts - HOUR_MS - 1;
    await until(() => windowsOf(handle)?.watermark === closedAt, 'every window is closed');
    await deliver(t, bench, 'gateway-2', held);
    await allRead(handle, arriving.length + closing.length + held.length);
    t.type(await handle.stop(), 'number', 'a last checkpoint was taken');
    t.match(handle.status(), { state: 'stopped', restarts: 0, failures: [] });
    t.equal(windowsOf(handle)?.lateRecords, held.length);

    const late = await bench.read('nab-late', NabReading);
    const hours = await bench.read('nab-hours', NabHour);
    const expected = recountHours(arriving);
    t.same(
      byTime(late),
      byTime(held),
      `${held.length} rows of closed windows are in the late topic, no others`,
    );
    addsUp(t, files, hours, late);
    t.same(inOrder(hours), expected, `${expected.length} windows, each given once, equal the recount`);
    await t.test('the live series has the same windows', (t) => liveAgrees(t, bench, expected));
    await t.test('the lake has every row once', (t) => lakeAgrees(t, warehouse, files));
  },
);

/** One row for each partition, far enough ahead to close every window. */
function closingRows(rows: readonly NabReading[]): readonly NabReading[] {
  const newest = rows.reduce((max, { ts }) => Math.max(max, ts), 0);
  const partitionOf = keyPartitioner(NabReading, ['series'], PARTITIONS, PARTITIONER_KEY_GROUPS);
  const byPartition = new Map<number, NabReading>();
  for (let i = 0; byPartition.size < PARTITIONS; i++) {
    const row = { ts: newest + 3 * HOUR_MS, series: `${CLOSING}${i}`, value: 0 };
    byPartition.set(partitionOf(row), row);
  }
  return [...byPartition.values()];
}

/** Feeds the rows as JSON lines to a forwarder's stdin, at its pace, and lets it deliver all of them. */
async function deliver(
  t: Test,
  bench: RedisBench,
  gateway: string,
  rows: readonly NabReading[],
): Promise<void> {
  const to = ['--redis', bench.redis.url, '--topic', 'nab', '--producer', gateway];
  const outbox = ['--outbox', join(bench.folder, gateway)];
  const edge = startForwarder([...to, ...outbox, '--schema', SCHEMA, '--key', 'series', 'stdin']);
  await writeLines(edge, rows);
  t.equal(await edge.exited, 0, edge.err());
  const stats = JSON.parse(edge.out()) as ForwarderStats;
  t.match(stats, { accepted: rows.length, delivered: rows.length, rejected: 0, pending: 0 });
}

async function writeLines({ child }: EdgeProcess, rows: readonly NabReading[]): Promise<void> {
  const { stdin } = child;
  if (stdin === null) throw new Error('the forwarder was started without a stdin');
  for (let at = 0; at < rows.length; at += 1_000) {
    const lines = rows.slice(at, at + 1_000).map((row) => `${JSON.stringify(isoRow(row))}\n`);
    if (!stdin.write(lines.join(''))) await once(stdin, 'drain');
  }
  stdin.end();
}

/** Times as text with their zone, as a gateway would write them. */
function isoRow({ ts, series: name, value }: NabReading) {
  return { ts: new Date(ts).toISOString(), series: name, value };
}

async function allRead(handle: JobHandle, records: number): Promise<void> {
  const read = () => handle.status().sources.reduce((n, { recordsRead }) => n + recordsRead, 0);
  await until(() => read() === records, `${records} records are read`, 30_000);
}

function windowsOf(handle: JobHandle): OperatorStatus | undefined {
  return handle.status().operators.find(({ id }) => id === 'hourly');
}

function byTime(rows: readonly NabReading[]): readonly NabReading[] {
  return [...rows].sort((a, b) => a.ts - b.ts);
}

/** Per series: windows + late = rows of the file. */
function addsUp(
  t: Test,
  files: ReadonlyMap<string, readonly NabReading[]>,
  hours: readonly NabHour[],
  late: readonly NabReading[],
): void {
  const counted = new Map<string, number>();
  for (const { series: name, n } of hours) counted.set(name, (counted.get(name) ?? 0) + n);
  for (const { series: name } of late) counted.set(name, (counted.get(name) ?? 0) + 1);
  const rows = new Map([...files].map(([name, { length }]) => [name, length]));
  t.same(counted, rows, `windows + late = rows, for each of ${rows.size} series`);
}

/** The reader's reach is a week of each series; beyond it the stored points are counted: one per window. */
async function liveAgrees(t: Test, { redis }: RedisBench, expected: readonly NabHour[]): Promise<void> {
  const reader = await openTimeSeriesReader({ url: redis.url, namespace: NAMESPACE, clock: systemClock });
  const raw = new Redis(redis.url, { protocol: 2 });
  t.teardown(async () => {
    await reader.close();
    raw.disconnect();
  });
  const hoursBySeries = Map.groupBy(expected, (hour) => hour.series);
  t.same(await reader.keys(SERIES, 1_000), [...hoursBySeries.keys()].sort());
  for (const [key, hours] of hoursBySeries) {
    const newest = hours.reduce((max, { start }) => Math.max(max, start), 0);
    const from = newest - 7 * 24 * HOUR_MS + HOUR_MS;
    const points = await reader.range({ name: SERIES, key, from, to: newest + 1, pointsMax: 1_000 });
    const week = hours.filter(({ start }) => start >= from);
    t.same(
      points,
      week.map(({ start, n, total, low, high, mean }) => ({
        start,
        end: start + HOUR_MS,
        values: { n, total, low, high, mean },
      })),
      `${key}: ${week.length} points of its last week`,
    );
  }
  const points = new Set<string>();
  for await (const pages of raw.scanStream({ match: `mr:${NAMESPACE}:{series:${SERIES}:*}:page:*` }))
    for (const page of pages as string[])
      for (const [field, bytes] of Object.entries(await raw.hgetallBuffer(page)))
        for (const { keyText } of storedField(bytes).records) points.add(`${keyText} ${startOf(field)}`);
  t.equal(points.size, expected.length, 'a point for each window since 2013');
}

async function lakeAgrees(
  t: Test,
  warehouse: string,
  files: ReadonlyMap<string, readonly NabReading[]>,
): Promise<void> {
  const expected = [...files].map(([name, rows]) => seriesTotals(name, rows)).sort(bySeries);
  const rows = (await icebird(warehouse, LAKE_TABLE)) as unknown as readonly NabReading[];
  const read = Map.groupBy(rows, (row) => row.series);
  agree(t, [...read].map(([name, found]) => seriesTotals(name, found)).sort(bySeries), expected, 'icebird');
  const select = `SELECT series, count(*) AS n, sum(value) AS total, min(epoch_ms(ts)) AS "from", max(epoch_ms(ts)) AS "to"
    FROM lake GROUP BY series`;
  const found = (await duckdb(warehouse, LAKE_TABLE, select)).map((row) => ({
    series: String(row['series']),
    n: Number(row['n']),
    total: Number(row['total']),
    from: Number(row['from']),
    to: Number(row['to']),
  }));
  agree(t, found.sort(bySeries), expected, 'DuckDB');
  const months = await duckdb(
    warehouse,
    LAKE_TABLE,
    `SELECT DISTINCT strftime(ts, '%Y-%m') AS month FROM lake`,
  );
  t.equal(months.length, 13, 'July 2013 to July 2014');
}

interface SeriesTotals {
  readonly series: string;
  readonly n: number;
  readonly total: number;
  readonly from: number;
  readonly to: number;
}

function bySeries(a: SeriesTotals, b: SeriesTotals): number {
  return a.series < b.series ? -1 : 1;
}

function seriesTotals(name: string, rows: readonly NabReading[]): SeriesTotals {
  const times = rows.map(({ ts }) => Number(ts)); // icebird gives dates
  return {
    series: name,
    n: rows.length,
    total: rows.reduce((total, { value }) => total + value, 0),
    from: times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    to: times.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
  };
}

/** Sums come in another order of addition, and so may differ in the last digits. */
function agree(t: Test, found: readonly SeriesTotals[], expected: readonly SeriesTotals[], by: string): void {
  const exact = (all: readonly SeriesTotals[]) => all.map(({ total: _, ...rest }) => rest);
  t.same(exact(found), exact(expected), `${by}: rows and times of ${expected.length} series`);
  const apart = expected.filter(({ total }, i) => {
    const other = found[i]?.total ?? Number.NaN;
    return !(Math.abs(other - total) <= Math.abs(total) * 1e-9);
  });
  t.same(apart, [], `${by}: sums`);
}
