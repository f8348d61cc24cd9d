import t from 'tap';
import { type LazyGroups, type Operator, type OperatorDefinition, type OperatorState } from '#engine';
import {
  count,
  defineOperator,
  emitEarly,
  type KeyedOperator,
  max,
  min,
  p50,
  sum,
  tumbling,
  type,
  valueState,
} from '#operators';
import { seededRandom } from '#wire';
import { encodeGroup } from '../../engine/checkpoint/snapshot-codec.ts';
import { ReusedArrays } from '../../engine/state/array-source.ts';
import { processOperator } from '../../operators/define-operator.ts';
import { planCells } from '../../operators/window/cells.ts';
import { generalWindow } from '../../operators/window/general-window-operator.ts';
import { sessionAggregate } from '../../operators/window/session-operator.ts';
import { windowAggregate } from '../../operators/window/window-operator.ts';
import { createOperatorBench, rowRecords } from '../support/operator-bench.ts';
import { contentByKey } from './stored-content.ts';

/** In two key groups: more than one step of each. */
const [KEYS, MAX_PARALLELISM] = [4_000, 2];
const fields = { kind: 'fields', fields: ['device'] } as const;

interface Row {
  readonly device: string;
  readonly value: number;
}

const numbers = planCells({ n: count(), total: sum('value'), least: min('value'), most: max('value') });
const objects = planCells({ n: count(), half: p50('value') });
const counting = defineOperator({
  key: type<{ device: string }>(),
  input: type<Row>(),
  output: type<number>(),
  state: { sum: valueState<number>(), text: valueState<string>() },
  onRecord({ value }, { state, timers, timestamp }) {
    state.sum.set((state.sum.get() ?? 0) + value);
    if (value % 3 === 0) state.text.set(`value ${value}`);
    timers.at(timestamp + 10);
  },
  onTimer: (_, { state }) => state.sum.clear(),
});

const definitions: Readonly<Record<string, OperatorDefinition<Operator>>> = {
  'windows of numbers': windowAggregate({
    windows: { kind: 'sliding', sizeMs: 20, slideMs: 10, offsetMs: 0 },
    allowedLatenessMs: 5,
    plan: numbers,
    fold: null,
  }),
  'windows of objects': windowAggregate({
    windows: { kind: 'tumbling', sizeMs: 20, offsetMs: 0 },
    allowedLatenessMs: 5,
    plan: objects,
    fold: null,
  }),
  'sessions of numbers': sessionAggregate({
    windows: { kind: 'session', gap: 4 },
    allowedLatenessMs: 5,
    plan: numbers,
    fold: null,
  }),
  'sessions of objects': sessionAggregate({
    windows: { kind: 'session', gap: 4 },
    allowedLatenessMs: 5,
    plan: objects,
    fold: null,
  }),
  'windows with a trigger': generalWindow({
    assigner: tumbling(20),
    trigger: emitEarly({ everyRecords: 2, mode: 'discard' }),
    allowedLatenessMs: 5,
    function: { kind: 'aggregate', aggregates: { n: count(), total: sum('value') } as never },
  }),
  'a process operator': processOperator(counting as KeyedOperator<unknown, unknown, unknown, unknown>),
};

function snapshotOf(operator: Operator): OperatorState {
  const state = operator.snapshot?.();
  if (state === undefined) throw new Error('no state');
  return state;
}

/** The same records for each operator that gets them. */
class Traffic {
  readonly #random = seededRandom(7);
  readonly #operators: readonly Operator[];
  #time = 0;

  constructor(operators: readonly Operator[]) {
    this.#operators = operators;
  }

  records(keys: readonly number[]): void {
    const rows = keys.map((key): Row => ({ device: `d${key}`, value: this.#below(100) }));
    const times = rows.map(() => this.#time + this.#below(15));
    for (const operator of this.#operators) operator.records(rowRecords(rows, times));
  }

  /** Keys old and new, and now and then the end of what some of them wait for. */
  more(): void {
    this.records(Array.from({ length: 200 }, () => this.#below(KEYS + 500)));
    if (this.#below(4) > 0) return;
    this.#time += 3;
    for (const operator of this.#operators) operator.watermark(this.#time);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

for (const [name, definition] of Object.entries(definitions))
  void t.test(
    `E7 KN2: ${name}: groups made step by step, with records in between, are as they were`,
    async (test) => {
      const open = () =>
        definition.create(createOperatorBench({ keys: fields, maxParallelism: MAX_PARALLELISM }).context);
      const [lazy, eager] = [open(), open()];
      const traffic = new Traffic([lazy, eager]);
      traffic.records(Array.from({ length: KEYS }, (_, i) => i));
      const arrays = new ReusedArrays();
      for (let round = 0; round < 2; round++) {
        const expected = new Map(snapshotOf(eager).groups);
        const { groups, release } = snapshotOf(lazy);
        traffic.more();
        test.same([...groups.keys()], [...expected.keys()]);
        for (const [number, group] of expected) {
          arrays.reset();
          const steps = (groups as LazyGroups<unknown>).making(number, arrays);
          let [step, count] = [steps.next(), 0];
          for (; step.done !== true; step = steps.next(), count++) traffic.more();
          test.ok(count > 3, `${count} steps`);
          const [made, whole] = [encodeGroup(step.value), encodeGroup(group)];
          if (definition === definitions['a process operator'])
            test.strictSame(contentByKey(step.value), contentByKey(group), `group ${number}`);
          else test.ok(Buffer.compare(made, whole) === 0, `group ${number}`);
        }
        release?.();
      }
      const { groups, release } = snapshotOf(lazy);
      const steps = (groups as LazyGroups<unknown>).making(0, arrays);
      steps.next();
      release?.();
      test.throws(() => steps.next(), { code: 'MR_INVARIANT' }, 'not after the release');
    },
  );
