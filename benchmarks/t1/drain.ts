import { randomUUID } from 'node:crypto';
import {
  openRedisCheckpointStore,
  openRedisPartitionLog,
  type PartitionLog,
  RedisConnection,
  systemClock,
} from '#engine';
import { partitionLog, redisStream } from '#operators';
import { type Batch, decodeFrame, partitionKeys, rowReader } from '#wire';
import { serverCpuMs } from '../bench-redis.ts';
import { runEngine } from './engine.ts';
import type { Outcome } from './outcome.ts';
import { Measure } from './workload.ts';

/** How the events lie in a Redis stream: as the frames of a topic, or one by one as JSON, as somebody else's program adds them. */
export type EntryForm = 'frames' | 'json';

/** Every number of events has its own namespace, so that those of the warm-up and all lie beside each other. */
const sharedOptions = (url: string, events: number) =>
  ({ url, namespace: `t1-${events}`, clock: systemClock, durability: 'process' }) as const;

/** The stream that {@link fill} makes. */
export const streamOf = (form: EntryForm, events: number): string =>
  form === 'frames' ? partitionKeys(`t1-${events}`, 't1', 0).stream : `t1-${events}`;

/** Writes the events to Redis; a process of its own does this, so that the reading one holds none of them. */
export async function fill(
  form: EntryForm,
  frames: readonly Uint8Array[],
  events: number,
  url: string,
): Promise<void> {
  if (form === 'json') return addEntries(frames, streamOf(form, events), url);
  const log = await openRedisPartitionLog(sharedOptions(url, events));
  await log.createTopic('t1', { partitions: 1, schema: Measure, quotaBytes: 8 * 1024 ** 3 });
  for (const frame of frames) await log.append('t1', 0, frame);
  // A reader that never comes back: nothing is trimmed, so that every run finds the same.
  const start = await log.position('t1', 0, 'earliest');
  await log.registerPositions('keeper', 1, [{ topic: 't1', partition: 0, ...start }]);
  await log.close();
}

const ADD_ALL = "for i = 1, #ARGV do redis.call('XADD', KEYS[1], '*', 'data', ARGV[i]) end";

async function addEntries(frames: readonly Uint8Array[], stream: string, url: string): Promise<void> {
  const connection = await RedisConnection.open({ url, name: 'bench', clock: systemClock });
  const read = rowReader(Measure);
  for (const frame of frames) {
    const { batch } = decodeFrame(frame, () => Measure);
    const rows = Array.from({ length: batch.count }, (_, i) => read(batch as Batch<Measure>, i));
    await connection.call('EVAL', ADD_ALL, 1, stream, ...rows.map((row) => JSON.stringify(row)));
  }
  connection.close();
}

/** T1 from a Redis stream that holds all events already; checkpoints every second, to the same Redis. */
export async function runDrain(form: EntryForm, events: number, url: string): Promise<Outcome> {
  const log: PartitionLog = await openRedisPartitionLog(sharedOptions(url, events));
  // Of its own, so that no run goes on where another has ended.
  const store = await openRedisCheckpointStore({ ...sharedOptions(url, events), namespace: randomUUID() });
  const source =
    form === 'frames'
      ? partitionLog('t1', Measure)
      : redisStream(streamOf(form, events), Measure, { format: 'json', url });
  const serverBefore = await serverCpuMs(url);
  const outcome = await runEngine(`${form} from Redis, built-in`, 'built-in', { source, log, store }, events);
  const serverAfter = await serverCpuMs(url);
  await Promise.all([log.close(), store.close()]);
  return { ...outcome, serverCpuMs: serverAfter - serverBefore };
}
