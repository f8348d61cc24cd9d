import { crc32 } from 'node:zlib';
import type { Client } from 'pg';
import {
  type CheckpointId,
  errorText,
  MillraceError,
  type SinkContext,
  type SinkInput,
  type SinkWriter,
} from '#engine';
import { postgresFailure } from './postgres-error.ts';
import { PostgresFence } from './postgres-fence.ts';
import { PostgresSession } from './postgres-session.ts';
import { PostgresUndo } from './postgres-undo.ts';
import {
  columnType,
  ensureTable,
  IDENTIFIER_BYTES_MAX,
  RESERVED_COLUMNS,
  SCALAR_TAG,
  type TableName,
  type TableShape,
  tagValue,
  upsertParameters,
  upsertSql,
} from './postgres-table.ts';
import { type KeyedRow, KeyedRows } from './keyed-rows.ts';
import { UpsertLane } from './upsert-lane.ts';
import {
  type SeriesRow,
  type SeriesScalar,
  seriesKeyText,
  seriesRows,
  type WindowResult,
} from './window-result.ts';

export interface PostgresWriterOptions {
  readonly context: SinkContext;
  readonly url: string;
  readonly table: TableName;
  /** Null: those of the first key. */
  readonly tags: readonly string[] | null;
  /** Null: rows stay. */
  readonly retentionMs: number | null;
  readonly retryForMs: number;
}

/**
 * One subtask's writer of a series table.
 * Owns two connections with a lane each; a key always takes the same one. Suspends in `write` while a lane is full.
 *
 * PW1 When opening has resolved, no batch of an older generation of this sink can commit any more.
 * PW2 Each batch is one transaction that holds the fence and keeps what its rows were (PU1).
 * PW3 A row that the server refuses for good goes to the dead letters once; the other rows of its batch are written.
 *
 * @throws MR_SINK_FENCED, MR_SINK_FAILED, MR_SINK_REFUSED
 */
export async function openPostgresWriter(options: PostgresWriterOptions): Promise<SinkWriter<WindowResult>> {
  const writer = new PostgresWriter(options);
  try {
    await writer.raiseFence();
    return writer;
  } catch (error) {
    await writer.close();
    throw error;
  }
}

/** Two connections gave 1.5 × the rows of one, and batches above 2,000 rows gave no more. */
const LANES = 2;
const BATCH_ROWS_MAX = 2_000;
const PENDING_ROWS_MAX = 8_192;
const DELETE_ROWS_MAX = 10_000;
const RETENTION_EVERY_MS = 60_000;

class PostgresWriter implements SinkWriter<WindowResult> {
  readonly #options: PostgresWriterOptions;
  readonly #fence: PostgresFence;
  readonly #undo: PostgresUndo;
  readonly #sessions: readonly PostgresSession[];
  readonly #lanes: readonly UpsertLane<KeyedRow<SeriesRow>, readonly SeriesRow[]>[];
  #tags: readonly string[] | null;
  /** Of the next barrier. */
  #seq: number;
  /** Columns known to exist; `version` names the prepared statement. */
  #shape: TableShape | null = null;
  #version = 0;
  #retainedAt = Number.NEGATIVE_INFINITY;
  #rowsWritten = 0;
  #rowsDeleted = 0;
  #batches = 0;

