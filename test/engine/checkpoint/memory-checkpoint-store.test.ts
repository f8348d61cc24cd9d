import t from 'tap';
import {
  type MemoryCheckpointStorage,
  openMemoryCheckpointStore,
} from '../../../engine/checkpoint/memory-checkpoint-store.ts';
import { checkpointStoreContract } from './checkpoint-store.contract.ts';
import { ownersInterleaved } from './checkpoint-owners.contract.ts';

const storage: MemoryCheckpointStorage = new Map();

await checkpointStoreContract(t, {
  open: async (options = {}) => openMemoryCheckpointStore({ storage, ...options }),
  async damage(job, ref) {
    const blob = storage.get(job)?.blobs.get(ref.key) as Uint8Array;
    blob[blob.length >>> 1] = (blob[blob.length >>> 1] as number) ^ 1;
  },
});

await t.test(
  'whatever two owners do, one at a time publishes and the latest never goes back (CP1, CP2, CP4, CP5)',
  () => ownersInterleaved({ runs: 300, open: async (uuid) => openMemoryCheckpointStore({ uuid }) }),
);
