import { readdir, readFile, writeFile } from 'node:fs/promises';
import t from 'tap';
import { locationOf } from '../../../sinks/iceberg/durable-file.ts';
import { fileCatalog, type LoadedTable } from '../../../sinks/iceberg/file-catalog.ts';
import { newTableMetadata, type TableMetadata } from '../../../sinks/iceberg/table-metadata.ts';
import { temporaryFolder } from './sink-harness.ts';

const metadata = (location: string): TableMetadata =>
  newTableMetadata({
    uuid: 'table-1',
    location,
    schema: {
      type: 'struct',
      'schema-id': 0,
      fields: [{ id: 1, name: 'ts', required: true, type: 'timestamptz' }],
    },
    spec: { 'spec-id': 0, fields: [] },
    properties: { 'write.metadata.previous-versions-max': '3' },
    nowMs: 1,
  });

const set = (key: string) => [{ action: 'set-properties', updates: { [key]: 'yes' } }] as const;

async function created(t: Parameters<typeof temporaryFolder>[0]) {
  const folder = await temporaryFolder(t);
  const catalog = fileCatalog(locationOf(folder));
  const outcome = await catalog.create(metadata(catalog.location));
  if (outcome.kind !== 'committed') throw new Error(outcome.reason);
  return { folder: `${folder}/metadata`, catalog, table: outcome.table };
}

async function advance(
  catalog: ReturnType<typeof fileCatalog>,
  from: LoadedTable,
  times: number,
): Promise<LoadedTable> {
  let table = from;
  for (let i = 0; i < times; i++) {
    const outcome = await catalog.commit(table, [], set(`step-${table.version}`));
    if (outcome.kind !== 'committed') throw new Error(outcome.reason);
    table = outcome.table;
  }
  return table;
}

await t.test('a table is created once', async (t) => {
  const { catalog, table } = await created(t);
  t.equal(table.version, 1);
  t.match(await catalog.create(metadata(catalog.location)), { kind: 'conflict' });
});

await t.test('FC1 of two changes to one version one wins and the other learns it', async (t) => {
  const { catalog, table } = await created(t);
  const outcomes = await Promise.all(['a', 'b', 'c', 'd'].map((key) => catalog.commit(table, [], set(key))));
  t.equal(outcomes.filter(({ kind }) => kind === 'committed').length, 1);
  t.equal((await catalog.load())?.version, 2);
});

await t.test('FC2 the version hint is written for others and not believed', async (t) => {
  const { catalog, folder, table } = await created(t);
  await advance(catalog, table, 4);
  t.equal(await readFile(`${folder}/version-hint.text`, 'utf8'), '5');
  await writeFile(`${folder}/version-hint.text`, '2');
  t.equal((await catalog.load())?.version, 5);
});

await t.test('FC3 a writer that slept past the kept versions cannot publish below the head', async (t) => {
  for (const behind of [4, 5, 9]) {
    const { catalog, folder, table } = await created(t);
    const head = await advance(catalog, table, behind + 1);
    t.notOk(
      (await readdir(folder)).includes('v2.metadata.json'),
      'the version it is about to create was deleted',
    );
    t.match(await catalog.commit(table, [], set('phantom')), {
      kind: 'conflict',
      reason: /was overtaken by/,
    });
    t.notOk((await readdir(folder)).includes('v2.metadata.json'), 'it took its file back');
    t.equal((await catalog.load())?.version, head.version);
    t.equal((await catalog.load())?.metadata.properties?.['phantom'], undefined);
  }
});

await t.test('old metadata files go with the log that names them', async (t) => {
  const { catalog, folder, table } = await created(t);
  const head = await advance(catalog, table, 10);
  t.strictSame((await readdir(folder)).sort(), [
    'v10.metadata.json',
    'v11.metadata.json',
    'v8.metadata.json',
    'v9.metadata.json',
    'version-hint.text',
  ]);
  t.equal(head.metadata['metadata-log']?.length, 3);
});

await t.test('a change is refused when what it relies on has moved', async (t) => {
  const { catalog, table } = await created(t);
  const other = { type: 'assert-table-uuid', uuid: 'table-2' } as const;
  t.match(await catalog.commit(table, [other], set('x')), {
    kind: 'conflict',
    reason: /table-1, not table-2/,
  });
  const moved = { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: 7 } as const;
  t.match(await catalog.commit(table, [moved], set('x')), { kind: 'conflict' });
  t.equal((await catalog.load())?.version, 1);
});

await t.test('unreadable metadata is MR_TABLE_CORRUPT, no table is null', async (t) => {
  const { catalog, folder } = await created(t);
  await writeFile(`${folder}/v2.metadata.json`, '{"format-version":');
  await t.rejects(catalog.load(), { code: 'MR_TABLE_CORRUPT', message: /v2\.metadata\.json is not JSON/ });
  t.equal(await fileCatalog(locationOf(await temporaryFolder(t))).load(), null);
});
