import type { RegisteredDevice } from '../../jobs/device-telemetry/device-registry.ts';
import type { EnrichedReading } from '../../jobs/device-telemetry/enriched-reading.ts';
import { Reading } from '../../jobs/device-telemetry/reading.ts';
import { createFleet, type FleetOptions } from '../../edge-forwarder/fleet.ts';
import { keyPartitioner, type PartitionedBy, PARTITIONER_KEY_GROUPS } from '#wire';

/** What goes in: a pure function of the seed, so that whoever verifies can make every record again. */
export interface Workload {
  readonly fleet: FleetOptions;
  readonly events: number;
  readonly partitions: number;
  readonly frameRecords: number;
  readonly windowMs: number;
}

export const TOPIC = 'telemetry';
/** As the job declares it. */
export const PARTITIONED_BY: PartitionedBy = {
  fields: ['tenant', 'deviceId'],
  keyGroups: PARTITIONER_KEY_GROUPS,
};
export const NAMESPACE = 'default';
const START_MS = Date.UTC(2026, 0, 15, 23, 58, 0);
/** Event time between the fleet's last record and those that close its windows. */
const CLOSING_MS = 60_000;

/**
 * Readings are either at most 4.5 s out of order, which is late for the job's 2 s but within the 5 s that it allows, or later by 15 s and
 * more. One round of the forwarder's delivery sets partitions up to 16 s apart, so for the least late of these it depends on the order
 * of reading the partitions whether they count, and the attempt after a crash may answer otherwise than the one before it. The series
 * must have the answer of the attempt that lasts.
 */
const LATE_FROM_MS = 15_000;

/** @param eventsPerSecond of event time */
export function createWorkload(
  seed: number,
  events: number,
  options: Pick<Workload, 'windowMs' | 'frameRecords'> & {
    readonly eventsPerSecond: number;
    readonly devices: number;
  },
): Workload {
  return {
    fleet: {
      seed,
      devices: options.devices,
      tenants: 4,
      sitesPerTenant: 3,
      rate: options.eventsPerSecond,
      startMs: START_MS,
      outOfOrderMs: 4_500,
      lateShare: 0.02,
      lateFromMs: LATE_FROM_MS,
      lateMs: 60_000,
      faultShare: 0.1,
    },
    events,
    partitions: 4,
    frameRecords: options.frameRecords,
    windowMs: options.windowMs,
  };
}

/** Command line of the forwarder for this workload. */
export function forwarderArguments(
  { fleet, events, frameRecords }: Workload,
  redisUrl: string,
  outbox: string,
): string[] {
  const settings: Record<string, string | number> = {
    redis: redisUrl,
    topic: TOPIC,
    producer: 'gateway-1',
    outbox,
    profile: 'safe',
    'frame-records': frameRecords,
    devices: fleet.devices,
    tenants: fleet.tenants,
    sites: fleet.sitesPerTenant,
    rate: fleet.rate,
    seed: fleet.seed,
    start: fleet.startMs,
    duration: `${(events * 1_000) / fleet.rate}ms`,
    pace: 'asFastAsPossible',
    'out-of-order': `${fleet.outOfOrderMs}ms`,
    'late-share': fleet.lateShare,
    'late-from': `${fleet.lateFromMs ?? 0}ms`,
    late: `${fleet.lateMs}ms`,
    'fault-share': fleet.faultShare,
  };
  return ['fleet', ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])];
}

/** Every record that the fleet sends, in order. The object is the same each time. */
export function* fleetReadings({ fleet, events }: Workload): Iterable<Reading> {
  const { readingAt } = createFleet(fleet);
  for (let i = 0; i < events; i++) yield readingAt(i);
}

/** One record per partition, so far ahead that every window of the fleet closes; in no window themselves. */
export function closingReadings({ fleet, events, partitions }: Workload): readonly Reading[] {
  const partitionOf = keyPartitioner(Reading, PARTITIONED_BY.fields, partitions, PARTITIONED_BY.keyGroups);
  const closing = (number: number): Reading => ({
    ts: Math.floor(fleet.startMs + (events * 1_000) / fleet.rate + CLOSING_MS),
    tenant: 'operations',
    deviceId: `closer-${number}`,
    site: 'control-room',
    temperature: null,
    vibration: null,
    rpm: null,
    voltage: null,
    status: 'maintenance',
    firmware: '1.0.0',
  });
  return Array.from({ length: partitions }, (_, partition) => {
    for (let number = 0; ; number++) if (partitionOf(closing(number)) === partition) return closing(number);
  });
}

/** What the registry knows of a device; nothing of one in eight. */
export function registration(deviceId: string): RegisteredDevice | null {
  const number = Number(deviceId.slice('dev-'.length));
  if (Number.isNaN(number) || number % 8 === 3) return null;
  return { model: `model-${number % 5}`, location: `hall ${number % 7}`, hotAbove: 20 + (number % 10) };
}

/** The lake row that a reading must become. */
export function enriched(reading: Reading): EnrichedReading {
  const device = registration(reading.deviceId);
  const { temperature } = reading;
  return {
    ...reading,
    model: device === null ? null : device.model,
    location: device === null ? null : device.location,
    hot: device !== null && temperature !== null && temperature > device.hotAbove,
  };
}
