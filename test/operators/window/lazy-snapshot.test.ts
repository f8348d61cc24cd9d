import fc from 'fast-check';
import t from 'tap';
import type { Operator, OperatorDefinition, OperatorState } from '#engine';
import {
  type AggregateFunction,
  avg,
  count,
  countWindow,
  defineWindowFunction,
  distinct,
  emitEarly,
  last,
  max,
  min,
  p50,
  session,
  sum,
  tumbling,
  type,
  valueState,
} from '#operators';
import { encodeGroup } from '../../../engine/checkpoint/snapshot-codec.ts';
import { planCells } from '../../../operators/window/cells.ts';
import { generalWindow } from '../../../operators/window/general-window-operator.ts';
import type { GeneralWindowFunction, WindowAssigner } from '../../../operators/window/general-window-spec.ts';
import { sessionAggregate } from '../../../operators/window/session-operator.ts';
import { onCount, type Trigger } from '../../../operators/window/trigger.ts';
import { windowAggregate } from '../../../operators/window/window-operator.ts';
import { createOperatorBench, rowRecords } from '../../support/operator-bench.ts';
import { propertyRuns } from '../../support/property-runs.ts';

/** More than a page of cells holds. */
const KEYS = 700;
const keys = { kind: 'fields', fields: ['tenant', 'device'] } as const;

interface Row {
  readonly tenant: string;
  readonly device: string;
  readonly value: number;
}

