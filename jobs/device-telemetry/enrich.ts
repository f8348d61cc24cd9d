import type { DeviceRegistry, RegisteredDevice } from './device-registry.ts';
import type { EnrichedReading } from './enriched-reading.ts';
import type { Reading } from './reading.ts';

/** The enriching step: at once for a device whose registration is cached, later for one that has to be asked for. */
export function withDeviceRegistry(
  registry: DeviceRegistry,
): (reading: Reading) => EnrichedReading | Promise<EnrichedReading> {
  return (reading) => {
    const device = registry.lookup(reading.tenant, reading.deviceId);
    return device instanceof Promise
      ? device.then((found) => enrich(reading, found))
      : enrich(reading, device);
  };
}

function enrich(reading: Reading, device: RegisteredDevice | null): EnrichedReading {
  return {
    ts: reading.ts,
    tenant: reading.tenant,
    deviceId: reading.deviceId,
    site: reading.site,
    temperature: reading.temperature,
    vibration: reading.vibration,
    rpm: reading.rpm,
    voltage: reading.voltage,
    status: reading.status,
    firmware: reading.firmware,
    model: device?.model ?? null,
    location: device?.location ?? null,
    hot: device !== null && reading.temperature !== null && reading.temperature > device.hotAbove,
  };
}
