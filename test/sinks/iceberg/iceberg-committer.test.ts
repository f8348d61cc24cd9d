import { readFile, rm, writeFile } from 'node:fs/promises';
import { decode, encode } from 'msgpackr';
import t from 'tap';
import type { Sink, SinkContext } from '#engine';
import { type DurationText, hasCode, seededRandom } from '#engine';
import { iceberg, identity, removeOrphans, tableState } from '#sinks';
import { eventTime, i32, type Infer, schema, string } from '#wire';
import { pathOf } from '../../../sinks/iceberg/durable-file.ts';
import { parseJson64, stringifyJson64 } from '../../../sinks/iceberg/json64.ts';
import { currentSnapshot, type TableMetadata } from '../../../sinks/iceberg/table-metadata.ts';
import {
  commitRequest,
  openCommitter,
  openWriter,
  sinkContext,
  stage,
  temporaryFolder,
} from './sink-harness.ts';
import { duckdb, icebird, listFiles, load } from './table-oracles.ts';

const Item = schema('item', { ts: eventTime(1), n: i32(2), who: string(3) });
type Item = Infer<typeof Item>;
const items = (from: number, to: number, who = 'a'): Item[] =>
  Array.from({ length: to - from }, (_, i) => ({ ts: 1_700_000_000_000 + i, n: from + i, who }));

/** A committable as it comes back from a checkpoint. */
const throughCheckpoint = (committable: unknown): unknown => decode(encode(committable));

const killAt = (point: string): Partial<SinkContext> => ({
  killPoint: (name) => {
    if (name === point) throw new Error(name);
  },
});

async function table(
  t: Parameters<typeof temporaryFolder>[0],
  options: object = {},
): Promise<{ warehouse: string; sink: Sink<Item, 'exactly-once'> }> {
  const warehouse = await temporaryFolder(t);
  return { warehouse, sink: iceberg('t', Item, { warehouse, ...options }) };
}

await t.test(
  'SC1 a commit repeated after success, by this committer or the next, adds nothing',
  async (t) => {
    const { warehouse, sink } = await table(t);
    const writer = await openWriter(t, sink);
    const first = commitRequest(1, [throughCheckpoint(await stage(writer, items(0, 10), 1))]);
    const second = commitRequest(2, [throughCheckpoint(await stage(writer, items(10, 15), 2)), null]);
    const committer = await openCommitter(sink);
    await committer.commit(first);
    await committer.commit(first);
    await committer.commit(second);
    t.match(committer.stats?.(), { rowsCommitted: 15, snapshotsCommitted: 2, conflicts: 0 });
    const restarted = await openCommitter(sink);
    await restarted.recover([first, second], 2);
    await restarted.commit(first);
    t.match(restarted.stats?.(), { rowsCommitted: 0, snapshotsCommitted: 0 });
    t.match(await tableState(warehouse, 't'), { rows: 15, files: 2, snapshots: 2 });
    t.strictSame(await duckdb(warehouse, 't', 'SELECT count(*) n, sum(n) s FROM lake'), [
      { n: 15n, s: 105n },
    ]);
  },
);

await t.test('a crash on either side of the swap leaves rows that recovery makes visible once', async (t) => {
  for (const [point, rowsBefore] of [
    ['iceberg:before-swap', 0],
    ['iceberg:after-swap', 10],
  ] as const) {
    const { warehouse, sink } = await table(t);
    const writer = await openWriter(t, sink);
    const request = commitRequest(1, [throughCheckpoint(await stage(writer, items(0, 10), 1))]);
    const crashing = await openCommitter(sink, sinkContext(killAt(point)));
    await t.rejects(crashing.commit(request), { message: point });
    t.equal((await tableState(warehouse, 't'))?.rows, rowsBefore, point);
    await (await openCommitter(sink)).recover([request], 1);
    t.match(await tableState(warehouse, 't'), { rows: 10, snapshots: 1 });
  }
});

