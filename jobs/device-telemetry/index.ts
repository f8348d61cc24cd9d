import { join } from 'node:path';
import { type JobModuleContext, MillraceError, systemClock } from '#engine';
import type { JobDefinition } from '#operators';
import { openDeviceRegistry } from './device-registry.ts';
import { deviceTelemetry } from './job.ts';

/**
 * The job for workers: `millrace deploy jobs/device-telemetry/index.ts`. Its lake lies below the folder MILLRACE_DATA_DIR, which all
 * workers must reach by this path; the device registry is in the workers' Redis.
 */
export default async function job({
  redisUrl,
  namespace,
  variables,
}: JobModuleContext): Promise<JobDefinition> {
  const dataDir = variables['MILLRACE_DATA_DIR'] ?? '';
  if (dataDir === '') {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      'Job device-telemetry has no place for its lake. Set MILLRACE_DATA_DIR to a folder that all workers share.',
    );
  }
  const registry = await openDeviceRegistry({ url: redisUrl, namespace, clock: systemClock });
  return deviceTelemetry({ registry, warehouse: join(dataDir, 'warehouse') });
}
