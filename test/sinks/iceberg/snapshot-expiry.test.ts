import { randomUUID } from 'node:crypto';
import { access, readFile } from 'node:fs/promises';
import t from 'tap';
import { checkpointId, systemClock } from '#engine';
import { iceberg } from '#sinks';
import { eventTime, i32, schema } from '#wire';
import { locationOf, pathOf, replaceFile } from '../../../sinks/iceberg/durable-file.ts';
import { fileCatalog } from '../../../sinks/iceberg/file-catalog.ts';
import { parseJson64, stringifyJson64 } from '../../../sinks/iceberg/json64.ts';
import { decodeManifest, encodeManifest, encodeManifestList } from '../../../sinks/iceberg/manifest.ts';
import { expiredSnapshots } from '../../../sinks/iceberg/snapshot-expiry.ts';
import {
  applyUpdates,
  currentSnapshot,
  newTableMetadata,
  type Snapshot,
  type TableMetadata,
} from '../../../sinks/iceberg/table-metadata.ts';
import { icebergSchema } from '../../../sinks/iceberg/table-schema.ts';
import {
  commitRequest,
  openCommitter,
  openWriter,
  rowsInput,
  sinkContext,
  temporaryFolder,
} from './sink-harness.ts';
import { icebird, liveEntries, liveManifests, load } from './table-oracles.ts';

const Item = schema('item', { ts: eventTime(1), n: i32(2) });

await t.test(
  'a data file that another engine has deleted goes with the last snapshot that shows it',
  async (t) => {
    const warehouse = await temporaryFolder(t);
    let nowMs = 1_800_000_000_000;
    const context = sinkContext({ clock: { ...systemClock, now: () => nowMs } });
    const sink = iceberg('t', Item, { warehouse, expire: { keepSnapshots: 4, maxAge: 0 } });
    const writer = await openWriter(t, sink, context);
    const committer = await openCommitter(sink, context);
    const add = async (seq: number) => {
      nowMs += 1_000;
      await writer.write(rowsInput([{ ts: seq, n: seq }]));
      await committer.commit(commitRequest(seq, [await writer.prepareCommit(checkpointId(seq))]));
    };
    for (const seq of [1, 2]) await add(seq);
    const victim =
      (await liveEntries(warehouse, 't')).find((it) => it.sequence_number === 1)?.data_file.file_path ?? '';
    await deleteFile(warehouse, victim);
    for (const seq of [3, 4]) await add(seq);
    await access(pathOf(victim));
    t.strictSame(
      (await icebird(warehouse, 't')).map((it) => Number(it['n'])).sort((a, b) => a - b),
      [2, 3, 4],
      'gone for readers of main, kept for time travel',
    );
    for (const seq of [5, 6, 7]) await add(seq);
    await t.rejects(access(pathOf(victim)), { code: 'ENOENT' });
    t.strictSame(
      (await icebird(warehouse, 't')).map((it) => Number(it['n'])).sort((a, b) => a - b),
      [2, 3, 4, 5, 6, 7],
    );
    t.match(committer.stats?.(), { conflicts: 1, cleanupFailures: 0 });
  },
);

await t.test('what expires is old, beyond the count and unnamed, and comes in batches', async (t) => {
  const metadata = withSnapshots(130);
  const policy = { keepSnapshots: 100, maxAgeMs: 1_000 };
  const expired = expiredSnapshots(metadata, policy, 1_000_000);
  t.strictSame(
    [Math.min(...expired.map(Number)), Math.max(...expired.map(Number)), expired.length],
    [1, 31, 31],
    'the next commit makes 100',
  );
  t.strictSame(expiredSnapshots(withSnapshots(118), policy, 1_000_000), [], 'not yet a batch of 20');
  t.strictSame(
    expiredSnapshots(metadata, { ...policy, maxAgeMs: 2_000_000 }, 1_000_000),
    [],
    'all too young',
  );
  const tagged = applyUpdates(metadata, [
    { action: 'set-snapshot-ref', name: 'keep', ref: { 'snapshot-id': 7, type: 'tag' } },
  ]);
  t.notOk(expiredSnapshots(tagged, policy, 1_000_000).includes(7));
});

