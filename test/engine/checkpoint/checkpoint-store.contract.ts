import type { Test } from 'tap';
import { checkpointId, generation } from '../../../engine/base/brand.ts';
import { hasCode } from '../../../engine/base/errors.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import type { BlobRef, CheckpointStore, Ownership } from '../../../engine/checkpoint/checkpoint-store.ts';
import { manifestOf, type ManifestParts } from '../../support/manifests.ts';

/** One kind of store under test. */
export interface CheckpointHarness {
  /** Another store on the same storage, as another process would have. */
  readonly open: (options?: { readonly reservedBytes?: number }) => Promise<CheckpointStore>;
  /** Changes a stored blob behind the store's back. */
  readonly damage: (job: string, ref: BlobRef) => Promise<void>;
}

/** What every checkpoint store keeps. Each test uses a job of its own. */
export async function checkpointStoreContract(t: Test, harness: CheckpointHarness): Promise<void> {
  await t.test(
    'a takeover gives a new token and generation, and fences everything older (CP1)',
    async (t) => {
      const a = await harness.open();
      const b = await harness.open();
      const first = await a.takeOver('takeover', 'a');
      const id = await a.nextCheckpointId(first);
      const second = await b.takeOver('takeover', 'b');
      t.not(second.token, first.token);
      t.equal(second.generation, first.generation + 1);
      t.match(second.token, /^2:/, 'a token counts takeovers');
      await refused(t, 'MR_CHECKPOINT_FENCED', () => a.nextGeneration(first));
      await refused(t, 'MR_CHECKPOINT_FENCED', () => a.nextCheckpointId(first));
      await refused(t, 'MR_CHECKPOINT_FENCED', () => a.writeBlob(first, id, 'x', bytes(1)));
      await refused(t, 'MR_CHECKPOINT_FENCED', () => a.publish(first, manifestOf(first, id), 3));
      t.equal(await b.latest('takeover'), null);
    },
  );

  await t.test('the same token with another generation is refused everywhere (CP1)', async (t) => {
    const store = await harness.open();
    const first = await store.takeOver('attempts', 'a');
    const id = await store.nextCheckpointId(first);
    const second = await store.nextGeneration(first);
    t.same(second, { ...first, generation: first.generation + 1 });
    const invented = { ...second, generation: generation(second.generation + 1) };
    for (const claim of [first, invented]) {
      await refused(t, 'MR_CHECKPOINT_FENCED', () => store.nextCheckpointId(claim));
      await refused(t, 'MR_CHECKPOINT_FENCED', () => store.writeBlob(claim, id, 'x', bytes(1)));
      await refused(t, 'MR_CHECKPOINT_FENCED', () => store.publish(claim, manifestOf(claim, id), 3));
    }
    t.equal(
      (await store.nextGeneration(first)).generation,
      second.generation + 1,
      'the token alone raises it',
    );
  });

  await t.test('ids rise over takeovers and are given out once (CP2)', async (t) => {
    const store = await harness.open();
    const ids: number[] = [];
    for (const owner of ['a', 'b']) {
      const ownership = await store.takeOver('ids', owner);
      ids.push(await store.nextCheckpointId(ownership), await store.nextCheckpointId(ownership));
    }
    t.same(ids, [1, 2, 3, 4]);
  });

  await t.test('a manifest and its blobs come back as they were', async (t) => {
    const store = await harness.open();
    const ownership = await store.takeOver('round-trip', 'a');
    const id = await store.nextCheckpointId(ownership);
    const blobs = [
      await store.writeBlob(ownership, id, 'per-device/0/0', bytes(LIMITS.blobBytesMax)),
      await store.writeBlob(ownership, id, 'empty', bytes(0)),
    ];
    const committables = [
      { files: ['a.parquet'], rows: 12, raw: new Uint8Array([0, 255, 128]), at: -0.5, big: 2n ** 60n },
    ];
    const manifest = manifestOf(ownership, id, {
      blobs,
      sinks: [{ operator: 'lake', sinkId: 's1', seq: 7, committables }],
    });
    t.equal(await store.publish(ownership, manifest, 3), 'published');
    await store.confirmDurable();
    const read = await (await harness.open()).latest('round-trip');
    t.same(read, manifest);
    t.same(
      Buffer.from((await store.readBlob('round-trip', blobs[0] as BlobRef)).buffer),
      Buffer.from(bytes(LIMITS.blobBytesMax)),
    );
    t.equal((await store.readBlob('round-trip', blobs[1] as BlobRef)).length, 0);
    t.equal(await store.manifest('round-trip', checkpointId(99)), null);
    t.equal(await store.latest('unknown-job'), null);
  });

  await t.test('publishing again answers already, a later id makes it stale (CP2)', async (t) => {
    const store = await harness.open();
    const owner = await store.takeOver('replay', 'a');
    const [one, two] = [await store.nextCheckpointId(owner), await store.nextCheckpointId(owner)];
    t.equal(await store.publish(owner, manifestOf(owner, two), 1), 'published');
    t.equal(await store.publish(owner, manifestOf(owner, two), 1), 'already');
    await refused(t, 'MR_CHECKPOINT_FAILED', () => store.publish(owner, manifestOf(owner, one), 1));
    t.equal((await store.latest('replay'))?.id, two);
    const next = await store.takeOver('replay', 'b');
    await refused(
      t,
      'MR_CHECKPOINT_FAILED',
      () => store.publish(next, manifestOf(next, two), 1),
      'another token',
    );
    await store.remove('replay', two);
    await refused(
      t,
      'MR_CHECKPOINT_FAILED',
      () => store.publish(next, manifestOf(next, two), 1),
      'a removed id stays used',
    );
  });

  await t.test('a manifest that names a blob which is not stored is refused (CP3)', async (t) => {
    const store = await harness.open();
    const owner = await store.takeOver('incomplete', 'a');
    const id = await store.nextCheckpointId(owner);
    const ref = await store.writeBlob(owner, id, 'there', bytes(10));
    const blobs = [ref, { ...ref, key: `${ref.key}-not` }];
    await refused(t, 'MR_CHECKPOINT_FAILED', () => store.publish(owner, manifestOf(owner, id, { blobs }), 3));
    t.equal(await store.latest('incomplete'), null);
    t.equal(await store.publish(owner, manifestOf(owner, id, { blobs: [ref] }), 3), 'published');
  });

  await t.test('retention keeps the newest checkpoints and every savepoint (CP4)', async (t) => {
    const store = await harness.open();
    const owner = await store.takeOver('retention', 'a');
    for (const kind of [
      'checkpoint',
      'savepoint',
      'checkpoint',
      'checkpoint',
      'savepoint',
      'checkpoint',
    ] as const) {
      const id = await store.nextCheckpointId(owner);
      await store.publish(owner, manifestOf(owner, id, { kind }), 2);
    }
    t.same(
      (await store.list('retention')).map((m) => m.id),
      [2, 4, 5, 6],
    );
    t.equal((await store.latest('retention'))?.id, 6);
    const savepoint = await store.nextCheckpointId(owner);
    await store.publish(owner, manifestOf(owner, savepoint, { kind: 'savepoint' }), 1);
    t.same(
      (await store.list('retention')).map((m) => m.id),
      [2, 5, 6, 7],
      'fewer are kept from then on',
    );
    t.equal((await store.latest('retention'))?.id, 7, 'the newest, of either kind');
    await store.remove('retention', checkpointId(2));
    await store.remove('retention', checkpointId(2));
    t.same(
      (await store.list('retention')).map((m) => m.id),
      [5, 6, 7],
    );
  });

  await collectContract(t, harness);
  await blobContract(t, harness);
}

