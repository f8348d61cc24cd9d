import { join } from 'node:path';
import { eventTime, f64, type Infer, schema, seededRandom, string } from '#wire';
import { type FrameFile, frameFile } from '../frame-file.ts';
import { rowFrames } from '../row-frames.ts';

/** One T1 record: four measures of one device. */
export const Measure = schema('t1', {
  ts: eventTime(1),
  device: string(2),
  temperature: f64(3),
  humidity: f64(4),
  pressure: f64(5),
  battery: f64(6),
});
export type Measure = Infer<typeof Measure>;

/**
 * T1: key by device, 10 s tumbling windows of event time, count and average, minimum and maximum of four fields. Records come at
 * 100,000 per second of event time; 1 % of neighbours are swapped within the bound of 1 s.
 */
export interface Workload {
  readonly events: number;
  readonly devices: number;
  readonly seed: number;
}

export const WINDOW_MS = 10_000;
export const BOUND_MS = 1_000;
const RATE = 100_000;
const START_MS = 1_700_000_000_000;

/** The workload's frames in a file. */
export function t1File(workload: Workload, folder: string): FrameFile {
  const { events, devices, seed } = workload;
  return frameFile(join(folder, `t1-${events}-${devices}-${seed}.frames`), () =>
    rowFrames(Measure, measuresOf(workload), 't1'),
  );
}

function* measuresOf(workload: Workload): Generator<Measure> {
  const random = seededRandom(workload.seed);
  const walk = Array.from({ length: workload.devices }, () => [20, 50, 1000, 90]);
  const cents = (x: number) => Math.round(x * 100) / 100;
  for (let i = 0; i < workload.events; i++) {
    const device = Math.floor(random() * workload.devices);
    const at = walk[device] as number[];
    for (let f = 0; f < 4; f++) at[f] = cents((at[f] as number) + (random() - 0.5));
    const behind = random() < 0.01 ? random() * (BOUND_MS - 10) : 0;
    yield {
      ts: Math.floor(START_MS + (i * 1000) / RATE - behind),
      device: `device-${String(device).padStart(8, '0')}`,
      temperature: at[0] as number,
      humidity: at[1] as number,
      pressure: at[2] as number,
      battery: at[3] as number,
    };
  }
}
