import type { Client } from 'pg';
import type { SinkContext } from '#engine';
import { readColumns, type TableName, type TableShape } from './postgres-table.ts';
import { quotedName } from './quoted-name.ts';

/**
 * What rows of a series table were before the attempt changed them, in a table beside it:
 *
 *     job, sink    text      whose change it is
 *     target       text      the changed table
 *     seq          bigint    barrier interval of the change
 *     id           bytea     SHA-256 of `pk`, which may be too long for an index
 *     pk           jsonb     the row's key: tags and window_start
 *     old          jsonb     the row before the interval, null where there was none
 *
 * PU1 A row's first change in an interval keeps what it was, in the transaction that changes it.
 * PU2 The first writer of a generation undoes, in the transaction that raises the fence, every interval that its checkpoint does not
 *     cover. So a replay that decides otherwise about a record leaves no row of the lost attempt behind.
 * PU3 What published checkpoints cover goes at the next barriers: at most three intervals are kept.
 */
export class PostgresUndo {
  readonly #log: string;
  readonly #table: TableName;
  readonly #owner: readonly [job: string, sink: string, target: string];

  constructor(table: TableName, { job, operator }: SinkContext) {
    this.#log = table.sibling('millrace_undo');
    this.#table = table;
    this.#owner = [job, operator, table.sql];
  }

  /** Makes the log, with the schema locked. */
  async ensure(client: Client): Promise<void> {
    await client.query(
      `CREATE TABLE IF NOT EXISTS ${this.#log} (job text, sink text, target text, seq bigint, id bytea, pk jsonb NOT NULL, old jsonb,
         PRIMARY KEY (job, sink, target, seq, id))`,
    );
  }

  /**
   * Keeps what the rows of a batch are before they change in interval `seq`. `parameters` are those of the upsert; planned afresh each
   * time, because a plan from when the table was small would read all of it for each row.
   */
  async keep(client: Client, shape: TableShape, seq: number, parameters: readonly unknown[]): Promise<void> {
    const keys = shape.tags.length + 1;
    await client.query(keepSql(this.#log, this.#table, shape), [
      ...parameters.slice(0, keys),
      ...this.#owner,
      seq,
    ]);
  }

  /** Puts every row back to what it was before interval `seq`. */
  async undoFrom(client: Client, seq: number): Promise<void> {
    const values = [...this.#owner, seq];
    const columns = await readColumns(client, this.#table);
    const keys = [...columns].filter(([, column]) => column.inKey).map(([name]) => quotedName(name));
    if (keys.length > 0) {
      const written = [...columns]
        .filter(([, column]) => !column.generated)
        .map(([name]) => quotedName(name));
      const table = this.#table.sql;
      const first = `(SELECT DISTINCT ON (id) pk, old FROM ${this.#log}
        WHERE job = $1 AND sink = $2 AND target = $3 AND seq >= $4 ORDER BY id, seq)`;
      await client.query(
        `DELETE FROM ${table} AS t USING ${first} AS u, jsonb_populate_record(null::${table}, u.pk) AS r
         WHERE ${keys.map((key) => `t.${key} = r.${key}`).join(' AND ')}`,
        values,
      );
      await client.query(
        `INSERT INTO ${table} (${written.join(', ')}) OVERRIDING SYSTEM VALUE SELECT ${written.map((name) => `r.${name}`).join(', ')}
         FROM ${first} AS u, jsonb_populate_record(null::${table}, u.old) AS r WHERE u.old IS NOT NULL`,
        values,
      );
    }
    await client.query(
      `DELETE FROM ${this.#log} WHERE job = $1 AND sink = $2 AND target = $3 AND seq >= $4`,
      values,
    );
  }

  /** Forgets the intervals up to `seq`: nothing will restore what was before them. */
  async prune(client: Client, seq: number): Promise<void> {
    const [job, sink] = this.#owner;
    await client.query({
      name: 'millrace-undo-prune',
      text: `DELETE FROM ${this.#log} WHERE job = $1 AND sink = $2 AND seq <= $3`,
      values: [job, sink, seq],
    });
  }
}

/** An array per key column, then job, sink, target, seq. */
function keepSql(log: string, table: TableName, { tags }: TableShape): string {
  const names = [...tags.map((tag) => quotedName(tag.name)), 'window_start'];
  const types = [...tags.map((tag) => tag.type), 'double precision'];
  const picked = names.map((name, i) =>
    i === tags.length
      ? `'epoch'::timestamptz + r.c${i} * interval '1 millisecond' AS ${name}`
      : `r.c${i} AS ${name}`,
  );
  const [job, sink, target, seq] = [1, 2, 3, 4].map((i) => `$${names.length + i}`);
  return `INSERT INTO ${log} (job, sink, target, seq, id, pk, old)
    SELECT ${job}::text, ${sink}::text, ${target}::text, ${seq}::bigint, sha256(convert_to(to_jsonb(k)::text, 'UTF8')), to_jsonb(k), to_jsonb(t)
    FROM (SELECT ${picked.join(', ')}
          FROM unnest(${types.map((type, i) => `$${i + 1}::${type}[]`).join(', ')}) AS r(${names.map((_, i) => `c${i}`).join(', ')})) AS k
    LEFT JOIN ${table.sql} AS t ON ${names.map((name) => `t.${name} = k.${name}`).join(' AND ')}
    ON CONFLICT DO NOTHING`;
}
