/** The public surface of the engine: what operators, sinks, jobs, ops, benchmarks and tests may use. */
export type { Brand, CheckpointId, Generation, KeyGroup, Offset } from './base/brand.ts';
export { checkpointId, generation, keyGroup, offset } from './base/brand.ts';
export type { Clock } from './base/clock.ts';
export { systemClock } from './base/clock.ts';
export type { Duration, DurationText, SignedDuration } from './base/duration.ts';
export { durationMs, durationText, signedDurationMs } from './base/duration.ts';
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
export { isKey, type Key, type KeyScalar } from './key/key.ts';
export { defaultMaxParallelism, keyGroupOf, keyGroupRange, subtaskOf } from './key/key-group.ts';
export type {
  GraphNode,
  JobGraph,
  JobOptions,
  NodeInput,
  OperatorInput,
  Partitioning,
  RestartOptions,
  StatePlacement,
} from './graph/job-graph.ts';
export { validateGraph } from './graph/validate.ts';
export { Attempt } from './coordinator/attempt.ts';
export { hostInThisThread, type OpenHosts } from './coordinator/open-hosts.ts';
export { TaskHost } from './host/task-host.ts';
export { planExecution } from './graph/execution-graph.ts';
export { type JobEnvironment, runJob } from './coordinator/job-runner.ts';
export { writeKeySlot } from './runtime/key-text.ts';
export { LoopWriter } from './runtime/loop-writer.ts';
export { InputMerger, type MergedInputs } from './runtime/input-merger.ts';
export type {
  DescribeGroup,
  KeyedStateView,
  MultiInputOperator,
  Operator,
  OperatorContext,
  OperatorCounters,
  OperatorDefinition,
  OperatorState,
  Output,
  Records,
  Waiting,
} from './runtime/operator.ts';
export { RowEmitter } from './runtime/row-emitter.ts';
export { SelectionBuilder } from './runtime/selection-builder.ts';
export { createPassThrough } from './runtime/pass-through.ts';
export { recordCount, rowAt, timeAt } from './runtime/record-at.ts';
export { type RowConsumer, RowLoop, type Stage } from './runtime/row-loop.ts';
export { StringInterner } from './state/string-interner.ts';
export { fieldsRead } from './runtime/fields-read.ts';
export type { RowFunction } from './runtime/function-node.ts';
export { argumentText, columnRow, resultOf } from './runtime/row-text.ts';
export type { RowText } from './runtime/row-text.ts';
export type { Source, SourceContext, SourceOptions, SourceReader, SourceSnapshot } from './runtime/source.ts';
export type { Element } from './runtime/channel.ts';
export {
  createKeySpace,
  type FieldKeySpace,
  type KeySelector,
  type KeySpace,
} from './state/key-space.ts';
export { type PackedKeys, packInSteps, storedKeyBytes, type StoredKeys } from './state/packed-keys.ts';
export type { ValueKeySpace } from './state/value-key-space.ts';
export { KeyGroupWriter, type StoredGroup } from './state/key-groups.ts';
export { type FrozenRest, KeyedSnapshots, type StoredKeyGroup } from './state/keyed-snapshots.ts';
export type { SlotTable } from './state/slot-table.ts';
export { SlotValues } from './state/slot-values.ts';
export { EntriesDraft, type StoredValues, valueReader, ValuesDraft } from './state/stored-values.ts';
export { heapStateBackend } from './state/heap-state-backend.ts';
export { lmdbState, type LmdbStateOptions } from './state/lmdb-state.ts';
export { type ArraySource, newArrays } from './state/array-source.ts';
export { LazyGroups } from './state/lazy-groups.ts';
export { checked, inSteps, type Steps } from './state/steps.ts';
export type {
  CellFormat,
  FrozenCells,
  OpenStateBackend,
  StateBackend,
  StateCells,
  StateWatcher,
} from './state/state-backend.ts';
export { MAX_WATERMARK, MIN_WATERMARK, minusSaturating, plusSaturating } from './time/watermark.ts';
export { DeadLetter, deadLetterTopic } from './log/dead-letter.ts';
export { partitionLog, type PartitionLogOptions } from './log/log-endpoint.ts';
export { RedisConnection } from './redis/connection.ts';
export {
  commandsPrefix,
  heldForwardersKey,
  jobDataKey,
  type SeriesKeys,
  seriesKeys,
  validName,
} from './redis/keys.ts';
export { redisFailure } from './redis/redis-error.ts';
export type { OpenRedisLink, RedisLink } from './redis/redis-link.ts';
export { loadScript } from './redis/script.ts';
export { ProcessingTimers } from './time/processing-timers.ts';
export { TimerQueue } from './time/timer-queue.ts';
export {
  openMemoryCheckpointStore,
  type MemoryCheckpointStorage,
} from './checkpoint/memory-checkpoint-store.ts';
export type { BlobStorage } from './checkpoint/blob-storage.ts';
export { exportSavepoint } from './checkpoint/export-savepoint.ts';
export { folderBlobs } from './checkpoint/folder-blobs.ts';
export { importSavepoint } from './checkpoint/import-savepoint.ts';
export { s3Blobs, type S3BlobsOptions } from './checkpoint/s3-blobs.ts';
export type { SavepointFile } from './checkpoint/savepoint-folder.ts';
export { type BlobStorageOptions, withBlobStorage } from './checkpoint/stored-blobs.ts';
export {
  openRedisCheckpointStore,
  type RedisCheckpointOptions,
} from './checkpoint/redis-checkpoint-store.ts';
export { FrameWriter, type FrameWriterOptions, type FrameWriterStats } from './log/frame-writer.ts';
export { memoryLogStore, openMemoryPartitionLog } from './log/memory-partition-log.ts';
export { openRedisPartitionLog, type RedisPartitionLogOptions } from './log/redis-partition-log.ts';
export { redisStream, type RedisStreamOptions } from './source/redis-stream.ts';
export type { StreamFormat } from './source/stream-entry.ts';
export type { AlignmentOptions } from './source/watermark-alignment.ts';
export { collection, type RowTimes } from './source/collection.ts';
export { BundleStore } from './cluster/bundle-store.ts';
export type { ClusterContext } from './cluster/cluster-context.ts';
export { ClusterWorker } from './cluster/cluster-worker.ts';
export { hostsOnWorkers } from './cluster/hosts-on-workers.ts';
export type { DesiredJob, JobChange, JobRequest, JsonObject, RequestKind } from './cluster/job-commands.ts';
export { JobCoordination, type LoadedPlan } from './cluster/job-coordination.ts';
export { type JobLease, JobLeases } from './cluster/job-lease.ts';
export { JobRegistry } from './cluster/job-registry.ts';
export { type Coordination, JobSupervisor } from './cluster/job-supervisor.ts';
export { type LivingWorker, WorkerRegistry } from './cluster/worker-registry.ts';
export { type ErrorRecord, errorOf, errorRecord } from './host/host-messages.ts';
export type { HostSettings, JobModuleContext, LoadedJob } from './host/host-settings.ts';
export { loadJob, MILLRACE_MODULES } from './host/load-job.ts';
export {
  type CompareOptions,
  compareTopics,
  type RowDifference,
  type TopicComparison,
} from './inspect/compare-topics.ts';
export {
  type DiffOptions,
  diffCheckpoints,
  type KeyChange,
  type OperatorDiff,
} from './inspect/diff-checkpoints.ts';
export {
  type InspectedCheckpoint,
  type InspectedOperator,
  type InspectOptions,
  type KeyEntry,
  type KeysOptions,
  type KeyState,
  openCheckpoint,
} from './inspect/inspected-checkpoint.ts';
export {
  type DeployPlan,
  type OperatorPlan,
  planDeploy,
  type PlanOptions,
  type TopicPlan,
} from './inspect/plan-deploy.ts';
export { type RehearsalOptions, rehearseRestore } from './inspect/rehearse-restore.ts';
export { trimHeapLater } from './host/trim-heap.ts';
export { SpareThreads, startHostThreads } from './host/thread-hosts.ts';
export { access, clientOf, reconnecting } from './redis/redis-client.ts';
export { parseRedisUrl, targetText } from './redis/redis-url.ts';
export type { Durability } from './redis/durability.ts';
export { type HasPlainForm, plainForm } from './exchange/plain-form.ts';
export { openStore, openStores } from './host/open-stores.ts';
export { parseBlobPlace } from './checkpoint/blob-place.ts';
