import t from 'tap';
import type { JobHandle } from '../../../engine/coordinator/job-status.ts';
import { LiveFeed } from '../../../ops/server/live-feed.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedJob } from '../support/scripted-job.ts';
import { scriptedSeries } from '../support/series.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));

await t.test(
  'rates are over the time since the snapshot before, and none come from totals that fell',
  async (t) => {
    const clock = manualClock();
    let job = scriptedJob('device-telemetry', clock);
    job.setRate(2_000);
    const feed = new LiveFeed({ jobs: () => [job], series: () => null, lake: async () => null, clock });
    const first = feed.take().jobs[0];
    t.match(first, {
      figures: { recordsPerSecond: null },
      flows: { readings: { inPerSecond: null, shares: null } },
    });
    clock.advance(500);
    const { figures, flows } = feed.take().jobs[0] ?? missing('the job');
    t.equal(figures.recordsPerSecond, 2_000);
    t.match(flows['valid'], { inPerSecond: 2_000, outPerSecond: 1_960 });
    const shares = flows['lake']?.shares;
    t.ok(Math.abs((shares?.busy ?? 0) - 0.85) < 1e-9 && Math.abs((shares?.backpressured ?? 0) - 0.1) < 1e-9);

    job = scriptedJob('device-telemetry', clock);
    clock.advance(500);
    t.match(feed.take().jobs[0], {
      figures: { recordsPerSecond: null },
      flows: { valid: { inPerSecond: null } },
    });
  },
);

await t.test(
  'windows and lake come beside the snapshots and outlive an outage of their stores (LF1)',
  async (t) => {
    const clock = manualClock();
    let away = false;
    const series = { ...scriptedSeries(clock.now) };
    const size = { rows: 5, files: 1, bytes: 900, snapshots: 1 };
    const feed = new LiveFeed({
      jobs: () => [],
      series: () => (away ? { ...series, latest: () => Promise.reject(new Error('away')) } : series),
      lake: () => (away ? Promise.reject(new Error('away')) : Promise.resolve(size)),
      clock,
    });
    t.match(feed.take(), { windows: null, lake: null });
    await settle();
    const { windows, lake } = feed.take();
    t.equal(windows?.series, 'device_10s');
    t.match(windows?.latest[1], { key: 'acme/pump-1', point: { values: { n: Number } } });
    t.strictSame(lake, size);
    away = true;
    clock.advance(10_000);
    feed.take();
    await settle();
    t.strictSame(feed.take(), { kind: 'snapshot', at: clock.now(), jobs: [], windows, lake });
  },
);

await t.test('keeps two minutes of figures per job, and nothing of a job that is gone (LF2)', async (t) => {
  const clock = manualClock();
  let jobs: readonly JobHandle[] = [scriptedJob('a', clock), scriptedJob('b', clock)];
  const feed = new LiveFeed({ jobs: () => jobs, series: () => null, lake: async () => null, clock });
  for (let taken = 0; taken < 300; taken++) {
    clock.advance(500);
    feed.take();
  }
  const past = feed.history()['a'] ?? [];
  t.equal(past.length, 240);
  t.equal(past.at(-1)?.at, clock.now());
  t.equal((past.at(-1)?.at ?? 0) - (past[0]?.at ?? 0), 239 * 500);
  jobs = jobs.slice(0, 1);
  feed.take();
  t.strictSame(Object.keys(feed.history()), ['a']);
});

function missing(what: string): never {
  throw new Error(`${what} is missing`);
}
