import fc from 'fast-check';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { hasCode } from '../../../engine/base/errors.ts';
import {
  openRedisCheckpointStore,
  type RedisCheckpointOptions,
} from '../../../engine/checkpoint/redis-checkpoint-store.ts';
import type { BlobRef } from '../../../engine/checkpoint/checkpoint-store.ts';
import { RedisConnection } from '../../../engine/redis/connection.ts';
import { checkpointKeys } from '../../../engine/redis/keys.ts';
import type { OpenRedisLink, RedisLink } from '../../../engine/redis/redis-link.ts';
import { manifestOf } from '../../support/manifests.ts';
import { propertyRuns } from '../../support/property-runs.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';
import { bytes, checkpointStoreContract } from './checkpoint-store.contract.ts';
import { incrementalSnapshots } from './incremental-snapshots.contract.ts';
import { ownersInterleaved } from './checkpoint-owners.contract.ts';

const NAMESPACE = 'test';

const server = await startRedis();
t.teardown(() => server.stop());

await t.test('contract', async (t) => {
  const raw = new Redis(server.url);
  const closing: (() => Promise<void>)[] = [];
  t.teardown(async () => {
    for (const close of closing) await close();
    raw.disconnect();
  });
  await checkpointStoreContract(t, {
    async open(options = {}) {
      const store = await openStore(server, options);
      closing.push(() => store.close());
      return store;
    },
    async damage(job, ref) {
      await raw.setrange(checkpointKeys(NAMESPACE, job).blob(ref.key), ref.bytes >>> 1, 'damage');
    },
  });
});

await t.test('whatever two owners do, scripts and protocol decide the same (CP1, CP2, CP4, CP5)', () =>
  ownersInterleaved({ runs: 60, open: (uuid) => openStore(server, { uuid }) }),
);

await t.test('incremental snapshots restore what was there (SN1, SN2, SN3)', async (t) => {
  const store = await openStore(server);
  t.teardown(() => store.close());
  const found = await incrementalSnapshots({ runs: propertyRuns(25), store });
  t.notOk(found.failed, fc.defaultReportMessage(found) ?? '');
});

await t.test('of thousands of blobs that a manifest names each is looked for (CP3)', async (t) => {
  const store = await openStore(server);
  t.teardown(() => store.close());
  const owner = await store.takeOver('many', 'a');
  const id = await store.nextCheckpointId(owner);
  const blobs = await Promise.all(
    Array.from({ length: 2_500 }, (_, i) => store.writeBlob(owner, id, `agg.${i}.0`, bytes(8))),
  );
  for (const missing of [0, 999, 1_000, 2_499]) {
    const named = blobs.with(missing, { ...(blobs[missing] as BlobRef), key: 'not there' });
    const manifest = manifestOf(owner, id, { blobs: named });
    await rejectedAs(t, 'MR_CHECKPOINT_FAILED', store.publish(owner, manifest, 1));
  }
  t.equal(await store.publish(owner, manifestOf(owner, id, { blobs }), 1), 'published');
});

await t.test('with the server at its memory limit a checkpoint still completes (RS2)', async (t) => {
  const full = await startRedis({ maxmemory: '8mb' });
  const raw = new Redis(full.url);
  const store = await openStore(full, { reservedBytes: 1024 * 1024 });
  t.teardown(async () => {
    await store.close();
    raw.disconnect();
    await full.stop();
  });
  const plain = async () => {
    for (let i = 0; ; i++) await raw.set(`filler:${i}`, Buffer.alloc(64 * 1024));
  };
  await t.rejects(plain(), /OOM/, 'the server takes no plain write any more');
  const owner = await store.takeOver('job', 'a');
  const id = await store.nextCheckpointId(owner);
  const blobs = [];
  for (let i = 0; i < 4; i++) blobs.push(await store.writeBlob(owner, id, `b${i}`, bytes(256 * 1024)));
  t.equal(await store.publish(owner, manifestOf(owner, id, { blobs }), 1), 'published');
  await t.rejects(raw.set('filler', 'x'), /OOM/);
  t.same((await store.latest('job'))?.id, id);
  const next = await store.nextGeneration(owner);
  await rejectedAs(t, 'MR_CHECKPOINT_NO_SPACE', store.writeBlob(next, id, 'more', bytes(1)));
  await store.remove('job', id);
  t.equal(await store.collect('job'), 1024 * 1024);
});

await t.test('what was published survives kill -9 of the server and dropped connections', async (t) => {
  const durable = await startRedis({ appendonly: 'always' });
  const raw = new Redis(durable.url).on('error', () => undefined);
  const store = await openStore(durable, { durability: 'disk' });
  t.teardown(async () => {
    await store.close();
    raw.disconnect();
    await durable.stop();
  });
  const owner = await store.takeOver('job', 'a');
  for (let round = 0; round < 4; round++) {
    const id = await store.nextCheckpointId(owner);
    const uploads = [0, 1, 2, 3].map((i) => store.writeBlob(owner, id, `b${i}`, bytes(100_000 + i)));
    if (round % 2 === 0) await raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const blobs = await Promise.all(uploads);
    await store.publish(owner, manifestOf(owner, id, { blobs }), 2);
    await store.confirmDurable();
    if (round % 2 === 1) {
      await durable.kill9();
      await durable.restart();
      const notice = { code: 'MR_CHECKPOINT_NOT_DURABLE' };
      await t.rejects(store.confirmDurable(), notice, 'once: it cannot know that nothing was lost');
      await store.confirmDurable();
    }
    const latest = await store.latest('job');
    t.equal(latest?.id, id);
    for (const ref of blobs) await store.readBlob('job', ref);
  }
  const control = checkpointKeys(NAMESPACE, 'job');
  const sizes = (await raw.hvals(control.blobs)).reduce((sum, size) => sum + Number(size), 0);
  t.equal(Number(await raw.hget(control.control, 'blobBytes')), sizes, 'repeated uploads are counted once');
});

