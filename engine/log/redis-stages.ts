import { invariant } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { partitionKeys, stageField, stageKey } from '../redis/keys.ts';
import { redisFailure } from '../redis/redis-error.ts';
import { loadScript } from '../redis/script.ts';
import { verifyFrame } from '../wire/frame.ts';
import { crcHex } from './chain.ts';
import {
  commitLost,
  fencedSink,
  noTopic,
  overStage,
  sinkAhead,
  stageFull,
  stageGap,
  stageMissing,
} from './log-error.ts';
import type { PartitionLog, StageTarget } from './partition-log.ts';
import { asBuffer, type RedisContext, runScript, type StatusReply } from './redis-context.ts';
import { usedBytes } from './redis-ends.ts';

const stageScript = loadScript(new URL('./scripts/stage-3.lua', import.meta.url));
const commitScript = loadScript(new URL('./scripts/commit-stage-4.lua', import.meta.url));
const fenceScript = loadScript(new URL('./scripts/fence-sink-1.lua', import.meta.url));
const dropScript = loadScript(new URL('./scripts/drop-stage-3.lua', import.meta.url));

/** A sink's frames between barrier and checkpoint. The scripts say what each step keeps true. */
export function redisStages(
  context: RedisContext,
  trim: PartitionLog['trim'],
): Pick<PartitionLog, 'stage' | 'assertStaged' | 'commitStage' | 'stagedSinks' | 'dropStages'> {
  const { connection, namespace, clock } = context;
  const keysOf = (target: Omit<StageTarget, 'seq'>) =>
    partitionKeys(namespace, target.topic, target.partition);
  const stageOf = (target: StageTarget) =>
    stageKey(namespace, target.topic, target.partition, target.sinkId, target.seq);

  return {
    stage: redisStage(context, trim),

    async assertStaged(target, parts) {
      const { sinkId, seq, topic, partition } = target;
      const { meta, stages } = keysOf(target);
      // In this order: a commit takes the one when it sets the other.
      const known = (await connection.call('HGET', stages, stageField(sinkId, seq))) as string | null;
      if (known?.split(' ')[0] === String(parts)) return;
      const committed = (await connection.call('HGET', meta, `c:${sinkId}`)) as string | null;
      if (Number(committed ?? -1) < seq) throw stageMissing(sinkId, seq, topic, partition);
    },

    async commitStage(target, after) {
      const { sinkId, seq, topic, partition } = target;
      const { stream, meta, stages } = keysOf(target);
      const before = [after?.sinkId ?? '', after?.seq ?? 0];
      const args = [sinkId, seq, stageField(sinkId, seq), clock.now(), LIMITS.stageCommitBytes, ...before];
      for (let calls = 1; ; calls++) {
        const { status } = await runScript(
          context,
          commitScript,
          [stream, meta, stages, stageOf(target)],
          args,
        );
        if (status === 'DONE') return 'committed';
        if (status === 'ALREADY') return calls === 1 ? 'already' : 'committed'; // a call whose answer was lost did it
        if (status === 'MISSING') throw stageMissing(sinkId, seq, topic, partition);
        if (status === 'BEHIND') throw commitLost(topic, partition);
        if (status === 'NOTOPIC') throw noTopic(topic, partition);
        invariant(status === 'MORE', `commit answers ${status}`);
      }
    },

    async stagedSinks(topic, partition) {
      const { stages } = keysOf({ topic, partition, sinkId: '' });
      const fields = (await connection.call('HKEYS', stages)) as readonly string[];
      return [...new Set(fields.map((field) => field.slice(0, field.lastIndexOf(':'))))];
    },

    async dropStages(target, afterSeq) {
      const { sinkId, topic, partition, generation = 0 } = target;
      const { meta, stages } = keysOf(target);
      const fence = await runScript(context, fenceScript, [meta], [sinkId, generation]);
      if (fence.status === 'NOTOPIC') throw noTopic(topic, partition);
      if (fence.status === 'FENCED') throw fencedSink(sinkId, generation, fence.numbers[0] ?? 0);
      const fields = (await connection.call('HKEYS', stages)) as readonly string[];
      for (const field of fields) {
        const seq = Number(field.slice(field.lastIndexOf(':') + 1));
        if (field !== stageField(sinkId, seq) || seq <= afterSeq) continue;
        const stage = stageKey(namespace, topic, partition, sinkId, seq);
        const { status, numbers } = await runScript(
          context,
          dropScript,
          [meta, stages, stage],
          [sinkId, field, generation],
        );
        if (status === 'FENCED') throw fencedSink(sinkId, generation, numbers[0] ?? 0);
      }
    },
  };
}

/** Like an append, a stage that finds the partition full first drops what may be dropped. */
function redisStage(context: RedisContext, trim: PartitionLog['trim']): PartitionLog['stage'] {
  return async (target, part, frames) => {
    const { topic, partition } = target;
    const reply = await stageOnce(context, target, part, frames);
    const isRetried = reply.status === 'FULL' && (await trim(topic, partition)) > 0;
    refuse(target, part, isRetried ? await stageOnce(context, target, part, frames) : reply);
  };
}

async function stageOnce(
  context: RedisContext,
  { topic, partition, sinkId, seq, generation = 0 }: StageTarget,
  part: number,
  frames: readonly Uint8Array[],
): Promise<StatusReply> {
  const { namespace } = context;
  const { meta, stages } = partitionKeys(namespace, topic, partition);
  const items = frames.flatMap((frame) => {
    const { records, frameCrc } = verifyFrame(frame);
    return [records, crcHex(frameCrc), asBuffer(frame)];
  });
  const head = [sinkId, seq, stageField(sinkId, seq), generation, part, LIMITS.stageBytesMax];
  try {
    const keys = [meta, stages, stageKey(namespace, topic, partition, sinkId, seq)];
    return await runScript(context, stageScript, keys, [...head, ...items]);
  } catch (error) {
    const used = redisFailure(error) === 'memory' ? await usedBytes(context, topic, partition) : null;
    if (used === null) throw error;
    return { status: 'FULL', numbers: [used.bytes, used.quotaBytes] };
  }
}

/** Throws what a refused part is called. */
function refuse(
  target: StageTarget,
  part: number,
  { status, numbers: [first = 0, second = 0] }: StatusReply,
): void {
  const { topic, partition, sinkId, seq, generation = 0 } = target;
  if (status === 'FENCED') throw fencedSink(sinkId, generation, first);
  if (status === 'COMMITTED') throw sinkAhead(sinkId, seq, first);
  if (status === 'GAP') throw stageGap(sinkId, part, first);
  if (status === 'FULL') throw stageFull(target, first, second);
  if (status === 'OVERSTAGE') throw overStage(sinkId, first, LIMITS.stageBytesMax);
  if (status === 'NOTOPIC') throw noTopic(topic, partition);
}
