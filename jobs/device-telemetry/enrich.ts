import type { LookupJoinOptions } from '#operators';
import { deviceField, type DeviceRegistry, type RegisteredDevice } from './device-registry.ts';
import { EnrichedReading } from './enriched-reading.ts';
import type { Reading } from './reading.ts';

/** The enriching step: what the registry knows of the device of each reading. */
export function withDeviceRegistry(
  registry: DeviceRegistry,
): LookupJoinOptions<Reading, string, RegisteredDevice, EnrichedReading> {
  return {
    type: 'left',
    key: ({ tenant, deviceId }) => deviceField(tenant, deviceId),
    loadMany: registry.load,
    batch: { size: 1_000 },
    // Devices that are not registered are asked for again sooner.
    cache: { entries: 200_000, ttl: '5m', negativeTtl: '30s' },
    schema: EnrichedReading,
    derive: {
      model: (_, device) => device?.model ?? null,
      location: (_, device) => device?.location ?? null,
      hot: ({ temperature }, device) =>
        device !== null && temperature !== null && temperature > device.hotAbove,
    },
  };
}
