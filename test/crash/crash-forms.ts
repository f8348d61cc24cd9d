import { planIncidents } from './incident.ts';
import type { CrashOptions, CrashReport } from './crash-run.ts';
import { createWorkload } from './workload.ts';

/** What is the same in every run of a form; the seed decides the rest. */
export interface FormOptions {
  readonly seed: number;
  readonly events: number;
  /** Deaths of the engine by SIGKILL. */
  readonly kills: number;
}

export const FORMS = {
  short: { events: 60_000, kills: 7 },
  long: { events: 600_000, kills: 26 },
} as const;

/** The form that runs with every change: under a minute. */
export function shortForm({ seed, events, kills }: FormOptions): Omit<CrashOptions, 'plantedBug'> {
  return {
    workload: createWorkload(seed, events, {
      windowMs: 2_000,
      frameRecords: 25,
      eventsPerSecond: 400,
      devices: 100,
    }),
    incidents: planIncidents(seed, 'short', kills),
    forwarderKills: 2,
    redisKills: 1,
    parallelism: 2,
    timeoutMs: 180_000,
  };
}

/** The full form: minutes. */
export function longForm({ seed, events, kills }: FormOptions): Omit<CrashOptions, 'plantedBug'> {
  return {
    workload: createWorkload(seed, events, {
      windowMs: 5_000,
      frameRecords: 100,
      eventsPerSecond: 2_000,
      devices: 100,
    }),
    incidents: planIncidents(seed, 'long', kills),
    forwarderKills: 6,
    redisKills: 4,
    parallelism: 2,
    timeoutMs: 15 * 60_000,
  };
}

/** A report as a table for people. */
export function describeReport(report: CrashReport): string {
  const lines = ['deaths'];
  for (const [how, times] of report.deaths) lines.push(`  ${how.padEnd(34)} ${times}`);
  lines.push(`  ${'attempts restarted from inside'.padEnd(34)} ${report.restartsInside}`);
  const { findings } = report;
  if (findings !== null) {
    const { recount, postgres, redis, icebird, duckdb } = findings;
    const windows = (it: typeof postgres) =>
      `${it.windows} windows, ${it.counted} records: ${it.lost} lost, ${it.surplus} surplus, ${it.wrong} wrong`;
    lines.push(
      'counts',
      `  input of the windows   ${recount.relevant} records = ${postgres.counted} counted + ${recount.late} late (${recount.lateWrong} of them doubled or wrong)`,
      `  PostgreSQL             ${windows(postgres)}`,
      `  Redis                  ${windows(redis)}`,
      `  lake by icebird        ${icebird.rows} rows: ${icebird.lost} lost, ${icebird.doubled} doubled, ${icebird.wrong} wrong`,
      `  lake by DuckDB         ${duckdb.rows} rows of ${duckdb.devices} devices, ${duckdb.differing} checksums differ`,
      `  dead letters           ${findings.deadLetters}`,
    );
  }
  lines.push(`${report.problems.length === 0 ? 'PASSED' : 'FAILED'} after ${report.seconds.toFixed(1)} s`);
  return [...lines, ...report.problems.map((problem) => `  ${problem}`)].join('\n');
}
