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
  sourceFramesAheadMax: 32,
  /** A task's turn before it yields to the event loop. */
  turnMs: 2,
  /** Records of one batch handed on by an operator that emits many (window fires, timers). */
  emitRecordsMax: 1_024,
  /** One checkpoint blob. */
  blobBytesMax: 256 * 1024,
  /** One checkpoint blob in a folder or an object store. */
  objectBytesMax: 4 * 1024 * 1024,
  /** Attempts of one request to an object store, and how long each may take to connect and to be answered. */
  objectAttemptsMax: 4,
  objectConnectMs: 5_000,
  objectRequestMs: 30_000,
  /** Name of a blob inside its checkpoint, in characters. */
  blobNameLengthMax: 512,
  /** All blobs of one job at most, unless declared; beyond it checkpoints fail rather than starve the log. */
  checkpointReservedBytes: 256 * 1024 * 1024,
  /** Blobs of one snapshot that are written, or of one restore that are read, at once. */
  blobWritesInFlightMax: 8,
  blobReadsInFlightMax: 16,
  /** Blobs that one manifest names at most. */
  manifestBlobsMax: 65_536,
  /** Deletions of a collection under way at once. */
  blobDeletesInFlightMax: 64,
  /** Producers remembered per partition. */
  producersPerPartitionMax: 10_000,
  /** A key's canonical bytes. */
  keyBytesMax: 64 * 1024,
  /** A job's dead letters; the oldest are dropped beyond, and counted. */
  deadLetterBytesKept: 128 * 1024 * 1024,
  checkpointTimeoutMs: 600_000,
  checkpointsRetainedDefault: 3,
  historyEntriesMax: 64,
  failuresKept: 16,
  /** A rescaled job that has completed no checkpoint by then goes back. */
  rescaleHealthMs: 60_000,
  /** Distinct records that are counted as failing attempts. */
  poisonCandidatesMax: 1_000,
  /** How long a call waits for a Redis that does not answer. */
  redisUnavailableMs: 30_000,
  /** A socket with an unanswered command and no byte for this long is dead. */
  redisSocketTimeoutMs: 10_000,
  redisReconnectMsMax: 2_000,
  /** One reply that is read as bytes; a longer one ends the connection. */
  redisReplyBytesMax: 1024 * 1024 * 1024,
  /** Between two readings of a cluster's map while its nodes fail. */
  clusterMapReadMs: 100,
  /** An unanswered call has a cluster's map read again this often. */
  clusterSilentMs: 1_000,
  /** One wait for replicas or for the append-only file. */
  redisDurableMs: 5_000,
  topicPartitionsMax: 1_024,
  topicQuotaBytesDefault: 256 * 1024 * 1024,
  /** An XREAD of partitions that are all at their heads; also how old a look at a head gets. */
  readBlockMs: 100,
  /** Between two looks at partitions of several slots, over which no read can block, once nothing has come for a while. */
  readPollMsMax: 20,
  /** Frames per partition of one read over several partitions. */
  readFramesPerPoll: 2,
  /** Entries of one read of a foreign stream. */
  streamReadEntriesMax: 4_096,
  /** What one read of a foreign stream should hold at most, in bytes, by the sizes seen so far. */
  streamReadBytes: 1024 * 1024,
  /** Reads and bytes that wait ahead per foreign stream. */
  streamReadsAheadMax: 8,
  streamBytesAheadMax: 4 * 1024 * 1024,
  /** Everything one sink stages beside one partition for one barrier. */
  stageBytesMax: 64 * 1024 * 1024,
  /** Bytes that one script call moves from a stage to the log; a larger stage takes several calls. */
  stageCommitBytes: 4 * 1024 * 1024,
  /** Frames that one retention script looks at. */
  trimFramesPerCall: 64,
  /** Frame bytes a writer has sent to one partition and not yet seen acknowledged; beyond it `write` waits. */
  writerInFlightBytesMax: 4 * 1024 * 1024,
  /** Inputs that one asynchronous operator holds before its task takes no more: called, waiting, or done behind an earlier one. */
  asyncInputsMax: 10_000,
  /** Attempts of one asynchronous call. */
  callAttemptsMax: 100,
  /** Keys per subtask whose state is in memory between two batches when a job keeps its state on disk, unless declared. */
  hotKeysDefault: 1_000_000,
  /** Partial matches of one key that pattern detection follows, unless declared. */
  partialMatchesMax: 10_000,
  /** A coordinator's lease. */
  leaseTtlMs: 2_000,
  leaseTtlMsMin: 100,
  leaseTtlMsMax: 600_000,
  /** A worker's heartbeat, and its silence after which it is given up. */
  workerHeartbeatMs: 500,
  workerExpiryMs: 2_000,
  /** How often a coordinator looks who is there; after how much silence a worker without connection is given up. */
  workerLookMs: 250,
  workerSilentMs: 700,
  /** The same of a coordinator, which renews its lease every third of its time. */
  leaseSilentMs: 900,
  /** A server to which no link has been connected for so long does not tell which are missing. */
  linkAbsentMs: 3_000,
  /** How often a worker looks whether anybody still wants what it runs. */
  orphanLookMs: 5_000,
  workersMax: 4_096,
  workerSlotsMax: 1_024,
  /** A worker's description as JSON. */
  workerBytesMax: 4 * 1024,
  /** For how long and how many ids of workers are remembered as given up; longer than a call may be repeated. */
  workersGoneMs: 600_000,
  workersGoneMax: 16_384,
  /** One message between a coordinator and a worker. */
  controlMessageBytesMax: 1024 * 1024,
  /** What waits in one sender, and unread in one inbox. */
  controlWaitingBytesMax: 8 * 1024 * 1024,
  controlUnreadBytesMax: 16 * 1024 * 1024,
  /** What a message counts beside its own bytes. */
  controlMessageOverheadBytes: 128,
  /** How long a sender waits for a full inbox. */
  controlFullMs: 5_000,
  controlMessagesPerCall: 64,
  controlSendersMax: 8_192,
  /** A wait of a reader for its next message. */
  controlBlockMs: 1_000,
  /** How long an inbox stays that nobody reads. */
  controlTtlMs: 600_000,
  /** Answered commands of one job that are remembered, and those that may wait for an answer. */
  commandsKept: 256,
  commandsPendingMax: 64,
  commandBytesMax: 16 * 1024,
  /** A job's settings, and its status document. */
  jobSettingsBytesMax: 64 * 1024,
  jobStatusBytesMax: 1024 * 1024,
  jobsMax: 4_096,
  bundleBytesMax: 64 * 1024 * 1024,
  bundleChunkBytes: 1024 * 1024,
  /** How long the chunks of a bundle stay that was never completed. */
  bundleUnfinishedMs: 3_600_000,
  /** Hosts of one generation; their streams are as many as its square. */
  exchangeHostsMax: 256,
  /** How long an exchange stream stays that nobody refreshes. */
  exchangeTtlMs: 60_000,
  exchangeCallsInFlightMax: 64,
  /** How long a job waits for free slots before that counts as a failed attempt, and how often it looks. */
  slotPatienceMs: 10_000,
  slotPollMs: 100,
  /** How often a coordinator looks for changes and publishes its job's status, and a stand-by for jobs without coordinator. */
  coordinationLookMs: 250,
  supervisorLookMs: 500,
  /** A host in another thread or process tells its figures this often. */
  hostStatusEveryMs: 250,
  /** Threads that a worker keeps ready to be hosts at most, how long after the last one was taken they are made up for, and in what distance. */
  spareThreadsMax: 4,
  spareThreadsAfterMs: 10_000,
  spareThreadsEveryMs: 500,
  /** When a thread gives back what loading its modules took, unless it uses more than so much by then. */
  heapTrimAfterMs: 10_000,
  heapTrimBytesMax: 64 * 1024 * 1024,
  /** How long a host's thread may take to close before it is ended. */
  hostClosePatienceMs: 5_000,
  /** Parts of one entry between two hosts, about; one element may be larger. */
  exchangeEntryBytes: 256 * 1024,
  /** Entries of one host that one read takes. */
  exchangeReadEntries: 16,
  exchangeBlockMs: 1_000,
  /** What was read of a stream between two hosts is let go of this often at most. */
  exchangeTrimEveryMs: 100,
  /** Blobs that an inspection of a checkpoint keeps in memory. */
  inspectBlobBytes: 16 * 1024 * 1024,
  /** Rows that a comparison of topics keeps until it has seen their counterparts. */
  compareRowsMax: 1_000_000,
} as const;
