import type { Client } from 'pg';
import { MillraceError, type SinkContext } from '#engine';
import { lockSchema, type TableName } from './postgres-table.ts';

/**
 * One row per (job, sink) that says whose rows count. A writer raises it before its first row; every batch reads it FOR SHARE in its own
 * transaction. So raising waits for the batches under way, and no older batch commits after it.
 */
export class PostgresFence {
  readonly #table: string;
  readonly #context: SinkContext;
  readonly #target: string;

  constructor(table: TableName, context: SinkContext) {
    this.#table = table.sibling('millrace_fences');
    this.#context = context;
    this.#target = table.text;
  }

  /**
   * Makes this generation the one that counts. True for its first writer.
   * @throws MR_SINK_FENCED when a newer one does
   */
  async raise(client: Client): Promise<boolean> {
    await lockSchema(client);
    await client.query(
      `CREATE TABLE IF NOT EXISTS ${this.#table} (job text, sink text, generation bigint NOT NULL, PRIMARY KEY (job, sink))`,
    );
    const { job, operator, generation } = this.#context;
    const { rowCount } = await client.query(
      `INSERT INTO ${this.#table} AS f (job, sink, generation) VALUES ($1, $2, $3)
       ON CONFLICT (job, sink) DO UPDATE SET generation = excluded.generation WHERE f.generation < excluded.generation`,
      [job, operator, generation],
    );
    await this.hold(client);
    return rowCount === 1;
  }

  /**
   * Keeps the fence where it is until the transaction ends.
   * @throws MR_SINK_FENCED when it stands higher, MR_SINK_FAILED when the server has lost it
   */
  async hold(client: Client): Promise<void> {
    const { job, operator, generation } = this.#context;
    // The operator's name, not the sink id: an attempt that crashed before its first checkpoint had another id.
    const { rows } = await client.query<{ generation: string }>({
      name: 'millrace-fence',
      text: `SELECT generation FROM ${this.#table} WHERE job = $1 AND sink = $2 FOR SHARE`,
      values: [job, operator],
    });
    const held = Number(rows[0]?.generation ?? 0);
    if (held === generation) return;
    const who = `Generation ${generation} of sink '${operator}' of job '${job}' may not write to ${this.#target}`;
    const details = { job, operator, generation, held };
    if (held > generation) {
      throw new MillraceError(
        'MR_SINK_FENCED',
        `${who}: generation ${held} has opened it. This attempt must end.`,
        { details },
      );
    }
    throw new MillraceError(
      'MR_SINK_FAILED',
      `${who}: its fence is gone (a fail-over lost it, or somebody removed the row). The job restarts and raises it again.`,
      { details },
    );
  }
}
