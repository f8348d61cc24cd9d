import t from 'tap';
import type { OperatorState } from '#engine';
import { defineOperator, listState, mapState, reducingState, type, valueState } from '#operators';
import { processOperator } from '../../../operators/define-operator.ts';
import type { StateSpec } from '../../../operators/state/state-kinds.ts';
import { createOperatorBench, rowRecords } from '../../support/operator-bench.ts';

interface Row {
  readonly key: string;
  readonly write?: unknown;
}

/** An operator with one state `it`, which a row is written to or read from. */
function operatorOf(it: StateSpec[string]) {
  const bench = createOperatorBench({ keys: { kind: 'fields', fields: ['key'] } });
  const operator = processOperator(
    defineOperator({
      key: type<{ key: string }>(),
      input: type<Row>(),
      output: type<unknown>(),
      state: { it },
      onRecord({ write }, { state, emit }) {
        const handle = state.it as Record<string, (...values: unknown[]) => unknown>;
        if (write === undefined) {
          if (it.kind === 'map') emit(Array.from((handle['entries']?.() ?? []) as Iterable<unknown>));
          else emit(handle['get']?.());
        } else if (it.kind === 'map') handle['set']?.('k', write);
        else if (it.kind === 'value') handle['set']?.(write);
        else handle['add']?.(write);
      },
    }) as never,
  ).create(bench.context);
  const tell = (row: Row) => operator.records(rowRecords([row], [0]));
  return { operator, tell, read: () => (tell({ key: 'a' }), bench.output.rows().at(-1)) };
}

function storedBy(it: StateSpec[string], write: unknown): OperatorState {
  const { operator, tell } = operatorOf(it);
  tell({ key: 'a', write });
  return operator.snapshot?.() as OperatorState;
}

function restored(it: StateSpec[string], state: OperatorState): unknown {
  const { operator, read } = operatorOf(it);
  operator.restore?.([state]);
  return read();
}

const upgrade = {
  1: (old: number) => ({ n: old }),
  2: (old: { n: number }) => ({ n: old.n + 0.5, unit: 'ms' }),
};

void t.test('KS3: stored values go through the upgrade of each version between', async (test) => {
  test.same(restored(valueState({ version: 3, upgrade }), storedBy(valueState(), 7)), { n: 7.5, unit: 'ms' });
  const second = valueState({ version: 2, upgrade: { 1: upgrade[1] } });
  test.same(restored(valueState({ version: 3, upgrade }), storedBy(second, { n: 1 })), {
    n: 1.5,
    unit: 'ms',
  });
  test.same(restored(second, storedBy(second, { n: 1 })), { n: 1 }, 'the same version is left alone');
});

void t.test(
  'KS3: elements, entries and accumulators are upgraded one by one, also with a ttl',
  async (test) => {
    const options = { version: 2, upgrade: { 1: (old: number) => old * 10 } };
    test.same(restored(listState<number>(options), storedBy(listState<number>(), 4)), [40]);
    test.same(restored(mapState<string, number>(options), storedBy(mapState<string, number>(), 4)), [
      ['k', 40],
    ]);
    const sum = (a: number, b: number) => a + b;
    test.same(restored(reducingState(sum, options), storedBy(reducingState(sum), 4)), 40);
    const mortal = { ...options, ttl: '1h' } as const;
    test.same(restored(listState<number>(mortal), storedBy(listState<number>({ ttl: '1h' }), 4)), [40]);
  },
);

void t.test(
  'KS3: a missing upgrade, a newer version and another kind are refused with what to do',
  async (test) => {
    const refused = (it: StateSpec[string], state: OperatorState, message: RegExp) =>
      test.throws(() => restored(it, state), {
        code: 'MR_STATE_INCOMPATIBLE',
        message,
        details: { operator: 'under-test', state: 'it' },
      });
    refused(
      valueState({ version: 3, upgrade: { 1: upgrade[1] } }),
      storedBy(valueState(), 7),
      /'it' of operator 'under-test' is stored in version 1.*declares version 3 without an upgrade from 2.*Add upgrade/,
    );
    refused(valueState(), storedBy(valueState({ version: 2 }), 7), /stored in version 2.*declares version 1/);
    refused(listState(), storedBy(valueState(), 7), /stored as value state and declared as list state/);
    const failing = () => {
      throw new Error('no such unit');
    };
    refused(
      valueState({ version: 2, upgrade: { 1: failing } }),
      storedBy(valueState(), 7),
      /cannot be upgraded from version 1: no such unit/,
    );
  },
);

void t.test(
  'a snapshot from before kinds and versions is value state of version 1, without processing-time timers',
  async (test) => {
    const now = storedBy(valueState(), 7);
    const groups = [...now.groups].map(([number, group]) => {
      const { keys } = group as { readonly keys: unknown };
      return [number, { keys, state: { it: [[0, 7]] }, timers: [] }] as const;
    });
    const before = { ...now, groups: new Map<number, unknown>(groups) };
    test.equal(restored(valueState(), before), 7);
    test.same(restored(valueState({ version: 3, upgrade }), before), { n: 7.5, unit: 'ms' });
    test.throws(() => restored(mapState(), before), { code: 'MR_STATE_INCOMPATIBLE' });
  },
);

void t.test('declarations that cannot be meant are refused', async (test) => {
  for (const [declare, message] of [
    [() => valueState({ version: 0 }), /version 0/],
    [() => valueState({ version: 1.5 }), /version 1.5/],
    [() => valueState({ version: 2, upgrade: { 2: (old) => old } }), /upgrade from 2; declare version 3/],
    [() => listState({ ttl: 0 }), /ttl of 0/],
    [() => mapState({ refresh: 'on-write' }), /refresh: 'on-write' without a ttl/],
    [() => mapState({ expired: 'hide' }), /expired: 'hide' without a ttl/],
  ] as const)
    test.throws(declare, { code: 'MR_CONFIG_INVALID', message });
});
