import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname } from 'node:path';
import { plotLinks, writePlots } from './plot.ts';
import type { VersusOutcome, VersusReport } from './outcome.ts';
import { describeVersus } from './report.ts';

export interface ReportFiles {
  /** File for all runs. */
  readonly json?: string;
  /** File for the tables. */
  readonly report?: string;
  /** Folder for a plot of each workload. */
  readonly plots?: string;
}

/** Prints a comparison and writes the files that were asked for; the tables link the plots. @throws when results differ */
export function finishReport(report: VersusReport, { json, report: file, plots }: ReportFiles): void {
  const drawn = plots === undefined ? [] : writePlots([report], plots);
  const links = plotLinks(drawn, file === undefined ? '.' : dirname(file));
  const text = [describeVersus(report), ...links].join('\n');
  process.stdout.write(`\n${text}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  if (file !== undefined) writeFileSync(file, `${text}\n`);
  refuseDifferences(report.outcomes);
}

/** The machine and how busy it is. */
export function machineText(): string {
  return `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, load ${(loadavg()[0] ?? 0).toFixed(2)}`;
}

function refuseDifferences(outcomes: readonly VersusOutcome[]): void {
  for (const [workload, some] of Map.groupBy(outcomes, (outcome) => outcome.workload)) {
    const results = new Set(some.map(({ rows, checksum }) => `${rows} rows, ${checksum}`));
    if (results.size > 1)
      throw new Error(`The results of ${workload} differ: ${[...results].join(' and ')}.`);
  }
}
