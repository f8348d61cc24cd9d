/**
 * The checkpoint protocol: facts in, decision out, no I/O, no clock. The memory store acts on these decisions; the scripts
 * of the Redis store mirror them, and one suite holds both together.
 *
 * CP1 Only the newest token publishes, and only under the newest generation; only the newest generation writes blobs.
 * CP2 Published ids rise. An id is published at most once; asking again under the same token answers `already`.
 * CP3 A published manifest names only blobs that are stored.
 * CP4 At most `retain` checkpoints are kept, always the newest ones. A savepoint goes only when a person removes it.
 * CP5 Collection takes no blob that a retained manifest names, and none that the living generation may still publish.
 * CP6 A job resumes only at positions that its logs still hold, and never silently from nothing once it has a checkpoint.
 */
import type { CheckpointId, Generation } from '../base/brand.ts';
import type { Position, TopicPosition } from '../log/partition-log.ts';
import type { Ownership } from './checkpoint-store.ts';
import type { Manifest } from './manifest.ts';

/** What a store knows of one job. */
export interface ControlRecord {
  /** Null before the first takeover. */
  readonly token: string | null;
  readonly generation: number;
  /** Highest id ever published, 0 = none. Stays when manifests are retired or removed. */
  readonly published: number;
  /** Manifests still kept, ids rising. */
  readonly retained: readonly RetainedCheckpoint[];
}

export interface RetainedCheckpoint {
  readonly id: CheckpointId;
  readonly kind: Manifest['kind'];
  /** Who published it. */
  readonly token: string;
}

export type FenceDecision =
  | { readonly kind: 'owned' }
  | { readonly kind: 'fenced'; readonly by: 'token' | 'generation' };

/** May `claim` act as the owner? The token decides first: its holder alone may raise the generation. */
export function decideFence(control: ControlRecord, claim: Ownership): FenceDecision {
  if (claim.token !== control.token) return { kind: 'fenced', by: 'token' };
  if (claim.generation !== control.generation) return { kind: 'fenced', by: 'generation' };
  return { kind: 'owned' };
}

export type UploadDecision =
  | { readonly kind: 'write' }
  | { readonly kind: 'already' }
  | { readonly kind: 'fenced'; readonly by: 'token' | 'generation' }
  /** The name is taken by other bytes. */
  | { readonly kind: 'taken' }
  | { readonly kind: 'no-space'; readonly storedBytes: number };

export interface UploadFacts {
  /** Bytes of the new blob. */
  readonly bytes: number;
  /** Bytes of all stored blobs of the job. */
  readonly storedBytes: number;
  readonly reservedBytes: number;
  /** What is stored under the name now. */
  readonly existing: 'none' | 'equal' | 'different';
}

/** May this blob be stored? A repeated upload (its reply was lost) is recognised by equal bytes. */
export function decideUpload(control: ControlRecord, claim: Ownership, facts: UploadFacts): UploadDecision {
  const fence = decideFence(control, claim);
  if (fence.kind === 'fenced') return fence;
  if (facts.existing !== 'none') return { kind: facts.existing === 'equal' ? 'already' : 'taken' };
  if (facts.storedBytes + facts.bytes > facts.reservedBytes) {
    return { kind: 'no-space', storedBytes: facts.storedBytes };
  }
  return { kind: 'write' };
}

export type PublishDecision =
  /** Store the manifest and forget these. */
  | { readonly kind: 'publish'; readonly retire: readonly CheckpointId[] }
  | { readonly kind: 'already' }
  | { readonly kind: 'fenced'; readonly by: 'token' | 'generation' }
  /** A later id, or this one by another owner, has been published. */
  | { readonly kind: 'stale'; readonly published: number }
  /** It names a blob that is not stored. */
  | { readonly kind: 'incomplete' };

export interface PublishFacts {
  readonly id: CheckpointId;
  readonly kind: Manifest['kind'];
  readonly retain: number;
  readonly blobsStored: boolean;
}

/** May this manifest become the newest one, and which ones does it push out? */
export function decidePublish(
  control: ControlRecord,
  claim: Ownership,
  candidate: PublishFacts,
): PublishDecision {
  const fence = decideFence(control, claim);
  if (fence.kind === 'fenced') return fence;
  const before = control.retained.find((kept) => kept.id === candidate.id);
  if (before?.token === claim.token) return { kind: 'already' };
  if (candidate.id <= control.published) return { kind: 'stale', published: control.published };
  if (!candidate.blobsStored) return { kind: 'incomplete' };
  return {
    kind: 'publish',
    retire: retire([...control.retained, { ...candidate, token: claim.token }], candidate.retain),
  };
}

/** Ids beyond the newest `retain` checkpoints; savepoints neither count nor go. */
export function retire(
  retained: readonly Pick<RetainedCheckpoint, 'id' | 'kind'>[],
  retain: number,
): readonly CheckpointId[] {
  const ids = retained.filter((kept) => kept.kind === 'checkpoint').map((kept) => kept.id);
  return ids.sort((a, b) => a - b).slice(0, Math.max(0, ids.length - Math.max(1, retain)));
}

