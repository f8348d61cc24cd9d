import { median } from '../median.ts';
import { groups, nsPerEvent, type VersusOutcome, type VersusReport } from './outcome.ts';

const OURS = 'millrace';

/** A comparison as Markdown: a row per workload and engine, then the ratios to Millrace. */
export function describeVersus(report: VersusReport): string {
  const lines = [
    `${report.machine}. ${Object.entries(report.versions)
      .map(([what, version]) => `${what} ${version}`)
      .join(', ')}. ${report.date}.`,
    '',
    ...Object.entries(report.inputs).map(([workload, input]) => `- ${workload}: ${input}`),
    ...Object.entries(report.engines).map(([engine, form]) => `- ${engine}: ${form}`),
    ...Object.entries(report.skipped).map(([peer, why]) => `- SKIPPED ${peer}: ${why}`),
    '',
    '| workload | engine | CPU ns per event, median (min–max) | of the server | wall ns | rows | checksum | RSS MB | GC ms |',
    '|---|---|---|---|---|---|---|---|---|',
  ];
  for (const [workload, engines] of groups(report))
    for (const [engine, runs] of engines) lines.push(row(workload, engine, runs));
  return [...lines, '', ...ratios(report)].join('\n');
}

function row(workload: string, engine: string, runs: readonly VersusOutcome[]): string {
  const ns = runs.map(nsPerEvent);
  const wall = median(runs.map(({ wallMs, events }) => (wallMs * 1e6) / events));
  const [{ rows, checksum }] = runs as readonly [VersusOutcome, ...VersusOutcome[]];
  const server = runs.flatMap(({ serverCpuMs, events }) =>
    serverCpuMs === undefined ? [] : (serverCpuMs * 1e6) / events,
  );
  const rss = runs.flatMap(({ rssMb }) => rssMb ?? []);
  const gc = runs.flatMap(({ gcMs }) => gcMs ?? []);
  const cells = [
    workload,
    engine,
    `${median(ns).toFixed(0)} (${Math.min(...ns).toFixed(0)}–${Math.max(...ns).toFixed(0)})`,
    server.length === 0 ? '' : median(server).toFixed(0),
    wall.toFixed(0),
    rows,
    checksum,
    rss.length === 0 ? '' : median(rss).toFixed(0),
    gc.length === 0 ? '' : median(gc).toFixed(0),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** How much more CPU a peer takes than Millrace, by the better of its settings. */
function ratios(report: VersusReport): string[] {
  const lines: string[] = [];
  const all = new Map<string, number[]>();
  for (const [workload, engines] of groups(report)) {
    const ours = engines.get(OURS);
    if (ours === undefined) continue;
    const own = median(ours.map(nsPerEvent));
    const best = new Map<string, number>();
    for (const [engine, runs] of engines) {
      const peer = engine.split(' ', 1)[0] as string;
      const ns = median(runs.map(nsPerEvent));
      if (peer !== OURS) best.set(peer, Math.min(best.get(peer) ?? Number.POSITIVE_INFINITY, ns));
    }
    for (const [peer, ns] of best) {
      lines.push(`- ${workload}: ${peer} takes ${(ns / own).toFixed(2)} times the CPU of Millrace`);
      all.set(peer, [...(all.get(peer) ?? []), ns / own]);
    }
  }
  for (const [peer, shares] of all) {
    const mean = Math.exp(shares.reduce((sum, share) => sum + Math.log(share), 0) / shares.length);
    lines.push(`- geometric mean over ${shares.length}: ${peer} ${mean.toFixed(2)}`);
  }
  return lines;
}

/** Median CPU of `now` as a share of `base`, per workload and engine that both have. */
export function describeComparison(base: VersusReport, now: VersusReport): string {
  const before = groups(base);
  const lines = ['| workload | engine | base ns | now ns | now / base |', '|---|---|---|---|---|'];
  for (const [workload, engines] of groups(now)) {
    for (const [engine, runs] of engines) {
      const old = before.get(workload)?.get(engine);
      if (old === undefined) continue;
      const [was, is] = [median(old.map(nsPerEvent)), median(runs.map(nsPerEvent))];
      lines.push(
        `| ${workload} | ${engine} | ${was.toFixed(0)} | ${is.toFixed(0)} | ${(is / was).toFixed(2)} |`,
      );
    }
  }
  return lines.join('\n');
}
