import type { MultiInputOperator, OperatorDefinition, OperatorState } from '#engine';
import { intervalJoin, type IntervalJoinOptions, type JoinType } from '../../operators/join/interval-join.ts';
import { createOperatorBench, rowRecords } from './operator-bench.ts';

export interface Row {
  readonly key: string;
  readonly name: string;
}
export const keys = { kind: 'fields', fields: ['key'] } as const;

/** A joined pair as text, `-` for the side that has none. */
export const pair = (left: Row | null, right: Row | null) => `${left?.name ?? '-'}+${right?.name ?? '-'}`;

/** One operator; rows are named by side and time, results shown as `text@time`. */
export function open(
  definition: OperatorDefinition<MultiInputOperator>,
  interpreted: boolean,
  restored?: OperatorState,
) {
  const bench = createOperatorBench({ keys, inputKeys: [keys, keys], interpreted });
  const operator = definition.create(bench.context);
  if (restored !== undefined) operator.restore?.([restored]);
  const input = (at: number, side: string) => ({
    give: (...times: number[]) =>
      operator.inputs[at]?.records(
        rowRecords(
          times.map((time): Row => ({ key: 'k', name: `${side}${time}` })),
          times,
        ),
      ),
    watermark: (time: number) => operator.inputs[at]?.watermark(time),
    idle: () => operator.inputs[at]?.idle(),
  });
  const left = input(0, 'l');
  const right = input(1, 'r');
  const shown = (given: ReturnType<typeof bench.output.take>) =>
    given.map((it) =>
      it.kind === 'row'
        ? `${typeof it.row === 'string' ? it.row : (it.row as Row).name}@${it.time}`
        : it.kind === 'watermark'
          ? `W${it.time}`
          : 'idle',
    );
  return {
    bench,
    operator,
    left,
    right,
    watermark: (time: number) => {
      left.watermark(time);
      right.watermark(time);
    },
    said: () => shown(bench.output.take()),
    late: () => [shown(bench.side('lateLeft').take()), shown(bench.side('lateRight').take())],
    held: () => operator.snapshot?.().groups.size ?? Number.NaN,
  };
}

/** An interval join that gives {@link pair}s. */
export const interval = (
  lowerMs: number,
  upperMs: number,
  options: Partial<IntervalJoinOptions<Row, Row, string, JoinType>> = {},
) => intervalJoin<Row, Row, string, JoinType>({ lowerMs, upperMs, join: pair, ...options });