  constructor(options: PostgresWriterOptions) {
    const { context, url, table, retryForMs } = options;
    this.#options = options;
    this.#tags = options.tags;
    this.#fence = new PostgresFence(table, context);
    this.#undo = new PostgresUndo(table, context);
    this.#seq = context.nextSeq;
    const session = () => new PostgresSession({ url, context, target: `table ${table.text}`, retryForMs });
    this.#sessions = Array.from({ length: LANES }, session);
    this.#lanes = this.#sessions.map((own) => {
      const write = (batch: readonly SeriesRow[], seq: number) => this.#writeBatch(own, batch, seq);
      return new UpsertLane(new KeyedRows<SeriesRow>(), {
        batchMax: BATCH_ROWS_MAX,
        pendingMax: PENDING_ROWS_MAX,
        write,
      });
    });
  }

  raiseFence(): Promise<void> {
    const raise = async (client: Client) => {
      const first = await this.#fence.raise(client);
      await this.#undo.ensure(client);
      if (first) await this.#undo.undoFrom(client, this.#options.context.nextSeq);
    };
    return this.#named(() => this.#session(0).transaction(raise));
  }

  write(input: SinkInput<WindowResult>): void | Promise<void> {
    for (const lane of this.#lanes) lane.check();
    const { deadLetter } = this.#options.context;
    for (const row of seriesRows(input, deadLetter)) {
      this.#tags ??= typeof row.key === 'object' ? Object.keys(row.key) : [SCALAR_TAG];
      const key = columnsText(row, this.#tags);
      if (typeof key !== 'string')
        deadLetter({ key: row.key, window: row.window, value: row.value }, key.refused);
      else this.#lanes[crc32(key) % LANES]?.put(this.#seq, { key: `${row.window.start} ${key}`, row });
    }
    for (const lane of this.#lanes) lane.start();
    const full = this.#lanes.filter((lane) => lane.full);
    if (full.length > 0) return Promise.all(full.map((lane) => lane.hasRoom())).then(() => undefined);
  }

  async prepareCommit(checkpoint: CheckpointId): Promise<null> {
    this.#seq = checkpoint + 1;
    await Promise.all(this.#lanes.map((lane) => lane.flushed()));
    await this.#named(() => this.#pruneUndo());
    await this.#named(() => this.#dropOldRows());
    return null;
  }

  stats(): Readonly<Record<string, number>> {
    const retries = this.#sessions.reduce((sum, session) => sum + session.retries, 0);
    return {
      rowsWritten: this.#rowsWritten,
      rowsDeleted: this.#rowsDeleted,
      batches: this.#batches,
      retries,
    };
  }

  async close(): Promise<void> {
    for (const lane of this.#lanes) lane.close();
    await Promise.all(this.#sessions.map((session) => session.close()));
  }

  #session(lane: number): PostgresSession {
    return this.#sessions[lane] as PostgresSession;
  }

  #writeBatch(session: PostgresSession, batch: readonly SeriesRow[], seq: number): Promise<void> {
    return this.#named(async () => {
      const shape = await this.#shapeFor(session, batch);
      await this.#upsert(session, shape, batch, seq);
    });
  }

  /** Writes a batch; when the server takes none of it for the sake of a row, finds that row by halving. */
  async #upsert(
    session: PostgresSession,
    shape: TableShape,
    batch: readonly SeriesRow[],
    seq: number,
  ): Promise<void> {
    const { killPoint, deadLetter } = this.#options.context;
    try {
      await session.transaction((client) => this.#statements(client, shape, batch, seq), {
        beforeCommit: () => killPoint('postgres:before-commit'),
        afterCommit: () => killPoint('postgres:after-commit'),
      });
      this.#rowsWritten += batch.length;
      this.#batches++;
    } catch (error) {
      if (error instanceof MillraceError || postgresFailure(error) !== 'row') throw error;
      const { key, window, value } = batch[0] as SeriesRow;
      if (batch.length === 1) return deadLetter({ key, window, value }, errorText(error));
      const half = batch.length >>> 1;
      await this.#upsert(session, shape, batch.slice(0, half), seq);
      await this.#upsert(session, shape, batch.slice(half), seq);
    }
  }

  async #statements(
    client: Client,
    shape: TableShape,
    batch: readonly SeriesRow[],
    seq: number,
  ): Promise<void> {
    const { context, table } = this.#options;
    const values = upsertParameters(batch, shape, context.generation);
    await this.#fence.hold(client);
    await this.#undo.keep(client, shape, seq, values);
    const { rowCount } = await client.query({
      name: `millrace-upsert-${this.#version}`,
      text: upsertSql(table, shape),
      values,
    });
    // The fence holds, so rows of a newer generation can only be another job's.
    if (rowCount === batch.length) return;
    throw new MillraceError(
      'MR_SINK_REFUSED',
      `${batch.length - Number(rowCount)} rows of table ${table.text} belong to a higher generation than ${context.generation} of job '${context.job}': another job writes to it. Give each job a table of its own.`,
      { details: { job: context.job, generation: context.generation } },
    );
  }

  /** The table's columns, with those of the batch. */
  async #shapeFor(session: PostgresSession, batch: readonly SeriesRow[]): Promise<TableShape> {
    const known = this.#shape;
    const values = new Set(known?.values);
    for (const row of batch) for (const name of Object.keys(row.value)) values.add(name);
    if (known !== null && values.size === known.values.length) return known;
    const { table, retentionMs } = this.#options;
    const tagNames = this.#tags as readonly string[];
    assertColumns(table, [...tagNames, ...values]);
    const first = batch[0] as SeriesRow;
    const tags =
      known?.tags ??
      tagNames.map((name) => ({ name, type: columnType(tagValue(first, name) as SeriesScalar) }));
    const wanted = { tags, values: [...values] };
    const shape = await session.transaction((client) =>
      ensureTable(client, table, wanted, retentionMs !== null),
    );
    if (this.#shape === known) {
      this.#shape = shape;
      this.#version++;
      return shape;
    }
    return this.#shapeFor(session, batch); // the other lane was faster
  }

  /** One subtask does it for all; the checkpoint before the last one stays undoable, should the last one prove unreadable (PU3). */
  async #pruneUndo(): Promise<void> {
    if (this.#options.context.subtask !== 0) return;
    await this.#session(0).transaction(async (client) => {
      await this.#fence.hold(client);
      await this.#undo.prune(client, this.#options.context.undoFloor());
    });
  }

  /** Deletes what is older than the retention, a bounded number of rows at a time; one subtask does it. */
  async #dropOldRows(): Promise<void> {
    const { context, retentionMs, table } = this.#options;
    const now = context.clock.monotonic();
    if (retentionMs === null || this.#shape === null || context.subtask !== 0) return;
    if (now - this.#retainedAt < Math.min(RETENTION_EVERY_MS, retentionMs)) return;
    this.#retainedAt = now;
    const { rowCount } = await this.#session(0).transaction(async (client) => {
      await this.#fence.hold(client);
      return client.query(
        `DELETE FROM ${table.sql} WHERE ctid = ANY (ARRAY(
           SELECT ctid FROM ${table.sql} WHERE window_start < 'epoch'::timestamptz + $1::float8 * interval '1 millisecond' LIMIT ${DELETE_ROWS_MAX}))`,
        [context.clock.now() - retentionMs],
      );
    });
    this.#rowsDeleted += rowCount ?? 0;
    if (rowCount === DELETE_ROWS_MAX) this.#retainedAt = Number.NEGATIVE_INFINITY; // more at the next barrier
  }

  /** Gives errors of the server their code. */
  async #named<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (cause) {
      if (cause instanceof MillraceError) throw cause;
      const { context, table } = this.#options;
      const refused = postgresFailure(cause) === 'refused';
      const next = refused
        ? 'Change its permissions or its settings, or those of the sink.'
        : 'The job restarts.';
      throw new MillraceError(
        refused ? 'MR_SINK_REFUSED' : 'MR_SINK_FAILED',
        `PostgreSQL did not let sink '${context.operator}' of job '${context.job}' write to table ${table.text}: ${errorText(cause)} ${next}`,
        { cause, details: { job: context.job, operator: context.operator } },
      );
    }
  }
}

