import { type Duration, durationMs, MillraceError, type Sink } from '#engine';
import { IDENTIFIER_BYTES_MAX, RESERVED_COLUMNS, tableName } from './postgres-table.ts';
import type { WindowResult } from './window-result.ts';

export interface PostgresTimeSeriesOptions {
  /** `postgres://user:password@host:5432/database`; `?host=/directory` for a unix socket. */
  readonly url: string;
  /** `device_10s` or `telemetry.device_10s`. Default: the series' name. */
  readonly table?: string;
  /** Names of the key's fields, in the order of the primary key. Default: those of the first key, or `key` when keys are no objects. */
  readonly tags?: readonly string[];
  /** Rows whose window started longer ago are deleted. Default: none are. */
  readonly retention?: Duration;
  /** How long a server that cannot be written to is waited for before the attempt fails. Default 30 s. */
  readonly retryFor?: Duration;
}

/**
 * Windows as rows of PostgreSQL (or TimescaleDB), one per key and window start, made and widened as needed.
 * Written through at once. When an attempt is lost, the next one first undoes what it wrote after the checkpoint that is restored; an
 * attempt that has lost its job is refused. Two tables beside it, `millrace_fences` and `millrace_undo`, serve that.
 * @example perDevice.to('history', postgresTimeSeries('device_10s', { url }), { accept: 'idempotent' });
 * @throws MR_CONFIG_INVALID
 */
export function postgresTimeSeries(
  name: string,
  options: PostgresTimeSeriesOptions,
): Sink<WindowResult, 'idempotent'> {
  const table = tableName(options.table ?? name);
  const tags = options.tags ?? null;
  if (tags !== null) assertTags(name, tags);
  const retentionMs = options.retention === undefined ? null : durationMs(options.retention, 'retention');
  const retryForMs = durationMs(options.retryFor ?? '30s', 'retryFor');
  return {
    kind: 'postgres-time-series',
    guarantee: 'idempotent',
    target: table.text,
    async openWriter(context) {
      // Its client is loaded by those who write to PostgreSQL alone.
      const { openPostgresWriter } = await import('./postgres-writer.ts');
      return openPostgresWriter({ context, url: options.url, table, tags, retentionMs, retryForMs });
    },
  };
}

function assertTags(name: string, tags: readonly string[]): void {
  const fits = (tag: string) =>
    tag !== '' && Buffer.byteLength(tag) <= IDENTIFIER_BYTES_MAX && !RESERVED_COLUMNS.has(tag);
  if (tags.length > 0 && tags.every(fits) && new Set(tags).size === tags.length) return;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    `The tags of series '${name}' must be different names of 1 to ${IDENTIFIER_BYTES_MAX} bytes other than ${[...RESERVED_COLUMNS].join(', ')}; got '${tags.join("', '")}'.`,
  );
}
