/** The authoring surface: what a job module imports to describe a job. */
export { partitionLog, type PartitionLogOptions } from '#engine';
export type { AsyncMapOptions } from './async-map.ts';
export type { AcceptIdempotent, DataStream, KeyField, SinkTerms } from './data-stream.ts';
export {
  defineOperator,
  type KeyedOperator,
  type ProcessContext,
  type Timers,
  type,
  type TypeOf,
  type ValueHandle,
  type ValueState,
  valueState,
} from './define-operator.ts';
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
