import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { hasCode } from '../../../engine/base/errors.ts';
import { folderBlobs } from '../../../engine/checkpoint/folder-blobs.ts';
import { blobStorageContract } from './blob-storage.contract.ts';
import { bytes } from './checkpoint-store.contract.ts';

await t.test('contract', (t) => blobStorageContract(t, folderBlobs(t.testdir())));

await t.test('what a crash left half written is not there', async (t) => {
  const folder = t.testdir({ ns: { job: { 'a.0.partial': 'half', b: 'whole' } } });
  const storage = folderBlobs(folder);
  t.same(await storage.list('ns/job/'), ['ns/job/b']);
  t.equal(await storage.get('ns/job/a'), null);
  await storage.put('ns/job/a', bytes(9));
  t.equal((await storage.get('ns/job/a'))?.length, 9);
});

await t.test('a collection that removes empty folders does not get in the way of a write', async (t) => {
  const storage = folderBlobs(t.testdir());
  for (let i = 0; i < 100; i++) {
    await storage.put(`ns/job/1/${i}/a`, bytes(1));
    await Promise.all([storage.delete([`ns/job/1/${i}/a`]), storage.put(`ns/job/1/${i}/b`, bytes(2))]);
  }
  t.equal((await storage.list('ns/')).length, 100);
});

await t.test('a folder that cannot be used says so', async (t) => {
  const path = join(t.testdir(), 'file');
  await writeFile(path, 'in the way');
  const storage = folderBlobs(path);
  for (const act of [() => storage.put('a/b', bytes(1)), () => storage.list('')]) {
    const error = await act().then(
      () => null,
      (thrown: unknown) => thrown,
    );
    t.ok(hasCode(error, 'MR_CHECKPOINT_FAILED'));
    t.match(error, { message: path });
  }
});
