import t from 'tap';
import type { KeySelector } from '#engine';
import { defineBroadcastOperator, listState, mapState, reducingState, type, valueState } from '#operators';
import { broadcastOperator } from '../../operators/define-broadcast-operator.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { rowRecords } from '../support/operator-bench.ts';
import { createKeySubtasks, type InputRoute } from './state/key-subtasks.ts';

interface Reading {
  readonly device: string;
  readonly value: number;
}
interface Rule {
  readonly id: string;
  /** Null takes the rule back. */
  readonly limit: number | null;
}

/** Says which readings break which rules, and counts readings per device. */
const alerts = defineBroadcastOperator({
  key: type<{ device: string }>(),
  input: type<Reading>(),
  broadcast: type<Rule>(),
  output: type<string>(),
  state: { readings: valueState<number>() },
  broadcastState: {
    rules: mapState<string, number>(),
    last: valueState<string>(),
    changes: reducingState<number>((a, b) => a + b),
  },
  sides: { counts: type<string>() },
  onRecord({ value }, { key, state, broadcast, emit, timers, timestamp }) {
    state.readings.set((state.readings.get() ?? 0) + 1);
    timers.at(timestamp + 100);
    for (const [id, limit] of broadcast.rules.entries())
      if (value > limit) emit(`${key.device} breaks ${id} after ${broadcast.changes.get()}`);
    if (value === -1) (broadcast.rules as unknown as { clear: () => void }).clear();
  },
  onBroadcast({ id, limit }, { broadcast, side, forEachKey }) {
    if (limit === null) broadcast.rules.delete(id);
    else broadcast.rules.set(id, limit);
    broadcast.last.set(id);
    broadcast.changes.add(1);
    if (id !== 'count') return;
    forEachKey((key, state) => {
      side.counts(`${key.device} ${state.readings.get()}`);
      state.readings.clear();
    });
  },
  onTimer(firedAt, { key, broadcast, emit }) {
    emit(`${key.device} quiet at ${firedAt} under ${broadcast.last.get() ?? 'no rule'}`);
  },
});
const byDevice: KeySelector = { kind: 'fields', fields: ['device'] };

