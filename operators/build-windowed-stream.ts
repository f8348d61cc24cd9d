import {
  type Duration,
  durationMs,
  MillraceError,
  type Operator,
  type OperatorDefinition,
  type OperatorInput,
} from '#engine';
import { FORWARD, type GraphBuilder } from './graph-builder.ts';
import type { AggregateFunction } from './window/aggregate-function.ts';
import type { AggregateSpec } from './window/aggregates.ts';
import { planCells } from './window/cells.ts';
import { generalWindow } from './window/general-window-operator.ts';
import type { WindowAggregation, WindowAssigner } from './window/general-window-spec.ts';
import { preAggregate } from './window/pre-aggregate.ts';
import { windowAggregateAll } from './window/pre-aggregate-merge.ts';
import { sessionAggregate } from './window/session-operator.ts';
import type { Trigger } from './window/trigger.ts';
import { windowAggregate } from './window/window-operator.ts';
import type { WindowFunction } from './window/window-process.ts';
import type { AllWindowResult, WindowedStream, WindowResult } from './windowed-stream.ts';

/** What has been said of a windowed stream so far. */
export interface WindowSettings {
  readonly windows: WindowAssigner;
  readonly allowedLatenessMs: number;
  /** Null = the windows' own. */
  readonly trigger: Trigger<never> | null;
  /** All records are under one key, which results do not show. */
  readonly isAll: boolean;
}

type How = AggregateSpec<unknown> | AggregateFunction<unknown, unknown, unknown>;
type AnyWindowFunction = WindowFunction<never, never, unknown, unknown>;

/** The fluent interface on a stream's windows. */
export function windowedStream(
  builder: GraphBuilder,
  input: OperatorInput,
  settings: WindowSettings,
): WindowedStream<unknown, unknown> {
  const changed = (changes: Partial<WindowSettings>) =>
    windowedStream(builder, input, { ...settings, ...changes });
  const stream: Record<keyof WindowedStream<unknown, unknown>, unknown> = {
    allowedLateness: (lateness: Duration) =>
      changed({ allowedLatenessMs: durationMs(lateness, 'allowed lateness') }),
    trigger: (trigger: Trigger<never>) => changed({ trigger }),
    aggregate: (id: string, how: How, then?: AnyWindowFunction) => {
      refuseSilent(id, settings);
      if (then !== undefined)
        return builder.operator(id, processed(settings, then, aggregationOf(how)), [input]);
      const results =
        preAggregated(builder, { id, input, settings, how }) ??
        builder.operator(id, aggregated(settings, how), [input]);
      return settings.isAll ? Object.assign(results.map(withoutKey), { side: results.side }) : results;
    },
    process: (id: string, windowFunction: AnyWindowFunction) => {
      refuseSilent(id, settings);
      return builder.operator(id, processed(settings, windowFunction, null), [input]);
    },
  };
  return stream as unknown as WindowedStream<unknown, unknown>;
}

/** Of all records: each subtask folds its own first, where that is possible. Null where not. */
function preAggregated(
  builder: GraphBuilder,
  of: {
    readonly id: string;
    readonly input: OperatorInput;
    readonly settings: WindowSettings;
    readonly how: How;
  },
): ReturnType<GraphBuilder['operator']> | null {
  const { windows, allowedLatenessMs, trigger, isAll } = of.settings;
  const aggregation = aggregationOf(of.how);
  if (!isAll || trigger !== null || aggregation.kind === 'fold') return null;
  if (windows.kind !== 'tumbling' && windows.kind !== 'sliding') return null;
  const spec = { windows, allowedLatenessMs, plan: planCells(aggregation.aggregates), fold: null };
  const digests = builder.operator(null, preAggregate(spec), [{ ...of.input, partitioning: FORWARD }]);
  const { partitioning } = of.input;
  const origin = builder.originOf(digests, 'windowAll');
  return builder.operator(of.id, windowAggregateAll(spec), [{ ...origin, partitioning }]);
}

/** The fast operators where they do what is asked for, else the general one. */
function aggregated(settings: WindowSettings, how: How): OperatorDefinition<Operator> {
  const { windows, allowedLatenessMs, trigger } = settings;
  const aggregation = aggregationOf(how);
  if (trigger === null && windows.kind !== 'global') {
    const isFold = aggregation.kind === 'fold';
    const plan = planCells(isFold ? {} : aggregation.aggregates);
    const fold = isFold ? (aggregation.fold as AggregateFunction<unknown, unknown, unknown>) : null;
    return windows.kind === 'session'
      ? sessionAggregate({ windows, allowedLatenessMs, plan, fold })
      : windowAggregate({ windows, allowedLatenessMs, plan, fold });
  }
  return generalWindow({ assigner: windows, trigger, allowedLatenessMs, function: aggregation });
}

function processed(
  { windows, allowedLatenessMs, trigger }: WindowSettings,
  windowFunction: AnyWindowFunction,
  over: WindowAggregation | null,
): OperatorDefinition<Operator> {
  return generalWindow({
    assigner: windows,
    trigger,
    allowedLatenessMs,
    function: { kind: 'process', function: windowFunction, over },
  });
}

function aggregationOf(how: How): WindowAggregation {
  return typeof how['createAccumulator'] === 'function'
    ? { kind: 'fold', fold: how as AggregateFunction<never, unknown, unknown> }
    : { kind: 'aggregate', aggregates: how as AggregateSpec<never> };
}

function withoutKey(result: unknown): AllWindowResult<unknown> {
  const { window, value } = result as WindowResult<unknown, unknown>;
  return { window, value };
}

function refuseSilent(id: string, { windows, trigger }: WindowSettings): void {
  if (windows.kind !== 'global' || windows.trigger !== null || trigger !== null) return;
  throw new MillraceError(
    'MR_GRAPH_INVALID',
    `The global window of '${id}' would never give a result: say when by .trigger(…), or use countWindow.`,
  );
}