async function collectContract(t: Test, harness: CheckpointHarness): Promise<void> {
  await t.test('collection frees what no manifest needs and nothing else (CP5)', async (t) => {
    const store = await harness.open();
    const job = 'collect';
    const old = await store.takeOver(job, 'a');
    const lost = await store.writeBlob(old, await store.nextCheckpointId(old), 'lost', bytes(100));
    const owner = await store.takeOver(job, 'b');
    const first = await publishWith(store, owner, { retain: 1, names: ['base', 'first'], size: 50 });
    const aborted = await store.writeBlob(owner, await store.nextCheckpointId(owner), 'aborted', bytes(30));
    const base = first[0] as BlobRef;
    await publishWith(store, owner, { retain: 1, names: ['second'], size: 20, reuse: [base] });
    const pending = await store.writeBlob(owner, await store.nextCheckpointId(owner), 'pending', bytes(9));
    t.equal(await (await harness.open()).collect(job), 100 + 50 + 30);
    t.equal(await store.collect(job), 0);
    for (const gone of [lost, aborted, first[1] as BlobRef]) {
      await refused(t, 'MR_CHECKPOINT_CORRUPT', () => store.readBlob(job, gone));
    }
    for (const kept of [base, pending]) t.equal((await store.readBlob(job, kept)).length, kept.bytes);
    await store.nextGeneration(owner);
    t.equal(await store.collect(job), 9, 'an upload of a generation that has ended can never be published');
  });

  await t.test('a savepoint holds its blobs until it is removed (CP4, CP5)', async (t) => {
    const store = await harness.open();
    const owner = await store.takeOver('savepoint', 'a');
    const [held] = await publishWith(store, owner, {
      retain: 1,
      names: ['held'],
      size: 40,
      kind: 'savepoint',
    });
    await publishWith(store, owner, { retain: 1, names: ['next'], size: 1 });
    t.equal(await store.collect('savepoint'), 0);
    await store.remove('savepoint', checkpointId(1));
    t.equal(await store.collect('savepoint'), 40);
    await refused(t, 'MR_CHECKPOINT_CORRUPT', () => store.readBlob('savepoint', held as BlobRef));
  });
}

