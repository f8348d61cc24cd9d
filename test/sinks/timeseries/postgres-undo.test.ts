import t, { type Test } from 'tap';
import { checkpointId } from '#engine';
import { startPostgres } from '../../support/postgres-server.ts';
import { connectTo, openTable } from './postgres-harness.ts';
import { DAY, device, input, result, WINDOW_MS } from './series-harness.ts';
import { undoBehaviour, type UndoStore } from './undo-behaviour.ts';

const server = await startPostgres();
t.teardown(() => server.stop());
const sql = await connectTo(t, server.url);

await t.test('the table (PU1, PU2, PU3)', (t) => undoBehaviour(t, table));

await t.test('every column comes back as it was, also those added since and those of others', async (t) => {
  const options = { table: 'columns', url: server.url };
  const key = { tenant: `a'"\\{},é`, deviceId: '1' };
  const first = await openTable(t, options, 1, { nextSeq: 1 });
  await first.write(
    input([
      result(key, 0, { n: Number.NaN, temp: 0.1 + 0.2 }),
      result(key, -1_000_000, { n: Number.NEGATIVE_INFINITY, temp: 1e300 }),
      result(key, 1, { n: 5e-324, temp: null }),
    ]),
  );
  await first.prepareCommit(checkpointId(1));
  await sql.query(`ALTER TABLE columns ADD note text, ADD twice float8 GENERATED ALWAYS AS (temp * 2) STORED,
    ADD id bigint GENERATED ALWAYS AS IDENTITY`);
  await sql.query(`UPDATE columns SET note = 'seen'`);
  const read = async () => (await sql.query('SELECT * FROM columns ORDER BY window_start')).rows;
  const before = await read();
  await first.write(input([-1_000_000, 0, 1, 2].map((i) => result(key, i, { n: 1, temp: 2, added: 3 }))));
  await first.prepareCommit(checkpointId(2));
  t.equal((await read()).length, 4);
  await openTable(t, options, 2, { nextSeq: 2 });
  t.same(
    await read(),
    before.map((row) => ({ ...row, added: null })),
  );
});

await t.test('an attempt that is cut off while it undoes leaves the undoing to the next (PU2)', async (t) => {
  const options = { table: 'cut', url: server.url };
  const first = await openTable(t, options, 1, { nextSeq: 1 });
  await first.write(input([result(device(1), 0, { n: 1 })]));
  await first.prepareCommit(checkpointId(1));
  const blocker = await connectTo(t, server.url);
  await blocker.query('BEGIN');
  await blocker.query('SELECT * FROM cut FOR UPDATE'); // holds the undoing in its middle
  const ended = new AbortController();
  const opening = t.rejects(
    openTable(t, { ...options, retryFor: '1ms' }, 2, { nextSeq: 1, signal: ended.signal }),
    {
      code: 'MR_SINK_FAILED',
    },
  );
  const waiting = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM "cut"%'`;
  let pid: number | undefined;
  while (pid === undefined) pid = (await sql.query<{ pid: number }>(waiting)).rows[0]?.pid;
  ended.abort();
  await sql.query('SELECT pg_terminate_backend($1)', [pid]);
  await opening;
  await blocker.query('ROLLBACK');
  t.equal((await sql.query('SELECT * FROM cut')).rowCount, 1);
  await openTable(t, options, 3, { nextSeq: 1 });
  t.equal((await sql.query('SELECT * FROM cut')).rowCount, 0);
});

async function table(t: Test, name: string): Promise<UndoStore> {
  return {
    open: (attempt, context) => openTable(t, { table: name, url: server.url }, attempt, context),
    async read() {
      const exists = await sql.query('SELECT to_regclass($1) IS NOT NULL AS yes', [name]);
      if (exists.rows[0]?.yes !== true) return {};
      const { rows } = await sql.query<{ key: string; window_start: Date; n: number }>(
        `SELECT * FROM ${name}`,
      );
      return Object.fromEntries(
        rows.map((row) => [`${row.key}@${(row.window_start.getTime() - DAY) / WINDOW_MS}`, row.n]),
      );
    },
    async kept() {
      const { rows } = await sql.query('SELECT count(*) FROM millrace_undo WHERE sink = $1', [name]);
      return Number(rows[0]?.count);
    },
  };
}
