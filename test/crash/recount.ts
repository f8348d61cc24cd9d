import type { Reading } from '../../jobs/device-telemetry/reading.ts';
import { fleetReadings, type Workload } from './workload.ts';

/** One (tenant, device, window) counted again from the generator, without the engine. */
export interface ExpectedWindow {
  n: number;
  temperatureSum: number;
  cold: number | null;
  hot: number | null;
  rpm: number | null;
  temperatures: number;
  readonly vibrations: number[];
}

export interface Recount {
  /** By {@link windowName}. */
  readonly windows: ReadonlyMap<string, ExpectedWindow>;
  /** Records that the filter lets through. */
  readonly relevant: number;
  /** Records of the late topic that the fleet has sent and no window must count. */
  readonly late: number;
  /** Records of the late topic that are no relevant input, or are there more often than in it. */
  readonly lateWrong: number;
}

export function windowName(tenant: string, deviceId: string, start: number): string {
  return `${tenant}/${deviceId}@${start}`;
}

/** Counts every relevant record of the input that is not in `late`. */
export function recount(workload: Workload, late: readonly Reading[]): Recount {
  const left = new Map<string, number>();
  for (const reading of late) {
    const text = readingText(reading);
    left.set(text, (left.get(text) ?? 0) + 1);
  }
  const windows = new Map<string, ExpectedWindow>();
  let relevant = 0;
  let lateFound = 0;
  for (const reading of fleetReadings(workload)) {
    if (reading.status === 'maintenance') continue;
    relevant++;
    const text = readingText(reading);
    const times = left.get(text) ?? 0;
    if (times > 0) {
      left.set(text, times - 1);
      lateFound++;
    } else count(windows, reading, workload.windowMs);
  }
  return { windows, relevant, late: lateFound, lateWrong: late.length - lateFound };
}

/** All fields of a reading as text. */
function readingText(r: Reading): string {
  return `${r.deviceId}|${r.tenant}|${r.ts}|${r.temperature}|${r.vibration}|${r.rpm}|${r.voltage}|${r.status}|${r.site}|${r.firmware}`;
}

function count(windows: Map<string, ExpectedWindow>, reading: Reading, windowMs: number): void {
  const { temperature, vibration, rpm } = reading;
  const name = windowName(reading.tenant, reading.deviceId, Math.floor(reading.ts / windowMs) * windowMs);
  let window = windows.get(name);
  if (window === undefined) {
    window = { n: 0, temperatureSum: 0, temperatures: 0, cold: null, hot: null, rpm: null, vibrations: [] };
    windows.set(name, window);
  }
  window.n++;
  if (temperature !== null) {
    window.temperatureSum += temperature;
    window.temperatures++;
    window.cold = Math.min(window.cold ?? Number.POSITIVE_INFINITY, temperature);
    window.hot = Math.max(window.hot ?? Number.NEGATIVE_INFINITY, temperature);
  }
  if (vibration !== null) window.vibrations.push(vibration);
  if (rpm !== null) window.rpm = Math.max(window.rpm ?? Number.NEGATIVE_INFINITY, rpm);
}
