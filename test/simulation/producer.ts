import { hasCode, openRedisPartitionLog, type PartitionLog } from '#engine';
import type { SimProcess } from './process.ts';
import type { SimRedis } from './redis.ts';
import { NAMESPACE, Reading, TOPICS } from './simulated-job.ts';
import type { Lane } from './workload.ts';

/**
 * A gateway whose own store outlives everything: sends its frames by sequence, again and again, until the log has them, and looks
 * whether it still does. Ends only by being killed; a failure that it cannot handle rejects.
 */
export async function runProducer(
  redis: SimRedis,
  process: SimProcess,
  producer: string,
  lanes: readonly Lane[],
): Promise<void> {
  const { clock, random } = process;
  const log = await openRedisPartitionLog({
    url: 'simulated',
    namespace: NAMESPACE,
    clock,
    random,
    openLink: redis.opener(process),
    durability: 'process',
    unavailableMs: UNAVAILABLE_MS,
  });
  await log.createTopic(TOPICS.readings, { partitions: lanes.length, schema: Reading });
  await Promise.all(lanes.map((lane) => sendLane(log, process, producer, lane)));
}

async function sendLane(
  log: PartitionLog,
  process: SimProcess,
  producer: string,
  lane: Lane,
): Promise<never> {
  const { clock } = process;
  const { frames, partition } = lane;
  let next = 0;
  for (;;) {
    const frame = frames[next];
    if (frame === undefined) {
      await clock.sleep(LOOK_EVERY_MS);
      const state = await log.producerState(TOPICS.readings, partition, producer).catch(unavailable);
      if (state !== undefined) next = frames.findIndex(({ last }) => last > (state?.last ?? 0));
      if (next < 0) next = frames.length;
      continue;
    }
    const earlyMs = frame.atMs - clock.monotonic();
    if (earlyMs > 0) await clock.sleep(earlyMs);
    const answer = await log.append(TOPICS.readings, partition, frame.bytes).catch(unavailable);
    if (answer?.kind === 'ok' || answer?.kind === 'duplicate') next++;
    else if (answer?.kind === 'gap')
      next = Math.max(
        0,
        frames.findIndex(({ last }) => last >= answer.expected),
      );
    else await clock.sleep(RETRY_MS);
  }
}

/** Redis will be back. @throws everything else */
function unavailable(error: unknown): undefined {
  if (!hasCode(error, 'MR_REDIS_UNAVAILABLE')) throw error;
}

const UNAVAILABLE_MS = 2_000;
const LOOK_EVERY_MS = 1_000;
const RETRY_MS = 50;
