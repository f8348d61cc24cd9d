import { type Clock, jobDataKey, RedisConnection } from '#engine';

/** What is known of a device beside what it sends. */
export interface RegisteredDevice {
  readonly model: string;
  readonly location: string;
  /** Above this temperature, in °C, the device counts as hot. */
  readonly hotAbove: number;
}

/** Where devices are registered: a Redis hash, field {@link deviceField}, JSON. */
export interface DeviceRegistry {
  /** The devices of some fields; those that nobody has registered are left out. */
  readonly load: (fields: readonly string[]) => Promise<ReadonlyMap<string, RegisteredDevice>>;
  readonly register: (
    devices: readonly {
      readonly tenant: string;
      readonly deviceId: string;
      readonly device: RegisteredDevice;
    }[],
  ) => Promise<void>;
  readonly close: () => void;
}

/** What names a device in the registry. */
export const deviceField = (tenant: string, deviceId: string): string => `${tenant}/${deviceId}`;

export interface DeviceRegistryOptions {
  readonly url: string;
  readonly namespace: string;
  readonly clock: Clock;
}

export async function openDeviceRegistry({
  url,
  namespace,
  clock,
}: DeviceRegistryOptions): Promise<DeviceRegistry> {
  const redis = await RedisConnection.open({ url, clock, name: 'millrace:device-registry' });
  const key = jobDataKey(namespace, 'device-registry');
  return {
    async load(fields) {
      const texts = (await redis.call('HMGET', key, ...fields)) as readonly (string | null)[];
      const devices = new Map<string, RegisteredDevice>();
      for (const [i, text] of texts.entries())
        if (text !== null) devices.set(fields[i] as string, JSON.parse(text) as RegisteredDevice);
      return devices;
    },
    async register(devices) {
      for (let at = 0; at < devices.length; at += 1_000) {
        const fields = devices
          .slice(at, at + 1_000)
          .flatMap(({ tenant, deviceId, device }) => [deviceField(tenant, deviceId), JSON.stringify(device)]);
        await redis.call('HSET', key, ...fields);
      }
    },
    close: () => redis.close(),
  };
}
