import { Redis } from 'ioredis';
import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { folderBlobs } from '../../../engine/checkpoint/folder-blobs.ts';
import { openRedisCheckpointStore } from '../../../engine/checkpoint/redis-checkpoint-store.ts';
import { checkpointKeys } from '../../../engine/redis/keys.ts';
import { startRedis } from '../../support/redis-server.ts';
import { storedBlobsContract } from './stored-blobs.contract.ts';

const server = await startRedis();
const raw = new Redis(server.url);
const closing: (() => Promise<void>)[] = [];
t.teardown(async () => {
  for (const close of closing) await close();
  raw.disconnect();
  await server.stop();
});

await storedBlobsContract(t, {
  async open(options = {}) {
    const store = await openRedisCheckpointStore({
      url: server.url,
      namespace: 'test',
      clock: systemClock,
      durability: 'process',
      ...options,
    });
    closing.push(() => store.close());
    return store;
  },
  storage: folderBlobs(t.testdir()),
  runs: 8,
  async damage(job, ref) {
    await raw.setrange(checkpointKeys('test', job).blob(ref.key), ref.bytes >>> 1, 'damage');
  },
});
