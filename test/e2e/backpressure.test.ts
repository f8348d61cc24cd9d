import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { FleetReading } from '../../edge-forwarder/fleet.ts';
import type { ForwarderStats } from '../../edge-forwarder/forwarder.ts';
import { systemClock } from '../../engine/base/clock.ts';
import { openHeldForwarders } from '../../ops/held-forwarders.ts';
import type { BackpressureReport } from '../../ops/server/backpressure-report.ts';
import { createAdminServer } from '../../ops/server/admin-server.ts';
import { startTelemetry } from '../../ops/telemetry/telemetry.ts';
import { promtool } from '../ops/support/promtool.ts';
import { createTopic, expectedFleet, startForwarder } from '../support/edge-forwarder.ts';
import { startRedis } from '../support/redis-server.ts';
import { runSlowJob, slowTarget } from './slow-sink.ts';

/** More than outbox and log hold. */
const RECORDS = 120_000;
const PARTITIONS = 2;
/** More than the job reads ahead, so that a full partition still has something to read. */
const QUOTA_BYTES = 100 * 1024;
const OUTBOX_BYTES = 1024 * 1024;
const FLEET = {
  seed: 3,
  devices: 50,
  tenants: 2,
  sitesPerTenant: 2,
  rate: 10_000,
  startMs: 1_750_000_000_000,
  outOfOrderMs: 200,
  lateShare: 0,
  lateMs: 60_000,
  faultShare: 0.02,
};

/** Polls until `found` gives something, and gives it. */
async function eventually<T>(what: string, found: () => Promise<T | null>, timeoutMs = 20_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await found();
    if (value !== null) return value;
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await sleep(100);
  }
}

function forwarderArguments(redis: string, outbox: string, metrics: string): string[] {
  const settings = {
    redis,
    topic: 'telemetry',
    producer: 'gw-1',
    outbox,
    'outbox-bytes': OUTBOX_BYTES,
    'grace-bytes': 0,
    'metrics-file': metrics,
    'frame-records': 200,
    pace: 'asFastAsPossible',
    duration: `${RECORDS / FLEET.rate}s`,
    rate: FLEET.rate,
    devices: FLEET.devices,
    tenants: FLEET.tenants,
    sites: FLEET.sitesPerTenant,
    seed: FLEET.seed,
    start: FLEET.startMs,
    'out-of-order': `${FLEET.outOfOrderMs}ms`,
    late: `${FLEET.lateMs}ms`,
  };
  return [...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]), 'fleet'];
}

await t.test(
  'a slow sink is felt up to the forwarder, everything says so, and nothing is lost or doubled (E11, S5.6)',
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'mr-backpressure-'));
    const redis = await startRedis();
    t.teardown(async () => {
      await redis.stop();
      rmSync(directory, { recursive: true, force: true });
    });
    await createTopic(redis.url, 'telemetry', PARTITIONS, FleetReading, QUOTA_BYTES);

    const target = slowTarget(150);
    const { handle, close } = await runSlowJob(redis.url, target);
    const telemetry = startTelemetry(() => [handle], systemClock);
    const held = await openHeldForwarders({ url: redis.url, namespace: 'default', clock: systemClock });
    const { server } = await createAdminServer({ jobs: () => [handle], forwarders: held.read });
    t.teardown(async () => {
      await handle.cancel();
      await Promise.all([server.close(), telemetry.stop(), held.close(), close()]);
    });
    const report = async (): Promise<BackpressureReport> => {
      const url = '/api/v1/jobs/slow/backpressure';
      return (await server.inject({ url, headers: { host: '127.0.0.1' } })).json();
    };
    const load = ({ operators }: BackpressureReport, id: string) => operators.find((one) => one.id === id);

    const metrics = join(directory, 'edge.prom');
    const edge = startForwarder(forwarderArguments(redis.url, join(directory, 'outbox'), metrics));
    t.teardown(() => edge.child.kill('SIGKILL'));

    const slow = await eventually('everything is held up', async () => {
      const now = await report();
      const source = load(now, 'readings');
      const isFull = now.forwarders?.some(({ inputHeld }) => inputHeld) === true;
      return source?.level === 'high' && load(now, 'count')?.level === 'high' && isFull ? now : null;
    });
    t.comment(
      JSON.stringify(slow.operators.map(({ id, vertex, level, shares }) => ({ id, vertex, level, shares }))),
    );
    t.comment(JSON.stringify(slow.forwarders));
    t.equal(slow.level, 'high');
    t.match(slow.forwarders, [{ topic: 'telemetry', producer: 'gw-1', partitions: [0, 1], inputHeld: true }]);
    const [forwarder] = slow.forwarders ?? [];
    t.ok(
      (forwarder?.pendingRecords ?? 0) > 1_000 && (forwarder?.pendingBytes ?? 0) > 10_000,
      'it holds records',
    );
    t.ok(
      slow.sources.every(({ lagRecords }) => lagRecords !== null && lagRecords > 0),
      'each partition has a backlog',
    );
    t.ok((forwarder?.since ?? Infinity) <= slow.at && (forwarder?.oldestMs ?? -1) >= 0);

    const engineText = await telemetry.metricsText();
    t.match(
      engineText,
      /millrace_task_backpressured_seconds_total\{job_name="slow",vertex="readings",[^}]*\} [^0]/,
    );
    const edgeText = readFileSync(metrics, 'utf8');
    t.equal(promtool(['check', 'metrics'], edgeText), '');
    for (const line of ['backpressured', 'input_held'])
      t.match(edgeText, `millrace_edge_${line}{topic="telemetry",producer="gw-1"} 1\n`);
    t.match(edgeText, 'millrace_edge_partition_full{topic="telemetry",producer="gw-1",partition="0"} 1\n');
    t.ok(target.rows().length < RECORDS / 2, `${target.rows().length} records have come through so far`);

    target.recover();
    t.equal(await edge.exited, 0, edge.err());
    const stats = JSON.parse(edge.out()) as ForwarderStats;
    t.match(stats, {
      accepted: RECORDS,
      delivered: RECORDS,
      pending: 0,
      droppedDeclared: 0,
      backpressured: null,
    });
    t.ok(stats.backpressuredMs > 1_000, `held for ${stats.backpressuredMs} ms`);
    await eventually('all have come through', async () => (target.rows().length >= RECORDS ? true : null));

    const calm = await eventually('nobody is held up', async () => {
      const now = await report();
      return now.level === 'ok' && now.forwarders?.length === 0 ? now : null;
    });
    t.ok(calm.sources.every(({ lagRecords }) => lagRecords === 0));
    t.match(
      readFileSync(metrics, 'utf8'),
      'millrace_edge_backpressured{topic="telemetry",producer="gw-1"} 0\n',
    );
    const text = (row: object) => JSON.stringify(row);
    const expected = expectedFleet(FLEET, RECORDS, PARTITIONS, FleetReading).flat().map(text).toSorted();
    const arrived = target.rows().map(text).toSorted();
    t.equal(arrived.length, RECORDS);
    t.equal(
      expected.findIndex((row, i) => row !== arrived[i]),
      -1,
      'each record once',
    );
    t.equal(handle.status().restarts, 0);
  },
);
