import { FrameWriter, openRedisPartitionLog, systemClock } from '#engine';
import { DEMO_FLEET, demoDevices } from '../../jobs/device-telemetry/demo-devices.ts';
import { openDeviceRegistry } from '../../jobs/device-telemetry/device-registry.ts';
import { Reading } from '../../jobs/device-telemetry/reading.ts';
import { keyPartitioner, PARTITIONER_KEY_GROUPS, seededRandom } from '#wire';

export const NAMESPACE = 'bench';
const PARTITIONS = 4;
const KEY = ['tenant', 'deviceId'];
/** 2023-11-14T22:13:20Z; readings come at 10,000 per second of event time. */
const START_MS = 1_700_000_000_000;
const RATE = 10_000;

/** Fills the topic of the device telemetry job with readings of a fleet, and the registry with its devices. */
export async function fill(url: string, events: number): Promise<void> {
  const shared = { url, namespace: NAMESPACE, clock: systemClock } as const;
  const devices = demoDevices({ ...DEMO_FLEET, devices: 10_000 });
  const registry = await openDeviceRegistry(shared);
  await registry.register(devices);
  registry.close();
  const log = await openRedisPartitionLog({ ...shared, durability: 'process' });
  await log.createTopic('telemetry', {
    partitions: PARTITIONS,
    schema: Reading,
    partitionedBy: { fields: KEY, keyGroups: PARTITIONER_KEY_GROUPS },
    quotaBytes: 8 * 1024 ** 3,
  });
  const writer = await FrameWriter.open({
    log,
    topic: 'telemetry',
    schema: Reading,
    producer: 'fill',
    epoch: 1,
    partitionOf: keyPartitioner(Reading, KEY, PARTITIONS, PARTITIONER_KEY_GROUPS),
    clock: systemClock,
  });
  const random = seededRandom(42);
  const around = (middle: number) => Math.round((middle + random() * 10) * 100) / 100;
  for (let i = 0; i < events; i++) {
    const { tenant, deviceId, device } = devices[
      Math.floor(random() * devices.length)
    ] as (typeof devices)[0];
    await writer.write({
      ts: START_MS + Math.floor((i * 1_000) / RATE),
      tenant,
      deviceId,
      site: device.location.split(',', 1)[0] as string,
      temperature: around(20),
      vibration: around(1),
      rpm: Math.round(around(1_500)),
      voltage: around(220),
      status: random() < 0.01 ? 'maintenance' : 'ok',
      firmware: '1.4.2',
    });
  }
  await writer.close();
  await log.close();
}
