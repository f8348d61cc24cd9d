import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import t from 'tap';
import { checkpointId } from '#engine';
import { bucket, day, hour, iceberg, identity, type PartitionTransform, tableState, truncate } from '#sinks';
import { BatchBuilder, eventTime, f64, i64, type Infer, nullable, schema, string } from '#wire';
import { incomingRows, valueAt } from '../../../sinks/iceberg/incoming-rows.ts';
import { partitionFields } from '../../../sinks/iceberg/partition-spec.ts';
import { PartitionRouter } from '../../../sinks/iceberg/partition-router.ts';
import {
  commitRequest,
  openCommitter,
  openWriter,
  rowsInput,
  sinkContext,
  temporaryFolder,
} from './sink-harness.ts';
import { duckdb, liveEntries } from './table-oracles.ts';

const Reading = schema('reading', {
  ts: eventTime(1),
  tenant: string(2),
  site: nullable(string(3)),
  serial: i64(4),
  value: nullable(f64(5)),
});
type Reading = Infer<typeof Reading>;

const DAY_MS = 86_400_000;
const reading: fc.Arbitrary<Reading> = fc.record({
  ts: fc.integer({ min: -3 * DAY_MS, max: 3 * DAY_MS }),
  tenant: fc.constantFrom('a', 'b', 'ä/ö', ''),
  site: fc.option(fc.constantFrom('north', 'nordic', 'south')),
  serial: fc.bigInt({ min: -5n, max: 5n }),
  value: fc.option(fc.double()),
});
const transforms: readonly PartitionTransform[] = [
  day('ts'),
  hour('ts'),
  identity('tenant'),
  identity('site'),
  truncate('site', 2),
  truncate('serial', 4),
  bucket('serial', 3),
  bucket('tenant', 2),
];

/** The partition of a row by plain arithmetic, for the transforms that allow it. */
const ORACLE: Readonly<Record<string, (row: Reading) => unknown>> = {
  ts_day: (row) => Math.floor(row.ts / DAY_MS),
  ts_hour: (row) => Math.floor(row.ts / 3_600_000),
  tenant: (row) => row.tenant,
  site: (row) => row.site,
  site_trunc: (row) => row.site?.slice(0, 2) ?? null,
  serial_trunc: (row) => row.serial - (((row.serial % 4n) + 4n) % 4n),
};

const fail = (_row: unknown, reason: string): never => {
  throw new Error(reason);
};

await t.test(
  'PR1 PR2 routing puts every row into its partition once, in order, from rows and from columns alike',
  async () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(reading, { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 4 }),
        fc.subarray([...transforms], { maxLength: 3 }),
        (writes, chosen) => {
          const unique = chosen.filter(
            (it, i) => chosen.findIndex((other) => other.field === it.field && other.kind === it.kind) === i,
          );
          const fields = partitionFields(unique, Reading);
          const routers = [new PartitionRouter(fields), new PartitionRouter(fields)];
          for (const rows of writes) {
            const builder = new BatchBuilder(Reading);
            for (const row of rows) builder.append(row);
            const selection = Uint16Array.from(rows.keys()).filter((i) => i % 3 !== 1);
            const byColumns = incomingRows(
              Reading,
              { kind: 'columns', batch: builder.finish(), selection },
              fail,
            );
            const byRows = incomingRows(
              Reading,
              rowsInput([...selection].map((i) => rows[i] as Reading)),
              fail,
            );
            const [a, b] = [byColumns, byRows].map((incoming, k) =>
              (routers[k] as PartitionRouter)
                .route(incoming)
                .map(({ partition, rows: indices, from, to }) => ({
                  tuple: partition.tuple,
                  path: partition.path,
                  rows: [...indices.subarray(from, to)].map((row) =>
                    incoming.columns.map((column) => valueAt(column, row)),
                  ),
                })),
            );
            if (JSON.stringify(a, text) !== JSON.stringify(b, text)) return false;
            for (const { tuple, rows: routed } of a ?? []) {
              for (const [ts, tenant, site, serial] of routed) {
                const row = { ts, tenant, site, serial } as Reading;
                const fits = fields.every(
                  ({ name }, i) => ORACLE[name] === undefined || Object.is(ORACLE[name](row), tuple[i]),
                );
                if (!fits) return false;
              }
            }
            const routedRows = (a ?? []).reduce((sum, it) => sum + it.rows.length, 0);
            if (
              routedRows !== selection.length ||
              new Set((a ?? []).map((it) => it.path)).size > (a ?? []).length
            )
              return false;
          }
          return true;
        },
      ),
      { numRuns: 200 },
    );
  },
);

