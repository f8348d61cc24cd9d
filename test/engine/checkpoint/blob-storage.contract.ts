import type { Test } from 'tap';
import { hasCode } from '../../../engine/base/errors.ts';
import type { BlobStorage } from '../../../engine/checkpoint/blob-storage.ts';
import { bytes } from './checkpoint-store.contract.ts';

/** What every storage of blobs keeps. Each test uses a path of its own. */
export async function blobStorageContract(t: Test, storage: BlobStorage): Promise<void> {
  await t.test('bytes come back as they were, also none and many', async (t) => {
    for (const length of [0, 1, 70_000, 5 * 1024 * 1024]) {
      const key = `trip/job/1/2/@${length}.agg.0.0`;
      const sent = bytes(length);
      await storage.put(key, sent.subarray());
      await storage.put(key, sent);
      const got = await storage.get(key);
      t.ok(got !== null && Buffer.compare(got, sent) === 0, `${length} bytes`);
    }
    t.equal(await storage.get('trip/job/1/2/none'), null);
    t.equal(await storage.get('nowhere/at/all'), null);
  });

  await t.test('a view into a larger buffer stores no more than the view', async (t) => {
    const whole = bytes(1_000);
    await storage.put('view/a', whole.subarray(100, 200));
    t.same(new Uint8Array((await storage.get('view/a')) ?? []), whole.slice(100, 200));
  });

  await t.test('keys are listed below their path and nowhere else', async (t) => {
    const keys = ['list/a/1/x', 'list/a/1/y', 'list/a/2/x', 'list/ab/1/x'];
    for (const key of keys) await storage.put(key, bytes(3));
    t.same((await storage.list('list/a/')).toSorted(), keys.slice(0, 3));
    t.same((await storage.list('list/')).toSorted(), keys);
    t.same(await storage.list('list/none/'), []);
  });

  await t.test('what is deleted is gone, and deleting it again does nothing', async (t) => {
    const keys = Array.from({ length: 40 }, (_, i) => `delete/${i % 3}/${i}`);
    await Promise.all(keys.map((key) => storage.put(key, bytes(5))));
    await storage.delete(keys.slice(1));
    await storage.delete(keys.slice(1));
    t.same(await storage.list('delete/'), [keys[0]]);
    t.equal(await storage.get(keys[1] as string), null);
    await storage.put(keys[1] as string, bytes(6));
    t.equal((await storage.get(keys[1] as string))?.length, 6);
  });

  await t.test('a key that would lead elsewhere is refused', async (t) => {
    for (const key of [
      '../x',
      'a/../../x',
      '/etc/x',
      'a//x',
      'a/./x',
      'a/..',
      'a\\..\\x',
      'a/\0',
      '',
      'a/b c',
    ]) {
      const error = await storage.put(key, bytes(1)).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      t.ok(hasCode(error, 'MR_CONFIG_INVALID'), key);
    }
  });
}