await t.test('the snapshot log ends where a removed snapshot would leave a hole', async (t) => {
  const metadata = applyUpdates(withSnapshots(5), [{ action: 'remove-snapshots', ids: [2, 3] }]);
  t.strictSame(
    metadata.snapshots?.map((it) => it['snapshot-id']),
    [1, 4, 5],
  );
  t.strictSame(
    metadata['snapshot-log']?.map((it) => it['snapshot-id']),
    [4, 5],
  );
});

await t.test('JSON keeps every int64 and changes nothing else', async (t) => {
  const text =
    '{"a":9223372036854775807,"b":-9007199254740993,"c":9007199254740991,"d":1e300,"e":"9223372036854775807","f":[1.5,null,true]}';
  t.equal(stringifyJson64(parseJson64(text)), text.replace('1e300', '1e+300'));
  t.equal((parseJson64(text) as { a: unknown }).a, 9223372036854775807n);
});

function withSnapshots(count: number): TableMetadata {
  const empty = newTableMetadata({
    uuid: 'u',
    location: 'file:///t',
    schema: icebergSchema(Item),
    spec: { 'spec-id': 0, fields: [] },
    properties: {},
    nowMs: 0,
  });
  return Array.from({ length: count }, (_, i) => i + 1).reduce((metadata, id) => {
    const snapshot: Snapshot = {
      'snapshot-id': id,
      ...(id > 1 ? { 'parent-snapshot-id': id - 1 } : {}),
      'sequence-number': id,
      'timestamp-ms': id,
      'manifest-list': `list-${id}`,
      summary: { operation: 'append' },
    };
    return applyUpdates(metadata, [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', name: 'main', ref: { 'snapshot-id': id, type: 'branch' } },
    ]);
  }, empty);
}

/** A `delete` snapshot as other engines write it: the file's manifest once more, its entry marked deleted. */
async function deleteFile(warehouse: string, location: string): Promise<void> {
  const table = await load(warehouse, 't');
  const { metadata } = table;
  const parent = currentSnapshot(metadata);
  const id = 77;
  const sequenceNumber = metadata['last-sequence-number'] + 1;
  const manifests = await Promise.all(
    (await liveManifests(warehouse, 't')).map(async (manifest) => {
      const entries = await decodeManifest(await readFile(pathOf(manifest.manifest_path)), manifest);
      if (!entries.some((it) => it.data_file.file_path === location)) return manifest;
      const path = `${pathOf(metadata.location)}/metadata/${randomUUID()}-m0.avro`;
      const deleted = entries.map((it) => ({ ...it, status: 2, snapshot_id: id }));
      const context = { schema: icebergSchema(Item), spec: { 'spec-id': 0, fields: [] }, fields: [] };
      const { bytes, summary } = await encodeManifest(locationOf(path), deleted, context);
      await replaceFile(path, bytes);
      return {
        ...summary,
        content: 0,
        sequence_number: sequenceNumber,
        min_sequence_number: sequenceNumber,
        added_snapshot_id: id,
      };
    }),
  );
  const list = `${metadata.location}/metadata/snap-${id}-0-${randomUUID()}.avro`;
  const parentId = parent?.['snapshot-id'] ?? null;
  await replaceFile(
    pathOf(list),
    await encodeManifestList(manifests, { id, parent: parentId, sequenceNumber }),
  );
  const snapshot: Snapshot = {
    'snapshot-id': id,
    'parent-snapshot-id': parentId,
    'sequence-number': sequenceNumber,
    'timestamp-ms': metadata['last-updated-ms'],
    'manifest-list': list,
    summary: { operation: 'delete', 'total-records': '1' },
  };
  const outcome = await fileCatalog(metadata.location).commit(
    table,
    [],
    [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', name: 'main', ref: { 'snapshot-id': id, type: 'branch' } },
    ],
  );
  t.equal(outcome.kind, 'committed');
}
