import type { Sink } from '#engine';
import type { Schema } from '#wire';
import { IcebergCommitter } from './iceberg-committer.ts';
import { type IcebergOptions, icebergSettings } from './iceberg-options.ts';
import { IcebergWriter } from './iceberg-writer.ts';
import { bindTable, openTable } from './table-binding.ts';

/**
 * Appends rows to an Apache Iceberg table (format v2, Parquet), each exactly once: rows become visible with the checkpoint that
 * covers them, in one snapshot per checkpoint. The table lies in a local folder that is its own catalog; any Iceberg engine
 * reads it, no other engine may commit to it unless it, too, creates `v<N>.metadata.json` only if absent.
 *
 * Types: f64 double, f32 float, i32 int, i64 long, bool boolean, time timestamptz (microseconds), string string, bytes binary,
 * obj string (its JSON). Field ids are the schema's; nullable fields are optional. The table is created when it is missing.
 *
 * A row that does not fit (null where none may be, a time beyond ±8.64e15 ms, an obj that JSON cannot hold) goes to the dead letters.
 * Old snapshots, manifests and metadata files are cleaned up with the commits.
 *
 * @param table `namespace.name`; lies in `<warehouse>/namespace/name`
 * @throws MR_CONFIG_INVALID at once for bad names, options or partitions; MR_TABLE_INVALID when the job starts and the existing
 * table has another schema or partitioning; MR_SINK_AHEAD when it restores a checkpoint older than what the table has.
 * @example
 * iceberg('curated.readings', Reading, { partitionBy: [day('ts'), identity('tenant')] })
 */
export function iceberg<Row>(
  table: string,
  schema: Schema<Row>,
  options: IcebergOptions = {},
): Sink<Row, 'exactly-once'> {
  const binding = bindTable(table, schema, icebergSettings(options));
  return {
    kind: 'iceberg',
    guarantee: 'exactly-once',
    target: table,
    openWriter: async (context) => new IcebergWriter(await openTable(binding, context.clock), context),
    openCommitter: async (context) => new IcebergCommitter(await openTable(binding, context.clock), context),
  };
}
