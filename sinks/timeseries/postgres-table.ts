import type { Client } from 'pg';
import { MillraceError } from '#engine';
import { quotedName } from './quoted-name.ts';
import type { SeriesRow, SeriesScalar } from './window-result.ts';

/** A table by name, quoted for SQL. */
export interface TableName {
  /** As the user wrote it. */
  readonly text: string;
  readonly sql: string;
  /** Another name in the same schema. */
  readonly sibling: (name: string) => string;
}

/** Columns of a series table, in the order of the statement's parameters. */
export interface TableShape {
  readonly tags: readonly { readonly name: string; readonly type: string }[];
  readonly values: readonly string[];
}

/**
 * `device_10s` or `telemetry.device_10s`.
 * @throws MR_CONFIG_INVALID when it is not one or two identifiers of 1 to 63 bytes
 */
export function tableName(text: string): TableName {
  const parts = text.split('.');
  const valid =
    parts.length <= 2 &&
    parts.every((part) => part !== '' && Buffer.byteLength(part) <= IDENTIFIER_BYTES_MAX);
  if (!valid) {
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `The table '${text}' must be like 'device_10s' or 'telemetry.device_10s'.`,
    );
  }
  const schema = parts.length === 2 ? `${quotedName(parts[0] as string)}.` : '';
  const sibling = (name: string) => schema + quotedName(name);
  return { text, sql: sibling(parts.at(-1) as string), sibling };
}

/** Changes of tables happen one at a time in a database: CREATE … IF NOT EXISTS alone is not safe against itself. */
export async function lockSchema(client: Client): Promise<void> {
  await client.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
}

/**
 * Makes the table and its missing columns, and returns its shape with the types that the columns have. Idempotent.
 *
 *     <tags> …         text, double precision or boolean, by the first row      ┐
 *     window_start     timestamptz                                              ┘ primary key
 *     window_end       timestamptz
 *     generation       bigint    attempt that wrote the row
 *     <values> …       double precision, null where the window had nothing
 *
 * @throws MR_SINK_REFUSED when a table of that name has another primary key
 */
export async function ensureTable(
  client: Client,
  table: TableName,
  wanted: TableShape,
  indexed: boolean,
): Promise<TableShape> {
  await lockSchema(client);
  const tags = wanted.tags.map((tag) => `${quotedName(tag.name)} ${tag.type}`);
  const key = [...wanted.tags.map((tag) => tag.name), 'window_start'];
  await client.query(
    `CREATE TABLE IF NOT EXISTS ${table.sql} (${[...tags, ...FIXED_COLUMNS].join(', ')}, PRIMARY KEY (${key.map(quotedName).join(', ')}))`,
  );
  const columns = await readColumns(client, table);
  const found = [...columns].filter(([, column]) => column.inKey).map(([name]) => name);
  if (found.toSorted().join() !== key.toSorted().join()) throw otherKey(table, found, key);
  const missing = wanted.values
    .filter((name) => !columns.has(name))
    .map((name) => `ADD COLUMN ${quotedName(name)} double precision`);
  if (missing.length > 0) await client.query(`ALTER TABLE ${table.sql} ${missing.join(', ')}`);
  if (indexed) {
    const index = quotedName(`${table.text.split('.').at(-1)}_start`.slice(-IDENTIFIER_BYTES_MAX));
    await client.query(`CREATE INDEX IF NOT EXISTS ${index} ON ${table.sql} (window_start)`);
  }
  return {
    ...wanted,
    tags: wanted.tags.map((tag) => ({ ...tag, type: columns.get(tag.name)?.type ?? tag.type })),
  };
}

/**
 * The upsert of one batch: an array per column, in the order tags, start and end (epoch ms), values; last the generation.
 * A row of a newer generation stays as it is.
 */
export function upsertSql(table: TableName, { tags, values }: TableShape): string {
  const columns = [...tags.map((tag) => tag.name), 'window_start', 'window_end', ...values].map(quotedName);
  const types = [
    ...tags.map((tag) => tag.type),
    'double precision',
    'double precision',
    ...values.map(() => 'double precision'),
  ];
  const picked = columns.map((_, i) =>
    i === tags.length || i === tags.length + 1
      ? `'epoch'::timestamptz + r.c${i} * interval '1 millisecond'`
      : `r.c${i}`,
  );
  const assigned = [...columns.slice(tags.length + 1), 'generation'].map(
    (column) => `${column} = excluded.${column}`,
  );
  return `INSERT INTO ${table.sql} AS t (${columns.join(', ')}, generation)
    SELECT ${picked.join(', ')}, $${columns.length + 1}::bigint
    FROM unnest(${types.map((type, i) => `$${i + 1}::${type}[]`).join(', ')}) AS r(${columns.map((_, i) => `c${i}`).join(', ')})
    ON CONFLICT (${[...columns.slice(0, tags.length), 'window_start'].join(', ')})
    DO UPDATE SET ${assigned.join(', ')} WHERE t.generation <= excluded.generation`;
}

/** Parameters of {@link upsertSql} for a batch. */
export function upsertParameters(
  rows: readonly SeriesRow[],
  shape: TableShape,
  generation: number,
): unknown[] {
  return [
    ...shape.tags.map((tag) => rows.map((row) => tagValue(row, tag.name))),
    rows.map((row) => row.window.start),
    rows.map((row) => row.window.end),
    ...shape.values.map((name) => rows.map((row) => row.value[name] ?? null)),
    generation,
  ];
}

/** The column that holds a key which is not an object. */
export const SCALAR_TAG = 'key';

export function tagValue({ key }: Pick<SeriesRow, 'key'>, tag: string): SeriesScalar | undefined {
  if (typeof key === 'object') return key[tag];
  return tag === SCALAR_TAG ? key : undefined;
}

/** Columns by the JavaScript type of a first value. */
export function columnType(value: SeriesScalar): string {
  if (typeof value === 'number') return 'double precision';
  return typeof value === 'boolean' ? 'boolean' : 'text';
}

/** Names that values and tags cannot have. */
export const RESERVED_COLUMNS: ReadonlySet<string> = new Set(['window_start', 'window_end', 'generation']);
export const IDENTIFIER_BYTES_MAX = 63;

const FIXED_COLUMNS = [
  'window_start timestamptz',
  'window_end timestamptz NOT NULL',
  'generation bigint NOT NULL',
];
/** Any number that other programs are unlikely to lock: 'mill' as four bytes. */
const SCHEMA_LOCK = 0x6d696c6c;

interface ColumnFacts {
  readonly type: string;
  readonly inKey: boolean;
  /** Computed by the server: cannot be written. */
  readonly generated: boolean;
}

/** Columns of a table by name, in order; none when there is no such table. */
export async function readColumns(
  client: Client,
  table: TableName,
): Promise<ReadonlyMap<string, ColumnFacts>> {
  const { rows } = await client.query<{ name: string; type: string; in_key: boolean; generated: boolean }>(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, coalesce(a.attnum = ANY (i.indkey), false) AS in_key,
            a.attgenerated <> '' AS generated
     FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
     WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [table.sql],
  );
  return new Map(
    rows.map((row) => [row.name, { type: row.type, inKey: row.in_key, generated: row.generated }]),
  );
}

function otherKey(table: TableName, found: readonly string[], key: readonly string[]): MillraceError {
  return new MillraceError(
    'MR_SINK_REFUSED',
    `Table ${table.text} has the primary key (${found.join(', ')}); this sink writes by (${key.join(', ')}). Use another table, or tags that match.`,
  );
}
