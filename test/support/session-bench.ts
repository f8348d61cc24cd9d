import type { Operator, OperatorDefinition, OperatorState } from '#engine';
import type { AggregateFunction } from '#operators';
import { count, sum } from '../../operators/window/aggregates.ts';
import { planCells } from '../../operators/window/cells.ts';
import { session, type SessionWindows } from '../../operators/window/session-assigner.ts';
import { sessionAggregate } from '../../operators/window/session-operator.ts';
import { createOperatorBench, type OperatorBench, rowRecords } from './operator-bench.ts';
import { decodeSnapshot, encodeSnapshot } from './stored-snapshot.ts';

export interface Row {
  readonly key: string;
  readonly value: number | null;
}
type Fold = AggregateFunction<unknown, unknown, unknown>;
export const keys = { kind: 'fields', fields: ['key'] } as const;

/** Sessions of a gap of 10 ms; they count and sum, unless a user's aggregate is given. */
export const spec = (latenessMs = 0, windows: SessionWindows<never> = session(10), fold: unknown = null) =>
  sessionAggregate({
    windows,
    allowedLatenessMs: latenessMs,
    plan: planCells(fold === null ? { n: count(), total: sum('value') } : {}),
    fold: fold as Fold | null,
  });
export const give = (bench: OperatorBench) => bench.output.take();
export const late = (bench: OperatorBench) =>
  bench
    .side('late')
    .take()
    .flatMap((it) => (it.kind === 'row' ? [it.time] : []));
/** Records by key and time; the value says the gap where gaps are dynamic. */
export const records = (...rows: readonly (readonly [key: string, time: number, value?: number])[]) =>
  rowRecords(
    rows.map(([key, , value]): Row => ({ key, value: value ?? 1 })),
    rows.map(([, time]) => time),
  );
export const result = (key: string, start: number, end: number, n: number, total = n) => ({
  kind: 'row' as const,
  row: { key: { key }, window: { start, end }, value: { n, total } },
  time: end - 1,
});
export const watermark = (time: number) => ({ kind: 'watermark' as const, time });
/** Each record says its own gap. */
export const byValue = session((row: Row) => row.value as number) as SessionWindows<never>;

/** Lists what it saw, in the order given; refuses 13, and cannot merge a later part that has seen 99. */
export const listing: AggregateFunction<Row, { seen: string[] }, string> = {
  createAccumulator: () => ({ seen: [] }),
  add(row, accumulator) {
    if (row.value === 13) throw new Error('refused');
    accumulator.seen.push(`${row.value}`);
    return accumulator;
  },
  getResult: ({ seen }) => seen.join(),
  merge(a, b) {
    if (b.seen.includes('99')) throw new Error('cannot merge');
    a.seen.push(...b.seen);
    return a;
  },
};

/** Opens session operators whose loops are generated or interpreted. */
export function createSessionBench(interpreted: boolean) {
  const open = (definition: OperatorDefinition<Operator>) => {
    const bench = createOperatorBench({ keys, interpreted });
    return { bench, operator: definition.create(bench.context) };
  };
  /** A new operator with what the others have stored. */
  const reopen = (definition: OperatorDefinition<Operator>, ...from: readonly Operator[]) => {
    const opened = open(definition);
    const range = [0, 127] as const;
    const parts = from.map((operator) =>
      decodeSnapshot(encodeSnapshot(operator.snapshot?.() as OperatorState), range),
    );
    opened.operator.restore?.(parts);
    return opened;
  };
  return { open, reopen };
}
