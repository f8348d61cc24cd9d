import fc from 'fast-check';
import {
  createKeySpace,
  keyGroupRange,
  type KeySelector,
  MAX_WATERMARK,
  MIN_WATERMARK,
  type MultiInputOperator,
  type OperatorDefinition,
  type Records,
  subtaskOf,
} from '#engine';
import { eventTime, i32, type Infer, nullable, schema, string } from '#wire';
import { decodeSnapshot, encodeSnapshot } from './stored-snapshot.ts';
import { text } from './window-reference.ts';
import { columnRecords, createOperatorBench, type OperatorBench, rowRecords } from './operator-bench.ts';

const MAX_PARALLELISM = 128;

/** A record of either input. `n` tells records apart; `zone` is the same in all. */
export const Event = schema('event', {
  ts: eventTime(1),
  key: nullable(string(2)),
  n: i32(3),
  zone: i32(4),
});
export type Event = Infer<typeof Event>;

export type EventForm = 'rows' | 'columns' | 'selection';

/** The same rows as rows, as columns, or as a selection of columns that hold more. */
export function eventRecords(rows: readonly Event[], form: EventForm): Records {
  if (form === 'columns') return columnRecords(Event, rows);
  if (form === 'rows')
    return rowRecords(
      rows,
      rows.map((row) => row.ts),
    );
  const doubled = rows.flatMap((row) => [{ ...row, key: 'not meant', n: -1 }, row]);
  return columnRecords(
    Event,
    doubled,
    rows.map((_, i) => 2 * i + 1),
  );
}

export type TimedRow = readonly [row: unknown, time: number];

/** All subtasks of one two-input operator, fed by key group, snapshotted and restored as a job does it. */
export interface TwoInputSubtasks {
  readonly records: (input: number, rows: readonly Event[], form: EventForm) => void;
  readonly watermark: (input: number, time: number) => void;
  readonly idle: (input: number) => void;
  /** Snapshots all, through the stored form, into new subtasks. */
  readonly restore: (parallelism: number) => void;
  /** Rows with their times and errors since the last call. */
  readonly take: () => {
    readonly results: readonly TimedRow[];
    readonly lateLeft: readonly TimedRow[];
    readonly lateRight: readonly TimedRow[];
    readonly errors: OperatorBench['errors'];
  };
  readonly operators: () => readonly MultiInputOperator[];
  /** Number of keys with state in the stored form. */
  readonly storedKeys: () => number;
}

export function createTwoInputSubtasks(
  definition: OperatorDefinition<MultiInputOperator>,
  options: { readonly keys: readonly [KeySelector, KeySelector]; readonly interpreted: boolean },
): TwoInputSubtasks {
  const [keys] = options.keys;
  const keySpace = createKeySpace(keys, MAX_PARALLELISM);
  const open = (parallelism: number) =>
    Array.from({ length: parallelism }, (_, subtask) => {
      const bench = createOperatorBench({
        keys,
        inputKeys: options.keys,
        interpreted: options.interpreted,
        subtask,
        parallelism,
        maxParallelism: MAX_PARALLELISM,
      });
      return { bench, operator: definition.create(bench.context) };
    });
  let subtasks = open(1);
  const owner = (input: number, row: Event) => {
    if (row.key === null) return 0;
    const slot = keySpace.slotOfRow(row, options.keys[input]);
    return subtaskOf(keySpace.group(slot), subtasks.length, MAX_PARALLELISM);
  };
  return {
    records(input, rows, form) {
      for (const [i, { operator }] of subtasks.entries()) {
        const share = rows.filter((row) => owner(input, row) === i);
        if (share.length > 0) operator.inputs[input]?.records(eventRecords(share, form));
      }
    },
    watermark(input, time) {
      for (const { operator } of subtasks) operator.inputs[input]?.watermark(time);
    },
    idle(input) {
      for (const { operator } of subtasks) operator.inputs[input]?.idle();
    },
    restore(parallelism) {
      const stored = subtasks.map(({ operator }) => encodeSnapshot(stateOf(operator)));
      subtasks = open(parallelism);
      for (const [i, { operator }] of subtasks.entries()) {
        const range = keyGroupRange(i, parallelism, MAX_PARALLELISM);
        operator.restore?.(stored.map((bytes) => decodeSnapshot(bytes, range)));
      }
    },
    take() {
      const of = (side: string | null) =>
        subtasks.flatMap(({ bench }) => timedRows(side === null ? bench.output : bench.side(side)));
      return {
        results: of(null),
        lateLeft: of('lateLeft'),
        lateRight: of('lateRight'),
        errors: subtasks.flatMap(({ bench }) => bench.errors.splice(0)),
      };
    },
    operators: () => subtasks.map(({ operator }) => operator),
    storedKeys: () =>
      subtasks.reduce((sum, { operator }) => {
        const groups = [...stateOf(operator).groups.values()] as { readonly keys: readonly unknown[] }[];
        return sum + groups.reduce((keysOf, group) => keysOf + group.keys.length, 0);
      }, 0),
  };
}

function stateOf(operator: MultiInputOperator) {
  const state = operator.snapshot?.();
  if (state === undefined) throw new Error('a keyed operator has state');
  return state;
}

