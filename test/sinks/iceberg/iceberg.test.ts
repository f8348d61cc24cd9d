import t from 'tap';
import {
  BatchBuilder,
  bool,
  bytes,
  eventTime,
  f32,
  f64,
  type Infer,
  i32,
  i64,
  nullable,
  obj,
  schema,
  string,
  time,
} from '#wire';
import { bucket, day, iceberg, identity, tableState } from '#sinks';
import {
  commitRequest,
  openCommitter,
  openWriter,
  rowsInput,
  sinkContext,
  stage,
  temporaryFolder,
} from './sink-harness.ts';
import { duckdb, icebird, liveEntries } from './table-oracles.ts';

const Everything = schema('everything', {
  ts: eventTime(1),
  tenant: string(2),
  note: nullable(string(3)),
  temperature: f64(4),
  humidity: nullable(f32(5)),
  count: i32(6),
  serial: i64(7),
  ok: bool(8),
  seenAt: nullable(time(9)),
  raw: nullable(bytes(10)),
  tags: obj<{ readonly n: number }>(12),
});
type Everything = Infer<typeof Everything>;

const START = Date.UTC(2026, 10, 5, 23, 59, 58);

function row(i: number): Everything {
  return {
    ts: START + i * 3.5, // half milliseconds, and a day's end within
    tenant: `tenant ${i % 3}/ä`,
    note: i % 5 === 0 ? null : `note-${i}`,
    temperature: i % 11 === 0 ? Number.NaN : i / 3,
    humidity: i % 2 === 0 ? null : i + 0.5,
    count: i * (i % 2 === 0 ? 1 : -1),
    serial: 9_007_199_254_740_993n + BigInt(i),
    ok: i % 4 === 0,
    seenAt: i % 7 === 0 ? null : -i * 1000.25,
    raw: i % 3 === 0 ? null : Uint8Array.of(i & 255, 0, 255),
    tags: { n: i },
  };
}

const ROWS = Array.from({ length: 2_000 }, (_, i) => row(i));
const micros = (ms: number) => BigInt(Math.round(ms * 1000));

await t.test(
  'rows come back through DuckDB and icebird as they were written, as rows and as columns',
  async (t) => {
    for (const kind of ['rows', 'columns'] as const) {
      const warehouse = await temporaryFolder(t);
      const sink = iceberg('curated.everything', Everything, {
        warehouse,
        partitionBy: [day('ts'), identity('tenant')],
      });
      const writer = await openWriter(t, sink);
      const committer = await openCommitter(sink);
      t.strictSame(await tableState(warehouse, 'curated.everything'), {
        snapshotId: null,
        rows: 0,
        files: 0,
        bytes: 0,
        snapshots: 0,
      });
      if (kind === 'rows') {
        await writer.write(rowsInput(ROWS));
      } else {
        const builder = new BatchBuilder(Everything);
        for (const item of ROWS) builder.append(item);
        await writer.write({ kind: 'columns', batch: builder.finish(), selection: null });
      }
      const committable = await writer.prepareCommit(commitRequest(1, []).checkpoint);
      await committer.commit(commitRequest(1, [committable]));
      await committer.close();

      const state = await tableState(warehouse, 'curated.everything');
      t.equal(state?.rows, ROWS.length, kind);
      t.equal(state?.files, 6, 'two days by three tenants');
      const [sums] = await duckdb(
        warehouse,
        'curated.everything',
        `SELECT count(*) n, count(DISTINCT serial) serials, sum(serial)::HUGEINT serial, sum(count) count, count(note) notes,
         count_if(isnan(temperature)) nans, sum(humidity) humidity, count_if(ok) oks, sum(epoch_us(ts)) ts, sum(epoch_us(seenAt)) seen, sum(octet_length(raw)) raw,
         sum(CAST(tags->>'n' AS INTEGER)) tags FROM lake`,
      );
      t.strictSame(sums, expectedSums(), `${kind}: DuckDB`);

      const back = await icebird(warehouse, 'curated.everything');
      t.equal(back.length, ROWS.length);
      const bySerial = new Map(back.map((it) => [it['serial'], it]));
      t.equal(
        ROWS.filter((item) => !sameRow(item, bySerial.get(item.serial))).length,
        0,
        `${kind}: icebird sees every value`,
      );
    }
  },
);

await t.test('every file says what lies in it: partition, bounds, nulls, NaNs', async (t) => {
  const warehouse = await temporaryFolder(t);
  const sink = iceberg('t', Everything, {
    warehouse,
    partitionBy: [identity('tenant'), bucket('serial', 4)],
  });
  const writer = await openWriter(t, sink);
  const committer = await openCommitter(sink);
  await committer.commit(commitRequest(1, [await stage(writer, ROWS, 1)]));
  for (const { data_file: file } of await liveEntries(warehouse, 't')) {
    const [truth] = await duckdbFile(
      file.file_path,
      `SELECT count(*) n, min(count) lo, max(count) hi, count(*) - count(note) missing, count_if(isnan(temperature)) nans,
        min(epoch_us(ts)) earliest, min(tenant) tenant, max(tenant) tenants, min(temperature) cold, max(note) note FROM lake`,
    );
    const int = (list: typeof file.lower_bounds, id: number) =>
      Buffer.from(list?.find(({ key }) => key === id)?.value ?? []);
    t.strictSame(
      {
        n: BigInt(file.record_count),
        lo: int(file.lower_bounds, 6).readInt32LE(),
        hi: int(file.upper_bounds, 6).readInt32LE(),
        missing: BigInt(file.null_value_counts?.find(({ key }) => key === 3)?.value ?? -1),
        nans: BigInt(file.nan_value_counts?.find(({ key }) => key === 4)?.value ?? -1),
        earliest: int(file.lower_bounds, 1).readBigInt64LE(),
        tenant: file.partition['tenant'],
        tenants: file.partition['tenant'],
        cold: int(file.lower_bounds, 4).readDoubleLE(),
        note: int(file.upper_bounds, 3).toString(),
      },
      truth,
    );
  }
});

