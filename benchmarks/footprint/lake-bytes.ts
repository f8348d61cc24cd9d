import { randomUUID } from 'node:crypto';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync } from 'hyparquet';
import { openRedisCheckpointStore, openRedisPartitionLog, runJob, systemClock, systemRandom } from '#engine';
import { defineJob, partitionLog } from '#operators';
import { day, iceberg, tableState } from '#sinks';
import { Measure } from '../t1/workload.ts';
import { INPUT } from './copy-job.ts';

/** The lake's data files. Manifests and metadata are not in it: they are per checkpoint, not per event. */
export interface LakeBytes {
  readonly rows: number;
  readonly files: number;
  readonly rowGroups: number;
  readonly perEvent: number;
  readonly columns: readonly LakeColumnBytes[];
}

export interface LakeColumnBytes {
  readonly name: string;
  readonly encodings: string;
  readonly perEvent: number;
  readonly uncompressedPerEvent: number;
}

export interface LakeOptions {
  readonly url: string;
  /** Where the topic lies. */
  readonly namespace: string;
  readonly warehouse: string;
  readonly events: number;
}

const TABLE = 'footprint.t1';
const TIMEOUT_MS = 120_000;

/** Reads the topic into a table with the sink's defaults, day by day; all rows come with one checkpoint, so row groups are as large as they get. */
export async function measureLake({ url, namespace, warehouse, events }: LakeOptions): Promise<LakeBytes> {
  const shared = { url, namespace, clock: systemClock, durability: 'process' } as const;
  const [log, store] = await Promise.all([openRedisPartitionLog(shared), openRedisCheckpointStore(shared)]);
  const job = defineJob('lake-bytes', { guarantee: 'exactly-once', checkpointInterval: '1h' }, (builder) => {
    builder
      .source('measures', partitionLog(INPUT, Measure), { outOfOrderness: '1s' })
      .to('lake', iceberg(TABLE, Measure, { warehouse, partitionBy: [day('ts')] }));
  });
  const handle = runJob(job.graph(), {
    ...shared,
    redisUrl: url,
    log,
    store,
    random: systemRandom,
    uuid: () => randomUUID(),
    owner: `footprint:${process.pid}`,
  });
  const untilMs = performance.now() + TIMEOUT_MS;
  const read = () => handle.status().sources.reduce((sum, { offset }) => sum + offset, 0);
  while (read() < events) {
    if (performance.now() > untilMs) throw new Error(`The job has read ${read()} of ${events} events.`);
    await systemClock.sleep(20);
  }
  await handle.stop();
  await Promise.all([log.close(), store.close()]);
  return describe(warehouse);
}

async function describe(warehouse: string): Promise<LakeBytes> {
  const table = await tableState(warehouse, TABLE);
  if (table === null) throw new Error('The job has made no table.');
  const columns = new Map<string, { encodings: Set<string>; bytes: number; plain: number }>();
  let rowGroups = 0;
  for (const path of globSync(join(warehouse, '**/*.parquet'))) {
    const { row_groups: groups } = await parquetMetadataAsync(await asyncBufferFromFile(path));
    rowGroups += groups.length;
    for (const { meta_data: chunk } of groups.flatMap((group) => group.columns)) {
      if (chunk === undefined) continue;
      const name = chunk.path_in_schema.join('.');
      const column = columns.get(name) ?? { encodings: new Set(), bytes: 0, plain: 0 };
      for (const encoding of chunk.encodings) column.encodings.add(encoding);
      column.bytes += Number(chunk.total_compressed_size);
      column.plain += Number(chunk.total_uncompressed_size);
      columns.set(name, column);
    }
  }
  return {
    rows: table.rows,
    files: table.files,
    rowGroups,
    perEvent: table.bytes / table.rows,
    columns: [...columns].map(([name, { encodings, bytes, plain }]) => ({
      name,
      encodings: [...encodings].join(', '),
      perEvent: bytes / table.rows,
      uncompressedPerEvent: plain / table.rows,
    })),
  };
}
