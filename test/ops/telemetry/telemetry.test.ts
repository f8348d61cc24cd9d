import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { CHECKPOINT_DURATION, JOB_METRICS } from '../../../ops/telemetry/job-metrics.ts';
import { PROCESS_METRICS } from '../../../ops/telemetry/process-metrics.ts';
import { startTelemetry } from '../../../ops/telemetry/telemetry.ts';
import { manualClock } from '../support/manual-clock.ts';
import { promtool } from '../support/promtool.ts';
import { scriptedJob } from '../support/scripted-job.ts';

function runningJob() {
  const clock = manualClock();
  const job = scriptedJob('device-telemetry', clock);
  job.setRate(1_000);
  clock.advance(60_000);
  return { clock, job };
}

await t.test('promtool accepts the text, with every metric of the registry in it (O4)', async (t) => {
  const { clock, job } = runningJob();
  const telemetry = startTelemetry(() => [job], clock);
  t.teardown(telemetry.stop);
  job.completeCheckpoint(42);
  const text = await telemetry.metricsText();
  t.equal(promtool(['check', 'metrics'], text), '');
  const sinkOnly = new Set(['millrace_sink_bytes_written_total', 'millrace_sink_files_written_total']);
  for (const { name } of [...JOB_METRICS, ...PROCESS_METRICS, CHECKPOINT_DURATION]) {
    if (!sinkOnly.has(name)) t.match(text, new RegExp(`^# TYPE ${name} `, 'm'), name);
  }
});

await t.test('values are those of the job status, in seconds and with the labels of the graph', async (t) => {
  const { clock, job } = runningJob();
  const telemetry = startTelemetry(() => [job], clock);
  t.teardown(telemetry.stop);
  const lines = (await telemetry.metricsText()).split('\n');
  for (const line of [
    'millrace_records_in_total{job_name="device-telemetry",operator="readings"} 60000',
    'millrace_busy_seconds_total{job_name="device-telemetry",operator="per-device"} 74.4',
    'millrace_watermark_lag_seconds{job_name="device-telemetry",operator="lake"} 1.2',
    'millrace_source_backlog_entries{job_name="device-telemetry",operator="readings",topic="telemetry",partition="1"} 120',
    'millrace_job_state{job_name="device-telemetry",state="running"} 1',
    'millrace_job_state{job_name="device-telemetry",state="failed"} 0',
    'millrace_sink_rows_committed_total{job_name="device-telemetry",operator="lake",sink="iceberg"} 52920',
    'millrace_sink_stat{job_name="device-telemetry",operator="lake",sink="iceberg",stat="open_files"} 3',
  ]) {
    t.ok(lines.includes(line), line);
  }
});

await t.test(
  'CD1 a checkpoint counts once in the duration histogram, also when nobody scraped in between',
  async (t) => {
    const { clock, job } = runningJob();
    const telemetry = startTelemetry(() => [job], clock);
    t.teardown(telemetry.stop);
    for (let index = 0; index < 200; index++) job.completeCheckpoint(40);
    job.failCheckpoint('timed out');
    const first = await telemetry.metricsText();
    const second = await telemetry.metricsText();
    const name = 'millrace_checkpoint_duration_seconds';
    for (const text of [first, second]) {
      const labels = 'job_name="device-telemetry",kind="checkpoint"';
      t.match(text, `${name}_count{${labels},outcome="completed"} 200\n`);
      t.match(text, `${name}_bucket{${labels},outcome="completed",le="0.05"} 200\n`);
      t.match(text, `${name}_bucket{${labels},outcome="completed",le="0.025"} 0\n`);
      t.match(text, `${name}_count{${labels},outcome="failed"} 1\n`);
    }
  },
);

await t.test('what is unknown is left out, not reported as zero', async (t) => {
  const job = scriptedJob('fresh', manualClock());
  job.fail({ code: 'MR_REDIS_UNAVAILABLE', message: 'gone', operator: null });
  const telemetry = startTelemetry(() => [job], systemClock);
  t.teardown(telemetry.stop);
  const text = await telemetry.metricsText();
  t.notMatch(text, 'millrace_watermark_lag_seconds{');
  t.notMatch(text, 'millrace_source_backlog_entries{');
  t.notMatch(text, 'millrace_checkpoint_last_completed_timestamp_seconds{');
  t.match(text, 'millrace_job_restarts_total{job_name="fresh"} 1\n');
});

await t.test('more series than the limit are left out and counted', async (t) => {
  const { clock, job } = runningJob();
  const [template] = job.status().operators;
  if (template === undefined) throw new Error('the scripted job has operators');
  const operators = Array.from({ length: 2_500 }, (_, index) => ({ ...template, id: `o${index}` }));
  const wide = { ...job, status: () => ({ ...job.status(), operators }) };
  const telemetry = startTelemetry(() => [wide], clock);
  t.teardown(telemetry.stop);
  const text = await telemetry.metricsText();
  t.equal(
    text.split('\n').filter((line) => /^millrace_(?!process|metrics|checkpoint_duration)/.test(line)).length,
    20_000,
  );
  const dropped = /^millrace_metrics_series_dropped (\d+)$/m.exec(text);
  t.ok(Number(dropped?.[1]) > 10_000);
});

await t.test('stopping gives the listeners back', async (t) => {
  const { clock, job } = runningJob();
  const telemetry = startTelemetry(() => [job], clock);
  t.equal(job.listeners, 1);
  await telemetry.stop();
  t.equal(job.listeners, 0);
});
