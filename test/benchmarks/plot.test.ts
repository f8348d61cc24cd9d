import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { barPlot } from '../../benchmarks/versus/bar-plot.ts';
import type { VersusReport } from '../../benchmarks/versus/outcome.ts';
import { plotFile, plotLinks } from '../../benchmarks/versus/plot.ts';

const run = (workload: string, engine: string, ns: number, events = 1_000_000) => ({
  workload,
  engine,
  events,
  cpuMs: (ns * events) / 1e6,
  wallMs: 1,
  rows: 1,
  checksum: 'c',
});

function report(...outcomes: VersusReport['outcomes']): VersusReport {
  return { date: '', machine: '', versions: {}, engines: {}, inputs: {}, outcomes, skipped: {} };
}

const T1 = [
  run('t1', 'millrace', 400),
  run('t1', 'millrace', 500),
  run('t1', 'millrace', 700),
  run('t1', 'flink', 1_000),
];

void t.test('bars are medians on a scale from 0, whiskers go from the least to the most', async (test) => {
  const folder = test.testdir();
  const json = join(folder, 'runs.json');
  writeFileSync(json, JSON.stringify(report(...T1)));
  test.same(plotFile(json, folder), [{ title: 't1, 1,000,000 events', path: join(folder, 't1.svg') }]);
  const svg = readFileSync(join(folder, 't1.svg'), 'utf8');
  const widths = [...svg.matchAll(/class="bar[^>]* width="([\d.]+)"/g)].map(([, width]) => Number(width));
  test.equal(widths.length, 2);
  test.equal((widths[0] as number) * 2, widths[1], 'half the time is half the length');
  test.match(svg, 'from 0; median, whiskers from minimum to maximum, 1 to 3 runs');
  test.match(svg, '>500 (400–700)</text>');
  test.equal(svg.match(/class="whisker"/g)?.length, 3, 'one run has no whisker');
  test.match(svg, 'prefers-color-scheme: dark');
});

void t.test('what is too far apart is drawn on a logarithmic scale, and says so', async (test) => {
  const bar = (name: string, value: number) => ({ name, value, low: value, high: value, runs: 1 });
  const near = barPlot({ title: 'a < b', unit: 'ns', bars: [bar('x', 10), bar('y', 200)] });
  const far = barPlot({ title: 'a < b', unit: 'ns', bars: [bar('x', 10), bar('y', 1_000)] });
  test.notMatch(near, 'logarithmic');
  test.match(far, 'ns, logarithmic scale');
  test.match(far, '>a &lt; b</text>');
});

void t.test('reports in one list are drawn together, other numbers of events apart', async (test) => {
  const folder = test.testdir();
  const json = join(folder, 'runs.json');
  writeFileSync(
    json,
    JSON.stringify([report(...T1), report(run('t1', 'loop', 100, 10), run('q0', 'loop', 1))]),
  );
  const names = plotFile(json, folder).map(({ path }) => path.slice(folder.length + 1));
  test.same(names, ['t1-1000000.svg', 't1-10.svg', 'q0.svg']);
  writeFileSync(json, '{}');
  test.throws(() => plotFile(json, folder), { message: /is no report/ });
});

void t.test('tables link plots from where they lie', async (test) => {
  const plots = [{ title: 't1, 10 events', path: join('benchmarks', 'plots', 't1.svg') }];
  test.same(plotLinks(plots, 'benchmarks'), ['', '![t1, 10 events](plots/t1.svg)']);
  test.same(plotLinks(plots, 'docs'), ['', '![t1, 10 events](../benchmarks/plots/t1.svg)']);
});
