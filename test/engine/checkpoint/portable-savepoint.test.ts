import { appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { checkpointId } from '../../../engine/base/brand.ts';
import { systemClock } from '../../../engine/base/clock.ts';
import { hasCode } from '../../../engine/base/errors.ts';
import type { CheckpointStore, Ownership } from '../../../engine/checkpoint/checkpoint-store.ts';
import { exportSavepoint } from '../../../engine/checkpoint/export-savepoint.ts';
import { folderBlobs } from '../../../engine/checkpoint/folder-blobs.ts';
import { importSavepoint } from '../../../engine/checkpoint/import-savepoint.ts';
import type { Manifest } from '../../../engine/checkpoint/manifest.ts';
import { openMemoryCheckpointStore } from '../../../engine/checkpoint/memory-checkpoint-store.ts';
import { openRedisCheckpointStore } from '../../../engine/checkpoint/redis-checkpoint-store.ts';
import { RestoredState } from '../../../engine/checkpoint/restored-state.ts';
import { SnapshotWriter } from '../../../engine/checkpoint/snapshot-writer.ts';
import { withBlobStorage } from '../../../engine/checkpoint/stored-blobs.ts';
import { manifestOf } from '../../support/manifests.ts';
import { startRedis } from '../../support/redis-server.ts';
import { bytes } from './checkpoint-store.contract.ts';

const GROUPS = 128;
const JOB = 'telemetry';
/** Group 7 fills blobs of its own in every store; groups 8 and 9 are alike. */
const STATE = new Map(
  [1, 5, 7, 8, 9, 100].map((group) => [
    group,
    group === 7 ? scattered(5 * 1024 * 1024) : { of: Math.floor(group / 8.5) },
  ]),
);

/** A savepoint of two snapshots, the second one incremental, so that blobs are partly dead. */
async function takeSavepoint(store: CheckpointStore): Promise<{ owner: Ownership; manifest: Manifest }> {
  const owner = await store.takeOver(JOB, 'test');
  const writer = new SnapshotWriter({ store, ownership: owner, clock: systemClock });
  const base = { watermark: 5, idle: false, items: ['in flight'], groups: STATE };
  const first = await store.nextCheckpointId(owner);
  const operator = { operator: 'per-device', subtask: 0, parallelism: 1 };
  await writer.write(first, { ...operator, state: { ...base, groups: new Map([...STATE, [5, 'older']]) } });
  const id = await store.nextCheckpointId(owner);
  const { ref } = await writer.write(id, { ...operator, state: { ...base, dirty: new Set([5]) } });
  const sinks = [{ operator: 'lake', sinkId: 's1', seq: 4, committables: [{ file: 'a', raw: bytes(3) }] }];
  const manifest: Manifest = { ...manifestOf(owner, id, { kind: 'savepoint', sinks }), snapshots: [ref] };
  await store.publish(owner, manifest, 1);
  return { owner, manifest };
}

async function restoredGroups(
  store: CheckpointStore,
  manifest: Manifest,
): Promise<ReadonlyMap<number, unknown>> {
  const restored = await RestoredState.load(store, manifest, {
    operators: new Set(['per-device']),
    maxParallelism: GROUPS,
    parallelism: 2,
    subtasks: [0, 1],
  });
  const parts = [0, 1].flatMap((subtask) => restored.parts('per-device', subtask, 2, GROUPS));
  return new Map(parts.flatMap((part) => [...part.groups]));
}

await t.test(
  'E8: a savepoint goes from any store to any other, under its job and under another',
  async (t) => {
    const server = await startRedis();
    t.teardown(() => server.stop());
    const dir = t.testdir();
    const open = {
      memory: async () => openMemoryCheckpointStore(),
      redis: async (namespace: string) =>
        openRedisCheckpointStore({ url: server.url, namespace, clock: systemClock, durability: 'process' }),
      folder: async (namespace: string) =>
        withBlobStorage(openMemoryCheckpointStore(), folderBlobs(join(dir, 'objects')), { namespace }),
    };
    for (const [from, openFrom] of Object.entries(open)) {
      const source = await openFrom(`from-${from}`);
      const { manifest } = await takeSavepoint(source);
      const folder = join(dir, from);
      await exportSavepoint(source, JOB, manifest.id, folder);
      await source.close();
      for (const [to, openTo] of Object.entries(open)) {
        for (const job of [JOB, 'fork']) {
          const target = await openTo(`${from}-${to}`);
          const owner = await target.takeOver(job, 'importer');
          const imported = await importSavepoint(target, folder, owner);
          const latest = (await target.latest(job)) as Manifest;
          t.same(latest, imported);
          t.match(latest, { job, kind: 'savepoint', generation: owner.generation, jobVersion: 'v1' });
          t.same(latest.sinks, job === JOB ? manifest.sinks : [], 'a fork has sinks of its own');
          t.same(latest.positions, manifest.positions);
          t.ok(sameState(await restoredGroups(target, latest)), `${from} to ${to} as ${job}`);
          await target.collect(job);
          t.ok(sameState(await restoredGroups(target, latest)), 'and is pinned');
          await target.close();
        }
      }
    }
  },
);

await t.test('the folder says what it holds, in words', async (t) => {
  const store = openMemoryCheckpointStore();
  const { manifest } = await takeSavepoint(store);
  const folder = t.testdir();
  const file = await exportSavepoint(store, JOB, manifest.id, folder);
  t.same(JSON.parse(await readFile(join(folder, 'savepoint.json'), 'utf8')), file);
  t.match(file, {
    job: JOB,
    savepoint: 2,
    takenAt: '2023-11-14T22:13:20.000Z',
    operators: [{ id: 'per-device', kind: 'window-aggregate', stateful: true }],
    positions: [{ topic: 'telemetry', partition: 0, offset: 42 }],
    sinks: [{ operator: 'lake', seq: 4, committables: 1 }],
  });
  t.ok((file.operators[0]?.bytes ?? 0) > 4 * 1024 * 1024);
  const files = await readdir(join(folder, 'blobs'));
  t.same(files.toSorted(), [...new Set(file.blobs.map((blob) => blob.sha256))].toSorted());
  await rejectedAs(t, 'MR_CONFIG_INVALID', exportSavepoint(store, JOB, manifest.id, folder), folder);
  await rejectedAs(t, 'MR_CONFIG_INVALID', exportSavepoint(store, JOB, checkpointId(9), `${folder}/x`), '9');
});

await t.test(
  'whatever is damaged or missing is refused by name, and nothing of it can be seen',
  async (t) => {
    const source = openMemoryCheckpointStore();
    const { manifest } = await takeSavepoint(source);
    const pristine = join(t.testdir(), 'savepoint');
    const { blobs } = await exportSavepoint(source, JOB, manifest.id, pristine);
    const files = ['savepoint.json', 'manifest', ...blobs.map(({ sha256 }) => `blobs/${sha256}`)];
    const damages: Record<string, (path: string) => Promise<unknown>> = {
      missing: (path) => rename(path, `${path}.lost`),
      longer: (path) => appendFile(path, ' x'),
      shorter: async (path) => writeFile(path, (await readFile(path)).subarray(0, -3)),
      changed: async (path) => {
        const content = await readFile(path);
        content[content.length >>> 1] = (content[content.length >>> 1] as number) ^ 4;
        await writeFile(path, content);
      },
    };
    for (const file of files) {
      for (const [what, damage] of Object.entries(damages)) {
        if (file === 'savepoint.json' && what === 'changed') continue;
        const path = join(pristine, file);
        const original = await readFile(path);
        await damage(path);
        const target = openMemoryCheckpointStore();
        const owner = await target.takeOver('target', 'importer');
        await rejectedAs(t, 'MR_CHECKPOINT_CORRUPT', importSavepoint(target, pristine, owner), file);
        t.equal(await target.latest('target'), null, `${file} ${what}`);
        await target.nextGeneration(owner);
        await target.collect('target');
        t.same(await target.blobs('target'), []);
        await writeFile(path, original);
      }
    }
    const target = openMemoryCheckpointStore();
    await importSavepoint(target, pristine, await target.takeOver('target', 'importer'));
  },
);

await t.test('a list of files that leads out of the folder, or has another format, is refused', async (t) => {
  const source = openMemoryCheckpointStore();
  const { manifest } = await takeSavepoint(source);
  const folder = join(t.testdir(), 'savepoint');
  const file = await exportSavepoint(source, JOB, manifest.id, folder);
  const target = openMemoryCheckpointStore();
  const owner = await target.takeOver('target', 'importer');
  const importing = async (changed: unknown) => {
    await writeFile(join(folder, 'savepoint.json'), JSON.stringify(changed));
    return importSavepoint(target, folder, owner);
  };
  const outside = file.blobs.map((blob) => ({ ...blob, sha256: '../../etc/passwd' }));
  await rejectedAs(t, 'MR_CHECKPOINT_CORRUPT', importing({ ...file, blobs: outside }), 'savepoint.json');
  await rejectedAs(t, 'MR_CHECKPOINT_CORRUPT', importing({ ...file, blobs: [] }), 'manifest');
  await rejectedAs(t, 'MR_CHECKPOINT_CORRUPT', importing({ format: 1 }), 'savepoint.json');
  await rejectedAs(t, 'MR_CHECKPOINT_CORRUPT', importing(null), 'savepoint.json');
  await rejectedAs(t, 'MR_STATE_INCOMPATIBLE', importing({ ...file, format: 2 }), 'format 2');
  t.equal(await target.latest('target'), null);
});

await t.test('a folder that cannot be written is named', async (t) => {
  const source = openMemoryCheckpointStore();
  const { manifest } = await takeSavepoint(source);
  const folder = join(t.testdir({ file: 'in the way' }), 'file');
  await rejectedAs(t, 'MR_CHECKPOINT_FAILED', exportSavepoint(source, JOB, manifest.id, folder), folder);
});

await t.test('an export that was cut short is not taken for a savepoint', async (t) => {
  const source = openMemoryCheckpointStore();
  const { manifest } = await takeSavepoint(source);
  const folder = t.testdir();
  await mkdir(join(folder, 'blobs'), { recursive: true });
  await exportSavepoint(source, JOB, manifest.id, folder);
  await rm(join(folder, 'savepoint.json'));
  const target = openMemoryCheckpointStore();
  const owner = await target.takeOver('target', 'importer');
  await rejectedAs(t, 'MR_CHECKPOINT_CORRUPT', importSavepoint(target, folder, owner), 'savepoint.json');
  await exportSavepoint(source, JOB, manifest.id, folder);
  await importSavepoint(target, folder, owner);
});

async function rejectedAs(
  t: Test,
  code: Parameters<typeof hasCode>[1],
  promise: Promise<unknown>,
  naming: string,
): Promise<void> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  t.ok(hasCode(error, code), `${code}: ${String(error)}`);
  t.ok(String(error).includes(naming), `names ${naming}`);
}

function sameState(found: ReadonlyMap<number, unknown>): boolean {
  const text = (state: ReadonlyMap<number, unknown>) =>
    JSON.stringify([...state].toSorted(([a], [b]) => a - b));
  return text(found) === text(STATE);
}

/** Text that does not compress. */
function scattered(length: number): string {
  let state = 1;
  const codes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    codes[i] = 33 + ((state >>> 16) % 90);
  }
  return Buffer.from(codes).toString('latin1');
}