type Step =
  | {
      readonly kind: 'records';
      readonly first: number;
      readonly count: number;
      readonly time: number;
      readonly value: number;
    }
  | { readonly kind: 'watermark'; readonly time: number }
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'read'; readonly groups: number }
  | { readonly kind: 'release' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('records' as const),
      first: fc.oneof({ weight: 3, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.nat(KEYS - 1) }),
      count: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 80 })),
      time: fc.integer({ min: -5, max: 30 }),
      value: fc.integer({ min: -9, max: 9 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('watermark' as const),
      time: fc.integer({ min: 0, max: 25 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'snapshot' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('read' as const), groups: fc.integer({ min: 1, max: 100 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'release' as const }) },
);

const cells = {
  n: count(),
  total: sum('value'),
  least: min('value'),
  most: max('value'),
  mean: avg('value'),
};
const objects = { n: count(), half: p50('value'), kinds: distinct('value'), newest: last('value') };
/** Changes its accumulator in every call, and shares what it can. */
const list: AggregateFunction<Row, { seen: number[]; asked: number }, string> = {
  createAccumulator: () => ({ seen: [], asked: 0 }),
  add: (row, it) => (it.seen.push(row.value), it),
  merge: (a, b) => (a.seen.length === 0 ? b : (a.seen.push(...b.seen), a)),
  getResult: (it) => `${++it.asked} ${it.seen.join()}`,
};

const windows = (
  slideMs: number | null,
  aggregates: Parameters<typeof planCells>[0],
  fold: unknown = null,
): OperatorDefinition<Operator> =>
  windowAggregate({
    windows:
      slideMs === null
        ? { kind: 'tumbling', sizeMs: 10, offsetMs: 0 }
        : { kind: 'sliding', sizeMs: 10, slideMs, offsetMs: 0 },
    allowedLatenessMs: 4,
    plan: planCells(aggregates),
    fold: fold as AggregateFunction<unknown, unknown, unknown> | null,
  });

const sessions = (
  aggregates: Parameters<typeof planCells>[0],
  fold: unknown = null,
): OperatorDefinition<Operator> =>
  sessionAggregate({
    windows: { kind: 'session', gap: 4 },
    allowedLatenessMs: 4,
    plan: planCells(aggregates),
    fold: fold as AggregateFunction<unknown, unknown, unknown> | null,
  });

const general = (
  assigner: WindowAssigner,
  trigger: Trigger<unknown> | null,
  what: GeneralWindowFunction,
): OperatorDefinition<Operator> => generalWindow({ assigner, trigger, allowedLatenessMs: 4, function: what });
const folded = { kind: 'fold', fold: list as AggregateFunction<never, unknown, unknown> } as const;
const counted = defineWindowFunction({
  input: type<Row>(),
  output: type<string>(),
  keyState: { windows: valueState<number>() },
  process(elements, { keyState, emit }) {
    keyState.windows.set((keyState.windows.get() ?? 0) + 1);
    emit(`${keyState.windows.get()} ${[...elements].map(({ value }) => value).join()}`);
  },
});
const listed = defineWindowFunction({
  input: type<Row>(),
  output: type<string>(),
  process: (elements, { emit }) => emit([...elements].map(({ value }) => value).join()),
});

const definitions: Readonly<Record<string, OperatorDefinition<Operator>>> = {
  'tumbling windows of cells': windows(null, cells),
  'tumbling windows of objects': windows(null, objects),
  'tumbling windows of accumulators': windows(null, {}, list),
  'sliding windows of cells': windows(4, cells),
  'sliding windows of objects': windows(4, objects),
  'sliding windows of accumulators': windows(4, {}, list),
  'sessions of cells': sessions(cells),
  'sessions of objects': sessions(objects),
  'sessions of accumulators': sessions({}, list),
  'windows with a trigger': general(tumbling(10), emitEarly({ everyRecords: 2, mode: 'discard' }), folded),
  'sessions with a trigger': general(session(4), onCount(3), folded),
  'count windows': general(countWindow(3), null, { kind: 'aggregate', aggregates: objects as never }),
  'windows of elements': general(tumbling(10), null, {
    kind: 'process',
    function: listed as never,
    over: null,
  }),
  'windows with state': general(tumbling(10), null, {
    kind: 'process',
    function: counted as never,
    over: null,
  }),
};

const rowsOf = ({ first, count: n, value }: Step & { kind: 'records' }): Row[] =>
  Array.from({ length: n }, (_, i) => {
    const key = (first + i) % KEYS;
    return { tenant: `t${key % 7}`, device: `d${key}`, value: value + i };
  });

const bytesOf = (group: unknown) => Buffer.from(encodeGroup(group)).toString('latin1');

/** A snapshot that is being read, beside one of another operator that was read at once. */
class Reading {
  readonly #state: OperatorState;
  readonly #model: OperatorState;
  readonly #expected: ReadonlyMap<number, string>;
  readonly #left: number[];

  constructor(state: OperatorState, model: OperatorState) {
    this.#state = state;
    this.#model = model;
    this.#expected = new Map(
      Array.from(model.groups, ([number, group]) => [number, bytesOf(group)] as const),
    );
    this.#left = [...state.groups.keys()];
    if (this.#left.join() !== [...this.#expected.keys()].join()) throw new Error('other groups');
  }

  read(groups: number): void {
    for (const group of this.#left.splice(0, groups))
      if (bytesOf(this.#state.groups.get(group)) !== this.#expected.get(group))
        throw new Error(`group ${group} has changed since the snapshot`);
  }

  /** Both at the same time: which slots are used again shows in the order of a group's keys. */
  release(): void {
    this.read(this.#left.length);
    this.#state.release?.();
    this.#model.release?.();
  }
}

function runs(definition: OperatorDefinition<Operator>, interpreted: boolean, script: readonly Step[]): void {
  const open = () => {
    const bench = createOperatorBench({ keys, interpreted });
    return { bench, operator: definition.create(bench.context) };
  };
  const [lazy, eager, without] = [open(), open(), open()];
  let reading: Reading | null = null;
  for (const it of script) {
    switch (it.kind) {
      case 'records': {
        const rows = rowsOf(it);
        const times = rows.map((_, i) => it.time + (i % 9));
        for (const { operator } of [lazy, eager, without]) operator.records(rowRecords(rows, times));
        break;
      }
      case 'watermark':
        for (const { operator } of [lazy, eager, without]) operator.watermark(it.time);
        break;
      case 'snapshot':
        reading?.release();
        reading = new Reading(
          lazy.operator.snapshot?.() as OperatorState,
          eager.operator.snapshot?.() as OperatorState,
        );
        break;
      case 'read':
        reading?.read(it.groups);
        break;
      case 'release':
        reading?.release();
        reading = null;
        break;
    }
  }
  reading?.release();
  for (const { operator } of [lazy, eager, without]) operator.watermark(1_000);
  const [given, ...others] = [lazy, eager, without].map(({ bench }) => JSON.stringify(bench.output.take()));
  if (others.some((other) => other !== given)) throw new Error('a snapshot has changed the results');
}

for (const [name, definition] of Object.entries(definitions))
  for (const interpreted of [false, true])
    void t.test(
      `E7 PN1 PN2 SJ1: ${name}: a snapshot read while records go on is the one taken (${interpreted ? 'interpreted' : 'generated'})`,
      async () => {
        fc.assert(
          fc.property(fc.array(step, { minLength: 8, maxLength: 30, size: 'max' }), (script) =>
            runs(definition, interpreted, script),
          ),
          { numRuns: propertyRuns(12) },
        );
      },
    );

void t.test('ST2: no key of an unread snapshot gives its slot away; the release frees it', async (test) => {
  for (const [name, definition] of Object.entries(definitions)) {
    if (['count windows', 'sessions with a trigger', 'windows with state'].includes(name)) continue; // keep their keys
    const { context } = createOperatorBench({ keys });
    const operator = definition.create(context);
    const one = (device: string) => rowRecords([{ tenant: 't', device, value: 1 }], [1]);
    operator.records(one('old'));
    const state = operator.snapshot?.() as OperatorState;
    operator.watermark(100);
    operator.records(rowRecords([{ tenant: 't', device: 'new', value: 1 }], [101]));
    test.equal(operator.counters?.().keys, 2, `${name}: the key is kept`);
    const [group] = [...state.groups.values()] as [{ readonly keys: { readonly bytes: Uint8Array } }];
    test.match(Buffer.from(group.keys.bytes).toString('latin1'), /old/);
    state.release?.();
    operator.records(rowRecords([{ tenant: 't', device: 'new', value: 1 }], [102]));
    test.equal(operator.counters?.().keys, 1, `${name}: the key is gone`);
    test.throws(() => [...state.groups.values()], { code: 'MR_INVARIANT' }, 'read too late');
  }
});
