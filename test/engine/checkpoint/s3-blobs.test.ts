import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import t from 'tap';
import { hasCode } from '../../../engine/base/errors.ts';
import {
  type MemoryCheckpointStorage,
  openMemoryCheckpointStore,
} from '../../../engine/checkpoint/memory-checkpoint-store.ts';
import { s3Blobs } from '../../../engine/checkpoint/s3-blobs.ts';
import { missingRadosgw, startRadosgw } from '../../support/radosgw.ts';
import { blobStorageContract } from './blob-storage.contract.ts';
import { storedBlobsContract } from './stored-blobs.contract.ts';

// The gateway takes 20 s to come up.
t.setTimeout(110_000);

const missing = missingRadosgw();
if (missing.length > 0) {
  const skip = `Ceph's gateway is not installed (${missing.join(', ')}): apt-get install radosgw ceph-mon ceph-osd ceph-common`;
  console.error(`NOT TESTED: blobs in S3. ${skip}`);
  await t.test('blobs in S3', { skip }, async () => {});
} else {
  const { endpoint, credentials, stop } = await startRadosgw();
  t.teardown(stop);
  const client = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: 'state' }));
  client.destroy();
  const open = (prefix?: string) =>
    s3Blobs({ bucket: 'state', endpoint, credentials, ...(prefix === undefined ? {} : { prefix }) });

  await t.test('contract', async (t) => blobStorageContract(t, await open()));

  await t.test('with a prefix nothing is seen beside it', async (t) => {
    const [one, other] = [await open('jobs/one'), await open('jobs/other')];
    await one.put('ns/a', Buffer.from('a'));
    t.same(await one.list(''), ['ns/a']);
    t.same(await other.list(''), []);
    t.equal(await other.get('ns/a'), null);
    await t.rejects(open('../jobs'), { code: 'MR_CONFIG_INVALID' });
  });

  await t.test('more than a page of keys is listed', async (t) => {
    const storage = await open('pages');
    const keys = Array.from({ length: 1_020 }, (_, i) => `ns/job/${i}`);
    const waiting = keys.values();
    const put = async () => {
      for (const key of waiting) await storage.put(key, Buffer.from(key));
    };
    await Promise.all(Array.from({ length: 16 }, put));
    t.same((await storage.list('ns/job/')).toSorted(), keys.toSorted());
  });

  await t.test('checkpoints with large blobs in a bucket', async (t) => {
    const storage: MemoryCheckpointStorage = new Map();
    await storedBlobsContract(t, {
      open: async (options = {}) => openMemoryCheckpointStore({ storage, ...options }),
      storage: await open('checkpoints'),
      runs: 4,
      async damage(job, ref) {
        const blob = storage.get(job)?.blobs.get(ref.key) as Uint8Array;
        blob[blob.length >>> 1] = (blob[blob.length >>> 1] as number) ^ 1;
      },
    });
  });

  await t.test('a bucket that is not there, or a wrong key, is named', async (t) => {
    const absent = await s3Blobs({ bucket: 'absent', endpoint, credentials });
    const wrong = await s3Blobs({
      bucket: 'state',
      endpoint,
      credentials: { ...credentials, secretAccessKey: 'wrong' },
    });
    for (const storage of [absent, wrong]) {
      const acts = [() => storage.put('a', Buffer.from('a')), () => storage.get('a'), () => storage.list('')];
      for (const act of acts) {
        const error = await act().then(
          () => null,
          (thrown: unknown) => thrown,
        );
        t.ok(hasCode(error, 'MR_CHECKPOINT_FAILED'), String(error));
        t.match(String(error), storage === absent ? 'NoSuchBucket' : 'SignatureDoesNotMatch');
      }
    }
  });
}
