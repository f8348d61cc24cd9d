import t from 'tap';
import type { KeySelector } from '#engine';
import { defineCoOperator, type, valueState } from '#operators';
import { coProcessOperator } from '../../operators/define-co-operator.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { createOperatorBench, rowRecords } from '../support/operator-bench.ts';
import { createKeySubtasks } from './state/key-subtasks.ts';

interface Order {
  readonly id: string;
  readonly total: number;
}
interface Payment {
  readonly id: string;
  readonly paid: number;
}

/** Matches orders with payments; says which order was not paid within 100 ms of event time. */
const settled = defineCoOperator({
  key: type<{ id: string }>(),
  left: type<Order>(),
  right: type<Payment>(),
  output: type<string>(),
  sides: { early: type<string>() },
  state: { total: valueState<number>() },
  onLeft({ total }, { state, timers, timestamp }) {
    if (total < 0) throw new Error('an order of less than nothing');
    state.total.set(total);
    timers.at(timestamp + 100);
  },
  onRight({ paid }, { key, state, emit, side }) {
    const total = state.total.get();
    if (total === undefined) side.early(key.id);
    else emit(`${key.id} ${paid >= total ? 'paid' : 'short'}`);
    if (total !== undefined && paid >= total) state.total.clear();
  },
  onTimer(firedAt, { key, state, emit }) {
    if (state.total.get() !== undefined) emit(`${key.id} unpaid at ${firedAt}`);
    state.total.clear();
  },
});
const definition = coProcessOperator(settled as never);
const byId: KeySelector = { kind: 'fields', fields: ['id'] };
const select: KeySelector = { kind: 'function', select: (row) => (row as Order).id };
const selectOther: KeySelector = { kind: 'function', select: (row) => (row as Payment).id };

for (const interpreted of [false, true]) {
  const open = (routes: readonly KeySelector[] = [byId, byId]) => {
    const subtasks = createKeySubtasks(definition, { routes, clock: manualClock(0), interpreted });
    const tell = (input: number, row: Order | Payment, time = 0) =>
      subtasks.records(input, [row], (rows) => rowRecords(rows, [time]));
    return { subtasks, tell, said: () => subtasks.take().map(([row]) => String(row)) };
  };
  const how = interpreted ? 'interpreted' : 'generated';

  void t.test(
    `CO1: both inputs see the state of their key, by fields or by functions (${how})`,
    async (test) => {
      for (const routes of [
        [byId, byId],
        [select, selectOther],
      ]) {
        const { subtasks, tell } = open(routes);
        const said: unknown[] = [];
        subtasks.records(1, [{ id: 'x', paid: 1 }], (rows) => rowRecords(rows, [0]));
        tell(0, { id: 'a', total: 10 });
        tell(0, { id: 'b', total: 20 });
        tell(1, { id: 'b', paid: 5 });
        tell(1, { id: 'a', paid: 10 });
        tell(1, { id: 'b', paid: 20 });
        said.push(...subtasks.take().map(([row]) => row));
        const names = routes[0] === byId ? ['b', 'a', 'b'] : ['undefined', 'undefined', 'undefined'];
        test.same(said, [`${names[0]} short`, `${names[1]} paid`, `${names[2]} paid`]);
      }
    },
  );

  void t.test(
    `CO2: timers fire, before it is handed on, when the lower of the two watermarks reaches them (${how})`,
    async (test) => {
      const { subtasks, tell, said } = open();
      tell(0, { id: 'a', total: 10 }, 0);
      subtasks.watermark(0, 500);
      test.same(said(), []);
      subtasks.watermark(1, 99);
      test.same(said(), []);
      subtasks.watermark(1, 100);
      test.same(subtasks.benches()[0]?.output.take(), [
        { kind: 'row', row: 'a unpaid at 100', time: 100 },
        { kind: 'watermark', time: 100 },
      ]);
      const early = subtasks.benches()[0]?.side('early').take();
      test.same(
        early?.map((it) => (it.kind === 'watermark' ? it.time : it)),
        [99, 100],
        'side outputs get the time too',
      );
      subtasks.idle(0);
      subtasks.idle(1);
      test.same(subtasks.benches()[0]?.output.take(), [{ kind: 'watermark', time: 500 }, { kind: 'idle' }]);
    },
  );

  void t.test(
    `state, timers and the merged watermark survive a restore at another parallelism (${how})`,
    async (test) => {
      const { subtasks, tell, said } = open();
      for (const id of ['a', 'b', 'c', 'd']) tell(0, { id, total: 10 }, 0);
      subtasks.watermark(0, 50);
      subtasks.watermark(1, 50);
      subtasks.restore(3);
      tell(1, { id: 'a', paid: 10 });
      tell(1, { id: 'c', paid: 9 });
      test.same(said().sort(), ['a paid', 'c short']);
      subtasks.watermark(0, 400);
      test.same(said(), [], 'the other input has not gone on yet');
      subtasks.watermark(1, 400);
      test.same(
        said().sort(),
        ['b', 'c', 'd'].map((id) => `${id} unpaid at 100`),
      );
      subtasks.restore(2);
      subtasks.watermark(0, 900);
      subtasks.watermark(1, 900);
      test.same(said(), [], 'what fired does not fire again');
    },
  );

  void t.test(
    `a record that throws or has no key is set aside, the next one is taken (${how})`,
    async (test) => {
      const { subtasks, tell, said } = open();
      tell(0, { id: 'a', total: -1 }, 3);
      subtasks.operators().forEach((operator) => {
        if ('inputs' in operator) operator.inputs[1]?.records(rowRecords([{ id: null, paid: 1 }], [4]));
      });
      tell(0, { id: 'a', total: 1 });
      tell(1, { id: 'a', paid: 1 });
      test.same(said(), ['a paid']);
      test.match(subtasks.errors(), [
        { message: 'an order of less than nothing', row: { id: 'a', total: -1 }, time: 3 },
        { code: 'MR_KEY_INVALID', row: { id: null, paid: 1 }, time: 4 },
      ]);
    },
  );
}

void t.test('inputs that are keyed in different ways are refused', async (test) => {
  for (const [inputKeys, message] of [
    [[byId, { kind: 'fields', fields: ['order'] }], /by fields id and by fields order/],
    [[byId, select], /by fields id and by a function/],
    [[byId, null], /by fields id and by nothing/],
  ] as const) {
    const { context } = createOperatorBench({ keys: byId, inputKeys });
    test.throws(() => definition.create(context), { code: 'MR_GRAPH_INVALID', message });
  }
});
