import fc from 'fast-check';
import t from 'tap';
import { type KeySelector, MIN_WATERMARK } from '#engine';
import { defineCoOperator, defineOperator, type, type StateOptions } from '#operators';
import { coProcessOperator } from '../../operators/define-co-operator.ts';
import { processOperator } from '../../operators/define-operator.ts';
import { heapState } from '../../operators/state/keyed-state.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { columnRecords, rowRecords } from '../support/operator-bench.ts';
import { propertyRuns } from '../support/property-runs.ts';
import { allKinds, Command, obey, ring, ringByClock, VERBS } from './state/command-operator.ts';
import { CommandReference } from './state/command-reference.ts';
import { createKeySubtasks } from './state/key-subtasks.ts';
import { spillingBackend } from './state/spilling-backend.ts';

const selectors: readonly (readonly [KeySelector, (row: Command) => unknown])[] = [
  [{ kind: 'fields', fields: ['key'] }, ({ key }) => ({ key })],
  [{ kind: 'fields', fields: ['key', 'zone'] }, ({ key, zone }) => ({ key, zone })],
  [{ kind: 'function', select: (row) => (row as Command).key }, ({ key }) => key],
];
const TTL_MS = 25;
const lives: readonly StateOptions[] = [{}, { ttl: TTL_MS }, { ttl: TTL_MS, refresh: 'on-read-and-write' }];

/** What a script is about: few things, so that they meet. */
const topics = [/^value|imers?$|^at|^delete/, /^list/, /^map/, /^reducing|^aggregating/, /./].map((about) =>
  VERBS.filter((verb) => about.test(verb)),
);
/** As in topics, taken by position. */
const command: fc.Arbitrary<Omit<Command, 'verb'> & { readonly position: number }> = fc.record(
  {
    ts: fc.integer({ min: -60, max: 120 }),
    key: fc.constantFrom('a', 'a', 'b', 'ß'),
    zone: fc.constantFrom(1, 1, 1, 2),
    position: fc.nat({ max: 839 }),
    a: fc.oneof(fc.constantFrom(1, 2), fc.integer({ min: -3, max: 12 })),
    b: fc.integer({ min: 0, max: 3 }),
  },
  { noNullPrototype: true },
);
const form = fc.constantFrom('rows', 'columns');
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('records' as const),
      input: fc.integer({ min: 0, max: 1 }),
      rows: fc.array(command, { minLength: 1, maxLength: 12 }),
      form,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('watermark' as const),
      input: fc.integer({ min: 0, max: 1 }),
      time: fc.integer({ min: -70, max: 150 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 30 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('restore' as const),
      parallelism: fc.integer({ min: 1, max: 3 }),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const shape = fc.record({
  inputs: fc.constantFrom(1, 2),
  selector: fc.constantFrom(...selectors),
  verbs: fc.constantFrom(...topics),
  life: fc.constantFrom(...lives),
  spills: fc.boolean(),
  interpreted: fc.boolean(),
});
type Shape = typeof shape extends fc.Arbitrary<infer S> ? S : never;

function open({ inputs, selector: [keys, keyOf], life, spills, interpreted }: Shape) {
  const clock = manualClock(0);
  const state = allKinds(life);
  const backend = spills ? spillingBackend : heapState;
  const what = { key: type<unknown>(), output: type<unknown>(), state };
  const rings = { onTimer: ring as never, onProcessingTimer: ringByClock as never };
  const definition =
    inputs === 1
      ? processOperator(
          defineOperator({ ...what, ...rings, input: type<Command>(), onRecord: obey as never }) as never,
          backend,
        )
      : coProcessOperator(
          defineCoOperator({
            ...what,
            ...rings,
            left: type<Command>(),
            right: type<Command>(),
            onLeft: obey as never,
            onRight: obey as never,
          }) as never,
          backend,
        );
  const routes = new Array<KeySelector>(inputs).fill(keys);
  const ttlMs = life.ttl === undefined ? Number.POSITIVE_INFINITY : TTL_MS;
  return {
    clock,
    subtasks: createKeySubtasks(definition, { routes, clock, interpreted }),
    reference: new CommandReference({ keyOf, ttlMs, refreshesOnRead: life.refresh !== undefined }),
  };
}

/** Results by key, in the order they came: keys have no order among them. */
function byKey(results: readonly (readonly [row: unknown, time: number])[]): string {
  const keyOf = ([row]: readonly [unknown, number]) => JSON.stringify((row as { key: unknown }).key);
  return JSON.stringify(
    [...results].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0)),
  );
}

/** Runs a script on both; the first difference as text, or null. */
function difference(of: Shape, script: readonly Step[]): string | null {
  const { clock, subtasks, reference } = open(of);
  let merged = MIN_WATERMARK;
  let inputs = new Array<number>(of.inputs).fill(MIN_WATERMARK);
  for (const it of script) {
    reference.now = clock.now();
    if (it.kind === 'records') {
      const commands = it.rows.map(({ position, ...row }): Command => {
        const verb = of.verbs[position % of.verbs.length] as string;
        return { ts: row.ts, key: row.key, zone: row.zone, verb, a: row.a, b: row.b };
      });
      subtasks.records(it.input % of.inputs, commands, (rows) =>
        it.form === 'columns'
          ? columnRecords(Command, rows)
          : rowRecords(
              rows,
              rows.map(({ ts }) => ts),
            ),
      );
      for (const row of commands) reference.obey(row);
    } else if (it.kind === 'watermark') {
      const input = it.input % of.inputs;
      subtasks.watermark(input, it.time);
      inputs[input] = Math.max(inputs[input] as number, it.time);
      if (Math.min(...inputs) > merged) reference.advance((merged = Math.min(...inputs)));
    } else if (it.kind === 'advance') {
      clock.advance(it.ms);
      reference.now = clock.now();
      subtasks.poll();
      reference.poll();
    } else {
      subtasks.restore(it.parallelism);
      inputs = inputs.map(() => MIN_WATERMARK);
    }
    const [got, expected] = [byKey(subtasks.take()), byKey(reference.take())];
    if (got !== expected) return `${JSON.stringify(it)}\n got      ${got}\n expected ${expected}`;
    const errors = subtasks.errors();
    if (errors.length > 0) return JSON.stringify(errors);
  }
  return null;
}

void t.test(
  'E5 E6 PO1 PO2 PO3 KS3 CO1 CO2: on one input or two, all kinds of state and both kinds of timers do as a list-based reference, across restores',
  async (test) => {
    fc.assert(
      fc.property(shape, fc.array(step, { maxLength: 25 }), (of, script) => {
        const found = difference(of, script);
        if (found !== null) throw new Error(found);
      }),
      { numRuns: propertyRuns(300) },
    );
    test.pass();
  },
);
