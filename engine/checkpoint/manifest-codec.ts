import { crc32 } from 'node:zlib';
import { Packr } from 'msgpackr';
import { checkpointId, generation, offset } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import type { BlobRef } from './checkpoint-store.ts';
import type { Manifest, SinkCommit, SnapshotRef } from './manifest.ts';

/**
 * A manifest as stored:
 *
 *     0  4  'MRM' and the envelope's version, 1
 *     4  4  u32 LE  CRC-32 of what follows
 *     8  …  msgpack of the manifest, a map with string keys
 */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const body = packr.pack(knownFields(manifest));
  const bytes = Buffer.alloc(HEADER_BYTES + body.length);
  bytes.set(MAGIC, 0);
  bytes.writeUInt32LE(crc32(body), 4);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/**
 * Reads {@link encodeManifest} back. Fields it does not know are dropped.
 * @throws MR_CHECKPOINT_CORRUPT when the bytes were damaged; MR_STATE_INCOMPATIBLE when a newer format wrote them.
 */
export function decodeManifest(job: string, id: number, bytes: Uint8Array): Manifest {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const body = buffer.subarray(HEADER_BYTES);
  const intact =
    buffer.length > HEADER_BYTES &&
    buffer.subarray(0, MAGIC.length).equals(MAGIC) &&
    buffer.readUInt32LE(4) === crc32(body);
  if (!intact) throw corrupt(job, id, 'its checksum differs');
  const manifest = unpack(job, id, body);
  if (manifest.format !== 1) {
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `Checkpoint ${id} of job '${job}' has format ${String(manifest.format)}; this version reads format 1. Restore it with the version that wrote it, or a newer one.`,
      { details: { job, checkpoint: id } },
    );
  }
  try {
    return knownFields(manifest);
  } catch (cause) {
    throw corrupt(job, id, 'a field is missing or has another shape', cause);
  }
}

/** Every blob that a manifest names. */
export function blobsOf(manifest: Manifest): readonly BlobRef[] {
  return manifest.snapshots.flatMap((snapshot) => snapshot.blobs);
}

const MAGIC = Buffer.from('MRM\u0001', 'latin1');
const HEADER_BYTES = 8;
/** `copyBuffers`: bytes inside committables must not be views of a network chunk. */
const packr = new Packr({ useRecords: false, copyBuffers: true });

function unpack(job: string, id: number, body: Uint8Array): Manifest {
  try {
    return packr.unpack(body) as Manifest;
  } catch (cause) {
    throw corrupt(job, id, 'it is not msgpack', cause);
  }
}

function knownFields(m: Manifest): Manifest {
  return {
    format: 1,
    job: m.job,
    id: checkpointId(m.id),
    generation: generation(m.generation),
    kind: m.kind,
    triggeredAt: m.triggeredAt,
    completedAt: m.completedAt,
    maxParallelism: m.maxParallelism,
    snapshots: m.snapshots.map(snapshotFields),
    positions: m.positions.map((p) => ({
      topic: p.topic,
      partition: p.partition,
      offset: offset(p.offset),
      chain: p.chain,
    })),
    sinks: m.sinks.map(sinkFields),
  };
}

function snapshotFields(s: SnapshotRef): SnapshotRef {
  return {
    operator: s.operator,
    subtask: s.subtask,
    parallelism: s.parallelism,
    blobs: s.blobs.map((b) => ({ key: b.key, bytes: b.bytes, crc: b.crc })),
  };
}

function sinkFields(s: SinkCommit): SinkCommit {
  return { operator: s.operator, sinkId: s.sinkId, seq: s.seq, committables: [...s.committables] };
}

function corrupt(job: string, id: number, why: string, cause?: unknown): MillraceError {
  return new MillraceError(
    'MR_CHECKPOINT_CORRUPT',
    `The manifest of checkpoint ${id} of job '${job}' cannot be used: ${why}. Remove it, then restore an older checkpoint or a savepoint.`,
    { cause, details: { job, checkpoint: id } },
  );
}
