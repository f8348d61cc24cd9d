import { type HasPlainForm, type Records, plainForm, recordCount, rowAt, timeAt } from '#engine';
import type { TimeWindow } from './assigner.ts';
import { type CellObject, type CellObjectState, type CellPlan, type CellView, objectFrom } from './cells.ts';

/** What the records of one pane in one batch have come to. */
export interface Partial extends TimeWindow {
  readonly cells: CellView;
}

/** A batch of records as windows over all of them take it (pre-aggregate-merge.ts). To other threads and processes it goes as a {@link PlainDigest}. */
export interface Digest extends HasPlainForm {
  /** By first record. */
  readonly partials: readonly Partial[];
  /** The records that they are made of, in order of arrival: where windows are due or over, each counts by itself. */
  readonly records: Records;
}

/** The same as plain data. */
export interface PlainDigest {
  readonly partials: readonly PlainPartial[];
  readonly rows: readonly unknown[];
  readonly times: Float64Array;
}

interface PlainPartial extends TimeWindow {
  readonly cells: Float64Array;
  /** In the order of the plan's. */
  readonly objects: readonly CellObjectState[];
}

/** @param partials each with a page of its own */
export function newDigest(partials: readonly Partial[], records: Records): Digest {
  return { partials, records, [plainForm]: () => plainOf(partials, records) };
}

/** A digest as it was made, whichever way it came. */
export function digestOf({ objects }: CellPlan, row: Digest | PlainDigest): Digest {
  if ('records' in row) return row;
  const partials = row.partials.map(({ start, end, cells, objects: states }) => {
    const own = objects.map(({ kind }, i): CellObject => objectFrom(kind, states[i]));
    return { start, end, cells: { page: cells, at: 0, objects: own } };
  });
  return newDigest(partials, { kind: 'rows', rows: row.rows, times: row.times });
}

function plainOf(partials: readonly Partial[], records: Records): PlainDigest {
  const count = recordCount(records);
  return {
    partials: partials.map(({ start, end, cells }) => ({
      start,
      end,
      cells: cells.page,
      objects: cells.objects.map((object) => object.state()),
    })),
    rows: Array.from({ length: count }, (_, k) => rowAt(records, k)),
    times: Float64Array.from({ length: count }, (_, k) => timeAt(records, k)),
  };
}
