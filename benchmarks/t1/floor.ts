import { decodeFrame } from '#wire';
import { StringInterner } from '../../engine/state/string-interner.ts';
import { cpuMs, digestOf, type Outcome, ResultRows } from './outcome.ts';
import { BOUND_MS, Measure, WINDOW_MS } from './workload.ts';

const FIELDS = 4;
const STRIDE = 1 + FIELDS * 3;

interface Pane {
  readonly start: number;
  cells: Float64Array;
  readonly touched: number[];
}

/**
 * The hand-written loop: the same frames through the same decoder and the same string interner, then nothing but arithmetic on one
 * array. No keys to recycle, no late records, no checkpoints, no counters: what JavaScript can do with this data.
 */
export function runFloor(frames: readonly Uint8Array[]): Outcome {
  const startedCpu = cpuMs();
  const startedWall = performance.now();
  const rows = new ResultRows();
  const interner = new StringInterner();
  const panes = new Map<number, Pane>();
  let events = 0;
  let watermark = Number.NEGATIVE_INFINITY;
  let capacity = 16_384;
  for (const frame of frames) {
    const { batch, envelope } = decodeFrame(frame, (id) => (id === Measure.id ? Measure : undefined));
    const strings = batch.column(1);
    if (strings?.kind !== 'string') throw new Error('no device column');
    const { codes, dictionary } = strings;
    const hashes = dictionary.hashes();
    const slots = new Int32Array(dictionary.size).fill(-1);
    const columns = [2, 3, 4, 5].map((c) => (batch.column(c) as { values: Float64Array }).values);
    const [c0, c1, c2, c3] = columns as [Float64Array, Float64Array, Float64Array, Float64Array];
    let pane: Pane | undefined;
    for (let i = 0; i < batch.count; i++) {
      const code = codes[i] as number;
      let slot = slots[code] as number;
      if (slot < 0) {
        slot = interner.internEntry(dictionary, code, hashes[code] as number);
        slots[code] = slot;
        if (slot >= capacity) {
          capacity *= 2;
          for (const open of panes.values()) open.cells = grown(open.cells, capacity * STRIDE);
        }
      }
      const time = batch.times[i] as number;
      if (pane === undefined || time < pane.start || time >= pane.start + WINDOW_MS) {
        const start = time - (time % WINDOW_MS);
        pane = panes.get(start);
        if (pane === undefined) {
          pane = { start, cells: new Float64Array(capacity * STRIDE), touched: [] };
          panes.set(start, pane);
        }
      }
      const { cells } = pane;
      const at = slot * STRIDE;
      if (cells[at] === 0) {
        pane.touched.push(slot);
        for (let f = 0; f < FIELDS; f++) {
          cells[at + 2 + f * 3] = Number.POSITIVE_INFINITY;
          cells[at + 3 + f * 3] = Number.NEGATIVE_INFINITY;
        }
      }
      cells[at] = (cells[at] as number) + 1;
      add(cells, at + 1, c0[i] as number);
      add(cells, at + 4, c1[i] as number);
      add(cells, at + 7, c2[i] as number);
      add(cells, at + 10, c3[i] as number);
    }
    events += batch.count;
    watermark = Math.max(watermark, envelope.maxTime - BOUND_MS - 1);
    for (const open of panes.values())
      if (open.start + WINDOW_MS - 1 <= watermark) fire(open, panes, interner, rows);
  }
  const cpu = cpuMs() - startedCpu;
  const wallMs = performance.now() - startedWall;
  return {
    variant: 'hand-written loop',
    events,
    cpuMs: cpu,
    wallMs,
    rows: rows.length,
    digest: digestOf(rows.rows()),
  };
}

function add(cells: Float64Array, at: number, value: number): void {
  cells[at] = (cells[at] as number) + value;
  if (value < (cells[at + 1] as number)) cells[at + 1] = value;
  if (value > (cells[at + 2] as number)) cells[at + 2] = value;
}

function fire(pane: Pane, panes: Map<number, Pane>, interner: StringInterner, rows: ResultRows): void {
  for (const slot of pane.touched) {
    const at = slot * STRIDE;
    const n = pane.cells[at] as number;
    const values = [n];
    for (let f = 0; f < FIELDS; f++) {
      const c = at + 1 + f * 3;
      values.push((pane.cells[c] as number) / n, pane.cells[c + 1] as number, pane.cells[c + 2] as number);
    }
    rows.add(interner.text(slot), pane.start, values);
  }
  panes.delete(pane.start);
}

function grown(cells: Float64Array, length: number): Float64Array {
  const larger = new Float64Array(length);
  larger.set(cells);
  return larger;
}
