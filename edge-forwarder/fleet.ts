import { eventTime, f64, fmix32, type Infer, mixRound, nullable, schema, string } from '#wire';

/** What a simulated device sends: the content, and so the id, of the device telemetry job's `Reading`. */
export const FleetReading = schema('reading', {
  ts: eventTime(1),
  tenant: string(2),
  deviceId: string(3),
  site: string(4),
  temperature: nullable(f64(5)),
  vibration: nullable(f64(6)),
  rpm: nullable(f64(7)),
  voltage: nullable(f64(8)),
  status: string(9),
  firmware: string(10),
});
export type FleetReading = Infer<typeof FleetReading>;

export interface FleetOptions {
  readonly seed: number;
  readonly devices: number;
  readonly tenants: number;
  readonly sitesPerTenant: number;
  /** Readings per second of event time over the whole fleet. */
  readonly rate: number;
  /** Event time of record 0, epoch ms. */
  readonly startMs: number;
  /** A reading is at most this much older than its place in the order of delivery. */
  readonly outOfOrderMs: number;
  /** Share of readings (0 … 1) that are late beyond that, by `lateFromMs` (default 0) to `lateMs`. */
  readonly lateShare: number;
  readonly lateFromMs?: number;
  readonly lateMs: number;
  /** Share of (device, ten minutes) with a fault: a stuck, spiking or drifting temperature sensor. */
  readonly faultShare: number;
}

export interface Fleet {
  /** Record `index`; the same object each time, to be read before the next call. */
  readonly readingAt: (index: number) => FleetReading;
}

const DAY_MS = 86_400_000;
const EPISODE_MS = 600_000;
const FIRMWARES = ['4.1.0', '4.1.2', '4.2.0-rc1'] as const;
/** Purposes of random numbers, so that they do not depend on each other. */
const PURPOSE = { rotation: 1, delay: 2, noise: 3, device: 4, episode: 5, spike: 6 } as const;

/**
 * A fleet of machines as a pure function of (options, record index): any record can be made without those before it,
 * which is what lets a killed forwarder go on with exactly the next one. Temperatures follow the day, with a phase and
 * a base per device; one device in sixteen has no vibration sensor.
 */
export function createFleet(options: FleetOptions): Fleet {
  const devices = Array.from({ length: options.devices }, (_, d) => describeDevice(options, d));
  const row = blankReading();
  /** Every device sends once per round of `devices` records, each round starting with another one. */
  const deviceAt = (index: number) => {
    const round = Math.floor(index / options.devices);
    return (
      ((index % options.devices) + (random32(options.seed, PURPOSE.rotation, round) >>> 0)) % options.devices
    );
  };
  return {
    readingAt(index) {
      const device = devices[deviceAt(index)] as Device;
      const noise = random32(options.seed, PURPOSE.noise, index);
      row.ts = Math.floor(options.startMs + (index * 1_000) / options.rate - delayMs(options, index));
      row.tenant = device.tenant;
      row.deviceId = device.deviceId;
      row.site = device.site;
      row.firmware = device.firmware;
      measure(row, device, noise, options);
      return row;
    },
  };
}

interface Device {
  readonly number: number;
  readonly tenant: string;
  readonly deviceId: string;
  readonly site: string;
  readonly firmware: string;
  readonly baseTemperature: number;
  readonly phase: number;
  readonly hasVibration: boolean;
}

type MutableReading = { -readonly [K in keyof FleetReading]: FleetReading[K] };

function blankReading(): MutableReading {
  return {
    ts: 0,
    tenant: '',
    deviceId: '',
    site: '',
    temperature: null,
    vibration: null,
    rpm: null,
    voltage: null,
    status: '',
    firmware: '',
  };
}

function describeDevice(o: FleetOptions, number: number): Device {
  const bits = random32(o.seed, PURPOSE.device, number) >>> 0;
  const tenant = number % o.tenants;
  const site = Math.floor(number / o.tenants) % o.sitesPerTenant;
  return {
    number,
    tenant: `tenant-${tenant}`,
    deviceId: `dev-${String(number).padStart(6, '0')}`,
    site: `site-${tenant}-${site}`,
    firmware: FIRMWARES[bits % FIRMWARES.length] as string,
    baseTemperature: 18 + ((bits >>> 4) & 0xff) / 16,
    phase: (((bits >>> 12) & 0xff) / 256) * 0.6,
    hasVibration: bits >>> 28 !== 0,
  };
}

/** Fills in what the sensors say; `noise` is 32 random bits, cut into four. */
function measure(row: MutableReading, device: Device, noise: number, o: FleetOptions): void {
  const day = Math.sin((2 * Math.PI * (row.ts % DAY_MS)) / DAY_MS - 1.9 + device.phase);
  const episode = Math.floor(row.ts / EPISODE_MS);
  const fault = faultOf(device, episode, o);
  const wave = fault === 'stuck' ? 0.25 : day;
  let temperature =
    device.baseTemperature + 7 * wave + (fault === 'stuck' ? 0 : ((noise & 0xff) - 128) / 160);
  if (fault === 'drift') temperature += (row.ts - episode * EPISODE_MS) / 40_000;
  if (fault === 'spikes' && (random32(o.seed, PURPOSE.spike, row.ts ^ device.number) & 7) === 0)
    temperature += 45;
  row.temperature = Math.round(temperature * 100) / 100;
  row.rpm = Math.round(1_480 + 40 * day + ((noise >>> 8) & 0x3f));
  row.vibration = device.hasVibration
    ? Math.round(800 + (fault === null ? 0 : 900) + ((noise >>> 14) & 0x1ff)) / 1_000
    : null;
  row.voltage = Math.round(2_300 + ((noise >>> 23) & 0x3f) - 32) / 10;
  row.status =
    fault === null ? (noise >>> 29 === 7 && (noise & 0x1f) === 0 ? 'maintenance' : 'ok') : 'warning';
}

function faultOf(device: Device, episode: number, o: FleetOptions): 'stuck' | 'spikes' | 'drift' | null {
  const bits = random32(o.seed ^ device.number, PURPOSE.episode, episode) >>> 0;
  if (bits >= o.faultShare * 2 ** 32) return null;
  return (['stuck', 'spikes', 'drift'] as const)[bits % 3] ?? null;
}

/** How much older than its place in the order of delivery a reading is. */
function delayMs(o: FleetOptions, index: number): number {
  const bits = random32(o.seed, PURPOSE.delay, index) >>> 0;
  const fraction = (bits & 0xffff) / 0x1_0000;
  const late = bits >>> 16 < o.lateShare * 0x1_0000;
  const from = o.lateFromMs ?? 0;
  return late ? from + fraction * (o.lateMs - from) : fraction * o.outOfOrderMs;
}

/** 32 well-mixed bits of (seed, purpose, index); index up to 2^53. */
function random32(seed: number, purpose: number, index: number): number {
  return fmix32(mixRound(mixRound(mixRound(seed, purpose), index | 0), Math.floor(index / 2 ** 32)));
}
