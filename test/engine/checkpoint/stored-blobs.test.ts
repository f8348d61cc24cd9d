import t from 'tap';
import { folderBlobs } from '../../../engine/checkpoint/folder-blobs.ts';
import {
  type MemoryCheckpointStorage,
  openMemoryCheckpointStore,
} from '../../../engine/checkpoint/memory-checkpoint-store.ts';
import { withBlobStorage } from '../../../engine/checkpoint/stored-blobs.ts';
import { ownersInterleaved } from './checkpoint-owners.contract.ts';
import { storedBlobsContract } from './stored-blobs.contract.ts';

const storage: MemoryCheckpointStorage = new Map();

await storedBlobsContract(t, {
  open: async (options = {}) => openMemoryCheckpointStore({ storage, ...options }),
  storage: folderBlobs(t.testdir()),
  runs: 25,
  async damage(job, ref) {
    const blob = storage.get(job)?.blobs.get(ref.key) as Uint8Array;
    blob[blob.length >>> 1] = (blob[blob.length >>> 1] as number) ^ 1;
  },
});

await t.test('whatever two owners do, one at a time publishes (CP1, CP2, CP4, CP5)', (t) => {
  const blobs = folderBlobs(t.testdir());
  return ownersInterleaved({
    runs: 50,
    open: async (uuid) => withBlobStorage(openMemoryCheckpointStore({ uuid }), blobs, { namespace: 'test' }),
  });
});