await t.test('rows of many writes, chunks, row groups and rolled files all arrive once', async (t) => {
  const warehouse = await temporaryFolder(t);
  const sink = iceberg('t', Reading, {
    warehouse,
    partitionBy: [identity('tenant')],
    rowGroupRows: 10_000,
    targetFileBytes: 100_000,
    compression: 'snappy',
  });
  const writer = await openWriter(t, sink);
  const committer = await openCommitter(sink);
  let n = 0;
  for (let seq = 1; seq <= 2; seq++) {
    const filesBefore = writer.stats?.()['filesWritten'] ?? 0;
    const hasRolled = () => (writer.stats?.()['filesWritten'] ?? 0) > filesBefore;
    for (let write = 0; write < 40 || (!hasRolled() && write < 2_000); write++) {
      const rows = Array.from({ length: 1_500 }, (): Reading => {
        n++;
        return {
          ts: n,
          tenant: n % 4 === 0 ? 'small' : 'large',
          site: null,
          serial: BigInt(n),
          value: Math.sin(n),
        };
      });
      await writer.write(rowsInput(rows));
      await sleep(1); // the thread reports how large the file has grown
    }
    await committer.commit(commitRequest(seq, [await writer.prepareCommit(checkpointId(seq))]));
  }
  t.strictSame(
    await duckdb(
      warehouse,
      't',
      'SELECT count(*) n, count(DISTINCT serial) d, max(serial) m, count(site) s, sum(epoch_us(ts)) ts FROM lake',
    ),
    [{ n: BigInt(n), d: BigInt(n), m: BigInt(n), s: 0n, ts: ((BigInt(n) * BigInt(n + 1)) / 2n) * 1000n }],
  );
  const entries = await liveEntries(warehouse, 't');
  t.ok(entries.length > 4, `files rolled at their size: ${entries.length}`);
  t.ok(
    entries.some((it) => (it.data_file.split_offsets?.length ?? 0) > 1),
    'files have several row groups',
  );
  t.match(writer.stats?.(), { rowsWritten: n, filesWritten: entries.length, bufferedBytes: 0, openFiles: 0 });
  t.equal((await tableState(warehouse, 't'))?.bytes, writer.stats?.()['bytesWritten']);
});

await t.test('IW3 more partitions than may be open close the idle ones, and lose nothing', async (t) => {
  const warehouse = await temporaryFolder(t);
  const sink = iceberg('t', Reading, { warehouse, partitionBy: [identity('serial')] });
  const writer = await openWriter(t, sink);
  const row = (i: number): Reading => ({
    ts: i,
    tenant: 'a',
    site: null,
    serial: BigInt(i % 300),
    value: null,
  });
  await writer.write(rowsInput(Array.from({ length: 900 }, (_, i) => row(i))));
  t.ok((writer.stats?.()['openFiles'] ?? 0) <= 256);
  const committer = await openCommitter(sink);
  await committer.commit(commitRequest(1, [await writer.prepareCommit(checkpointId(1))]));
  t.strictSame(await duckdb(warehouse, 't', 'SELECT count(*) n, count(DISTINCT serial) d FROM lake'), [
    { n: 900n, d: 300n },
  ]);
});

await t.test(
  'a full or read-only warehouse fails the attempt with MR_SINK_FAILED, and no row is silently dropped',
  async (t) => {
    const warehouse = await temporaryFolder(t);
    const sink = iceberg('t', Reading, { warehouse, partitionBy: [identity('tenant')] });
    const writer = await openWriter(t, sink, sinkContext());
    const blocked = `${warehouse}/t/data/tenant=a`;
    await writeFile(blocked, 'a file where the folder of the partition belongs');
    await writer.write(rowsInput([{ ts: 1, tenant: 'a', site: null, serial: 1n, value: null }]));
    await t.rejects(writer.prepareCommit(checkpointId(1)), { code: 'MR_SINK_FAILED' });
    await t.rejects(
      async () => writer.write(rowsInput([])),
      { code: 'MR_SINK_FAILED' },
      'PT3 and it stays failed',
    );
  },
);

function text(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
