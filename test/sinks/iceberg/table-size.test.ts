import { randomUUID } from 'node:crypto';
import { stat, utimes } from 'node:fs/promises';
import t from 'tap';
import { checkpointId, type Clock, systemClock } from '#engine';
import { iceberg, identity, removeOrphans, tableState } from '#sinks';
import { eventTime, i32, schema, string } from '#wire';
import { pathOf, replaceFile } from '../../../sinks/iceberg/durable-file.ts';
import { currentSnapshot } from '../../../sinks/iceberg/table-metadata.ts';
import {
  commitRequest,
  openCommitter,
  openWriter,
  rowsInput,
  sinkContext,
  stage,
  temporaryFolder,
} from './sink-harness.ts';
import { duckdb, icebird, listFiles, liveEntries, liveManifests, load } from './table-oracles.ts';

const Item = schema('item', { ts: eventTime(1), n: i32(2), who: string(3) });
const COMMITS = 400;
const STEP_MS = 5_000;

await t.test(
  'a table that takes a commit every 5 s stays small: metadata, manifest list and files beside the data',
  async (t) => {
    const warehouse = await temporaryFolder(t);
    const start = 1_800_000_000_000;
    let commits = 0;
    const clock: Clock = { ...systemClock, now: () => start + commits * STEP_MS };
    const context = sinkContext({ clock });
    const sink = iceberg('t', Item, { warehouse, expire: { keepSnapshots: 100, maxAge: '5m' } });
    const writer = await openWriter(t, sink, context);
    const committer = await openCommitter(sink, context);
    let next = stage(writer, [{ ts: start + 1, n: 1, who: 'a' }], 1);
    let [metadataMax, listMax, manifestsMax, filesMax] = [0, 0, 0, 0];
    for (commits = 1; commits <= COMMITS; commits++) {
      const staged = await next;
      next = stage(writer, [{ ts: start + commits + 1, n: commits + 1, who: 'a' }], commits + 1); // while this one commits
      await committer.commit(commitRequest(commits, [staged]));
      if (commits % 20 !== 0) continue;
      const { metadata, metadataLocation } = await load(warehouse, 't');
      const list = currentSnapshot(metadata)?.['manifest-list'] ?? '';
      metadataMax = Math.max(metadataMax, (await stat(pathOf(metadataLocation))).size);
      listMax = Math.max(listMax, (await stat(pathOf(list))).size);
      manifestsMax = Math.max(manifestsMax, (await liveManifests(warehouse, 't')).length);
      filesMax = Math.max(filesMax, [...(await listFiles(`${warehouse}/t/metadata`)).keys()].length);
    }
    const { metadata } = await load(warehouse, 't');
    t.comment(
      `${COMMITS} commits: metadata.json ≤ ${metadataMax} B, manifest list ≤ ${listMax} B with ≤ ${manifestsMax} manifests, metadata folder ≤ ${filesMax} files, ${metadata.snapshots?.length} snapshots`,
    );
    t.ok((metadata.snapshots?.length ?? 0) <= 120, '100 kept and a batch of 20');
    t.ok(metadataMax < 120 * 1_000, `metadata.json: ${metadataMax} B`);
    t.ok(listMax < 8_000, `manifest list: ${listMax} B`);
    t.ok(manifestsMax <= 22, `manifests: ${manifestsMax}`);
    // Per kept snapshot one list and at most one manifest of its own and a merged one; 21 metadata versions; the hint.
    t.ok(filesMax <= 3 * 121 + 22, `files in the metadata folder: ${filesMax}`);
    t.equal((await liveEntries(warehouse, 't')).length, COMMITS);
    t.strictSame(await duckdb(warehouse, 't', 'SELECT count(*) n, sum(n) s FROM lake'), [
      { n: BigInt(COMMITS), s: BigInt((COMMITS * (COMMITS + 1)) / 2) },
    ]);
    t.equal((await icebird(warehouse, 't')).length, COMMITS, 'merged manifests read back elsewhere');
    t.match(await tableState(warehouse, 't'), { rows: COMMITS, files: COMMITS });
    const orphans = await removeOrphans(warehouse, 't', 0);
    t.equal(orphans.length, 2, 'expiry left nothing behind: these are the last staged file and its manifest');
  },
);

