import {
  type Operator,
  type OperatorCounters,
  type OperatorDefinition,
  type OperatorState,
  type Records,
  recordCount,
  rowAt,
  timeAt,
  type Waiting,
} from '#engine';
import type { CellPlan } from './cells.ts';
import { type Digest, digestOf, type Partial, type PlainDigest } from './digest.ts';
import { WindowOperator, windowAggregate } from './window-operator.ts';
import type { WindowSpec } from './window-spec.ts';

/**
 * Windows of all records in one subtask, out of what {@link preAggregate} gives: state, results and late records are those of
 * windowAggregate over the records themselves. Sums of fractions may differ in their last digits, as with any other order of
 * arrival.
 * @param spec of built-in aggregates: no fold
 */
export function windowAggregateAll(spec: WindowSpec): OperatorDefinition<Operator> {
  return {
    ...windowAggregate(spec),
    create: (context) => new DigestOperator(spec.plan, new WindowOperator(spec, context)),
  };
}

/**
 * PM1 a partial is merged where no window around it is due: there it cannot be told from its records. Elsewhere the records come
 *     one by one, in order of arrival: each is late by itself, or gives its windows' results again. Only the merged watermark
 *     decides: a sender that was idle, or has been restored, may lie behind it.
 */
class DigestOperator implements Operator {
  readonly #plan: CellPlan;
  readonly #windows: WindowOperator;

  constructor(plan: CellPlan, windows: WindowOperator) {
    this.#plan = plan;
    this.#windows = windows;
  }

  records(records: Records): void {
    for (let k = 0; k < recordCount(records); k++)
      this.#take(digestOf(this.#plan, rowAt(records, k) as Digest | PlainDigest));
  }

  watermark(time: number): void {
    this.#windows.watermark(time);
  }

  idle(): void {
    this.#windows.idle();
  }

  snapshot(): OperatorState {
    return this.#windows.snapshot();
  }

  restore(parts: readonly OperatorState[]): void {
    this.#windows.restore(parts);
  }

  counters(): OperatorCounters {
    return this.#windows.counters();
  }

  waiting(): Waiting | null {
    return this.#windows.waiting();
  }

  #take(digest: Digest): void {
    const single = digest.partials.filter((partial) => !this.#windows.merge(digest, partial));
    if (single.length === 0) return;
    const { partials, records } = digest;
    this.#windows.records(single.length === partials.length ? records : within(records, single));
  }
}

/** The records that lie in one of some panes, in their order. */
function within(records: Records, panes: readonly Partial[]): Records {
  const meant: number[] = [];
  for (let k = 0; k < recordCount(records); k++) {
    const time = timeAt(records, k);
    if (panes.some(({ start, end }) => time >= start && time < end)) meant.push(k);
  }
  if (records.kind === 'rows')
    return {
      kind: 'rows',
      rows: meant.map((k) => records.rows[k]),
      times: Float64Array.from(meant, (k) => records.times[k] as number),
    };
  const { batch, selection } = records;
  return { kind: 'columns', batch, selection: Uint16Array.from(meant, (k) => selection?.[k] ?? k) };
}
