import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { median } from '../median.ts';
import { barPlot } from './bar-plot.ts';
import { nsPerEvent, type VersusOutcome, type VersusReport } from './outcome.ts';

export interface Plot {
  readonly title: string;
  readonly path: string;
}

/** Draws one plot per workload and number of events into a folder: `t1.svg`; `t1-10000000.svg` where there are several numbers. */
export function writePlots(
  reports: readonly Pick<VersusReport, 'outcomes'>[],
  folder: string,
): readonly Plot[] {
  mkdirSync(folder, { recursive: true });
  const outcomes = reports.flatMap((report) => report.outcomes);
  return [...Map.groupBy(outcomes, ({ workload }) => workload)].flatMap(([workload, some]) => {
    const sizes = Map.groupBy(some, ({ events }) => events);
    return [...sizes].map(([events, runs]) => {
      const path = join(folder, `${sizes.size === 1 ? workload : `${workload}-${events}`}.svg`);
      const title = `${workload}, ${events.toLocaleString('en')} events`;
      writeFileSync(path, barPlot({ title, unit: 'ns of CPU per event', bars: barsOf(runs) }));
      return { title, path };
    });
  });
}

/** The same for a file that `--json` wrote, or one with several of its reports in a list. */
export function plotFile(json: string, folder: string): readonly Plot[] {
  const parsed = JSON.parse(readFileSync(json, 'utf8')) as VersusReport | readonly VersusReport[];
  const reports = [parsed].flat();
  if (reports.length === 0 || !reports.every(({ outcomes }) => Array.isArray(outcomes)))
    throw new Error(`${json} is no report of versus or riot.`);
  return writePlots(reports, folder);
}

/** The lines of a Markdown file in a folder that show plots. */
export function plotLinks(plots: readonly Plot[], from: string): readonly string[] {
  return plots.flatMap(({ title, path }) => ['', `![${title}](${relative(from, path)})`]);
}

function barsOf(runs: readonly VersusOutcome[]) {
  return [...Map.groupBy(runs, ({ engine }) => engine)].map(([name, some]) => {
    const ns = some.map(nsPerEvent);
    return { name, value: median(ns), low: Math.min(...ns), high: Math.max(...ns), runs: ns.length };
  });
}
