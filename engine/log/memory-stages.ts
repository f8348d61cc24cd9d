import { LIMITS } from '../base/limits.ts';
import { verifyFrame } from '../wire/frame.ts';
import {
  commitLost,
  fencedSink,
  overStage,
  sinkAhead,
  stageFull,
  stageGap,
  stageMissing,
} from './log-error.ts';
import {
  addEntry,
  framesBytes,
  type MemoryPartition,
  type MemorySink,
  usedBytes,
} from './memory-partition.ts';
import type { StageTarget } from './partition-log.ts';

/** stage-3.lua */
export function stageFrames(
  partition: MemoryPartition,
  target: StageTarget,
  part: number,
  frames: readonly Uint8Array[],
): void {
  const { sinkId, seq, generation = 0 } = target;
  const added = frames.map((frame) => {
    const { records, frameCrc } = verifyFrame(frame);
    return { frame: frame.slice(), records, crc: frameCrc };
  });
  const sink = fenced(partition, target);
  if (seq <= sink.committed) throw sinkAhead(sinkId, seq, sink.committed);
  const stage = sink.stages.get(seq);
  if (part > 0 && part < (stage?.parts ?? 0)) return;
  if (part > 0 && part > (stage?.parts ?? 0)) throw stageGap(sinkId, part, stage?.parts ?? 0);

  const kept = part === 0 ? [] : (stage?.frames ?? []);
  const bytes = framesBytes(kept) + framesBytes(added);
  if (bytes > LIMITS.stageBytesMax) throw overStage(sinkId, bytes, LIMITS.stageBytesMax);
  const replaced = part === 0 ? framesBytes(stage?.frames ?? []) : 0;
  const used = usedBytes(partition) - replaced;
  if (used + framesBytes(added) > partition.quotaBytes) throw stageFull(target, used, partition.quotaBytes);
  sink.stages.set(seq, { parts: part + 1, frames: [...kept, ...added] });
  sink.generation = generation;
}

export function assertStaged(partition: MemoryPartition, target: StageTarget, parts: number): void {
  const { sinkId, seq, topic } = target;
  const { committed, stages } = sinkOf(partition, sinkId);
  if (seq > committed && stages.get(seq)?.parts !== parts)
    throw stageMissing(sinkId, seq, topic, target.partition);
}

/** commit-stage-4.lua */
export function commitFrames(
  partition: MemoryPartition,
  target: StageTarget,
  after: StageTarget | undefined,
  nowMs: number,
): 'committed' | 'already' {
  const { sinkId, seq, topic } = target;
  const sink = sinkOf(partition, sinkId);
  if (seq <= sink.committed) return 'already';
  if (after !== undefined && sinkOf(partition, after.sinkId).committed < after.seq)
    throw commitLost(topic, target.partition);
  const stage = sink.stages.get(seq);
  if (stage === undefined) throw stageMissing(sinkId, seq, topic, target.partition);
  for (const frame of stage.frames) addEntry(partition, frame, nowMs);
  sink.stages.delete(seq);
  sink.committed = seq;
  return 'committed';
}

/** fence-sink-1.lua and drop-stage-3.lua */
export function dropFrames(
  partition: MemoryPartition,
  target: Omit<StageTarget, 'seq'>,
  afterSeq: number,
): void {
  const sink = fenced(partition, target);
  sink.generation = target.generation ?? 0;
  for (const seq of sink.stages.keys()) if (seq > afterSeq) sink.stages.delete(seq);
}

function fenced(
  partition: MemoryPartition,
  { sinkId, generation = 0 }: Omit<StageTarget, 'seq'>,
): MemorySink {
  const sink = sinkOf(partition, sinkId);
  if (generation < sink.generation) throw fencedSink(sinkId, generation, sink.generation);
  return sink;
}

function sinkOf({ sinks }: MemoryPartition, sinkId: string): MemorySink {
  const known = sinks.get(sinkId);
  if (known !== undefined) return known;
  const sink: MemorySink = { generation: 0, committed: -1, stages: new Map() };
  sinks.set(sinkId, sink);
  return sink;
}
