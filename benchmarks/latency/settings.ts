import { PARTITIONER_KEY_GROUPS } from '#wire';

/** What all processes of a run are told. Plain data, handed over as JSON. */
export interface LatencySettings {
  readonly url: string;
  readonly dataDir: string;
  /** Records per second. */
  readonly rate: number;
  readonly devices: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  readonly windowMs: number;
  readonly lingerMs: number;
  readonly checkpointIntervalMs: number;
  /** Subtasks of the job: 1 runs in the thread of its process, more run on threads of a worker. */
  readonly parallelism: number;
  /** Of {@link machineClock}. */
  readonly clockOffsetMs: number;
}

export const NAMESPACE = 'latency';
export const TOPIC = 'telemetry';
export const SERIES = 'device_10s';
export const TABLE = 'curated.readings';
export const PARTITIONS = 4;
export const PRODUCERS = 2;
export const KEY = ['tenant', 'deviceId'];
export const PARTITIONED_BY = { fields: KEY, keyGroups: PARTITIONER_KEY_GROUPS };
/** The job's own, see jobs/device-telemetry/job.ts. */
export const OUT_OF_ORDERNESS_MS = 2_000;
/** The fleet of the edge forwarder, and the registry's view of it. */
export const FLEET = { tenants: 4, sitesPerTenant: 5 } as const;

/** When a window is due: its end has come, and the bound after it. Nobody can give its result earlier. */
export const dueOf = (windowStart: number, windowMs: number): number =>
  windowStart + windowMs + OUT_OF_ORDERNESS_MS;

/** The first window due at or after `fromMs`, by its start. */
export function firstWindowDue(fromMs: number, windowMs: number): number {
  return Math.ceil((fromMs - OUT_OF_ORDERNESS_MS) / windowMs) * windowMs - windowMs;
}
