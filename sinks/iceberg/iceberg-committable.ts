import { MillraceError } from '#engine';
import type { ManifestSummary } from './manifest.ts';

/** What one subtask stages at a barrier and a checkpoint carries: a finished manifest and its totals. About 0.5 KB. */
export interface IcebergCommittable {
  readonly format: 1;
  readonly manifest: ManifestSummary;
  readonly files: number;
  readonly rows: number;
  readonly bytes: number;
  readonly partitions: number;
}

/**
 * Checks what comes back from a checkpoint.
 * @throws MR_STATE_INCOMPATIBLE when it was written by a version that this one does not know.
 */
export function icebergCommittable(value: unknown): IcebergCommittable {
  const { format, manifest } = (value ?? {}) as Partial<IcebergCommittable>;
  if (format === 1 && typeof manifest?.manifest_path === 'string') return value as IcebergCommittable;
  throw new MillraceError(
    'MR_STATE_INCOMPATIBLE',
    `A staged commit of the Iceberg sink has format ${String(format)}, not 1; restore with the version that wrote it.`,
  );
}
