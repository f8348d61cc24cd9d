import t from 'tap';
import { PostgresSession } from '../../../sinks/timeseries/postgres-session.ts';
import { startPostgres } from '../../support/postgres-server.ts';
import { connectTo } from './postgres-harness.ts';
import { seriesContext } from './series-harness.ts';

await t.test(
  'transactions of one session run one at a time, and one that fails takes no other with it (PS4)',
  async (t) => {
    const server = await startPostgres();
    t.teardown(() => server.stop());
    const sql = await connectTo(t, server.url);
    await sql.query('CREATE TABLE turns (n int)');
    const session = new PostgresSession({
      url: server.url,
      context: seriesContext(1),
      target: 'table turns',
      retryForMs: 1_000,
    });
    t.teardown(() => session.close());
    const inserting = (n: number) =>
      session.transaction(async (client) => {
        await client.query('INSERT INTO turns VALUES ($1)', [n]);
        await client.query(n === 2 ? 'SELECT 1 / 0' : 'SELECT pg_sleep(0.05)');
        await client.query('INSERT INTO turns VALUES ($1)', [n]);
        return n;
      });
    const outcomes = await Promise.allSettled([1, 2, 3].map(inserting));
    t.same(
      outcomes.map((outcome) => outcome.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    t.same(
      (await sql.query<{ n: number }>('SELECT n FROM turns')).rows.map(({ n }) => n),
      [1, 1, 3, 3],
    );
  },
);
