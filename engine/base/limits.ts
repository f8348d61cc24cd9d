/**
 * Every bound of the engine in one place. A queue, buffer, retry or cache that is not bounded from here is a bug.
 * Sizes in bytes, times in ms, counts without a unit.
 */
export const LIMITS = {
  /** Records in one frame at most. */
  frameRecordsMax: 65_536,
  /** Body of one frame, uncompressed, at most; checked before anything is allocated. */
  frameBodyBytesMax: 16 * 1024 * 1024,
  /** What a writer aims at. */
  frameTargetBytes: 64 * 1024,
  frameTargetRecords: 1_024,
  /** Fields of one schema at most. */
  schemaFieldsMax: 512,
  /** Length of a field, topic, operator, job or producer name at most. */
  nameLengthMax: 128,
  /** One string or nested value inside a record, as bytes. */
  cellBytesMax: 1024 * 1024,
  /** Batches queued on one in-thread channel before the sender must stop. */
  channelBatchesMax: 8,
  /** Frames a source reads ahead per partition. */
  sourceFramesAheadMax: 8,
  /** A task's turn before it yields to the event loop. */
  turnMs: 2,
  /** Records of one batch handed on by an operator that emits many (window fires, timers). */
  emitRecordsMax: 1_024,
  /** One checkpoint blob. */
  blobBytesMax: 256 * 1024,
  /** Producers remembered per partition. */
  producersPerPartitionMax: 10_000,
  /** A key's canonical bytes. */
  keyBytesMax: 64 * 1024,
  checkpointTimeoutMs: 600_000,
  checkpointsRetainedDefault: 3,
  historyEntriesMax: 64,
} as const;