await t.test('merged manifests keep each file in its own snapshot and sequence number', async (t) => {
  const warehouse = await temporaryFolder(t);
  const sink = iceberg('t', Item, {
    warehouse,
    partitionBy: [identity('who')],
    manifests: { mergeCount: 3 },
  });
  const writer = await openWriter(t, sink);
  const committer = await openCommitter(sink);
  for (let seq = 1; seq <= 10; seq++) {
    await writer.write(rowsInput([{ ts: seq, n: seq, who: `w${seq % 3}` }]));
    await committer.commit(commitRequest(seq, [await writer.prepareCommit(checkpointId(seq))]));
  }
  const { metadata } = await load(warehouse, 't');
  const bySequence = new Map(metadata.snapshots?.map((it) => [it['sequence-number'], it['snapshot-id']]));
  const entries = [...(await liveEntries(warehouse, 't'))].sort(
    (a, b) => Number(a.sequence_number) - Number(b.sequence_number),
  );
  t.strictSame(
    entries.map((it) => it.sequence_number),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  t.ok(entries.every((it) => bySequence.get(Number(it.sequence_number)) === it.snapshot_id));
  const manifests = await liveManifests(warehouse, 't');
  t.ok(manifests.length <= 4, `${manifests.length} manifests`);
  const total = manifests.reduce(
    (sum, it) => sum + Number(it.added_rows_count) + Number(it.existing_rows_count),
    0,
  );
  t.equal(total, 10);
  t.ok(manifests.every((it) => Number(it.min_sequence_number) <= Number(it.sequence_number)));
});

await t.test('expiry spares snapshots that a branch or tag names, and their files', async (t) => {
  const warehouse = await temporaryFolder(t);
  let nowMs = 1_800_000_000_000;
  const context = sinkContext({ clock: { ...systemClock, now: () => nowMs } });
  const sink = iceberg('t', Item, {
    warehouse,
    expire: { keepSnapshots: 3, maxAge: 0 },
    manifests: { mergeCount: 2 },
  });
  const writer = await openWriter(t, sink, context);
  const pinnedBy = await openCommitter(sink, { ...context, sinkId: 'idle-sink' });
  await writer.write(rowsInput([{ ts: 1, n: 1, who: 'a' }]));
  await pinnedBy.commit(commitRequest(1, [await writer.prepareCommit(checkpointId(1))]));
  const pinned = currentSnapshot((await load(warehouse, 't')).metadata);
  const committer = await openCommitter(sink, context);
  for (let seq = 1; seq <= 12; seq++) {
    nowMs += 1_000;
    await writer.write(rowsInput([{ ts: seq, n: seq, who: 'a' }]));
    await committer.commit(commitRequest(seq, [await writer.prepareCommit(checkpointId(seq))]));
  }
  const { metadata } = await load(warehouse, 't');
  t.equal(metadata.snapshots?.length, 4, 'three kept and the tagged one');
  t.ok(metadata.snapshots?.some((it) => it['snapshot-id'] === pinned?.['snapshot-id']));
  await stat(pathOf(pinned?.['manifest-list'] ?? ''));
  t.strictSame(await removeOrphans(warehouse, 't', 0), []);
  t.equal((await icebird(warehouse, 't')).length, 13);
});

await t.test('only own, old and unreachable files count as orphans', async (t) => {
  const warehouse = await temporaryFolder(t);
  const sink = iceberg('t', Item, { warehouse });
  const writer = await openWriter(t, sink);
  await writer.write(rowsInput([{ ts: 1, n: 1, who: 'a' }]));
  await (await openCommitter(sink)).commit(commitRequest(1, [await writer.prepareCommit(checkpointId(1))]));
  const old = new Date(Date.now() - 4 * 86_400_000);
  const made = async (name: string, isOld: boolean) => {
    const path = `${warehouse}/t/${name}`;
    await replaceFile(path, Buffer.from('x'));
    if (isOld) await utimes(path, old, old);
    return path;
  };
  const ours = await made(`data/00000-1-${randomUUID()}-00001.parquet`, true);
  const list = await made(`metadata/snap-12-0-${randomUUID()}.avro`, true);
  await made(`data/00000-1-${randomUUID()}-00001.parquet`, false);
  await made('data/part-0000.parquet', true);
  await made('metadata/notes.txt', true);
  for (const path of (await listFiles(`${warehouse}/t`)).keys())
    if (!path.includes('00000-1-')) await utimes(path, old, old);
  t.strictSame([...(await removeOrphans(warehouse, 't'))].sort(), [ours, list].sort());
  t.equal((await icebird(warehouse, 't')).length, 1);
});