/** The row's primary key without its start, as text; or why it has no place in the table. */
function columnsText(row: SeriesRow, tags: readonly string[]): string | { readonly refused: string } {
  const parts: Record<string, SeriesScalar> = {};
  for (const tag of tags) {
    const value = tagValue(row, tag);
    if (value === undefined) return { refused: `its key has no '${tag}'` };
    parts[tag] = value;
  }
  const given = typeof row.key === 'object' ? Object.keys(row.key).length : 1;
  if (given !== tags.length) return { refused: `its key has more fields than the tags ${tags.join(', ')}` };
  return seriesKeyText(parts);
}

function assertColumns(table: TableName, names: readonly string[]): void {
  const wrong = names.find((name, i) => {
    const fits = name !== '' && Buffer.byteLength(name) <= IDENTIFIER_BYTES_MAX;
    return !fits || RESERVED_COLUMNS.has(name) || names.indexOf(name) !== i;
  });
  if (wrong === undefined) return;
  throw new MillraceError(
    'MR_SINK_REFUSED',
    `'${wrong}' cannot be a column of table ${table.text}: it is longer than ${IDENTIFIER_BYTES_MAX} bytes, in use for another column, or one of ${[...RESERVED_COLUMNS].join(', ')}. Rename the field.`,
  );
}
