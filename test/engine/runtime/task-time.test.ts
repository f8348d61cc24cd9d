import fc from 'fast-check';
import t from 'tap';
import { type Element, recordCount, type SourceReader } from '#engine';
import { Channel } from '../../../engine/runtime/channel.ts';
import { InputGate } from '../../../engine/runtime/input-gate.ts';
import type { Operator } from '../../../engine/runtime/operator.ts';
import { Task, type TaskInput } from '../../../engine/runtime/task.ts';
import { TaskLoop } from '../../../engine/runtime/task-loop.ts';
import { type Rest, TaskTime, type TaskTimes } from '../../../engine/runtime/task-time.ts';
import { virtualClock } from '../../../operators/testing/index.ts';
import { rowRecords } from '../../support/operator-bench.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const TASKS = 3;

/** A turn of a task within a round: how long, whether it finds something, how it ends, whom it gives something, who is read after it. */
interface Turn {
  readonly ms: number;
  readonly finds: boolean;
  readonly rest: Rest;
  readonly gives: readonly number[];
  readonly read: boolean;
}

/** What one thread does: a gap (asleep, or busy with the event loop), then a turn of every task. */
interface Round {
  readonly gapMs: number;
  readonly readInGap: boolean;
  readonly turns: readonly Turn[];
}

const rest = fc.constantFrom<Rest>('queued', 'idle', 'backpressured');
const turn: fc.Arbitrary<Turn> = fc.record({
  ms: fc.nat(5),
  finds: fc.boolean(),
  rest,
  gives: fc.subarray([0, 1, 2]),
  read: fc.boolean(),
});
const rounds: fc.Arbitrary<readonly Round[]> = fc.array(
  fc.record({
    gapMs: fc.nat(6),
    readInGap: fc.boolean(),
    turns: fc.array(turn, { minLength: TASKS, maxLength: TASKS }),
  }),
  { maxLength: 12 },
);

const total = ({ busyMs, idleMs, backpressuredMs }: TaskTimes) => busyMs + idleMs + backpressuredMs;

/** Every millisecond of one task, told afterwards by the whole story: another way to the same sums. */
function retold(story: readonly Round[], self: number): Omit<TaskTimes, 'runningMs'> {
  const sums = { busyMs: 0, idleMs: 0, backpressuredMs: 0 };
  let now = 0;
  let wait = { from: 0, why: 'idle' as Rest, arrived: Infinity };
  const endWait = (until: number, finds: boolean, roundMs: number) => {
    const { from, why, arrived } = wait;
    if (why === 'backpressured') sums.backpressuredMs += until - from;
    if (why === 'queued') sums.busyMs += until - from;
    if (why !== 'idle') return;
    const since = Math.max(from, arrived === Infinity ? roundMs : arrived);
    sums.busyMs += finds ? until - since : 0;
    sums.idleMs += finds ? since - from : until - from;
  };
  /** A reading settles what was waited so far. */
  const settle = () => {
    const { arrived } = wait;
    endWait(now, false, now);
    wait = { ...wait, from: now, arrived: arrived === Infinity ? arrived : Math.max(arrived, now) };
  };
  for (const { gapMs, readInGap, turns } of story) {
    now += gapMs;
    if (readInGap) settle();
    const roundMs = now;
    for (const [index, { ms, finds, rest: why, gives, read }] of turns.entries()) {
      if (index === self) endWait(now, finds, roundMs);
      now += ms;
      if (index === self) {
        sums.busyMs += ms;
        wait = { from: now, why, arrived: Infinity };
      }
      if (gives.includes(self) && wait.why === 'idle')
        wait = { ...wait, arrived: Math.min(wait.arrived, now) };
      if (read) settle();
    }
  }
  settle();
  return sums;
}

