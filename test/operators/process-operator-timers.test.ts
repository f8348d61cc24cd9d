import t from 'tap';
import { defineOperator, type } from '#operators';
import { processOperator } from '../../operators/define-operator.ts';
import { manualClock } from '../ops/support/manual-clock.ts';
import { rowRecords } from '../support/operator-bench.ts';
import { createKeySubtasks } from './state/key-subtasks.ts';

interface Row {
  readonly key: string;
  readonly do: string;
}

const byClock = defineOperator({
  key: type<{ key: string }>(),
  input: type<Row>(),
  output: type<unknown>(),
  sides: { rung: type<number>() },
  onRecord({ do: what }, { timers }) {
    const [verb, time] = what.split(' ');
    if (verb === 'set') timers.atProcessingTime(Number(time));
    if (verb === 'delete') timers.deleteProcessingTime(Number(time));
    if (verb === 'event') timers.at(Number(time));
  },
  onProcessingTimer(firedAt, { key, emit, side, timestamp, processingTime, timers }) {
    emit([key.key, firedAt, timestamp, processingTime]);
    side.rung(firedAt);
    if (key.key === 'again') timers.atProcessingTime(firedAt);
    if (key.key === 'broken') throw new Error('cannot');
  },
});

function open() {
  const clock = manualClock(1000);
  const subtasks = createKeySubtasks(processOperator(byClock as never), {
    routes: [{ kind: 'fields', fields: ['key'] }],
    clock,
  });
  return {
    clock,
    subtasks,
    wakes: () => subtasks.benches().reduce((sum, bench) => sum + bench.wakes, 0),
    waiting: () => subtasks.operators()[0]?.waiting?.(),
    tell: (key: string, ...what: string[]) =>
      subtasks.records(
        0,
        what.map((it) => ({ key, do: it })),
        (rows) =>
          rowRecords(
            rows,
            rows.map(() => 5),
          ),
      ),
    rung: () => subtasks.take().map(([row]) => row),
  };
}

void t.test(
  'E6 KT1: processing-time timers fire in time order, once each, when the wall clock reaches them',
  async (test) => {
    const { clock, subtasks, tell, rung, wakes } = open();
    tell('a', 'set 1030', 'set 1010', 'set 1010', 'set 1020', 'delete 1020', 'delete 7');
    subtasks.poll();
    test.same(rung(), []);
    clock.advance(9);
    test.equal(wakes(), 0);
    clock.advance(1);
    test.equal(wakes(), 1, 'the earliest asks for a turn');
    subtasks.poll();
    test.same(rung(), [['a', 1010, 1010, 1010]]);
    clock.advance(25);
    subtasks.poll();
    test.same(rung(), [['a', 1030, 1030, 1035]]);
    subtasks.poll();
    test.same(rung(), []);
    test.same(subtasks.benches()[0]?.side('rung').rows(), [1010, 1030]);
  },
);

void t.test(
  'E6: timers due while the job was down fire right after the restore, at any parallelism',
  async (test) => {
    for (const parallelism of [1, 3]) {
      const { clock, subtasks, tell, wakes } = open();
      for (const key of ['a', 'b', 'c', 'd']) tell(key, 'set 1010', 'set 1500');
      subtasks.restore(parallelism);
      clock.advance(100);
      test.ok(wakes() > 0);
      subtasks.poll();
      test.same(
        subtasks
          .take()
          .map(([row]) => String(row))
          .sort(),
        ['a', 'b', 'c', 'd'].map((key) => `${key},1010,1010,1100`),
      );
      subtasks.restore(1);
      subtasks.poll();
      test.same(subtasks.take(), [], 'what fired does not fire again');
      clock.advance(400);
      subtasks.poll();
      test.equal(subtasks.take().length, 4);
    }
  },
);

void t.test(
  'KT3: a timer that sets itself again for a time that has passed fires once per turn',
  async (test) => {
    const { clock, subtasks, tell, rung } = open();
    tell('again', 'set 1010');
    clock.advance(10);
    for (let turn = 0; turn < 3; turn++) {
      subtasks.poll();
      test.same(rung(), [['again', 1010, 1010, 1010]]);
    }
  },
);

void t.test('what a processing-time timer emits is never late', async (test) => {
  const { clock, subtasks, tell, rung } = open();
  subtasks.watermark(0, 5_000_000);
  tell('a', 'set 1010');
  clock.advance(10);
  subtasks.poll();
  test.same(rung(), [['a', 1010, 5_000_001, 1010]]);
});

void t.test('the next timer is told: by event time if there is one, else by the wall clock', async (test) => {
  const { subtasks, tell, waiting } = open();
  test.equal(waiting(), null);
  tell('a', 'set 1010', 'set 1020');
  test.same(waiting(), { what: 'processing-time timer', until: 1010, count: 2 });
  test.equal(subtasks.operators()[0]?.counters?.().timers, 2);
  const other = defineOperator({
    key: type<{ key: string }>(),
    input: type<Row>(),
    output: type<unknown>(),
    onRecord(_, { timers }) {
      timers.at(70);
      timers.at(30);
    },
    onTimer() {},
  });
  const subtask = createKeySubtasks(processOperator(other as never), {
    routes: [{ kind: 'fields', fields: ['key'] }],
    clock: manualClock(0),
  });
  subtask.records(0, [{ key: 'a' }], (rows) => rowRecords(rows, [0]));
  test.same(subtask.operators()[0]?.waiting?.(), { what: 'timer', until: 30, count: 2 });
});

void t.test(
  'a timer that throws, has no handler or has no time goes the way of a failed record',
  async (test) => {
    const { clock, subtasks, tell, rung } = open();
    tell('broken', 'set 1010');
    tell('a', 'event 10', 'set NaN');
    clock.advance(10);
    subtasks.poll();
    test.same(rung(), [['broken', 1010, 1010, 1010]]);
    test.match(subtasks.errors(), [
      { code: 'MR_OPERATOR_FAILED', message: /no onTimer/ },
      { code: 'MR_OPERATOR_FAILED', message: /NaN/ },
      { code: 'NONE', row: { processingTimer: 1010, key: { key: 'broken' } } },
    ]);
  },
);
