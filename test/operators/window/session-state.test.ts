import t from 'tap';
import type { Operator, OperatorDefinition, OperatorState } from '#engine';
import { avg, count, max, sum } from '../../../operators/window/aggregates.ts';
import { planCells } from '../../../operators/window/cells.ts';
import { session } from '../../../operators/window/session-assigner.ts';
import { sessionAggregate } from '../../../operators/window/session-operator.ts';
import { windowAggregate } from '../../../operators/window/window-operator.ts';
import { createOperatorBench, rowRecords } from '../../support/operator-bench.ts';
import {
  createSessionBench,
  give,
  keys,
  late,
  listing,
  records,
  result,
  type Row,
  spec,
  watermark,
} from '../../support/session-bench.ts';
import { decodeSnapshot, encodeSnapshot } from '../../support/stored-snapshot.ts';

for (const interpreted of [false, true]) {
  const { open, reopen } = createSessionBench(interpreted);
  const how = interpreted ? 'interpreted' : 'generated';

  void t.test(
    `SO5: what was given is not given again after a restore, what was open goes on (${how})`,
    async (test) => {
      const { operator: before } = open(spec(100));
      before.records(records(['a', 0], ['b', 5]));
      before.watermark(9);
      const { bench, operator } = reopen(spec(100), before);
      test.same(operator.waiting?.(), { what: 'window', until: 14, count: 1 });
      operator.watermark(12);
      operator.records(records(['a', 1], ['c', -200]));
      test.same([give(bench), late(bench)], [[watermark(12), result('a', 0, 11, 2)], [-200]]);
      operator.watermark(1000);
      test.same(give(bench), [result('b', 5, 15, 1), watermark(1000)]);
    },
  );

  void t.test(
    `SO5: … also where the stored parts had reached different watermarks (${how})`,
    async (test) => {
      for (const latenessMs of [0, 50]) {
        const { operator: ahead } = open(spec(latenessMs));
        ahead.records(records(['a', 0], ['b', 1]));
        ahead.watermark(20);
        const { operator: behind } = open(spec(latenessMs));
        behind.records(records(['c', 0]));
        behind.watermark(3);
        const { bench, operator } = reopen(spec(latenessMs), ahead, behind);
        operator.watermark(9);
        test.same(give(bench), [result('c', 0, 10, 1), watermark(9)]);
        if (latenessMs > 0) operator.records(records(['b', 2]));
        operator.watermark(1000);
        const changed = latenessMs > 0 ? [result('b', 1, 12, 2)] : [];
        test.same(give(bench), [...changed, watermark(1000)], 'a changed session is given again');
      }
    },
  );

  void t.test(`a session that is over by a job's new lateness is not restored (${how})`, async (test) => {
    const { operator: before } = open(spec(100));
    before.records(records(['a', 0], ['b', 30]));
    before.watermark(20);
    const { bench, operator } = reopen(spec(0), before);
    test.equal(operator.counters?.().timers, 1);
    operator.watermark(1000);
    test.same(give(bench), [result('b', 30, 40, 1), watermark(1000)]);
  });

  void t.test(`idleness is handed on and stored (${how})`, async (test) => {
    const { bench, operator } = open(spec());
    operator.idle();
    test.same([give(bench), bench.side('late').take()], [[{ kind: 'idle' }], [{ kind: 'idle' }]]);
    test.equal(operator.snapshot?.().idle, true);
    operator.records(records(['a', 0]));
    test.equal(operator.snapshot?.().idle, false);
  });

  void t.test(
    `SS2 CR1: state is bounded by open sessions, not by the keys ever seen (${how})`,
    async (test) => {
      const { bench, operator } = open(spec(5));
      let most = 0;
      for (let round = 0; round < 300; round++) {
        const rows = Array.from(
          { length: 100 },
          (_, i) => [`key-${round}-${i}`, round * 10 + (i % 10)] as const,
        );
        operator.records(records(...rows));
        operator.watermark(round * 10 + 9);
        most = Math.max(most, operator.counters?.().keys ?? Number.NaN);
      }
      test.ok(most <= 400, `at most ${most} of 30 000 keys are held at once`);
      operator.watermark(1e6);
      test.equal(bench.output.rows().length, 30_000);
      operator.records(records(['one', 2e6]));
      test.ok((operator.counters?.().keys ?? Number.NaN) <= 1);
      operator.watermark(3e6);
      test.match(bench.output.rows().at(-1), { value: { n: 1, total: 1 } }, 'a used row starts empty');
    },
  );

  void t.test(`many sessions per key and many keys with one each (${how})`, async (test) => {
    const { bench, operator } = open(spec());
    const times = Array.from({ length: 3_000 }, (_, i) => ((i * 1_117) % 3_000) * 20);
    operator.records(records(...times.map((time) => ['many', time] as const)));
    operator.records(records(...times.map((time) => [`key-${time}`, time] as const)));
    test.equal(operator.counters?.().timers, 6_000);
    const restored = reopen(spec(), operator);
    for (const { operator: one, bench: of } of [{ operator, bench }, restored]) {
      one.watermark(1e6);
      const windows = (of.output.rows() as { window: { start: number; end: number } }[]).map(
        ({ window }) => window,
      );
      test.equal(windows.length, 6_000);
      test.same(new Set(windows.map(({ start, end }) => end - start)), new Set([10]));
      test.equal(new Set(windows.map(({ start }) => start)).size, 3_000);
    }
  });
}