await t.test(
  'IW2 what an attempt staged without a checkpoint is never visible, and an orphan later',
  async (t) => {
    for (const point of ['iceberg:data-written', 'iceberg:manifest-written', null]) {
      const { warehouse, sink } = await table(t);
      const lost = await openWriter(t, sink, sinkContext(point === null ? {} : killAt(point)));
      const staging = stage(lost, items(0, 10), 1);
      if (point === null) await staging;
      else await t.rejects(staging, { message: point });
      await lost.close();
      const writer = await openWriter(t, sink);
      const committer = await openCommitter(sink);
      await committer.recover([], 0);
      await committer.commit(commitRequest(1, [await stage(writer, items(0, 7), 1)]));
      t.equal((await icebird(warehouse, 't')).length, 7);
      t.strictSame(await removeOrphans(warehouse, 't'), [], 'nothing is three days old');
      const orphans = await removeOrphans(warehouse, 't', '0ms' as DurationText);
      t.equal(
        orphans.length,
        point === 'iceberg:data-written' ? 1 : 2,
        `${point}: data file, and manifest if there was one`,
      );
      t.equal((await icebird(warehouse, 't')).length, 7, 'the table is whole');
    }
  },
);

await t.test('IW1 rows written while a barrier is being prepared belong to the next one', async (t) => {
  const { warehouse, sink } = await table(t, { partitionBy: [identity('who')] });
  const writer = await openWriter(t, sink);
  const committer = await openCommitter(sink);
  const first = stage(writer, items(0, 10, 'x'), 1);
  await Promise.resolve(); // write has run, prepareCommit has sealed
  const second = stage(writer, items(10, 30, 'x'), 2);
  const third = stage(writer, [], 3);
  const committables = await Promise.all([first, second, third]);
  t.match(
    committables.map((it) => (it as { rows: number } | null)?.rows),
    [10, 20, undefined],
  );
  t.equal(committables[2], null, 'no rows, nothing to commit');
  for (const [i, committable] of committables.entries())
    await committer.commit(commitRequest(i + 1, [committable]));
  t.match(await tableState(warehouse, 't'), { rows: 30, snapshots: 2 });
});

await t.test('committers that race on one table lose nothing and double nothing', async (t) => {
  const { warehouse, sink } = await table(t);
  const racers = await Promise.all(
    [1, 2, 3].map(async (id) => {
      const context = sinkContext({ sinkId: `sink-${id}`, random: seededRandom(id) });
      return {
        id,
        writer: await openWriter(t, sink, context),
        committer: await openCommitter(sink, context),
      };
    }),
  );
  await Promise.all(
    racers.map(async ({ id, writer, committer }) => {
      for (let seq = 1; seq <= 8; seq++) {
        const committable = await stage(writer, items(0, id, `racer ${id}`), seq);
        await committer.commit(commitRequest(seq, [committable]));
      }
    }),
  );
  const conflicts = racers.reduce((sum, { committer }) => sum + (committer.stats?.()['conflicts'] ?? 0), 0);
  t.ok(conflicts > 0, `they did collide: ${conflicts} conflicts`);
  t.strictSame(await duckdb(warehouse, 't', 'SELECT who, count(*) n FROM lake GROUP BY 1 ORDER BY 1'), [
    { who: 'racer 1', n: 8n },
    { who: 'racer 2', n: 16n },
    { who: 'racer 3', n: 24n },
  ]);
  t.match(await tableState(warehouse, 't'), { rows: 48, files: 24, snapshots: 24 });
});

await t.test(
  'IC1 an old attempt and the new one committing the same seq at once commit it once',
  async (t) => {
    const { warehouse, sink } = await table(t);
    const writer = await openWriter(t, sink);
    const request = commitRequest(1, [await stage(writer, items(0, 10), 1)]);
    const committers = await Promise.all([1, 2, 3].map(() => openCommitter(sink)));
    await Promise.all(committers.map((committer) => committer.commit(request)));
    t.match(await tableState(warehouse, 't'), { rows: 10, snapshots: 1 });
    t.equal(
      committers.reduce((sum, it) => sum + (it.stats?.()['snapshotsCommitted'] ?? 0), 0),
      1,
    );
  },
);