await t.test('a deletion that comes after a fail-over or a new owner deletes nothing (RS3)', async (t) => {
  const raw = new Redis(server.url);
  let meanwhile = async () => {};
  const openLink: OpenRedisLink = async (options) => {
    const link = await RedisConnection.open(options);
    const script: RedisLink['script'] = async (one, ...rest) => {
      if (one.name === 'delete-blob') await meanwhile();
      return link.script(one, ...rest);
    };
    return new Proxy(link, {
      get(target, name) {
        if (name === 'script') return script;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  };
  const store = await openStore(server, { openLink });
  t.teardown(async () => {
    await store.close();
    raw.disconnect();
  });
  const owner = await store.takeOver('late', 'a');
  const blobs: BlobRef[] = [];
  for (let round = 0; round < 2; round++) {
    const id = await store.nextCheckpointId(owner);
    blobs.push(await store.writeBlob(owner, id, 'state', bytes(10)));
    await store.publish(owner, manifestOf(owner, id, { blobs: blobs.slice(-1) }), 1);
  }
  const { control } = checkpointKeys(NAMESPACE, 'late');
  meanwhile = async () => void (await raw.hset(control, 'published', 1));
  t.equal(await store.collect('late'), 0, 'the newest publication is gone');
  meanwhile = async () => {};
  await raw.hset(control, 'published', 2);
  const other = await openStore(server);
  t.teardown(() => other.close());
  meanwhile = async () => void (await other.takeOver('late', 'b'));
  t.equal(await store.collect('late'), 0, 'another has taken over');
  meanwhile = async () => {};
  t.equal(await store.collect('late'), 10);
});

await t.test('a publication that the server has lost is not confirmed (RS4)', async (t) => {
  const forgetful = await startRedis();
  const store = await openStore(forgetful);
  t.teardown(async () => {
    await store.close();
    await forgetful.stop();
  });
  const owner = await store.takeOver('job', 'a');
  await store.publish(owner, manifestOf(owner, await store.nextCheckpointId(owner)), 1);
  await store.confirmDurable();
  await forgetful.kill9();
  await forgetful.restart();
  await rejectedAs(t, 'MR_CHECKPOINT_NOT_DURABLE', store.confirmDurable());
});

await t.test(
  'a replicated store confirms with its replica and refuses without, also at the memory limit (RS2, RS4)',
  async (t) => {
    const primary = await startRedis({
      tcp: true,
      maxmemory: '8mb',
      args: ['--repl-diskless-sync-delay', '0'],
    });
    const replica = await startRedis({ args: ['--replicaof', `127.0.0.1 ${primary.port}`] });
    const raw = new Redis(primary.url);
    const store = await openStore(primary, { durability: 'replicated' });
    t.teardown(async () => {
      await store.close();
      raw.disconnect();
      await replica.stop();
      await primary.stop();
    });
    const owner = await store.takeOver('job', 'a');
    while (!(await raw.info('replication')).includes('state=online')) await systemClock.sleep(20);
    const plain = async () => {
      for (let i = 0; ; i++) await raw.set(`filler:${i}`, Buffer.alloc(64 * 1024));
    };
    await t.rejects(plain(), /OOM/);
    await store.publish(owner, manifestOf(owner, await store.nextCheckpointId(owner)), 1);
    await store.confirmDurable();
    const copy = new Redis(replica.url);
    t.equal(await copy.hget(checkpointKeys(NAMESPACE, 'job').control, 'published'), '1');
    copy.disconnect();
    await replica.kill9();
    await rejectedAs(t, 'MR_CHECKPOINT_NOT_DURABLE', store.confirmDurable());
  },
);

await t.test('all keys of a job share one hash tag (RS1)', async (t) => {
  const raw = new Redis(server.url);
  t.teardown(() => raw.disconnect());
  const keys = (await raw.keys('*')).filter((key) => !key.endsWith(':durable'));
  t.ok(keys.length > 0);
  t.same(
    keys.filter((key) => !/^mr:test:\{job:[^}]+\}:/.test(key)),
    [],
  );
});

function openStore(at: RedisServer, options: Partial<RedisCheckpointOptions> = {}) {
  return openRedisCheckpointStore({
    url: at.url,
    namespace: NAMESPACE,
    clock: systemClock,
    durability: 'process',
    ...options,
  });
}

async function rejectedAs(
  t: Test,
  code: Parameters<typeof hasCode>[1],
  promise: Promise<unknown>,
): Promise<void> {
  const error = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  t.ok(hasCode(error, code), `${code}: ${String(error)}`);
}
