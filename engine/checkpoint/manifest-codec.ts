import { crc32 } from '../base/crc32.ts';
import { Packr } from 'msgpackr';
import { checkpointId, generation, offset } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import type { BlobRef } from './checkpoint-store.ts';
import type { BlobRange, Manifest, SinkCommit } from './manifest.ts';
import { type PackedSnapshots, packSnapshotRefs, unpackSnapshotRefs } from './snapshot-ref-codec.ts';

/**
 * A manifest as stored:
 *
 *     0  4  'MRM' and the envelope's version, 1
 *     4  4  u32 LE  CRC-32 of what follows
 *     8  …  msgpack of the manifest, a map with string keys; its snapshots as in snapshot-ref-codec.ts
 */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const body = packr.pack({
    ...knownFields(manifest),
    snapshots: packSnapshotRefs(manifest.snapshots),
  } satisfies StoredManifest);
  const bytes = Buffer.alloc(HEADER_BYTES + body.length);
  bytes.set(MAGIC, 0);
  bytes.writeUInt32LE(crc32(body), 4);
  bytes.set(body, HEADER_BYTES);
  return bytes;
}

/**
 * Reads {@link encodeManifest} back. Fields it does not know are dropped.
 * @throws MR_CHECKPOINT_CORRUPT when the bytes were damaged; MR_STATE_INCOMPATIBLE when they have another format.
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
  if (manifest.format !== FORMAT) {
    throw new MillraceError(
      'MR_STATE_INCOMPATIBLE',
      `Checkpoint ${id} of job '${job}' has format ${manifest.format}; this version reads format ${FORMAT}. Restore it with the version that wrote it, or remove it to start the job afresh.`,
      { details: { job, checkpoint: id } },
    );
  }
  try {
    return { ...knownFields(manifest), snapshots: unpackSnapshotRefs(manifest.snapshots) };
  } catch (cause) {
    throw corrupt(job, id, 'a field is missing or has another shape', cause);
  }
}

/** Every blob that a manifest names, each once. */
export function blobsOf(manifest: Manifest): readonly BlobRef[] {
  const blobs = new Map<string, BlobRef>();
  const add = ({ pieces }: BlobRange) => {
    for (const { blob } of pieces) blobs.set(blob.key, blob);
  };
  for (const { head, groups } of manifest.snapshots) {
    add(head);
    groups.forEach(add);
  }
  return [...blobs.values()];
}

/** A manifest as msgpack holds it. */
interface StoredManifest extends Omit<Manifest, 'format' | 'snapshots'> {
  readonly format: number;
  readonly snapshots: PackedSnapshots;
}

const FORMAT = 2;

const MAGIC = Buffer.from('MRM\u0001', 'latin1');
const HEADER_BYTES = 8;
/** `copyBuffers`: bytes inside committables must not be views of a network chunk. */
const packr = new Packr({ useRecords: false, copyBuffers: true });

function unpack(job: string, id: number, body: Uint8Array): StoredManifest {
  try {
    return packr.unpack(body) as StoredManifest;
  } catch (cause) {
    throw corrupt(job, id, 'it is not msgpack', cause);
  }
}

function knownFields(m: Omit<Manifest, 'format' | 'snapshots'>): Omit<Manifest, 'snapshots'> {
  return {
    format: FORMAT,
    job: m.job,
    jobVersion: m.jobVersion,
    id: checkpointId(m.id),
    generation: generation(m.generation),
    kind: m.kind,
    triggeredAt: m.triggeredAt,
    completedAt: m.completedAt,
    parallelism: m.parallelism,
    maxParallelism: m.maxParallelism,
    operators: m.operators.map(({ id, kind, stateful, keys }) => ({
      id,
      kind,
      stateful,
      ...(keys === undefined ? {} : { keys: [...keys] }),
    })),
    positions: m.positions.map((p) => ({
      topic: p.topic,
      partition: p.partition,
      offset: offset(p.offset),
      chain: p.chain,
    })),
    sinks: m.sinks.map(sinkFields),
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