await t.test(
  'a row that the table cannot hold goes to the dead letters, its neighbours do not',
  async (t) => {
    const warehouse = await temporaryFolder(t);
    const refused: string[] = [];
    const sink = iceberg('t', Everything, { warehouse });
    const writer = await openWriter(
      t,
      sink,
      sinkContext({ deadLetter: (_row, reason) => refused.push(reason) }),
    );
    const committer = await openCommitter(sink);
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    const bad = [
      { ...row(1), tenant: null },
      { ...row(2), ts: Number.NaN },
      { ...row(3), count: 1.5 },
      { ...row(4), serial: 2n ** 63n },
      { ...row(5), tags: loop },
      { ...row(6), seenAt: 9e15 },
    ] as unknown as Everything[];
    const staged = await stage(writer, [row(0), ...bad, row(7)], 1);
    await committer.commit(commitRequest(1, [staged]));
    t.equal(refused.length, bad.length);
    t.match(refused[0], /'tenant' is null, which it may not be/);
    t.match(refused[1], /'ts' is number NaN, not time/);
    t.strictSame(
      (await icebird(warehouse, 't')).map((it) => it['count']),
      [0, -7],
    );
  },
);

await t.test('a table of another shape is refused with what differs', async (t) => {
  const warehouse = await temporaryFolder(t);
  const first = iceberg('t', schema('a', { ts: eventTime(1), v: f64(2) }), {
    warehouse,
    partitionBy: [day('ts')],
  });
  await (await first.openWriter(sinkContext())).close();
  const other = schema('a', { ts: eventTime(1), v: i64(2) });
  await t.rejects(iceberg('t', other, { warehouse, partitionBy: [day('ts')] }).openWriter(sinkContext()), {
    code: 'MR_TABLE_INVALID',
    message: /field 2 is 'v' required double in the table and 'v' required long in the job/,
  });
  const same = schema('a', { ts: eventTime(1), v: f64(2) });
  await t.rejects(iceberg('t', same, { warehouse }).openWriter(sinkContext()), {
    code: 'MR_TABLE_INVALID',
    message: /partitioned by day\(field 1\) as ts_day and the job by unpartitioned/,
  });
  t.throws(() => iceberg('../t', same, { warehouse }), { code: 'MR_CONFIG_INVALID' });
  t.throws(() => iceberg('t', same, { warehouse, partitionBy: [day('v')] }), { code: 'MR_CONFIG_INVALID' });
});

function expectedSums(): Record<string, unknown> {
  const sum = (value: (item: Everything) => number) => ROWS.reduce((total, item) => total + value(item), 0);
  const sumBig = (value: (item: Everything) => bigint) =>
    ROWS.reduce((total, item) => total + value(item), 0n);
  return {
    n: BigInt(ROWS.length),
    serials: BigInt(ROWS.length),
    serial: sumBig((item) => item.serial),
    count: BigInt(sum((item) => item.count)),
    notes: BigInt(ROWS.filter((item) => item.note !== null).length),
    nans: BigInt(ROWS.filter((item) => Number.isNaN(item.temperature)).length),
    humidity: sum((item) => item.humidity ?? 0),
    oks: BigInt(ROWS.filter((item) => item.ok).length),
    ts: sumBig((item) => micros(item.ts)),
    seen: sumBig((item) => (item.seenAt === null ? 0n : micros(item.seenAt))),
    raw: BigInt(sum((item) => item.raw?.length ?? 0)),
    tags: BigInt(sum((item) => item.tags.n)),
  };
}

/** icebird gives times as dates, so to whole milliseconds; DuckDB has checked the microseconds. */
function sameRow(want: Everything, have: Record<string, unknown> | undefined): boolean {
  if (have === undefined) return false;
  const sameTime = (ms: number | null, date: unknown) =>
    ms === null ? date === null || date === undefined : Math.abs((date as Date).getTime() - ms) <= 1;
  return (
    sameTime(want.ts, have['ts']) &&
    sameTime(want.seenAt, have['seenAt']) &&
    have['tenant'] === want.tenant &&
    (have['note'] ?? null) === want.note &&
    Object.is(have['temperature'], want.temperature) &&
    (have['humidity'] ?? null) === want.humidity &&
    have['count'] === want.count &&
    have['ok'] === want.ok &&
    JSON.stringify(want.tags) === have['tags']
  );
}

async function duckdbFile(location: string, select: string): Promise<readonly Record<string, unknown>[]> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect();
  const reader = await connection.runAndReadAll(
    `WITH lake AS (SELECT * FROM read_parquet('${location.slice('file://'.length)}', hive_partitioning = false)) ${select}`,
  );
  connection.closeSync();
  return reader.getRowObjects();
}
