/** One bar: a median, and from where to where the runs went. */
export interface Bar {
  readonly name: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly runs: number;
}

export interface BarPlotOptions {
  readonly title: string;
  readonly unit: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 720;
const NAME_WIDTH = 128;
const VALUE_WIDTH = 176;
const PLOT_WIDTH = WIDTH - NAME_WIDTH - VALUE_WIDTH;
const TOP = 52;
const ROW = 30;
const BAR = 16;
/** Lengths that differ by more than this cannot be read on one linear scale. */
const LINEAR_RATIO_MAX = 25;

/** Readable on light and dark pages; transparent. */
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; font-size: 15px; }
  .quiet { fill: #57606a; font-size: 12px; }
  .grid { stroke: #d0d7de; }
  .bar { fill: #8c959f; }
  .ours { fill: #0969da; }
  .whisker { stroke: #24292f; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .quiet { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .bar { fill: #6e7681; }
    .ours { fill: #4493f8; }
    .whisker { stroke: #e6edf3; }
  }`;

/** Horizontal bars of medians with whiskers from the least to the most, as a file of its own. Engines keep the order they come in. */
export function barPlot({ title, unit, bars }: BarPlotOptions): string {
  const scale = scaleOf(bars);
  const bottom = TOP + bars.length * ROW;
  const height = bottom + 26;
  const runs = [...new Set(bars.map((bar) => bar.runs))];
  const counted = `${runs.length === 1 ? runs[0] : `${Math.min(...runs)} to ${Math.max(...runs)}`} runs`;
  const subtitle = `${unit}, ${scale.kind === 'log' ? 'logarithmic scale' : 'from 0'}; median, whiskers from minimum to maximum, ${counted}`;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(`${title}: ${spoken(bars, unit)}`)}">`,
    `<style>${STYLE}\n</style>`,
    `<text class="title" x="8" y="20">${escaped(title)}</text>`,
    `<text class="quiet" x="8" y="38">${escaped(subtitle)}</text>`,
    ...scale.ticks.map((tick) => gridLine(scale.x(tick), tick, bottom)),
    ...bars.map((bar, i) => barRow(bar, TOP + i * ROW, scale.x)),
    '</svg>',
  ].join('\n')}\n`;
}

interface Scale {
  readonly kind: 'linear' | 'log';
  readonly ticks: readonly number[];
  /** Pixels from the left. */
  readonly x: (value: number) => number;
}

function scaleOf(bars: readonly Bar[]): Scale {
  const high = Math.max(...bars.map((bar) => bar.high));
  const least = Math.min(...bars.map((bar) => bar.low));
  const place = (share: number) => Math.round((NAME_WIDTH + share * PLOT_WIDTH) * 10) / 10;
  if (least > 0 && high / least > LINEAR_RATIO_MAX) {
    const [from, to] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(high))];
    const ticks = Array.from({ length: to - from + 1 }, (_, i) => 10 ** (from + i));
    return { kind: 'log', ticks, x: (value) => place((Math.log10(value) - from) / (to - from)) };
  }
  const step = roundStep(high / 4);
  const count = Math.max(1, Math.ceil(high / step));
  const ticks = Array.from({ length: count + 1 }, (_, i) => i * step);
  return { kind: 'linear', ticks, x: (value) => place(value / (count * step)) };
}

/** The next of 1, 2, 5, 10, 20, … */
function roundStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10);
}

function gridLine(x: number, tick: number, bottom: number): string {
  return (
    `<line class="grid" x1="${x}" x2="${x}" y1="${TOP - 4}" y2="${bottom}"/>` +
    `<text class="quiet" x="${x}" y="${bottom + 16}" text-anchor="middle">${tick.toLocaleString('en')}</text>`
  );
}

function barRow({ name, value, low, high, runs }: Bar, top: number, x: (value: number) => number): string {
  const [middle, ends] = [top + ROW / 2 - 4, 4];
  const [from, to] = [x(low), x(high)];
  const lines = [
    [from, to, middle, middle],
    [from, from, middle - ends, middle + ends],
    [to, to, middle - ends, middle + ends],
  ].map(([x1, x2, y1, y2]) => `<line class="whisker" x1="${x1}" x2="${x2}" y1="${y1}" y2="${y2}"/>`);
  const range = runs > 1 ? ` (${rounded(low)}–${rounded(high)})` : '';
  return [
    `<text x="${NAME_WIDTH - 10}" y="${middle + 4}" text-anchor="end">${escaped(name)}</text>`,
    `<rect class="bar${name === 'millrace' ? ' ours' : ''}" x="${NAME_WIDTH}" y="${middle - BAR / 2}" width="${Math.max(0, Math.round((x(value) - NAME_WIDTH) * 10) / 10)}" height="${BAR}" rx="2"/>`,
    ...(runs > 1 ? lines : []),
    `<text x="${NAME_WIDTH + PLOT_WIDTH + 10}" y="${middle + 4}">${rounded(value)}${range}</text>`,
  ].join('\n');
}

function spoken(bars: readonly Bar[], unit: string): string {
  return `${bars.map(({ name, value }) => `${name} ${rounded(value)}`).join(', ')} ${unit}`;
}

const rounded = (value: number) => Math.round(value).toLocaleString('en', { useGrouping: false });

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
