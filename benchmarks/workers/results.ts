import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { systemClock } from '#engine';
import { openTimeSeriesReader, tableState } from '#sinks';
import { NAMESPACE } from './load.ts';

/** What a run has left behind: windows in the live series, rows in the lake. */
export interface Results {
  readonly windows: number;
  readonly digest: string;
  readonly lakeRows: number;
}

export async function readResults(url: string, dataDir: string): Promise<Results> {
  const reader = await openTimeSeriesReader({ url, namespace: NAMESPACE, clock: systemClock });
  const hash = createHash('sha256');
  let windows = 0;
  for (const key of await reader.keys('device_10s', 100_000)) {
    const points = await reader.range({
      name: 'device_10s',
      key,
      from: 0,
      to: Number.MAX_SAFE_INTEGER,
      pointsMax: 100_000,
    });
    windows += points.length;
    for (const point of points) hash.update(`${key} ${JSON.stringify(point)}\n`);
  }
  await reader.close();
  const lake = await tableState(join(dataDir, 'warehouse'), 'curated.readings');
  return { windows, digest: hash.digest('hex').slice(0, 16), lakeRows: lake?.rows ?? 0 };
}
