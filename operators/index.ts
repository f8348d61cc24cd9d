/** The authoring surface: what a job module imports to describe a job. */
export { partitionLog, type PartitionLogOptions } from '#engine';
export type { AsyncMapOptions } from './async-map.ts';
export type {
  BroadcastConnectedStream,
  BroadcastStream,
  ConnectedStreams,
} from './connected-streams.ts';
export { type DefinedBroadcastOperator, defineBroadcastOperator } from './define-broadcast-operator.ts';
export { defineCoOperator, type KeyedCoOperator } from './define-co-operator.ts';
export type { AcceptIdempotent, DataStream, KeyField, SinkTerms } from './data-stream.ts';
export {
  defineOperator,
  type KeyedOperator,
  type ProcessContext,
  type Timers,
  type,
  type TypeOf,
} from './define-operator.ts';
export {
  type AggregatingState,
  aggregatingState,
  type FoldingHandle,
  type ListHandle,
  type ListReader,
  type ListState,
  listState,
  type MapHandle,
  type MapReader,
  type MapState,
  mapState,
  type ReducingState,
  reducingState,
  type StateOptions,
  type ValueHandle,
  type ValueReader,
  type ValueState,
  valueState,
} from './state/state-kinds.ts';
export type { SourceSettings } from './graph-builder.ts';
export { defineJob, type JobBuilder, type JobDefinition, type JobSettings } from './job.ts';
export type { KeyedStream, ProcessedStream } from './keyed-stream.ts';
export type { AggregatedStream, WindowedStream, WindowResult } from './windowed-stream.ts';
export type { AggregateFunction } from './window/aggregate-function.ts';
export {
  type Aggregate,
  type AggregateResult,
  type AggregateSpec,
  avg,
  count,
  max,
  min,
  p50,
  p95,
  p99,
  sum,
} from './window/aggregates.ts';
export { type TimeWindow, type TumblingWindows, tumbling } from './window/assigner.ts';
export {
  bool,
  bytes,
  eventTime,
  f32,
  f64,
  type Infer,
  i32,
  i64,
  nullable,
  obj,
  type Schema,
  schema,
  string,
  time,
} from '#wire';
