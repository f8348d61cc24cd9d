import t from 'tap';
import { jobFigures, timeShares } from '../../../ops/telemetry/job-figures.ts';
import { manualClock } from '../support/manual-clock.ts';
import { scriptedJob } from '../support/scripted-job.ts';

await t.test('rates come from two readings; a total that went down gives none', async (t) => {
  const clock = manualClock();
  const job = scriptedJob('j', clock);
  job.setRate(5_000);
  clock.advance(1_000);
  const first = jobFigures(job.status(), clock.now(), null);
  t.equal(first.recordsPerSecond, null);
  clock.advance(2_000);
  const second = jobFigures(job.status(), clock.now(), first);
  t.match(second, {
    recordsRead: 15_000,
    recordsPerSecond: 5_000,
    watermarkLagMs: 1_200,
    backlogRecords: 120,
    lakeRows: 13_230,
  });
  t.equal(jobFigures(scriptedJob('j', clock).status(), clock.now() + 1, second).recordsPerSecond, null);
});

await t.test('a watermark at the end of input is no time', async (t) => {
  const status = scriptedJob('j', manualClock()).status();
  const ended = status.operators.map((operator) => ({ ...operator, watermark: Number.MAX_SAFE_INTEGER }));
  t.equal(jobFigures({ ...status, operators: ended }, 5_000, null).watermarkLagMs, null);
});

await t.test('shares add up to one and are null when no time was counted', async (t) => {
  const clock = manualClock();
  const job = scriptedJob('j', clock);
  const [before] = job.status().operators;
  clock.advance(1_000);
  const [after] = job.status().operators;
  if (before === undefined || after === undefined) throw new Error('the scripted job has operators');
  const shares = timeShares(after, before);
  t.match(shares, { busy: 0.2, idle: 0.75, backpressured: 0.05 });
  t.equal(timeShares(after, after), null);
});
