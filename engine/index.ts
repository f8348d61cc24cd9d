/** The public surface of the engine: what operators, sinks, jobs, ops, benchmarks and tests may use. */
export type { Brand, CheckpointId, Generation, KeyGroup, Offset } from './base/brand.ts';
export { checkpointId, generation, keyGroup, offset } from './base/brand.ts';
export type { Clock } from './base/clock.ts';
export { systemClock } from './base/clock.ts';
export type { Duration, DurationText } from './base/duration.ts';
export { durationMs, durationText } from './base/duration.ts';
export type { ErrorCode, ErrorDetails, ErrorDomain, RetryHint } from './base/errors.ts';
export { ERROR_CATALOGUE, errorCode, errorText, hasCode, invariant, MillraceError } from './base/errors.ts';
export { LIMITS } from './base/limits.ts';
export type { Random } from './base/random.ts';
export { backoffMs, seededRandom, systemRandom } from './base/random.ts';
export type { BlobRef, CheckpointStore, Ownership } from './checkpoint/checkpoint-store.ts';
export type { Manifest, SinkCommit, SnapshotRef } from './checkpoint/manifest.ts';
export type * from './coordinator/job-status.ts';
export type * from './log/partition-log.ts';
export type {
  Guarantee,
  Sink,
  SinkCommitRequest,
  SinkCommitter,
  SinkContext,
  SinkInput,
  SinkWriter,
} from './runtime/sink.ts';