await t.test('restoring behind what the table has is refused, under a new sink id it is not', async (t) => {
  const { warehouse, sink } = await table(t);
  const writer = await openWriter(t, sink);
  const committer = await openCommitter(sink);
  for (const seq of [1, 2])
    await committer.commit(commitRequest(seq, [await stage(writer, items(0, 5), seq)]));
  const older = await openCommitter(sink);
  await t.rejects(older.recover([], 1), {
    code: 'MR_SINK_AHEAD',
    message: /already has seq 2 \(checkpoint 2\) of sink sink-1/,
  });
  await (await openCommitter(sink)).recover([], 2);
  const fork = commitRequest(2, [await stage(writer, items(0, 5), 2)], 7);
  await t.rejects((await openCommitter(sink)).commit(fork), { code: 'MR_SINK_AHEAD' }, 'IC2');
  const fresh = await openCommitter(sink, sinkContext({ sinkId: 'sink-2' }));
  await fresh.recover([], 0);
  await fresh.commit(commitRequest(1, [await stage(writer, items(0, 5), 1)]));
  t.equal((await tableState(warehouse, 't'))?.rows, 15);
});

await t.test('the seq survives the loss of tag and snapshots to other engines maintenance', async (t) => {
  const { warehouse, sink } = await table(t);
  const writer = await openWriter(t, sink);
  const committer = await openCommitter(sink);
  const request = commitRequest(3, [await stage(writer, items(0, 5), 3)]);
  await committer.commit(request);
  await edit(warehouse, ({ refs, ...rest }) => ({ ...rest, refs: { main: refs?.['main'] as never } }));
  await (await openCommitter(sink)).commit(request);
  await t.rejects((await openCommitter(sink)).recover([], 2), { code: 'MR_SINK_AHEAD' });
  t.equal((await tableState(warehouse, 't'))?.rows, 5);
});

await t.test('63-bit snapshot ids of other engines are carried unchanged', async (t) => {
  const { warehouse, sink } = await table(t);
  const writer = await openWriter(t, sink);
  const committer = await openCommitter(sink);
  await committer.commit(commitRequest(1, [await stage(writer, items(0, 5), 1)]));
  const foreign = 9_182_736_455_463_728_190n;
  await edit(warehouse, (metadata) => {
    const id = String(currentSnapshot(metadata)?.['snapshot-id']);
    return parseJson64(stringifyJson64(metadata).replaceAll(`:${id}`, `:${foreign}`)) as TableMetadata;
  });
  await (await openCommitter(sink)).commit(commitRequest(2, [await stage(writer, items(5, 9), 2)]));
  const { metadata } = await load(warehouse, 't');
  t.equal(currentSnapshot(metadata)?.['parent-snapshot-id'], foreign);
  t.ok((metadata.snapshots ?? []).some((it) => it['snapshot-id'] === foreign));
  t.equal((await icebird(warehouse, 't')).length, 9);
});

await t.test('a staged manifest that is gone stops the commit before the table is harmed', async (t) => {
  const { warehouse, sink } = await table(t);
  const writer = await openWriter(t, sink);
  const committer = await openCommitter(sink);
  const committable = await stage(writer, items(0, 5), 1);
  await rm(pathOf((committable as { manifest: { manifest_path: string } }).manifest.manifest_path));
  const error = await committer.commit(commitRequest(1, [committable])).then(
    () => null,
    (reason: unknown) => reason,
  );
  t.ok(hasCode(error, 'MR_TABLE_CORRUPT'));
  t.equal((await tableState(warehouse, 't'))?.snapshots, 0);
  await t.rejects(committer.commit(commitRequest(1, [{ format: 2 }])), { code: 'MR_STATE_INCOMPATIBLE' });
});

/** Publishes changed metadata as the next version, as another engine would. */
async function edit(warehouse: string, change: (metadata: TableMetadata) => TableMetadata): Promise<void> {
  const { version, metadataLocation, metadata } = await load(warehouse, 't');
  t.ok((await readFile(pathOf(metadataLocation))).length > 0);
  const next = pathOf(metadataLocation).replace(`v${version}.`, `v${version + 1}.`);
  await writeFile(next, stringifyJson64(change(metadata)), { flag: 'wx' });
  t.ok((await listFiles(warehouse)).has(next));
}
