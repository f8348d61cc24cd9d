import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { type Clock, MillraceError } from '#engine';
import type { Schema } from '#wire';
import { locationOf, makeDirectory, pathOf, withFileErrors } from './durable-file.ts';
import { type FileCatalog, fileCatalog, type LoadedTable } from './file-catalog.ts';
import type { IcebergSettings } from './iceberg-options.ts';
import type { ManifestContext } from './manifest.ts';
import {
  type IcebergPartitionSpec,
  type PartitionField,
  partitionFields,
  partitionSpec,
  specDifference,
} from './partition-spec.ts';
import { newTableMetadata, type TableMetadata } from './table-metadata.ts';
import { type IcebergSchema, icebergSchema, schemaDifference } from './table-schema.ts';

/** A table that a sink writes to, bound to the rows it takes. Values only; nothing is open. */
export interface TableBinding<Row> {
  /** `curated.readings` */
  readonly name: string;
  readonly location: string;
  readonly schema: Schema<Row>;
  readonly icebergSchema: IcebergSchema;
  readonly fields: readonly PartitionField[];
  readonly manifestContext: ManifestContext;
  readonly catalog: FileCatalog;
  readonly options: IcebergSettings;
}

const NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

/** Where a table lies: `curated.readings` → `<warehouse>/curated/readings`. @throws MR_CONFIG_INVALID */
export function tableLocation(warehouse: string, name: string): string {
  if (!NAME.test(name)) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Iceberg table '${name}': a name is parts of letters, digits, _ and - joined by dots, like 'curated.readings'.`,
    );
  }
  return locationOf([resolve(warehouse), ...name.split('.')].join('/'));
}

/** Binds a row schema and options to a table. @throws MR_CONFIG_INVALID */
export function bindTable<Row>(
  name: string,
  schema: Schema<Row>,
  options: IcebergSettings,
): TableBinding<Row> {
  const location = tableLocation(options.warehouse, name);
  const fields = partitionFields(options.partitionBy, schema);
  const spec = partitionSpec(fields, schema);
  const columns = icebergSchema(schema);
  const manifestContext = { schema: columns, spec, fields };
  return {
    name,
    location,
    schema,
    icebergSchema: columns,
    fields,
    manifestContext,
    catalog: fileCatalog(location),
    options,
  };
}

/**
 * The table as this job writes it, created if it is missing. Ids of schema and spec are the table's own.
 * @throws MR_TABLE_INVALID naming what differs from an existing table; MR_TABLE_CORRUPT.
 */
export async function openTable<Row>(binding: TableBinding<Row>, clock: Clock): Promise<TableBinding<Row>> {
  const table = await withFileErrors(binding.name, async () => {
    await makeDirectory(`${pathOf(binding.location)}/data`);
    return (await binding.catalog.load()) ?? (await createTable(binding, clock));
  });
  const { schema, spec } = matching(binding, table.metadata);
  const fields = binding.fields.map((field, i) => ({
    ...field,
    id: spec.fields[i]?.['field-id'] ?? field.id,
  }));
  return { ...binding, icebergSchema: schema, fields, manifestContext: { schema, spec, fields } };
}

async function createTable<Row>(binding: TableBinding<Row>, clock: Clock): Promise<LoadedTable> {
  const { location, options, manifestContext } = binding;
  const outcome = await binding.catalog.create(
    newTableMetadata({
      uuid: randomUUID(),
      location,
      schema: manifestContext.schema,
      spec: manifestContext.spec,
      properties: tableProperties(options),
      nowMs: clock.now(),
    }),
  );
  if (outcome.kind === 'committed') return outcome.table;
  const table = await binding.catalog.load(); // another subtask was first
  if (table === null)
    throw new MillraceError(
      'MR_TABLE_CORRUPT',
      `${location} can neither be created nor loaded: ${outcome.reason}.`,
    );
  return table;
}

function matching<Row>(
  { name, manifestContext }: TableBinding<Row>,
  metadata: TableMetadata,
): { schema: IcebergSchema; spec: IcebergPartitionSpec } {
  const schema = metadata.schemas.find((it) => it['schema-id'] === metadata['current-schema-id']);
  const spec = metadata['partition-specs'].find((it) => it['spec-id'] === metadata['default-spec-id']);
  if (schema === undefined || spec === undefined) {
    throw new MillraceError(
      'MR_TABLE_CORRUPT',
      `Iceberg table ${name} has no current schema or partition spec in its metadata.`,
    );
  }
  const format = metadata['format-version'];
  const difference =
    (format === 2 ? null : `the table has format version ${format} and this sink writes 2`) ??
    schemaDifference(schema, manifestContext.schema) ??
    specDifference(spec, manifestContext.spec);
  if (difference === null)
    return { schema: { ...manifestContext.schema, 'schema-id': schema['schema-id'] }, spec };
  throw new MillraceError(
    'MR_TABLE_INVALID',
    `Iceberg table ${name} does not fit the job: ${difference}. Change the job's schema, or write to a new table.`,
  );
}

function tableProperties(options: IcebergSettings): Readonly<Record<string, string>> {
  return {
    'write.format.default': 'parquet',
    'write.parquet.compression-codec': options.compression,
    'write.target-file-size-bytes': String(options.targetFileBytes),
    'write.metadata.delete-after-commit.enabled': 'true',
    'write.metadata.previous-versions-max': '20',
    'commit.manifest.min-count-to-merge': String(options.manifestsMergeCount),
    'commit.manifest.target-size-bytes': String(options.manifestTargetBytes),
    'history.expire.min-snapshots-to-keep': String(options.expire.keepSnapshots),
    'history.expire.max-snapshot-age-ms': String(options.expire.maxAgeMs),
  };
}
