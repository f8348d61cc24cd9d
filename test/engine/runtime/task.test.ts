import t from 'tap';
import {
  type CheckpointId,
  checkpointId,
  type Element,
  type Operator,
  recordCount,
  rowAt,
  type SourceReader,
  systemClock,
} from '#engine';
import { Channel } from '../../../engine/runtime/channel.ts';
import { InputGate } from '../../../engine/runtime/input-gate.ts';
import { Task, type TaskInput, type TaskSnapshot } from '../../../engine/runtime/task.ts';
import { TaskLoop } from '../../../engine/runtime/task-loop.ts';
import { rowRecords } from '../../support/operator-bench.ts';

const records = (n: number): Element => ({ kind: 'records', records: rowRecords([n], [n]) });

/** A source that gives a list, and snapshots how much of it. */
function listed(elements: readonly Element[]): SourceReader {
  let at = 0;
  return {
    poll: () => elements[at++] ?? (at--, null),
    snapshot: () => ({ items: [at], positions: [] }),
    status: () => [],
    close: async () => {},
  };
}

/** Sums what it gets, passes it on, and can be held up. */
function summing(
  output: Channel | null,
): Operator & { sum: number; held: boolean; open: boolean; ended: number } {
  return {
    sum: 0,
    held: false,
    open: false,
    ended: 0,
    records(input) {
      for (let k = 0; k < recordCount(input); k++) this.sum += rowAt(input, k) as number;
      output?.push({ kind: 'records', records: input });
    },
    watermark: (time) => output?.push({ kind: 'watermark', time }),
    idle: () => output?.push({ kind: 'idle' }),
    end() {
      this.ended++;
      output?.push({ kind: 'end' });
    },
    blocked() {
      return this.held ? new Promise<void>(() => {}) : null;
    },
    pending() {
      return this.open;
    },
    snapshot() {
      return { watermark: 0, idle: false, groups: new Map(), items: [this.sum] };
    },
  };
}

function taskOf(input: TaskInput, operator: Operator, outputs: readonly Channel[] = []) {
  const snapshots: TaskSnapshot[] = [];
  const ended: Task[] = [];
  const task = new Task({
    id: 'vertex',
    subtask: 0,
    input,
    heads: [operator],
    operators: [{ id: 'sum', operator }],
    outputs,
    onSnapshot: (_, snapshot) => snapshots.push(snapshot),
    onEnded: (it) => ended.push(it),
    clock: systemClock,
  });
  return { task, snapshots, ended };
}

const source = (elements: readonly Element[]): TaskInput => ({
  kind: 'source',
  operator: 'in',
  reader: listed(elements),
});
const state = (snapshot: TaskSnapshot | undefined) => [
  snapshot?.source?.snapshot.items[0],
  snapshot?.states.get('sum')?.items[0],
];
const kinds = (channel: Channel) => {
  const got: string[] = [];
  for (let e = channel.shift(); e !== null; e = channel.shift()) got.push(e.kind);
  return got;
};

void t.test(
  'TK1: a barrier falls between two elements: position, state and output are of one instant',
  async (test) => {
    const output = new Channel();
    const operator = summing(output);
    const { task, snapshots } = taskOf(source([1, 2, 3, 4].map(records)), operator, [output]);
    task.turn(0);
    task.turn(0);
    task.triggerBarrier(checkpointId(7));
    while (task.turn(0) === 'progress');
    test.equal(snapshots.length, 1);
    test.same(state(snapshots[0]), [2, 3], 'two records read, their sum');
    test.equal(snapshots[0]?.checkpoint, 7);
    test.same(kinds(output), ['records', 'records', 'barrier', 'records', 'records']);
    test.equal(operator.sum, 10);
  },
);

void t.test(
  'TK1: a gate task snapshots when its barrier has come through, and passes it on',
  async (test) => {
    const inputs = [new Channel(), new Channel()];
    const output = new Channel();
    const operator = summing(output);
    const { task, snapshots } = taskOf(
      { kind: 'gate', gate: new InputGate([inputs], systemClock) },
      operator,
      [output],
    );
    const barrier: Element = { kind: 'barrier', checkpoint: 3 as CheckpointId };
    for (const element of [records(1), barrier, records(100)]) inputs[0]?.push(element);
    inputs[1]?.push(records(2));
    while (task.turn(5) === 'progress');
    test.equal(snapshots.length, 0);
    inputs[1]?.push(barrier);
    while (task.turn(5) === 'progress');
    test.same(state(snapshots[0]), [undefined, 3]);
    test.equal(operator.sum, 103);
    test.same(kinds(output), ['records', 'records', 'barrier', 'records']);
  },
);

