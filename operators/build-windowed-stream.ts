import { durationMs, type OperatorInput } from '#engine';
import type { GraphBuilder } from './graph-builder.ts';
import type { AggregateFunction } from './window/aggregate-function.ts';
import type { AggregateSpec } from './window/aggregates.ts';
import type { TumblingWindows } from './window/assigner.ts';
import { planCells } from './window/cells.ts';
import { windowAggregate } from './window/window-operator.ts';
import type { WindowedStream } from './windowed-stream.ts';

/** What has been said of a windowed stream so far. */
interface WindowSettings {
  readonly windows: TumblingWindows;
  readonly allowedLatenessMs: number;
}

/** The fluent interface on a keyed stream's windows. */
export function windowedStream(
  builder: GraphBuilder,
  input: OperatorInput,
  settings: WindowSettings,
): WindowedStream<unknown, unknown> {
  const stream: Record<keyof WindowedStream<unknown, unknown>, unknown> = {
    allowedLateness: (lateness: never) =>
      windowedStream(builder, input, {
        ...settings,
        allowedLatenessMs: durationMs(lateness, 'allowed lateness'),
      }),
    aggregate: (id: string, how: AggregateSpec<unknown> | AggregateFunction<unknown, unknown, unknown>) => {
      const isFunction = typeof (how as { createAccumulator?: unknown }).createAccumulator === 'function';
      const operator = windowAggregate({
        ...settings,
        plan: planCells(isFunction ? {} : (how as AggregateSpec<never>)),
        fold: isFunction ? (how as AggregateFunction<unknown, unknown, unknown>) : null,
      });
      return builder.operator(id, operator, [input]);
    },
  };
  return stream as unknown as WindowedStream<unknown, unknown>;
}
