import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { BundleStore, RedisConnection, systemClock } from '#engine';
import { BundleFiles } from '../../../ops/bundle/bundle-files.ts';
import { startRedis } from '../../support/redis-server.ts';

void t.test(
  'BF1: a bundle is fetched once, whole, by its hash; a file with other bytes is never imported',
  async (test) => {
    const server = await startRedis();
    test.teardown(() => server.stop());
    const link = await RedisConnection.open({ url: server.url, name: 'test', clock: systemClock });
    test.teardown(() => link.close());
    const store = new BundleStore({ link, namespace: 'test', clock: systemClock, uuid: () => randomUUID() });
    const parent = await mkdtemp(join(tmpdir(), 'mr-files-'));
    test.teardown(() => rm(parent, { recursive: true, force: true }));
    const folder = join(parent, 'cache');
    const files = new BundleFiles(folder);

    const code = Buffer.from('export default 1;\n');
    const hash = await store.put(code);
    test.equal(await store.has(hash), true);
    const urls = await Promise.all(Array.from({ length: 8 }, () => files.url(store, hash)));
    test.equal(new Set(urls).size, 1, 'threads may ask at once');
    const path = fileURLToPath(urls[0] as string);
    test.same(await readFile(path), code);
    test.same(await readdir(folder), [`${hash}.mjs`], 'no drafts are left');
    test.equal((await stat(folder)).mode & 0o777, 0o700);

    await store.drop(hash);
    test.equal(await store.has(hash), false);
    test.equal(await files.url(store, hash), urls[0], 'the file is enough');
    await writeFile(path, 'export default 2;\n');
    await test.rejects(files.url(store, hash), { code: 'MR_BUNDLE_INVALID', message: /has other bytes in/ });
    await test.rejects(files.url(store, 'f'.repeat(64)), {
      code: 'MR_BUNDLE_INVALID',
      message: /is not in Redis/,
    });
  },
);
