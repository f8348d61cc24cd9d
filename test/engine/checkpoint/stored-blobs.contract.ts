import fc from 'fast-check';
import type { Test } from 'tap';
import { hasCode } from '../../../engine/base/errors.ts';
import type { BlobStorage } from '../../../engine/checkpoint/blob-storage.ts';
import type { BlobRef, CheckpointStore } from '../../../engine/checkpoint/checkpoint-store.ts';
import { withBlobStorage } from '../../../engine/checkpoint/stored-blobs.ts';
import { manifestOf } from '../../support/manifests.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { bytes, checkpointStoreContract } from './checkpoint-store.contract.ts';
import { incrementalSnapshots } from './incremental-snapshots.contract.ts';

export interface StoredBlobsHarness {
  /** Another store without storage, on the same server or memory. */
  readonly open: (options?: { readonly reservedBytes?: number }) => Promise<CheckpointStore>;
  readonly storage: BlobStorage;
  /** Changes a blob of the inner store behind its back. */
  readonly damage: (job: string, ref: BlobRef) => Promise<void>;
  readonly runs: number;
}

const NAMESPACE = 'test';

/** The contract of checkpoint stores, and what is particular to large blobs elsewhere. */
export async function storedBlobsContract(t: Test, harness: StoredBlobsHarness): Promise<void> {
  const { storage } = harness;
  const keyOf = (job: string, { key }: BlobRef) =>
    `${NAMESPACE}/${job}/${key.replace(':', '/').replace(':', '/')}`;
  const open = async (inlineBytesMax: number, reservedBytes?: number) =>
    withBlobStorage(
      await harness.open(reservedBytes === undefined ? {} : { reservedBytes }),
      { ...shared(storage) },
      { namespace: NAMESPACE, inlineBytesMax },
    );

  await t.test('contract', (t) =>
    checkpointStoreContract(t, {
      open: ({ reservedBytes } = {}) => open(100, reservedBytes),
      async damage(job, ref) {
        const stored = await storage.get(keyOf(job, ref));
        if (stored === null) return harness.damage(job, ref);
        await storage.put(keyOf(job, ref), Buffer.from(stored).fill(7, ref.bytes >>> 1));
      },
    }),
  );

  await t.test('incremental snapshots restore what was there (SN1, SN2, SN3)', async (t) => {
    for (const inlineBytesMax of [0, 2_000]) {
      const store = await open(inlineBytesMax);
      const found = await incrementalSnapshots({ runs: propertyRuns(harness.runs), store });
      t.notOk(found.failed, fc.defaultReportMessage(found) ?? '');
    }
  });

  await t.test('large blobs lie in the storage, small ones and pointers in the store', async (t) => {
    const store = await open(100);
    const owner = await store.takeOver('places', 'a');
    const id = await store.nextCheckpointId(owner);
    const small = await store.writeBlob(owner, id, 'small', bytes(100));
    const large = await store.writeBlob(owner, id, 'large', bytes(101));
    t.same(await storage.list(`${NAMESPACE}/places/`), [keyOf('places', large)]);
    t.same((await store.blobs('places')).toSorted(), [small.key, large.key].toSorted());
    t.equal((await store.readBlob('places', large)).length, 101);
    const inner = await harness.open();
    t.ok(hasCode(await inner.readBlob('places', large).catch((e: unknown) => e), 'MR_CHECKPOINT_CORRUPT'));
  });

  await t.test('the threshold may change between two runs of a job', async (t) => {
    const [first, second] = [await open(50), await open(5_000)];
    const owner = await first.takeOver('threshold', 'a');
    const ref = await first.writeBlob(owner, await first.nextCheckpointId(owner), 'x', bytes(60));
    t.equal((await second.readBlob('threshold', ref)).length, 60);
  });

  await t.test(
    'who has lost the job stores nothing (OS1), and cannot change what is stored (OS2)',
    async (t) => {
      const store = await open(0);
      const lost = await store.takeOver('fence', 'a');
      const id = await store.nextCheckpointId(lost);
      const ref = await store.writeBlob(lost, id, 'x', bytes(50));
      const rewritten = await store
        .writeBlob(lost, id, 'x', bytes(51).subarray(0, 50))
        .catch((e: unknown) => e);
      t.ok(hasCode(rewritten, 'MR_INVARIANT'));
      t.equal((await store.readBlob('fence', ref)).length, 50);
      const owner = await store.takeOver('fence', 'b');
      const fenced = await store.writeBlob(lost, id, 'y', bytes(10)).catch((e: unknown) => e);
      t.ok(hasCode(fenced, 'MR_CHECKPOINT_FENCED'));
      t.equal((await storage.list(`${NAMESPACE}/fence/`)).length, 1);
      t.equal(await store.collect('fence'), 50 + POINTER_BYTES);
      t.same(await storage.list(`${NAMESPACE}/fence/`), []);
      t.not(owner.generation, lost.generation);
    },
  );

  await t.test('a manifest whose object never arrived is not published (OS3)', async (t) => {
    const broken = withBlobStorage(
      await harness.open(),
      { ...shared(storage), put: async () => Promise.reject(new Error('the bucket is away')) },
      { namespace: NAMESPACE, inlineBytesMax: 0 },
    );
    const owner = await broken.takeOver('arrive', 'a');
    const id = await broken.nextCheckpointId(owner);
    await t.rejects(broken.writeBlob(owner, id, 'x', bytes(10)), /the bucket is away/);
    const store = await open(0);
    const ref = await store.writeBlob(owner, id, 'x', bytes(10));
    t.equal(await store.publish(owner, manifestOf(owner, id, { blobs: [ref] }), 1), 'published');
    t.equal((await store.readBlob('arrive', ref)).length, 10);
  });

  await t.test('what was stored after its pointer had gone is found by the next scan (OS4)', async (t) => {
    const store = await open(0);
    const late = await store.takeOver('late', 'a');
    const id = await store.nextCheckpointId(late);
    const ref = await store.writeBlob(late, id, 'x', bytes(20));
    const owner = await store.takeOver('late', 'b');
    await store.collect('late');
    await storage.put(keyOf('late', ref), bytes(20));
    const kept = await store.writeBlob(owner, await store.nextCheckpointId(owner), 'y', bytes(30));
    await store.collect('late');
    t.equal((await storage.list(`${NAMESPACE}/late/`)).length, 2, 'most collections do not look');
    t.equal(await (await open(0)).collect('late'), 20);
    t.same(await storage.list(`${NAMESPACE}/late/`), [keyOf('late', kept)]);
  });
}

const POINTER_BYTES = 12;

/** The storage without its end: several stores of a test share it. */
function shared(storage: BlobStorage): BlobStorage {
  return {
    put: (key, content) => storage.put(key, content),
    get: (key) => storage.get(key),
    list: (prefix) => storage.list(prefix),
    delete: (keys) => storage.delete(keys),
    close: async () => {},
  };
}
