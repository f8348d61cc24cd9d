import t from 'tap';
import { systemClock } from '../../../engine/base/clock.ts';
import { HISTORY_METRICS } from '../../../ops/telemetry/history-totals.ts';
import { CHECKPOINT_DURATION, JOB_METRICS } from '../../../ops/telemetry/job-metrics.ts';
import { PROCESS_METRICS } from '../../../ops/telemetry/process-metrics.ts';
import type { JobStatus } from '../../../engine/coordinator/job-status.ts';
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
  for (const { name } of [
    ...JOB_METRICS,
    ...Object.values(HISTORY_METRICS),
    ...PROCESS_METRICS,
    CHECKPOINT_DURATION,
  ]) {
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
    'millrace_task_busy_seconds_total{job_name="device-telemetry",vertex="per-device",subtask="1",host="1"} 37.2',
    'millrace_task_running_seconds_total{job_name="device-telemetry",vertex="per-device",subtask="1",host="1"} 18.6',
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
  'FE1 a checkpoint counts once in the duration histogram, also when nobody scraped in between',
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

await t.test(
  'RU1, RU2: counters go on over restarts, whether or not anybody scrapes in between (E11, O4)',
  async (t) => {
    const { clock, job } = runningJob();
    /** The attempt's totals, as a new attempt gives them: from 0. */
    let began = job.status();
    let absent = false;
    const listeners = new Set<() => void>();
    const change = () => {
      for (const listener of listeners) listener();
    };
    const status = (): JobStatus => {
      const now = job.status();
      const subtasks = now.subtasks.map((one, i) => ({
        ...one,
        busyMs: one.busyMs - (began.subtasks[i]?.busyMs ?? 0),
        idleMs: one.idleMs - (began.subtasks[i]?.idleMs ?? 0),
        backpressuredMs: one.backpressuredMs - (began.subtasks[i]?.backpressuredMs ?? 0),
      }));
      const operators = now.operators.map((one, i) => ({
        ...one,
        recordsIn: one.recordsIn - (began.operators[i]?.recordsIn ?? 0),
      }));
      return { ...now, operators, subtasks: absent ? [] : subtasks };
    };
    const onChange = (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    };
    const handle = { ...job, status, onChange };
    const telemetry = startTelemetry(() => [handle], clock);
    t.teardown(telemetry.stop);
    const value = async (series: string) =>
      Number(
        (await telemetry.metricsText())
          .split('\n')
          .find((line) => line.startsWith(series))
          ?.split(' ')[1],
      );
    const records = 'millrace_records_in_total{job_name="device-telemetry",operator="readings"}';
    const idle =
      'millrace_task_idle_seconds_total{job_name="device-telemetry",vertex="lake",subtask="0",host="0"}';
    clock.advance(10_000);
    t.same([await value(records), await value(idle)], [10_000, 0.5]);
    clock.advance(10_000);
    change();
    began = job.status();
    absent = true;
    change();
    absent = false;
    clock.advance(90_000);
    t.same([await value(records), await value(idle)], [110_000, 5.5], 'more than before the restart, unseen');
    began = job.status();
    change();
    clock.advance(1_000);
    t.same([await value(records), await value(idle)], [111_000, 5.55]);
  },
);

await t.test('rescales and what checkpoints wrote add up, from 0 on (O4)', async (t) => {
  const { clock, job } = runningJob();
  const telemetry = startTelemetry(() => [job], clock);
  t.teardown(telemetry.stop);
  const rescales = 'millrace_job_rescales_total{job_name="device-telemetry",outcome=';
  t.match(await telemetry.metricsText(), `${rescales}"rolled-back"} 0\n`);
  await job.rescale(4);
  clock.advance(1);
  await job.rescale(2);
  for (let index = 0; index < 100; index++) job.completeCheckpoint(40);
  job.failCheckpoint('timed out');
  await telemetry.metricsText();
  const text = await telemetry.metricsText();
  for (const line of [
    `${rescales}"completed"} 2`,
    'millrace_job_rescale_downtime_seconds_total{job_name="device-telemetry"} 3.8',
    'millrace_checkpoint_written_bytes_total{job_name="device-telemetry",kind="checkpoint"} 409600',
    'millrace_checkpoint_written_bytes_total{job_name="device-telemetry",kind="savepoint"} 0',
  ])
    t.ok(text.split('\n').includes(line), line);
  t.match(text, /millrace_checkpoint_alignment_seconds_total\{[^}]*"checkpoint"\} 0\.(3|29999)/);
  t.match(text, /millrace_checkpoint_sync_seconds_total\{[^}]*"checkpoint"\} 0\.(2|19999)/);
});

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
