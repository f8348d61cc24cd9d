import { randomUUID } from 'node:crypto';
import {
  type CheckpointStore,
  type ClusterContext,
  openStore,
  parseBlobPlace,
  RedisConnection,
  systemClock,
} from '#engine';
import { JobCommands } from '../commands/job-commands.ts';
import type { Connection } from './command.ts';

/** What commands of the program look at; each part opens its connection when it is asked for. */
export interface ClusterView {
  readonly cluster: ClusterContext;
  readonly store: () => Promise<CheckpointStore>;
  readonly commands: () => JobCommands;
}

/** A person waits for this. */
const UNAVAILABLE_MS = 5_000;

/** Runs `use` on a cluster and closes what it has opened. @throws MR_REDIS_UNAVAILABLE, MR_CONFIG_INVALID; what `use` throws */
export async function withCluster<R>(
  connection: Connection,
  use: (view: ClusterView) => Promise<R>,
): Promise<R> {
  const { redisUrl: url, namespace, blobs } = connection;
  if (blobs !== undefined) parseBlobPlace(blobs);
  const shared = { url, clock: systemClock, unavailableMs: UNAVAILABLE_MS };
  const link = await RedisConnection.open({ ...shared, name: `millrace:${namespace}:cli` });
  const closing: (() => Promise<void> | void)[] = [() => link.close()];
  const cluster = { link, namespace, clock: systemClock, uuid: () => randomUUID() };
  try {
    return await use({
      cluster,
      async store() {
        const store = await openStore({
          ...connection,
          durability: 'process',
          unavailableMs: UNAVAILABLE_MS,
        });
        closing.push(() => store.close());
        return store;
      },
      commands() {
        const commands = new JobCommands({ redisUrl: url, ...cluster });
        closing.push(() => commands.close());
        return commands;
      },
    });
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}
