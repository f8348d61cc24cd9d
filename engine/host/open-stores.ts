import { systemClock } from '../base/clock.ts';
import { openBlobPlace, parseBlobPlace } from '../checkpoint/blob-place.ts';
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import { openRedisCheckpointStore } from '../checkpoint/redis-checkpoint-store.ts';
import { withBlobStorage } from '../checkpoint/stored-blobs.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import { openRedisPartitionLog } from '../log/redis-partition-log.ts';
import type { HostSettings } from './host-settings.ts';

/** Log and checkpoint store as the settings name them: the same for hosts, coordinators and whoever looks at them. */
export async function openStores(
  settings: Omit<HostSettings, 'variables' | 'heapMbMax'>,
): Promise<{ readonly log: PartitionLog; readonly store: CheckpointStore }> {
  const { redisUrl, namespace, durability, replicas } = settings;
  const shared = { url: redisUrl, namespace, clock: systemClock, durability };
  const store = await openStore(settings);
  try {
    const log = await openRedisPartitionLog({ ...shared, ...(replicas === undefined ? {} : { replicas }) });
    return { log, store };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Checkpoints in Redis; with `blobs` set, large blobs in a folder or a bucket. @throws MR_CONFIG_INVALID, MR_REDIS_UNAVAILABLE */
export async function openStore(
  settings: Omit<HostSettings, 'variables' | 'heapMbMax'>,
): Promise<CheckpointStore> {
  const { redisUrl, namespace, durability, replicas, reservedBytes, blobs, unavailableMs } = settings;
  const place = blobs === undefined ? null : parseBlobPlace(blobs);
  const store = await openRedisCheckpointStore({
    url: redisUrl,
    namespace,
    clock: systemClock,
    durability,
    ...(replicas === undefined ? {} : { replicas }),
    ...(reservedBytes === undefined ? {} : { reservedBytes }),
    ...(unavailableMs === undefined ? {} : { unavailableMs }),
  });
  return place === null ? store : withBlobStorage(store, await openBlobPlace(place), { namespace });
}
