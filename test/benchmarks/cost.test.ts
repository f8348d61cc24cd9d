import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type Load, planFleet, type Prices, UTILISATION } from '../../benchmarks/cost/fleet.ts';
import { simulateFleet } from '../../benchmarks/cost/fleet-simulation.ts';
import { manifestBytes } from '../../benchmarks/cost/manifest-size.ts';
import { runCost } from '../../benchmarks/cost/run.ts';
import { readUnitCosts, type UnitCosts } from '../../benchmarks/cost/unit-costs.ts';

const UNITS: UnitCosts = {
  workerNs: 3_000,
  serverNs: 600,
  frameBytes: 10,
  logBytes: 12,
  lakeBytes: 8,
  keyBytes: 500,
  recoverySeconds: 4,
  failOverSeconds: 10,
};
const LOAD: Load = {
  eventsPerSecond: 1e6,
  averagePerSecond: 5e5,
  keys: 1e6,
  retentionHours: 1,
  checkpointSeconds: 5,
};
const PRICES: Prices = { cpuHour: 0.05, memoryHour: 0.01 };

void t.test('a fleet has the cores that its events take, and room', async (test) => {
  const fleet = planFleet(LOAD, UNITS, PRICES);
  test.equal(fleet.workerCores, 3 / UTILISATION);
  test.equal(fleet.shards, 1);
  test.equal(fleet.shardBytesPerSecond, 3e7);
  // A shard is two servers; seven cores come with 28 GiB.
  const memory = 2 * fleet.logGiB + fleet.stateGiB - 28;
  test.ok(Math.abs(fleet.dollarsPerHour - (7 * 0.05 + memory * 0.01)) < 1e-9);
  test.ok(
    Math.abs(fleet.dollarsPerMillion - fleet.dollarsPerHour / 1_800) < 1e-12,
    'of what it carries on average',
  );
});

void t.test(
  'a fleet that loses a part falls behind for as long as that takes, and catches up',
  async (test) => {
    const fleet = planFleet(LOAD, UNITS, PRICES);
    const run = { load: LOAD, fleet, units: UNITS, seconds: 300 };
    const lost = simulateFleet(run, { kind: 'worker-lost', at: 50, workerCores: 1, replacedAfter: 60 });
    // It stands for 4 s and does 2.5 s again: 6.5 s behind, at first with four cores of five, which gain a third of the load.
    test.ok(Math.abs(lost.lagMax - 6.5) < 0.2, `${lost.lagMax}`);
    test.ok(
      lost.caughtUpAfter !== null && Math.abs(lost.caughtUpAfter - (4 + 6.5 * 3 - 3)) < 2,
      `${lost.caughtUpAfter}`,
    );
    test.ok(lost.lagAtEnd < 0.11);
    test.equal(lost.heldAtEdgeMax, 0);
    const away = simulateFleet(run, { kind: 'primary-lost', at: 50 });
    test.ok(away.lagMax > lost.lagMax);
    test.ok(Math.abs(away.heldAtEdgeMax - 1e7) < 2e5, 'what came meanwhile waits at the edge');
    const calm = simulateFleet(run, { kind: 'burst', at: 50, seconds: 100, factor: 1.5 });
    test.ok(calm.lagMax < 0.11, 'there is room for half as much again');
    const over = simulateFleet({ ...run, seconds: 200 }, { kind: 'burst', at: 50, seconds: 150, factor: 2 });
    test.equal(over.caughtUpAfter, null);
  },
);

void t.test('manifests grow with slots and key groups', async (test) => {
  test.ok(manifestBytes(64, 128) > manifestBytes(16, 128));
  test.ok(manifestBytes(64, 1_024) > manifestBytes(64, 128));
});

void t.test('unit costs come with their origin, or not at all', async (test) => {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-cost-'));
  test.teardown(() => rmSync(dir, { recursive: true, force: true }));
  const file = (units: Readonly<Record<string, unknown>>) => {
    const path = join(dir, 'units.json');
    writeFileSync(path, JSON.stringify(units));
    return path;
  };
  const measured = Object.fromEntries(
    Object.entries(UNITS).map(([name, value]) => [name, { value, from: 'a test' }]),
  );
  test.same(readUnitCosts(file(measured)).costs, UNITS);
  for (const bad of [undefined, { value: 0, from: 'x' }, { value: '3', from: 'x' }, { value: 3 }])
    test.throws(() => readUnitCosts(file({ ...measured, serverNs: bad })), /'serverNs'/);
  const lines: string[] = [];
  runCost({ units: file(measured), print: (line) => lines.push(line) });
  test.match(lines.join('\n'), /\| 10 M\/s \| 50 \| 10 \|/);
  test.notMatch(lines.join('\n'), /NaN|Infinity|undefined/);
});