for (const interpreted of [false, true]) {
  const how = interpreted ? 'interpreted' : 'generated';
  const open = (parallelism = 1) => {
    const subtasks = createKeySubtasks(broadcastOperator(alerts as never), {
      routes: [byDevice, 'broadcast'],
      clock: manualClock(0),
      interpreted,
      parallelism,
    });
    const form = (rows: readonly unknown[]) =>
      rowRecords(
        rows,
        rows.map(() => 7),
      );
    return {
      subtasks,
      read: (...rows: Reading[]) => subtasks.records(0, rows, form),
      rule: (id: string, limit: number | null) => subtasks.records(1, [{ id, limit }], form),
      said: () =>
        subtasks
          .take()
          .map(([row]) => String(row))
          .sort(),
    };
  };
  const devices = (value: number) => ['a', 'b', 'c', 'd', 'e', 'f'].map((device) => ({ device, value }));

  void t.test(`BO1: every subtask looks at the same broadcast state (${how})`, async (test) => {
    const { read, rule, said } = open(3);
    read(...devices(50));
    test.same(said(), []);
    rule('hot', 40);
    rule('hotter', 49);
    rule('hotter', null);
    read(...devices(50));
    test.same(
      said(),
      devices(0).map(({ device }) => `${device} breaks hot after 3`),
    );
  });

  void t.test(`BO1: a record cannot write broadcast state, whatever its types say (${how})`, async (test) => {
    const { subtasks, read, rule, said } = open();
    rule('hot', 40);
    read({ device: 'a', value: -1 }, { device: 'a', value: 50 });
    test.same(said(), ['a breaks hot after 1']);
    test.match(subtasks.errors(), [{ message: /clear is not a function/, row: { value: -1 } }]);
  });

  void t.test(`forEachKey visits every key with state, of this subtask only (${how})`, async (test) => {
    const { subtasks, read, rule } = open(3);
    read(...devices(1), { device: 'a', value: 1 });
    rule('count', null);
    const counts = () =>
      subtasks
        .take('counts')
        .map(([row, time]) => `${String(row)} at ${time}`)
        .sort();
    test.same(counts(), ['a 2 at 7', ...['b', 'c', 'd', 'e', 'f'].map((device) => `${device} 1 at 7`)]);
    read({ device: 'c', value: 1 });
    rule('count', null);
    test.same(counts(), ['c 1 at 7']);
  });

  void t.test(`BO2: broadcast state comes back whole at any parallelism, once (${how})`, async (test) => {
    const { subtasks, read, rule, said } = open(2);
    rule('hot', 40);
    rule('warm', 30);
    read(...devices(1));
    for (const parallelism of [5, 1, 3]) {
      subtasks.restore(parallelism);
      read(...devices(35));
      test.same(
        said(),
        devices(0).map(({ device }) => `${device} breaks warm after 2`),
        `at ${parallelism}`,
      );
    }
    rule('count', null);
    test.same(
      subtasks
        .take('counts')
        .map(([row]) => String(row))
        .sort(),
      devices(0).map(({ device }) => `${device} 4`),
      'keyed state too',
    );
  });

  void t.test(
    `BO3: the broadcast input holds event time back as the other does; timers see broadcast state (${how})`,
    async (test) => {
      const { subtasks, read, rule, said } = open();
      read({ device: 'a', value: 1 });
      rule('hot', 40);
      subtasks.watermark(0, 500);
      test.same(said(), []);
      subtasks.watermark(1, 107);
      test.same(said(), ['a quiet at 107 under hot']);
      test.equal(subtasks.operators()[0]?.waiting?.(), null);
      subtasks.restore(1);
      subtasks.watermark(0, 500);
      subtasks.idle(1);
      test.same(subtasks.benches()[0]?.output.take(), [{ kind: 'watermark', time: 500 }]);
    },
  );
}

void t.test('a stream without a key looks at broadcast state too', async (test) => {
  const tagged = defineBroadcastOperator({
    input: type<{ readonly n: number }>(),
    broadcast: type<{ readonly tag: string }>(),
    output: type<string>(),
    broadcastState: { tags: listState<string>() },
    onRecord({ n }, context) {
      context.emit(`${n} ${context.broadcast.tags.get().join('+')}`);
    },
    onBroadcast({ tag }, { broadcast }) {
      broadcast.tags.add(tag);
    },
  });
  const routes: readonly InputRoute[] = ['any', 'broadcast'];
  const subtasks = createKeySubtasks(broadcastOperator(tagged as never), {
    routes,
    clock: manualClock(0),
    parallelism: 2,
  });
  const form = (rows: readonly unknown[]) =>
    rowRecords(
      rows,
      rows.map(() => 0),
    );
  const numbers = [{ n: 1 }, { n: 2 }];
  subtasks.records(1, [{ tag: 'x' }, { tag: 'y' }], form);
  subtasks.records(0, numbers, form);
  test.same(
    subtasks.take().map(([row]) => row),
    ['1 x+y', '2 x+y'],
  );
  subtasks.restore(3);
  subtasks.records(0, [...numbers, { n: 3 }], form);
  test.same(
    subtasks.take().map(([row]) => row),
    ['1 x+y', '2 x+y', '3 x+y'],
  );
  test.equal(subtasks.operators()[0]?.counters?.().keys, 0);
});

void t.test('broadcast state takes no ttl', async (test) => {
  test.throws(
    () =>
      defineBroadcastOperator({
        input: type<unknown>(),
        broadcast: type<unknown>(),
        output: type<unknown>(),
        broadcastState: { rules: mapState({ ttl: '1d' }) },
        onRecord() {},
        onBroadcast() {},
      }),
    { code: 'MR_CONFIG_INVALID', message: /'rules' has a ttl/ },
  );
});
