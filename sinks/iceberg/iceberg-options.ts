import { type Duration, durationMs, MillraceError } from '#engine';
import type { PartitionTransform } from './partition-transform.ts';

export interface IcebergOptions {
  /** Folder that holds the tables. Default `./.millrace/warehouse`. */
  readonly warehouse?: string;
  /** How rows are split into files, e.g. `[day('ts'), identity('tenant')]`. Default: not at all. */
  readonly partitionBy?: readonly PartitionTransform[];
  /** Default `zstd` (level 1). */
  readonly compression?: 'zstd' | 'snappy';
  /** Rows per Parquet row group. Default 65 536. */
  readonly rowGroupRows?: number;
  /** A file that has grown to this is closed before the next barrier. Default 128 MiB. */
  readonly targetFileBytes?: number;
  /** Snapshots kept for time travel: all of the last `maxAge`, and `keepSnapshots` in any case. Default 100 and `1h`. */
  readonly expire?: { readonly keepSnapshots?: number; readonly maxAge?: Duration };
  /** Manifests of a snapshot before small ones are merged, and what a merged one may grow to. Default 20 and 8 MiB. */
  readonly manifests?: { readonly mergeCount?: number; readonly targetBytes?: number };
}

/** The options with every default filled in. */
export interface IcebergSettings {
  readonly warehouse: string;
  readonly partitionBy: readonly PartitionTransform[];
  readonly compression: 'zstd' | 'snappy';
  readonly rowGroupRows: number;
  readonly targetFileBytes: number;
  readonly expire: ExpirePolicy;
  readonly manifestsMergeCount: number;
  readonly manifestTargetBytes: number;
}

export interface ExpirePolicy {
  readonly keepSnapshots: number;
  readonly maxAgeMs: number;
}

/** Where tables lie when a sink names no warehouse, relative to the working directory. */
export const DEFAULT_WAREHOUSE = '.millrace/warehouse';

/** @throws MR_CONFIG_INVALID naming the option. */
export function icebergSettings(options: IcebergOptions): IcebergSettings {
  return {
    warehouse: options.warehouse ?? DEFAULT_WAREHOUSE,
    partitionBy: options.partitionBy ?? [],
    compression: options.compression ?? 'zstd',
    rowGroupRows: atLeast(1, options.rowGroupRows ?? 65_536, 'rowGroupRows'),
    targetFileBytes: atLeast(1, options.targetFileBytes ?? 128 * 1024 * 1024, 'targetFileBytes'),
    expire: {
      keepSnapshots: atLeast(1, options.expire?.keepSnapshots ?? 100, 'expire.keepSnapshots'),
      maxAgeMs: durationMs(options.expire?.maxAge ?? '1h', 'Iceberg option expire.maxAge'),
    },
    manifestsMergeCount: atLeast(2, options.manifests?.mergeCount ?? 20, 'manifests.mergeCount'),
    manifestTargetBytes: atLeast(
      1,
      options.manifests?.targetBytes ?? 8 * 1024 * 1024,
      'manifests.targetBytes',
    ),
  };
}

function atLeast(least: number, value: number, name: string): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `Iceberg option ${name} must be a whole number ≥ ${least}, got ${value}.`,
  );
}
