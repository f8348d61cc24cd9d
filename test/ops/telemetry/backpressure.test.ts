import t from 'tap';
import { backpressureLevel, operatorLoads } from '../../../ops/telemetry/backpressure.ts';
import { LOAD, LoadReadings } from '../../../ops/telemetry/load-readings.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedJob } from '../support/scripted-job.ts';

const task = (subtask: number, [busyMs, idleMs, backpressuredMs]: readonly [number, number, number]) => ({
  id: 'v',
  subtask,
  host: 0,
  busyMs,
  idleMs,
  backpressuredMs,
  runningMs: busyMs / 2,
});

await t.test('levels have the thresholds of Flink: ok to 10 %, low to 50 %, high above (E11)', async (t) => {
  t.same([0, 0.1, 0.100_1, 0.5, 0.500_1, 1].map(backpressureLevel), [
    'ok',
    'ok',
    'low',
    'low',
    'high',
    'high',
  ]);
});

await t.test(
  'operators of a vertex share its load; the subtask that is held up most gives the level',
  async (t) => {
    const status = scriptedJob('j', manualClock()).status();
    const [first, second] = status.operators.map((operator) => ({ ...operator, vertex: 'v' }));
    if (first === undefined || second === undefined) throw new Error('the scripted job has operators');
    const now = {
      ...status,
      operators: [first, second],
      subtasks: [task(0, [50, 50, 0]), task(1, [20, 0, 80])],
    };
    const loads = operatorLoads(now, [task(0, [0, 0, 0]), task(1, [0, 0, 0])]);
    t.same(loads[0]?.subtasks, loads[1]?.subtasks);
    t.match(loads[0], {
      level: 'high',
      shares: { busy: 0.35, idle: 0.25, backpressured: 0.4, running: 0.175 },
      subtasks: [
        { subtask: 0, level: 'ok' },
        { subtask: 1, level: 'high', shares: { backpressured: 0.8 } },
      ],
    });
    const restarted = operatorLoads(now, [task(0, [90, 0, 0]), task(1, [20, 0, 80])]);
    t.match(restarted[0], { level: null, shares: null }, 'totals that fell, or did not move, tell nothing');
    t.match(
      operatorLoads(now, [{ ...task(0, [0, 0, 0]), host: 3 }])[0],
      { level: null },
      'moved to another host',
    );
  },
);

await t.test(
  'the interval begins at most so long ago, and a job that is gone leaves nothing behind',
  async (t) => {
    const clock = manualClock();
    let jobs = [scriptedJob('j', clock)];
    const readings = new LoadReadings(() => jobs, clock);
    t.equal(readings.earlier('j'), null);
    readings.start();
    t.teardown(() => readings.stop());
    clock.advance(2_500);
    t.equal(readings.earlier('j')?.atMs, 0);
    clock.advance(60_000);
    const since = clock.monotonic() - (readings.earlier('j')?.atMs ?? 0);
    t.ok(since <= LOAD.overMs && since > LOAD.overMs - LOAD.readEveryMs, `${since} ms`);
    jobs = [];
    clock.advance(LOAD.readEveryMs);
    t.equal(readings.earlier('j'), null);
  },
);
