/** The authoring surface: what a job module imports to describe a job. */
export {
  collection,
  partitionLog,
  type PartitionLogOptions,
  redisStream,
  type RedisStreamOptions,
} from '#engine';
export type { AsyncMapOptions } from './async-map.ts';
export type {
  BroadcastConnectedStream,
  BroadcastStream,
  ConnectedStreams,
} from './connected-streams.ts';
export { type DefinedBroadcastOperator, defineBroadcastOperator } from './define-broadcast-operator.ts';
export { defineCoOperator, type KeyedCoOperator } from './define-co-operator.ts';
export type {
  AcceptIdempotent,
  DataStream,
  Derived,
  KeyField,
  SinkTerms,
  SplitStream,
} from './data-stream.ts';
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
export type { KeyedStream, MatchedStream, ProcessedStream, RankedStream } from './keyed-stream.ts';
export type {
  AggregatedStream,
  AllWindowedStream,
  AllWindowResult,
  WindowedStream,
  WindowProcessedStream,
  WindowResult,
} from './windowed-stream.ts';
export type { AggregateFunction } from './window/aggregate-function.ts';
export {
  type Aggregate,
  type AggregateResult,
  type AggregateSpec,
  avg,
  count,
  countIf,
  distinct,
  first,
  last,
  max,
  min,
  p50,
  p95,
  p99,
  stddev,
  sum,
  variance,
} from './window/aggregates.ts';
export type { WindowAssigner, WindowsOf } from './window/general-window-spec.ts';
export { countWindow, type GlobalWindows, global } from './window/global-windows.ts';
export { type SessionWindows, session } from './window/session-assigner.ts';
export {
  defineTrigger,
  onEventTime,
  onCount,
  onProcessingTime,
  purging,
  type Trigger,
  type TriggerContext,
  type TriggerDefinition,
  type TriggerResult,
  type TriggerTimers,
} from './window/trigger.ts';
export { continuousEventTime, continuousProcessingTime } from './window/trigger-continuous.ts';
export { type EmitEarlyOptions, emitEarly } from './window/trigger-early.ts';
export {
  defineWindowFunction,
  type WindowClearContext,
  type WindowFunction,
  type WindowProcessContext,
} from './window/window-process.ts';
export type { DistinctOptions } from './distinct.ts';
export type { CoGroup, IntervalJoin, JoinedStream, WindowJoin } from './joined-stream.ts';
export type { JoinType } from './join/interval-join.ts';
export type { TemporalJoinOptions } from './join/temporal-join.ts';
export type { LookupJoinOptions } from './lookup-join.ts';
export type { MatchContext, PatternMatchSpec, TimedOutMatch } from './pattern/pattern-operator.ts';
export { type Pattern, pattern } from './pattern/pattern.ts';
export type { RunningTop, TopNOptions, WindowTop } from './top-n.ts';
export {
  type SlidingWindows,
  sliding,
  type TimeWindow,
  type TumblingWindows,
  tumbling,
} from './window/assigner.ts';
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
export { STATE_DESCRIBERS } from './inspect/state-describers.ts';
