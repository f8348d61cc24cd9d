import type { RegisteredDevice } from './device-registry.ts';

/** The fleet that `npm start` simulates. Ids and sites are those that the forwarder's fleet makes from the same numbers. */
export const DEMO_FLEET = {
  devices: 200,
  tenants: 4,
  sitesPerTenant: 5,
  rate: 2_000,
  lateShare: 0.001,
} as const;

export interface FleetSize {
  readonly devices: number;
  readonly tenants: number;
  readonly sitesPerTenant: number;
}

export interface DemoDevice {
  readonly tenant: string;
  readonly deviceId: string;
  readonly device: RegisteredDevice;
}

const MODELS = [
  { model: 'CX-200 centrifugal pump', hotAbove: 38 },
  { model: 'CX-350 centrifugal pump', hotAbove: 42 },
  { model: 'RK-12 screw compressor', hotAbove: 55 },
  { model: 'RK-40 screw compressor', hotAbove: 60 },
  { model: 'TF-5 cooling fan', hotAbove: 34 },
] as const;
const HALLS = ['hall A', 'hall B', 'hall C', 'yard'] as const;

/** What the registry knows of each machine of a fleet: a pure function of its number. */
export function demoDevices({ devices, tenants, sitesPerTenant }: FleetSize): readonly DemoDevice[] {
  return Array.from({ length: devices }, (_, number) => {
    const tenant = number % tenants;
    const machine = Math.floor(number / tenants);
    // Strides without a common divisor mix models, sites and halls.
    const { model, hotAbove } = MODELS[(machine + tenant) % MODELS.length] ?? MODELS[0];
    const hall = HALLS[Math.floor(machine / sitesPerTenant) % HALLS.length] ?? HALLS[0];
    const location = `site-${tenant}-${machine % sitesPerTenant}, ${hall}`;
    return {
      tenant: `tenant-${tenant}`,
      deviceId: `dev-${String(number).padStart(6, '0')}`,
      device: { model, location, hotAbove },
    };
  });
}