/** One stored blob, as far as collection needs to know it. */
export interface StoredBlob {
  readonly key: string;
  readonly generation: number;
  readonly checkpoint: number;
}

/**
 * Blobs that nothing can need any more. The verdict is final, so deleting may happen later and in pieces, provided that
 * `named` was read after `control` and `stored`: what a later manifest names is new, or named by the one before it.
 */
export function decideCollect(
  control: Pick<ControlRecord, 'generation' | 'published'>,
  stored: readonly StoredBlob[],
  named: ReadonlySet<string>,
): readonly string[] {
  const mayBePublished = (blob: StoredBlob) =>
    blob.generation >= control.generation && blob.checkpoint > control.published;
  return stored.filter((blob) => !named.has(blob.key) && !mayBePublished(blob)).map((blob) => blob.key);
}

/** What a partition's log says now. */
export interface LogFacts {
  /** First position still there, and the one that the next record will get. */
  readonly start: Position;
  readonly end: Position;
}

export type PositionVerdict = 'kept' | 'trimmed' | 'rolled-back' | 'no-topic';

/**
 * Can a reader go on at `position`? The chain is compared where the log tells it (at both ends); in between the reader itself
 * finds a mismatch, and its checkpoint is then ruled out in {@link decideRestore}.
 */
export function judgePosition(position: Position, log: LogFacts | null): PositionVerdict {
  if (log === null) return 'no-topic';
  if (position.offset < log.start.offset) return 'trimmed';
  if (position.offset > log.end.offset) return 'rolled-back';
  for (const known of [log.start, log.end]) {
    if (position.offset === known.offset && position.chain !== known.chain) return 'rolled-back';
  }
  return 'kept';
}

export interface RefusedPosition extends TopicPosition {
  readonly verdict: Exclude<PositionVerdict, 'kept'>;
}

/** Why one manifest cannot be resumed from: its positions, or a mismatch that a reader found earlier (no positions then). */
export interface Refusal {
  readonly id: CheckpointId;
  readonly positions: readonly RefusedPosition[];
}

export type RestoreDecision =
  /** The job has never had a checkpoint. */
  | { readonly kind: 'fresh' }
  /** `refused`: newer ones that were passed over. */
  | { readonly kind: 'restore'; readonly manifest: Manifest; readonly refused: readonly Refusal[] }
  | { readonly kind: 'impossible'; readonly refused: readonly Refusal[] };

export interface RestoreFacts {
  /** Retained manifests in any order. */
  readonly manifests: readonly Manifest[];
  /** Restore exactly this one (a savepoint, say), or null for the newest checkpoint that fits. */
  readonly chosen: CheckpointId | null;
  readonly log: (topic: string, partition: number) => LogFacts | null;
  /** Checkpoints that a reader has found not to match their log. */
  readonly ruledOut: ReadonlySet<CheckpointId>;
}

/**
 * The newest manifest whose positions are all still in their logs and match. A savepoint counts like a checkpoint: its sinks have
 * committed, so going back behind it would give its output again.
 */
export function decideRestore(facts: RestoreFacts): RestoreDecision {
  const { manifests, chosen } = facts;
  const candidates = manifests.filter((m) => chosen === null || m.id === chosen).sort((a, b) => b.id - a.id);
  const refused: Refusal[] = [];
  for (const manifest of candidates) {
    const positions = refusedPositions(manifest, facts.log);
    if (positions.length === 0 && !facts.ruledOut.has(manifest.id))
      return { kind: 'restore', manifest, refused };
    refused.push({ id: manifest.id, positions });
  }
  return chosen === null && candidates.length === 0 ? { kind: 'fresh' } : { kind: 'impossible', refused };
}

/**
 * What to register in the logs before `candidate` is published: per partition the lowest position of every retained checkpoint and the
 * candidate. Retired ones still count, since the publication may fail; the next checkpoint lets go of theirs. A partition
 * that one of them does not know is left out, and so keeps what it has.
 */
export function positionsToHold(
  retained: readonly Manifest[],
  candidate: Manifest,
): readonly TopicPosition[] {
  const lists = [candidate, ...retained.filter((m) => m.kind === 'checkpoint')].map((m) => m.positions);
  return candidate.positions.flatMap(({ topic, partition }) => {
    const known = lists.map((list) => list.find((p) => p.topic === topic && p.partition === partition));
    if (known.includes(undefined)) return [];
    return [(known as TopicPosition[]).reduce((low, p) => (p.offset < low.offset ? p : low))];
  });
}

/** The ownership after a takeover: a new token and the next generation. */
export function takenOver(control: ControlRecord, job: string, token: string): Ownership {
  return { job, token, generation: (control.generation + 1) as Generation };
}

function refusedPositions(manifest: Manifest, log: RestoreFacts['log']): readonly RefusedPosition[] {
  return manifest.positions.flatMap((position) => {
    const verdict = judgePosition(position, log(position.topic, position.partition));
    return verdict === 'kept' ? [] : [{ ...position, verdict }];
  });
}
