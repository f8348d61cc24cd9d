import { type Clock, MAX_WATERMARK } from '#engine';
import { tumbling } from '#operators';
import type { AggregateFunction } from '../../operators/window/aggregate-function.ts';
import { generalWindow } from '../../operators/window/general-window-operator.ts';
import type { GeneralWindowSpec, WindowAggregation } from '../../operators/window/general-window-spec.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { createOperatorBench, type OperatorBench, rowRecords } from './operator-bench.ts';
import { decodeSnapshot, encodeSnapshot } from './stored-snapshot.ts';

export interface Row {
  readonly k: string;
  readonly t: number;
  readonly v?: number;
}

/** One subtask of a general window, keyed by `k`. */
export function start(spec: Partial<GeneralWindowSpec>, clock: Clock = manualClock(0)) {
  const definition = generalWindow({
    assigner: tumbling(10),
    trigger: null,
    allowedLatenessMs: 0,
    function: folding(listing),
    ...spec,
  });
  const open = (bench: OperatorBench) => ({ bench, operator: definition.create(bench.context) });
  const changes = { keys: { kind: 'fields' as const, fields: ['k'] }, clock };
  let { bench, operator } = open(createOperatorBench(changes));
  return {
    clock,
    bench: () => bench,
    operator: () => operator,
    sides: definition.sides,
    /** Records `k@t`. */
    give: (...rows: readonly (string | Row)[]) => {
      const all = rows.map((row) => (typeof row === 'string' ? parse(row) : row));
      operator.records(
        rowRecords(
          all,
          all.map((row) => row.t),
        ),
      );
    },
    watermark: (time: number) => operator.watermark(time),
    poll: () => operator.poll?.(),
    restore(changed: Partial<GeneralWindowSpec> | null = null) {
      const bytes = encodeSnapshot(operator.snapshot?.() as never);
      const other = changed === null ? null : start(changed, clock);
      const into =
        other === null
          ? open(createOperatorBench(changes))
          : { bench: other.bench(), operator: other.operator() };
      into.operator.restore?.([decodeSnapshot(bytes, [0, 127])]);
      ({ bench, operator } = into);
    },
    /** Results since the last call, as `k[start,end)=value@time`. */
    results: () => bench.output.take().flatMap((it) => (it.kind === 'row' ? [shown(it.row, it.time)] : [])),
    late: () =>
      bench
        .side('late')
        .take()
        .flatMap((it) => (it.kind === 'row' ? [(it.row as Row).t] : [])),
  };
}

function parse(text: string): Row {
  const [k, time] = text.split('@') as [string, string];
  return { k, t: Number(time) };
}

function shown(row: unknown, time: number): string {
  const { key, window, value } = row as {
    key: { k: string };
    window: { start: number; end: number };
    value: unknown;
  };
  const span = window.end === MAX_WATERMARK ? '' : `[${window.start},${window.end})`;
  return `${key.k}${span}=${typeof value === 'string' ? value : JSON.stringify(value)}@${time}`;
}

/** The times of a window's records, in order; refuses v = −1. */
export const listing: AggregateFunction<Row, string[], string> = {
  createAccumulator: () => [],
  add(row, seen) {
    if (row.v === -1) throw new Error('refused');
    return [...seen, String(row.t)];
  },
  merge: (a, b) => [...a, ...b],
  getResult: (seen) => seen.join(' '),
};

export function folding(fold: AggregateFunction<Row, string[], string>): WindowAggregation {
  return { kind: 'fold', fold: fold as AggregateFunction<never, unknown, unknown> };
}