await t.test(
  'TT1, TT2, TT3: shares sum to the time passed at every reading, and are those of the story',
  async (t) => {
    fc.assert(
      fc.property(rounds, (story) => {
        let now = 0;
        const times = Array.from({ length: TASKS }, () => new TaskTime(0));
        const before = times.map((time) => time.read(0));
        const read = () => {
          for (const [index, time] of times.entries()) {
            const figures = time.read(now);
            if (total(figures) !== now) throw new Error(`TT1: ${JSON.stringify(figures)} at ${now}`);
            for (const [name, value] of Object.entries(figures))
              if (value < before[index]![name as keyof TaskTimes]) throw new Error(`TT2: ${name} fell`);
            if (figures.runningMs > figures.busyMs) throw new Error('running is part of busy');
            before[index] = figures;
          }
        };
        for (const { gapMs, readInGap, turns } of story) {
          now += gapMs;
          if (readInGap) read();
          const roundMs = now;
          for (const [index, { ms, finds, rest: why, gives, read: reads }] of turns.entries()) {
            const time = times[index] as TaskTime;
            time.turn(now, roundMs);
            if (finds) time.found();
            now += ms;
            time.rest(now, why);
            for (const other of gives) times[other]?.arrived(now);
            if (reads) read();
          }
        }
        read();
        for (const [index, { runningMs: _, ...figures }] of before.entries())
          t.same(figures, retold(story, index));
        const running = before.reduce((sum, { runningMs }) => sum + runningMs, 0);
        if (running > now) throw new Error(`the tasks of one thread ran for ${running} of ${now} ms`);
      }),
      { numRuns: propertyRuns(500) },
    );
  },
);

await t.test('TT1, TT4: a reading within a turn sums as well; nothing is added after the end', async (t) => {
  const time = new TaskTime(10);
  time.turn(14, 12);
  t.same(time.read(14), { busyMs: 0, idleMs: 4, backpressuredMs: 0, runningMs: 0 });
  time.found();
  t.same(time.read(17), { busyMs: 3, idleMs: 4, backpressuredMs: 0, runningMs: 3 });
  time.rest(18, 'backpressured');
  time.end(20);
  t.same(time.read(99), { busyMs: 4, idleMs: 4, backpressuredMs: 2, runningMs: 4 });
  time.rest(100, 'queued');
  t.same(time.read(120), { busyMs: 4, idleMs: 4, backpressuredMs: 2, runningMs: 4 });
});

const records = (n: number): Element => ({ kind: 'records', records: rowRecords([n], [n]) });

await t.test(
  'TL1, TT3: in one thread, a slow task holds up the one before it, and is itself never idle (E11)',
  async (t) => {
    const clock = virtualClock();
    const channel = new Channel();
    const costing = (ms: number, output: Channel | null): Operator => ({
      records: (input) => {
        if (recordCount(input) > 0) clock.advance(ms);
        output?.push({ kind: 'records', records: input });
      },
      watermark: () => {},
      idle: () => {},
      end: () => output?.push({ kind: 'end' }),
    });
    let left = 400;
    const reader: SourceReader = {
      poll: () => (left === 0 ? { kind: 'end' } : (left--, records(left))),
      snapshot: () => ({ items: [], positions: [] }),
      status: () => [],
      close: async () => {},
    };
    const taskOf = (id: string, input: TaskInput, operator: Operator, outputs: readonly Channel[]) =>
      new Task({
        id,
        subtask: 0,
        input,
        heads: [operator],
        operators: [{ id, operator }],
        outputs,
        onSnapshot: () => {},
        onEnded: () => {},
        clock,
      });
    const fast = taskOf('fast', { kind: 'source', operator: 'in', reader }, costing(0, channel), [channel]);
    const gate = new InputGate([[channel]], clock);
    const slow = taskOf('slow', { kind: 'gate', gate }, costing(5, null), []);
    const loop = new TaskLoop([fast, slow], clock);
    channel.listen(
      () => loop.arrived(slow),
      () => loop.wake(),
    );
    t.equal(await loop.run(), 'ended');
    const [first, second] = [fast.time.read(clock.monotonic()), slow.time.read(clock.monotonic())];
    t.equal(total(first), 2_000);
    t.equal(total(second), 2_000);
    t.same(second, { busyMs: 2_000, idleMs: 0, backpressuredMs: 0, runningMs: 2_000 });
    t.ok(first.backpressuredMs > 1_900, JSON.stringify(first));
    t.equal(first.runningMs, 0);
  },
);