void t.test(
  'TK2: nothing is taken while an operator cannot take more; a barrier still passes',
  async (test) => {
    const operator = summing(null);
    const { task, snapshots } = taskOf(source([1, 2].map(records)), operator);
    operator.held = true;
    test.equal(task.turn(5), 'backpressured');
    test.equal(operator.sum, 0);
    task.triggerBarrier(checkpointId(1));
    task.turn(5);
    test.same(state(snapshots[0]), [0, 0]);
    operator.held = false;
    while (task.turn(5) === 'progress');
    test.equal(operator.sum, 3);
  },
);

void t.test('TK2: nothing is taken while an output channel is full', async (test) => {
  const output = new Channel();
  const operator = summing(output);
  const { task } = taskOf(source(Array.from({ length: 100 }, (_, i) => records(i))), operator, [output]);
  while (task.turn(5) === 'progress');
  test.equal(task.turn(5), 'backpressured');
  test.equal(output.full, true);
  const before = operator.sum;
  output.shift();
  test.equal(task.turn(5), 'progress');
  test.ok(operator.sum > before);
});

void t.test('an input that has ended ends the task once nothing is pending, and only once', async (test) => {
  const output = new Channel();
  const operator = summing(output);
  operator.open = true;
  const { task, ended, snapshots } = taskOf(source([records(1), { kind: 'end' }]), operator, [output]);
  while (task.turn(5) === 'progress');
  test.equal(task.ended, false, 'a call is still open');
  task.triggerBarrier(checkpointId(1));
  task.turn(5);
  test.equal(snapshots.length, 1);
  operator.open = false;
  test.equal(task.turn(5), 'ended');
  test.equal(task.turn(5), 'ended');
  test.equal(operator.ended, 1);
  test.equal(ended.length, 1);
  test.same(kinds(output), ['records', 'watermark', 'barrier', 'end']);
  task.snapshotEnded(checkpointId(2));
  test.same(state(snapshots[1]), [2, 1], 'an ended task still answers barriers');
});

void t.test('SR1: a stopped source gives nothing more; what was taken stays', async (test) => {
  const operator = summing(null);
  const { task } = taskOf(source([1, 2, 3].map(records)), operator);
  task.turn(0);
  task.stopInput(false);
  test.equal(task.turn(5), 'idle');
  test.equal(operator.sum, 1);
});

void t.test(
  'what user code throws names the task; errors of the catalogue stay what they are',
  async (test) => {
    const failing = {
      ...summing(null),
      records: () => {
        throw new Error('boom');
      },
    };
    const { task } = taskOf(source([records(1)]), failing);
    test.throws(() => task.turn(5), { code: 'MR_OPERATOR_FAILED', message: /vertex.*boom/ });
  },
);

void t.test('a loop of tasks runs a pipeline to its end, and reports the first failure', async (test) => {
  const channel = new Channel();
  const first = summing(channel);
  const second = summing(null);
  const head = taskOf(source([...Array.from({ length: 50 }, (_, i) => records(i)), { kind: 'end' }]), first, [
    channel,
  ]);
  const tail = taskOf({ kind: 'gate', gate: new InputGate([[channel]], systemClock) }, second);
  const loop = new TaskLoop([head.task, tail.task], systemClock);
  channel.listen(
    () => loop.wake(),
    () => loop.wake(),
  );
  test.equal(await loop.run(), 'ended');
  test.equal(second.sum, 1225);
  const failing = {
    ...summing(null),
    records: () => {
      throw new Error('boom');
    },
  };
  await test.rejects(new TaskLoop([taskOf(source([records(1)]), failing).task], systemClock).run(), {
    code: 'MR_OPERATOR_FAILED',
  });
  const quiet = new TaskLoop([taskOf(source([]), summing(null)).task], systemClock);
  const running = quiet.run();
  setImmediate(() => quiet.stop());
  test.equal(await running, 'stopped');
});
