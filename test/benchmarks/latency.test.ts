import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Crossings } from '../../benchmarks/latency/crossings.ts';
import { Delays, type Percentiles } from '../../benchmarks/latency/delays.ts';
import { runLatency } from '../../benchmarks/latency/run.ts';
import { dueOf, firstWindowDue } from '../../benchmarks/latency/settings.ts';
import { findRedisServer } from '../../ops/setup/find-redis.mjs';

const ordered = ({ p50Us, p90Us, p99Us, p999Us, maxUs }: Percentiles) =>
  p50Us <= p90Us && p90Us <= p99Us && p99Us <= p999Us && p999Us <= maxUs;

void t.test('delays are merged, not averaged', async (test) => {
  const delays = new Delays(10_000);
  for (let i = 0; i < 1_000; i++) delays.record(1, 10_500);
  delays.record(250.25, 12_999);
  const all = delays.percentiles();
  test.match(all, { count: 1_001, p50Us: 1_000, p99Us: 1_000 });
  test.ok(Math.abs(all.maxUs - 250_250) < 251, `${all.maxUs} µs is 250.25 ms to three digits`);
  test.ok(ordered(all));
  test.equal(delays.perSecondMaxUs(3)[1], null, 'nothing came in the second second');
  test.equal(delays.perSecondMaxUs(3)[0], 1_000);
});

void t.test('a window is crossed by the last lane', async (test) => {
  const crossings = new Crossings(1_000, 200);
  crossings.passed('a', 2_100, 1);
  crossings.passed('b', 2_150, 2);
  crossings.passed('a', 2_200, 3);
  crossings.passed('b', 3_300, 4);
  test.same(crossings.all(), [
    { windowStart: 0, lanes: 2, atMs: 2 },
    { windowStart: 1_000, lanes: 2, atMs: 4 },
    { windowStart: 2_000, lanes: 1, atMs: 4 },
  ]);
  test.equal(dueOf(firstWindowDue(50_000, 10_000), 10_000), 52_000);
  test.equal(dueOf(firstWindowDue(52_000, 10_000), 10_000), 52_000);
});

void t.test('a run whose first window would not be whole is refused', async (test) => {
  await test.rejects(runLatency({ rate: 500, seconds: 3, warmUpSeconds: 11 }), { message: /warm-up/ });
});

void t.test(
  'a short run measures every point of every window, and its results are right',
  { skip: findRedisServer() === null ? 'no redis-server or valkey-server is installed' : false },
  async (test) => {
    const dir = mkdtempSync(join(tmpdir(), 'millrace-latency-test-'));
    test.teardown(() => rmSync(dir, { recursive: true }));
    const json = join(dir, 'outcome.json');
    const lines: string[] = [];
    const [rate, devices, warmUpSeconds, seconds] = [500, 20, 3, 3];
    const outcome = await runLatency({
      rate,
      devices,
      seconds,
      warmUpSeconds,
      window: '1s',
      json,
      print: (line) => lines.push(line),
    });
    test.equal(outcome.windows.length, seconds, 'a window per second was due');
    test.equal(outcome.engineDelay.count, seconds * devices);
    test.equal(outcome.generatorLag.count, seconds * rate);
    test.equal(outcome.lakeRows, outcome.records);
    test.equal(outcome.records, rate * (warmUpSeconds + seconds + 1));
    test.ok(ordered(outcome.engineDelay) && ordered(outcome.generatorLag));
    test.equal(
      Math.max(...outcome.engineDelayPerSecondMaxUs.map((max) => max ?? 0)),
      outcome.engineDelay.maxUs,
    );
    for (const window of outcome.windows) {
      const { points, cutMs, acknowledgedMs, takenMs, firstSentMs, lastSentMs, lastAcknowledgedMs } = window;
      test.equal(points, devices);
      const stages = [0, cutMs, takenMs, firstSentMs, lastSentMs, lastAcknowledgedMs] as number[];
      test.same(
        stages,
        stages.toSorted((a, b) => a - b),
        'stages follow each other',
      );
      test.ok((acknowledgedMs as number) >= (cutMs as number) && window.lastSeenMs >= window.firstSeenMs);
      test.ok((window.fireCpuMs as number) > 0 && (window.sendCpuMs as number) >= 0);
    }
    test.ok(outcome.cpuSeconds.engine > 0 && outcome.cpuSeconds.generator > 0);
    test.same(JSON.parse(readFileSync(json, 'utf8')), JSON.parse(JSON.stringify(outcome)));
    test.match(lines.join('\n'), /engine delay +p50 /);
  },
);