void t.test(
  'a job may add and drop aggregates: what is kept goes on, what is new starts empty',
  async (test) => {
    const sized = { windows: session(10), allowedLatenessMs: 0, fold: null } as const;
    const before = sessionAggregate({
      ...sized,
      plan: planCells({ n: count(), total: sum('value'), high: max('value') }),
    });
    const after = sessionAggregate({
      ...sized,
      plan: planCells({
        total: sum('value'),
        n: count(),
        odd: max((row: Row) => row.value),
        mean: avg((row: Row) => row.value),
      }),
    });
    const first = before.create(createOperatorBench({ keys }).context);
    first.records(
      rowRecords(
        [
          { key: 'a', value: 3 },
          { key: 'a', value: null },
        ],
        [1, 2],
      ),
    );
    const two = createOperatorBench({ keys });
    const second = after.create(two.context);
    second.restore?.([decodeSnapshot(encodeSnapshot(first.snapshot?.() as OperatorState), [0, 127])]);
    second.watermark(0);
    test.match(second.snapshot?.().watermark, 0);
    second.records(rowRecords([{ key: 'a', value: 2 }], [3]));
    second.watermark(12);
    test.match(two.output.rows(), [{ value: { total: 5, n: 3, odd: 2, mean: 2 } }]);
  },
);

void t.test(
  'state of other windows, or of the other kind of aggregate, is refused on restore',
  async (test) => {
    const stored = (definition: OperatorDefinition<Operator>) => {
      const operator = definition.create(createOperatorBench({ keys }).context);
      operator.records(records(['a', 1]));
      return operator.snapshot?.() as OperatorState;
    };
    const restore = (definition: OperatorDefinition<Operator>, state: OperatorState) => () =>
      definition.create(createOperatorBench({ keys }).context).restore?.([state]);
    const tumbling = windowAggregate({
      windows: { kind: 'tumbling', sizeMs: 10, offsetMs: 0 },
      allowedLatenessMs: 0,
      plan: planCells({ n: count() }),
      fold: null,
    });
    const folded = spec(0, session(10), listing);
    test.throws(restore(spec(), stored(tumbling)), {
      code: 'MR_STATE_INCOMPATIBLE',
      message: /not of session windows/,
    });
    test.throws(restore(spec(), stored(folded)), {
      code: 'MR_STATE_INCOMPATIBLE',
      message: /sessions of an aggregate function, the job asks for built-in aggregates/,
    });
    test.throws(restore(folded, stored(spec())), {
      code: 'MR_STATE_INCOMPATIBLE',
      message: /sessions of built-in aggregates, the job asks for an aggregate function/,
    });
  },
);

void t.test('a snapshot does not change with what comes after it', async (test) => {
  for (const fold of [listing, null]) {
    const taken = (goOn: boolean) => {
      const operator = spec(0, session(10), fold).create(createOperatorBench({ keys }).context);
      operator.records(records(['a', 1]));
      const state = operator.snapshot?.();
      if (goOn) {
        operator.records(records(['a', 2], ['b', 3]));
        operator.watermark(100);
      }
      return [...(state?.groups.entries() ?? [])];
    };
    test.same(taken(true), taken(false));
  }
});
