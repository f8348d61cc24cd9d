import type { Duration, Sink } from '#engine';
import {
  avg,
  count,
  defineJob,
  type JobDefinition,
  max,
  min,
  p99,
  partitionLog,
  tumbling,
  type WindowResult,
} from '#operators';
import { day, iceberg, identity, timeSeries } from '#sinks';
import type { DeviceRegistry } from './device-registry.ts';
import { withDeviceRegistry } from './enrich.ts';
import { EnrichedReading } from './enriched-reading.ts';
import { Reading } from './reading.ts';

/** What one device did in one window. */
export type DeviceWindow = WindowResult<
  { readonly tenant: string; readonly deviceId: string },
  {
    readonly n: number;
    readonly temp: number | null;
    readonly cold: number | null;
    readonly hot: number | null;
    readonly vib: number | null;
    readonly rpm: number | null;
  }
>;

export interface DeviceTelemetryOptions {
  readonly registry: DeviceRegistry;
  /** Folder of the lake. */
  readonly warehouse: string;
  readonly windowSize?: Duration;
  readonly checkpointInterval?: Duration;
  readonly parallelism?: number;
  /** More places that window results go to, beside the live series in Redis. */
  readonly moreSeries?: Readonly<Record<string, Sink<DeviceWindow, 'idempotent'>>>;
}

/**
 * Readings of a fleet, two ways: per device and 10 s window into a live time series, and one by one, enriched from the device
 * registry, into the lake. Readings that come too late for their window go to the topic `telemetry-late`.
 */
export function deviceTelemetry(options: DeviceTelemetryOptions): JobDefinition {
  const { registry, warehouse, windowSize = '10s', checkpointInterval = '5s', parallelism = 1 } = options;
  return defineJob(
    'device-telemetry',
    { guarantee: 'exactly-once', checkpointInterval, parallelism, onError: 'dead-letter' },
    (job) => {
      // Readings lie by device where windows are kept by device: nothing is exchanged between them.
      const telemetry = partitionLog('telemetry', Reading, { partitionBy: ['tenant', 'deviceId'] });
      const readings = job.source('readings', telemetry, { outOfOrderness: '2s', idleAfter: '5s' });

      const perDevice = readings
        .filter((reading) => reading.status !== 'maintenance')
        .keyBy('tenant', 'deviceId')
        .window(tumbling(windowSize))
        .allowedLateness('5s')
        .aggregate('per-device', {
          n: count(),
          temp: avg('temperature'),
          cold: min('temperature'),
          hot: max('temperature'),
          vib: p99('vibration'),
          rpm: max('rpm'),
        });
      perDevice.to('live', timeSeries('device_10s'), { accept: 'idempotent' });
      for (const [id, series] of Object.entries(options.moreSeries ?? {}))
        perDevice.to(id, series, { accept: 'idempotent' });
      perDevice.side.late.to(
        'late',
        partitionLog('telemetry-late', Reading, {
          partitionBy: ['tenant', 'deviceId'],
          retention: { age: '7d' },
        }),
      );

      readings.lookupJoin('enrich', withDeviceRegistry(registry)).to(
        'lake',
        iceberg('curated.readings', EnrichedReading, {
          warehouse,
          partitionBy: [day('ts'), identity('tenant')],
        }),
      );
    },
  );
}
