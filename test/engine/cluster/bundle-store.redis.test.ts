import { createHash, randomBytes } from 'node:crypto';
import t from 'tap';
import { LIMITS } from '../../../engine/base/limits.ts';
import { BundleStore } from '../../../engine/cluster/bundle-store.ts';
import { bundleKey } from '../../../engine/redis/keys.ts';
import { clusterHarness, contextOf, faultyLink, NAMESPACE, repeated } from './cluster-harness.ts';

const { open } = await clusterHarness(t);
const link = await open();
const bundles = new BundleStore(contextOf(link));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

void t.test('bundles of any size come back by their hash, and stay (BU1)', async (t) => {
  const chunk = LIMITS.bundleChunkBytes;
  for (const size of [1, chunk - 1, chunk, chunk + 1, 3 * chunk + 7]) {
    const bytes = new Uint8Array(randomBytes(size + 5).buffer, 0, size + 5).subarray(5);
    const hash = await bundles.put(bytes);
    t.equal(hash, sha256(bytes));
    t.equal(Buffer.compare((await bundles.get(hash)) ?? Buffer.alloc(0), bytes), 0);
    t.equal(await link.call('PTTL', bundleKey(NAMESPACE, hash)), -1);
  }
  t.equal(await bundles.get('0'.repeat(64)), null);
});

void t.test('putting a bundle again, or every call twice, changes nothing (BU1)', async (t) => {
  const shaky = new BundleStore(contextOf(faultyLink(link, repeated)));
  const bytes = randomBytes(2 * LIMITS.bundleChunkBytes + 1);
  const hash = await shaky.put(bytes);
  t.equal(await shaky.put(bytes), hash);
  t.same(await bundles.get(hash), bytes);
  await bundles.drop(hash);
  t.equal(await bundles.get(hash), null);
});

void t.test('BU2 a bundle that is not completed is not there, and runs out', async (t) => {
  const bytes = randomBytes(2 * LIMITS.bundleChunkBytes);
  const key = bundleKey(NAMESPACE, sha256(bytes));
  let calls = 0;
  const cut = new BundleStore(
    contextOf(
      faultyLink(link, async (send) => {
        if (++calls > 1) throw new Error('cut off');
        return send();
      }),
    ),
  );
  await t.rejects(cut.put(bytes), /cut off/);
  t.equal(await bundles.get(sha256(bytes)), null);
  const ttl = Number(await link.call('PTTL', key));
  t.ok(ttl > 0 && ttl <= LIMITS.bundleUnfinishedMs);
  await bundles.put(bytes);
  t.same(await bundles.get(sha256(bytes)), bytes, 'it can be completed later');
  t.equal(await link.call('PTTL', key), -1);
});

void t.test('BU1 a bundle whose first chunks ran out meanwhile is not completed', async (t) => {
  const bytes = randomBytes(2 * LIMITS.bundleChunkBytes);
  const key = bundleKey(NAMESPACE, sha256(bytes));
  const slow = new BundleStore(
    contextOf(
      faultyLink(link, async (send) => {
        const answer = await send();
        await link.call('HDEL', key, 0);
        return answer;
      }),
    ),
  );
  await t.rejects(slow.put(bytes), { code: 'MR_BUNDLE_INVALID', message: /lost chunks/ });
  t.equal(await bundles.get(sha256(bytes)), null);
});

void t.test('BU1 damage is noticed', async (t) => {
  const hash = await bundles.put(randomBytes(100));
  await link.call('HSET', bundleKey(NAMESPACE, hash), 0, 'other');
  await t.rejects(bundles.get(hash), { code: 'MR_BUNDLE_INVALID' });
  await link.call('HSET', bundleKey(NAMESPACE, hash), 'chunks', 1_000_000);
  await t.rejects(bundles.get(hash), { code: 'MR_BUNDLE_INVALID' }, 'before anything is read');
});

void t.test('sizes are bounded', async (t) => {
  await t.rejects(bundles.put(new Uint8Array(0)), { code: 'MR_BUNDLE_INVALID' });
  await t.rejects(bundles.put(new Uint8Array(LIMITS.bundleBytesMax + 1)), { code: 'MR_BUNDLE_INVALID' });
});
