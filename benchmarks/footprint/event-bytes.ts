import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { RedisConnection, systemClock } from '#engine';
import { decodeFrame, partitionKeys, readEnvelope, rowReader } from '#wire';
import { FrameStage } from '../../edge-forwarder/frame-stage.ts';
import { newLane } from '../../edge-forwarder/lane.ts';
import { BODY_HEADER_BYTES, COLUMN_ENTRY_BYTES, ENCODING } from '../../engine/wire/frame-layout.ts';
import { Measure, t1File } from '../t1/workload.ts';
import { INPUT } from './copy-job.ts';
import { type LakeBytes, measureLake } from './lake-bytes.ts';
import { fillTopic } from './start-up.ts';

/** Bytes per event of T1 in each place that it goes through. */
export interface EventBytes {
  readonly events: number;
  readonly frame: FrameBytes;
  readonly redis: RedisBytes;
  readonly lake: LakeBytes;
}

export interface FrameBytes {
  readonly frames: number;
  readonly recordsPerFrame: number;
  readonly perEvent: number;
  readonly envelopePerEvent: number;
  /** The body before compression. */
  readonly bodyPerEvent: number;
  readonly columns: readonly ColumnBytes[];
}

export interface ColumnBytes {
  readonly name: string;
  readonly encoding: string;
  readonly perEvent: number;
  /** Compressed by itself, at the level that frames are. */
  readonly compressedPerEvent: number;
}

export interface RedisBytes {
  /** What the stream's own account says. */
  readonly streamPerEvent: number;
  /** What the server's memory has grown by. */
  readonly usedMemoryPerEvent: number;
}

export interface EventBytesOptions {
  readonly url: string;
  readonly dir: string;
  readonly events: number;
}

/** The forwarder's defaults, see edge-forwarder/settings.ts. */
const FORWARDER = { frameRecords: 1_000, frameBytes: 65_536, compression: 'zstd' } as const;
const DEVICES = 10_000;
const NAMESPACE = 'bytes';

export async function measureEventBytes({ url, dir, events }: EventBytesOptions): Promise<EventBytes> {
  const frames = edgeFrames(events, dir);
  return {
    events,
    frame: frameBytes(frames),
    redis: await redisBytes(url, frames, events),
    lake: await measureLake({ url, namespace: NAMESPACE, warehouse: join(dir, 'warehouse'), events }),
  };
}

/** T1's rows in the frames that an edge forwarder makes of them when they come faster than its commits. */
export function edgeFrames(events: number, dir: string): Uint8Array[] {
  const folder = join(dir, 't1');
  mkdirSync(folder, { recursive: true });
  const stage = new FrameStage({
    schema: Measure,
    producer: 'gateway-1',
    partitions: 1,
    outOfOrdernessMs: null,
    lane: newLane,
    ...FORWARDER,
  });
  const read = rowReader(Measure);
  for (const frame of t1File({ events, devices: DEVICES, seed: 42 }, folder).frames()) {
    const { batch } = decodeFrame(frame, () => Measure);
    for (let i = 0; i < batch.count; i++) stage.add(read(batch as never, i), 0);
  }
  return stage.seal().map(({ bytes }) => bytes);
}

function frameBytes(frames: readonly Uint8Array[]): FrameBytes {
  let records = 0;
  let [stored, envelopes, bodies] = [0, 0, 0];
  const columns = Measure.fields.map(({ name }) => ({
    name,
    encodings: new Set<string>(),
    bytes: 0,
    packed: 0,
  }));
  for (const frame of frames) {
    const { headerBytes, columnCrcBytes, bodyBytes, compression, records: count } = readEnvelope(frame);
    records += count;
    stored += frame.length;
    envelopes += headerBytes;
    bodies += bodyBytes;
    const body = frame.subarray(headerBytes + columnCrcBytes);
    addColumns(compression === 'zstd' ? zstdDecompressSync(body) : Buffer.from(body), columns);
  }
  return {
    frames: frames.length,
    recordsPerFrame: records / frames.length,
    perEvent: stored / records,
    envelopePerEvent: envelopes / records,
    bodyPerEvent: bodies / records,
    columns: columns.map(({ name, encodings, bytes, packed }) => ({
      name,
      encoding: [...encodings].join(', '),
      perEvent: bytes / records,
      compressedPerEvent: packed / records,
    })),
  };
}

/** Walks over the sections of a body as engine/wire/frame-layout.ts draws it. */
function addColumns(
  body: Buffer,
  columns: readonly { readonly encodings: Set<string>; bytes: number; packed: number }[],
): void {
  let at = BODY_HEADER_BYTES + columns.length * COLUMN_ENTRY_BYTES;
  for (const [c, column] of columns.entries()) {
    const entry = BODY_HEADER_BYTES + c * COLUMN_ENTRY_BYTES;
    const encoding = Object.entries(ENCODING).find(([, code]) => code === body.readUInt8(entry + 3));
    const bytes = body.readUInt32LE(entry + 8);
    column.encodings.add(encoding?.[0] ?? 'unknown');
    column.bytes += bytes;
    column.packed += zstdCompressSync(body.subarray(at, at + bytes), {
      params: { [constants.ZSTD_c_compressionLevel]: 1 },
    }).length;
    at = (at + bytes + 7) & ~7;
  }
}

async function redisBytes(url: string, frames: readonly Uint8Array[], events: number): Promise<RedisBytes> {
  const link = await RedisConnection.open({ url, name: 'footprint', clock: systemClock });
  const used = async () => Number(/used_memory:(\d+)/.exec(String(await link.call('INFO', 'memory')))?.[1]);
  await fillTopic(url, NAMESPACE, frames.slice(0, 1));
  const before = await used();
  await fillTopic(url, NAMESPACE, frames.slice(1));
  const after = await used();
  const { stream } = partitionKeys(NAMESPACE, INPUT, 0);
  const streamBytes = Number(await link.call('MEMORY', 'USAGE', stream, 'SAMPLES', 0));
  link.close();
  const first = readEnvelope(frames[0] as Uint8Array).records;
  return {
    streamPerEvent: streamBytes / events,
    usedMemoryPerEvent: (after - before) / (events - first),
  };
}
