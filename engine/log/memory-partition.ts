import { type Offset, offset } from '../base/brand.ts';
import { LIMITS } from '../base/limits.ts';
import type { Envelope } from '../wire/envelope.ts';
import { nextChain } from './chain.ts';
import type { AppendResult, Topic } from './partition-log.ts';

/** One partition in memory: plain data, changed by the functions below as the scripts change a partition in Redis. */
export interface MemoryPartition {
  readonly quotaBytes: number;
  readonly retention: Topic['retention'];
  entries: MemoryEntry[];
  start: Offset;
  startChain: string;
  /** Bytes ever appended before `start`. */
  low: number;
  end: Offset;
  chain: string;
  /** Bytes ever appended. */
  bytes: number;
  /** Least recently appending first. */
  readonly producers: Map<string, { readonly epoch: number; readonly last: number }>;
  readonly jobs: Map<string, { readonly generation: number; readonly offset: number }>;
  readonly sinks: Map<string, MemorySink>;
}

export interface MemoryEntry {
  readonly offset: Offset;
  readonly frame: Uint8Array;
  readonly records: number;
  readonly crc: number;
  /** Digest and bytes before the entry. */
  readonly chain: string;
  readonly bytesBefore: number;
  readonly atMs: number;
}

export interface MemorySink {
  generation: number;
  committed: number;
  readonly stages: Map<number, MemoryStage>;
}

export interface MemoryStage {
  readonly parts: number;
  readonly frames: readonly StagedFrame[];
}

export interface StagedFrame {
  readonly frame: Uint8Array;
  readonly records: number;
  readonly crc: number;
}

export function memoryPartition({
  quotaBytes,
  retention,
}: Pick<Topic, 'quotaBytes' | 'retention'>): MemoryPartition {
  const start = offset(0);
  const maps = { producers: new Map(), jobs: new Map(), sinks: new Map() };
  return {
    quotaBytes,
    retention,
    entries: [],
    start,
    startChain: '',
    low: 0,
    end: start,
    chain: '',
    bytes: 0,
    ...maps,
  };
}

/** append-4.lua */
export function appendTo(
  partition: MemoryPartition,
  frame: Uint8Array,
  envelope: Envelope,
  nowMs: number,
): AppendResult | 'over-quota' {
  const { producer, epoch, prev, last, records, frameCrc } = envelope;
  const known = partition.producers.get(producer);
  if (known !== undefined && epoch < known.epoch) return { kind: 'fenced', epoch: known.epoch };
  const knownLast = known?.epoch === epoch ? known.last : 0;
  if (last <= knownLast) return { kind: 'duplicate', last: knownLast };
  if (prev !== knownLast) return { kind: 'gap', expected: knownLast + 1 };
  const { quotaBytes } = partition;
  if (frame.byteLength > quotaBytes) return 'over-quota';
  const bytes = usedBytes(partition);
  if (bytes + frame.byteLength > quotaBytes) return { kind: 'full', bytes, quotaBytes };

  const at = partition.end;
  addEntry(partition, { frame: frame.slice(), records, crc: frameCrc }, nowMs);
  partition.producers.delete(producer);
  partition.producers.set(producer, { epoch, last });
  if (partition.producers.size > LIMITS.producersPerPartitionMax) {
    for (const oldest of partition.producers.keys()) {
      partition.producers.delete(oldest);
      break;
    }
  }
  return { kind: 'ok', offset: at };
}

export function addEntry(
  partition: MemoryPartition,
  { frame, records, crc }: StagedFrame,
  nowMs: number,
): void {
  const { end, chain, bytes } = partition;
  partition.entries.push({ offset: end, frame, records, crc, chain, bytesBefore: bytes, atMs: nowMs });
  partition.end = offset(end + records);
  partition.chain = nextChain(chain, crc);
  partition.bytes = bytes + frame.byteLength;
}

/** trim-2.lua */
export function trimPartition(partition: MemoryPartition, nowMs: number): number {
  const { entries, jobs, retention } = partition;
  let kept: number;
  if (jobs.size > 0) {
    const wanted = Math.min(...[...jobs.values()].map((job) => job.offset));
    kept = entries.findIndex((entry) => entry.offset + entry.records > wanted);
  } else {
    const lowest = retention.bytes === undefined ? 0 : partition.bytes - retention.bytes;
    const oldestMs = retention.ageMs === undefined ? Number.NEGATIVE_INFINITY : nowMs - retention.ageMs;
    kept = entries.findIndex((entry) => entry.bytesBefore >= lowest && entry.atMs >= oldestMs);
  }
  const first = kept < 0 ? undefined : entries[kept];
  const start = first?.offset ?? partition.end;
  const dropped = start - partition.start;
  if (dropped <= 0) return 0;
  partition.entries = kept < 0 ? [] : entries.slice(kept);
  partition.start = start;
  partition.startChain = first?.chain ?? partition.chain;
  partition.low = first?.bytesBefore ?? partition.bytes;
  return dropped;
}

/** Stored and staged bytes; what the quota speaks of. */
export function usedBytes(partition: MemoryPartition): number {
  let staged = 0;
  for (const sink of partition.sinks.values())
    for (const stage of sink.stages.values()) staged += framesBytes(stage.frames);
  return partition.bytes - partition.low + staged;
}

export function framesBytes(frames: readonly StagedFrame[]): number {
  return frames.reduce((sum, { frame }) => sum + frame.byteLength, 0);
}

/** The entry that starts at `at`, or null. */
export function entryAt({ entries }: MemoryPartition, at: number): MemoryEntry | null {
  let low = 0;
  let high = entries.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const entry = entries[middle] as MemoryEntry;
    if (entry.offset === at) return entry;
    if (entry.offset < at) low = middle + 1;
    else high = middle - 1;
  }
  return null;
}
