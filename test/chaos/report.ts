import type { SetupName } from './chaos-servers.ts';
import { FAULTS, type FaultKind } from './fault-plan.ts';
import type { Verdict } from './verify.ts';

/** One step of a run, as it went. Times in ms. */
export interface StepReport {
  /** Since the start of the run. */
  readonly atMs: number;
  readonly kinds: readonly FaultKind[];
  readonly what: readonly string[];
  readonly skipped: readonly string[];
  readonly detectionMs: number | null;
  /** States and generations of the job as its status told them, each with the seconds since the first fault. */
  readonly states: readonly string[];
  /** From the first fault to new progress behind the last stall; 0 when there was none; null when the run ended before. */
  readonly readAgainMs: number | null;
  readonly visibleAgainMs: number | null;
}

export interface ChaosReport {
  readonly setup: SetupName;
  readonly seed: number;
  readonly seconds: number;
  readonly records: number;
  readonly generations: number;
  readonly steps: readonly StepReport[];
  readonly verdicts: readonly Verdict[];
  /** How often an attempt or a checkpoint ended for what. */
  readonly failures: Readonly<Record<string, number>>;
  readonly feedersReopened: number;
  /** Empty when everything held. */
  readonly problems: readonly string[];
  /** Where logs are; null when they were removed. */
  readonly folder: string | null;
}

interface RecoveryRow {
  readonly kind: string;
  readonly times: number;
  readonly stalled: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
  readonly visibleP95: number;
  readonly detectionP50: number | null;
}

/** Recovery by kind of fault, or by what the kinds have in common; steps of several faults by themselves. */
export function recoveryRows(
  steps: readonly StepReport[],
  by: 'kind' | 'group' = 'kind',
): readonly RecoveryRow[] {
  const nameOf = (kind: FaultKind) => (by === 'kind' ? kind : `any ${FAULTS[kind].group} fault`);
  const byKind = Map.groupBy(
    steps.filter(({ what }) => what.length > 0),
    ({ kinds }) => (kinds.length > 1 ? 'several at once' : nameOf(kinds[0] as FaultKind)),
  );
  const order = [...(Object.keys(FAULTS) as FaultKind[]).map(nameOf), 'several at once'];
  return [...byKind]
    .toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    .map(([kind, some]) => {
      const read = some.map(({ readAgainMs }) => readAgainMs ?? Number.POSITIVE_INFINITY);
      const visible = some.map(({ visibleAgainMs }) => visibleAgainMs ?? Number.POSITIVE_INFINITY);
      const detections = some.flatMap(({ detectionMs }) => (detectionMs === null ? [] : [detectionMs]));
      return {
        kind,
        times: some.length,
        stalled: read.filter((ms) => ms > 0).length,
        p50: quantile(read, 0.5),
        p95: quantile(read, 0.95),
        max: quantile(read, 1),
        visibleP95: quantile(visible, 0.95),
        detectionP50: detections.length === 0 ? null : quantile(detections, 0.5),
      };
    });
}

/** A report as a table for people. */
export function describeReport(report: ChaosReport): string {
  const faults = report.steps.reduce((sum, { what }) => sum + what.length, 0);
  const lines = [
    `set-up ${report.setup}, seed ${report.seed}: ${faults} faults in ${report.seconds.toFixed(0)} s, ${report.records} records, ${report.generations} generations, feeders began anew ${report.feedersReopened} times`,
    ...recoveryLines(recoveryRows(report.steps)),
  ];
  const skipped = new Set(report.steps.flatMap((step) => step.skipped));
  for (const why of skipped) lines.push(`  SKIPPED ${why}`);
  const failures = Object.entries(report.failures).map(([code, times]) => `${code} ×${times}`);
  lines.push(`  attempts that failed: ${failures.join(', ') || 'none'}`);
  lines.push(`  ${'recount'.padEnd(30)}  expected     found      lost   doubled     wrong`);
  for (const { place, expected, found, lost, doubled, wrong, examples } of report.verdicts) {
    const numbers = [expected, found, lost, doubled, wrong].map((n) => String(n).padStart(10)).join('');
    lines.push(`  ${place.padEnd(30)}${numbers}`);
    if (lost + doubled + wrong > 0) for (const example of examples) lines.push(`      ${example}`);
  }
  lines.push(
    report.problems.length === 0 ? 'PASSED' : 'FAILED',
    ...report.problems.map((problem) => `  ${problem}`),
  );
  if (report.folder !== null) lines.push(`  logs: ${report.folder}`);
  return lines.join('\n');
}

/** Recovery in all set-ups together, by group of faults. */
export function describeTotals(reports: readonly ChaosReport[]): string {
  const steps = reports.flatMap((report) => report.steps);
  const faults = steps.reduce((sum, { what }) => sum + what.length, 0);
  const records = reports.reduce((sum, report) => sum + report.records, 0);
  return [
    `all set-ups: ${faults} faults, ${records} records`,
    ...recoveryLines(recoveryRows(steps, 'group')),
  ].join('\n');
}

function recoveryLines(rows: readonly RecoveryRow[]): string[] {
  const lines = rows.map(({ kind, times, stalled, p50, p95, max, visibleP95, detectionP50 }) => {
    const numbers = [p50, p95, max].map((ms) => seconds(ms).padStart(7)).join('');
    const detection = detectionP50 === null ? '' : seconds(detectionP50).padStart(21);
    return `  ${kind.padEnd(26)}${String(times).padStart(5)}${String(stalled).padStart(8)}${numbers}${seconds(visibleP95).padStart(14)}${detection}`;
  });
  return [
    `  ${'recovery, s'.padEnd(26)}times stalled    p50    p95    max   visible p95   replaced after p50`,
    ...lines,
  ];
}

/** Nearest rank. */
function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}

function seconds(ms: number): string {
  return ms === 0 ? '–' : Number.isFinite(ms) ? (ms / 1_000).toFixed(1) : 'never';
}