async function blobContract(t: Test, harness: CheckpointHarness): Promise<void> {
  await t.test('a damaged blob is noticed', async (t) => {
    const store = await harness.open();
    const owner = await store.takeOver('damage', 'a');
    const ref = await store.writeBlob(owner, await store.nextCheckpointId(owner), 'x', bytes(1000));
    await harness.damage('damage', ref);
    await refused(t, 'MR_CHECKPOINT_CORRUPT', () => store.readBlob('damage', ref));
  });

  await t.test('blobs stay within the reserved bytes, which collection gives back', async (t) => {
    const store = await harness.open({ reservedBytes: 100 });
    const owner = await store.takeOver('reserve', 'a');
    const id = await store.nextCheckpointId(owner);
    const first = await store.writeBlob(owner, id, 'first', bytes(60));
    t.same(await store.writeBlob(owner, id, 'first', bytes(60)), first, 'a repeated upload counts once');
    await store.writeBlob(owner, id, 'second', bytes(40));
    await refused(t, 'MR_CHECKPOINT_NO_SPACE', () => store.writeBlob(owner, id, 'third', bytes(1)));
    await refused(
      t,
      'MR_INVARIANT',
      () => store.writeBlob(owner, id, 'first', bytes(59)),
      'blobs are immutable',
    );
    const next = await store.nextGeneration(owner);
    await store.collect('reserve');
    await store.writeBlob(next, id, 'first', bytes(100));
  });

  await t.test('two jobs do not see each other', async (t) => {
    const store = await harness.open();
    const [a, b] = [await store.takeOver('job-a', 'x'), await store.takeOver('job-b', 'x')];
    await publishWith(store, a, { retain: 1, names: ['a'], size: 5 });
    t.equal(await store.latest('job-b'), null);
    await refused(t, 'MR_CHECKPOINT_FENCED', () => store.nextCheckpointId({ ...a, job: 'job-b' }));
    t.equal(await store.nextCheckpointId(b), 1);
  });
}

interface PublishWith {
  readonly retain: number;
  readonly names: readonly string[];
  readonly size: number;
  readonly reuse?: readonly BlobRef[];
  readonly kind?: 'savepoint';
}

/** Uploads blobs and publishes a manifest of them under the next id. */
async function publishWith(
  store: CheckpointStore,
  owner: Ownership,
  o: PublishWith,
): Promise<readonly BlobRef[]> {
  const id = await store.nextCheckpointId(owner);
  const blobs: BlobRef[] = [];
  for (const name of o.names) blobs.push(await store.writeBlob(owner, id, name, bytes(o.size)));
  const parts: ManifestParts = { blobs: [...(o.reuse ?? []), ...blobs], ...(o.kind && { kind: o.kind }) };
  await store.publish(owner, manifestOf(owner, id, parts), o.retain);
  return blobs;
}

/** Bytes that differ from place to place. */
export function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0xff);
}

async function refused(
  t: Test,
  code: Parameters<typeof hasCode>[1],
  run: () => Promise<unknown>,
  why: string = code,
): Promise<void> {
  const error = await run().then(
    () => null,
    (thrown: unknown) => thrown,
  );
  t.ok(hasCode(error, code), `${why}: ${error instanceof Error ? error.message : 'nothing was thrown'}`);
}