function timedRows(from: OperatorBench['output']): TimedRow[] {
  return from.take().flatMap((it) => (it.kind === 'row' ? [[it.row, it.time] as const] : []));
}

/** One step of a script that an operator and its reference both run. */
export type TwoInputStep =
  | {
      readonly kind: 'records';
      readonly input: number;
      readonly rows: readonly Event[];
      readonly form: EventForm;
    }
  | { readonly kind: 'watermark'; readonly input: number; readonly time: number }
  | { readonly kind: 'restore'; readonly parallelism: number };

/** Any interleaving of records of both inputs, watermarks and restores. `n` is the position in the script. */
export function twoInputScript(times: {
  readonly min: number;
  readonly max: number;
}): fc.Arbitrary<TwoInputStep[]> {
  const input = fc.integer({ min: 0, max: 1 });
  const row = fc.record({
    ts: fc.integer(times),
    key: fc.option(fc.constantFrom('a', 'b', 'ß', 'd'), { freq: 25 }),
    n: fc.constant(0),
    zone: fc.constant(7),
  });
  const records = fc.record({
    kind: fc.constant('records' as const),
    input,
    rows: fc.array(row, { minLength: 1, maxLength: 8 }),
    form: fc.constantFrom<EventForm>('rows', 'columns', 'selection'),
  });
  const watermark = fc.record({ kind: fc.constant('watermark' as const), input, time: fc.integer(times) });
  const restore = fc.record({
    kind: fc.constant('restore' as const),
    parallelism: fc.integer({ min: 1, max: 3 }),
  });
  const step = fc.oneof(
    { weight: 6, arbitrary: records },
    { weight: 5, arbitrary: watermark },
    { weight: 1, arbitrary: restore },
  );
  return fc.array(step, { maxLength: 14 }).map((steps) => {
    let n = 0;
    return steps.map((it) =>
      it.kind === 'records' ? { ...it, rows: it.rows.map((one) => ({ ...one, n: n++ })) } : it,
    );
  });
}

/** A join as one would explain it, one record at a time; what it says is compared as text, in no order. */
export interface TwoInputReference {
  /** @throws what the user's function throws, having said nothing */
  readonly record: (input: number, row: Event & { readonly key: string }) => void;
  /** Merged; higher than before. */
  readonly watermark: (time: number) => void;
  /** Everything said since the last call. `late` is per input. */
  readonly take: () => {
    readonly results: readonly TimedRow[];
    readonly late: readonly [readonly TimedRow[], readonly TimedRow[]];
    readonly errors: readonly (readonly [message: string, row: unknown, time: number])[];
  };
}

/** Runs a script on both and then ends both inputs; the first difference as text, or null. */
export function twoInputDifference(
  subtasks: TwoInputSubtasks,
  reference: TwoInputReference,
  script: readonly TwoInputStep[],
): string | null {
  const end = [0, 1].map((input) => ({ kind: 'watermark' as const, input, time: MAX_WATERMARK }));
  let merged = MIN_WATERMARK;
  let inputs = [MIN_WATERMARK, MIN_WATERMARK];
  for (const it of [...script, ...end]) {
    const thrown: string[] = [];
    if (it.kind === 'records') {
      subtasks.records(it.input, it.rows, it.form);
      for (const row of it.rows) thrown.push(...refuse(reference, it.input, row));
    } else if (it.kind === 'watermark') {
      subtasks.watermark(it.input, it.time);
      inputs[it.input] = Math.max(inputs[it.input] as number, it.time);
      const least = Math.min(...inputs);
      if (least > merged) reference.watermark((merged = least));
    } else {
      subtasks.restore(it.parallelism);
      inputs = [MIN_WATERMARK, MIN_WATERMARK];
    }
    const got = subtasks.take();
    const said = reference.take();
    const pairs = [
      [got.results.map(text), said.results.map(text)],
      [got.lateLeft.map(text), said.late[0].map(text)],
      [got.lateRight.map(text), said.late[1].map(text)],
      [
        got.errors.map(({ code, message, row, time }) => text([code === 'NONE' ? message : code, row, time])),
        [...said.errors.map(text), ...thrown],
      ],
    ] as const;
    for (const [was, expected] of pairs) {
      if (text([...was].sort()) !== text([...expected].sort()))
        return `${text(it)}\n got      ${text(was)}\n expected ${text(expected)}`;
    }
  }
  return null;
}

function refuse(reference: TwoInputReference, input: number, row: Event): string[] {
  const { key } = row;
  if (key === null) return [text(['MR_KEY_INVALID', row, row.ts])];
  try {
    reference.record(input, { ...row, key });
    return [];
  } catch (error) {
    return [text([(error as Error).message, row, row.ts])];
  }
}

/** Keys of both inputs in each form that a job can declare. */
export const twoInputSelectors: readonly (readonly [KeySelector, KeySelector])[] = [
  [byFields('key'), byFields('key')],
  [byFields('key', 'zone'), byFields('key', 'zone')],
  [byFields('zone', 'key', 'zone'), byFields('zone', 'key', 'zone')],
  [
    { kind: 'function', select: (row) => (row as Event).key },
    {
      kind: 'function',
      select: (row) => {
        const { key } = row as Event;
        return key;
      },
    },
  ],
];

function byFields(...fields: string[]): KeySelector {
  return { kind: 'fields', fields };
}
