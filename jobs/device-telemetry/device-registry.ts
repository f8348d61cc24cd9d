import { LRUCache } from 'lru-cache';
import { type Clock, jobDataKey, RedisConnection } from '#engine';

/** What is known of a device beside what it sends. */
export interface RegisteredDevice {
  readonly model: string;
  readonly location: string;
  /** Above this temperature, in °C, the device counts as hot. */
  readonly hotAbove: number;
}

/** Where devices are registered: a Redis hash, field `tenant/deviceId`, JSON. */
export interface DeviceRegistry {
  /** The device, or null when nobody has registered it. A value when it is cached, a promise otherwise. */
  readonly lookup: (
    tenant: string,
    deviceId: string,
  ) => RegisteredDevice | null | Promise<RegisteredDevice | null>;
  readonly register: (
    devices: readonly {
      readonly tenant: string;
      readonly deviceId: string;
      readonly device: RegisteredDevice;
    }[],
  ) => Promise<void>;
  readonly close: () => void;
}

const CACHED_MAX = 200_000;
const CACHED_MS = 5 * 60_000;
/** Devices that are not registered are asked for again sooner. */
const ABSENT_MS = 30_000;
const CLOCK_MS = 1_000;

export interface DeviceRegistryOptions {
  readonly url: string;
  readonly namespace: string;
  readonly clock: Clock;
}

/** Opens the registry behind a cache: each device is asked for once, however many readings wait for it. */
export async function openDeviceRegistry({
  url,
  namespace,
  clock,
}: DeviceRegistryOptions): Promise<DeviceRegistry> {
  const redis = await RedisConnection.open({ url, clock, name: 'millrace:device-registry' });
  const key = jobDataKey(namespace, 'device-registry');
  const cache = new LRUCache<string, { readonly device: RegisteredDevice | null }>({
    max: CACHED_MAX,
    ttl: CACHED_MS,
    ttlResolution: CLOCK_MS, // else it asks the clock, and sets a timer, every millisecond
  });
  const asking = new Map<string, Promise<RegisteredDevice | null>>();

  const ask = async (field: string): Promise<RegisteredDevice | null> => {
    const text = (await redis.call('HGET', key, field)) as string | null;
    const device = text === null ? null : (JSON.parse(text) as RegisteredDevice);
    cache.set(field, { device }, { ttl: device === null ? ABSENT_MS : CACHED_MS });
    return device;
  };
  return {
    lookup(tenant, deviceId) {
      const field = `${tenant}/${deviceId}`;
      const cached = cache.get(field);
      if (cached !== undefined) return cached.device;
      const open = asking.get(field) ?? ask(field).finally(() => asking.delete(field));
      asking.set(field, open);
      return open;
    },
    async register(devices) {
      for (let at = 0; at < devices.length; at += 1_000) {
        const fields = devices
          .slice(at, at + 1_000)
          .flatMap(({ tenant, deviceId, device }) => [`${tenant}/${deviceId}`, JSON.stringify(device)]);
        await redis.call('HSET', key, ...fields);
      }
    },
    close: () => redis.close(),
  };
}
