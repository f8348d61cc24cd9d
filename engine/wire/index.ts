/** The wire format's public surface, `#wire`: all that a program needs to speak to Millrace without running it. */
export { systemClock } from '../base/clock.ts';
export type { Clock } from '../base/clock.ts';
export { durationMs, durationText } from '../base/duration.ts';
export type { Duration } from '../base/duration.ts';
export { errorCode, errorText, hasCode, invariant, MillraceError } from '../base/errors.ts';
export type { ErrorCode, ErrorDetails } from '../base/errors.ts';
export { LIMITS } from '../base/limits.ts';
export { backoffMs, seededRandom, systemRandom } from '../base/random.ts';
export type { Random } from '../base/random.ts';
export {
  keyPartitioner,
  PARTITIONER_KEY_GROUPS,
  partitioningText,
  samePartitioning,
} from '../key/key-partitioner.ts';
export type { PartitionedBy, Partitioner } from '../key/key-partitioner.ts';
export { heldForwardersKey, partitionKeys, schemasKey, topicsKey, validName } from '../redis/keys.ts';
export type { PartitionKeys } from '../redis/keys.ts';
export { isNullAt } from './batch.ts';
export type { Batch, Column } from './batch.ts';
export { BatchBuilder } from './batch-builder.ts';
export { type ColumnStore, columnStore } from './column-store.ts';
export type { GenerationOptions } from './code-generation.ts';
export {
  FRAME_CRC_AT,
  FRAME_EPOCH_AT,
  FRAME_FIRST_AT,
  FRAME_LAST_AT,
  FRAME_PREV_AT,
  FRAME_PRODUCER_AT,
  FRAME_PRODUCER_BYTES_AT,
  FRAME_RECORDS_AT,
  readEnvelope,
} from './envelope.ts';
export type { Envelope, FrameHeader } from './envelope.ts';
export { decodeFrame, encodeFrame, verifyFrame } from './frame.ts';
export { recordInvalid, refusal as fieldRefusal } from './field-check.ts';
export { JsonScanner } from './json-scanner.ts';
export { fmix32, mixRound, murmur3Words } from './murmur3.ts';
export { parseJsonRecord, recordParser } from './record-parser.ts';
export type { RecordParser } from './record-parser.ts';
export { restampFrame } from './restamp-frame.ts';
export { rowReader } from './row-reader.ts';
export type { RowReader } from './row-reader.ts';
export {
  bool,
  bytes,
  eventTime,
  f32,
  f64,
  i32,
  i64,
  nullable,
  obj,
  parseSchemaText,
  schema,
  schemaOf,
  schemaText,
  string,
  time,
} from './schema.ts';
export type { Field, Fields, FieldType, Infer, NamedField, RowOf, Schema, SchemaId } from './schema.ts';
export { StringDictionary } from './string-dictionary.ts';
