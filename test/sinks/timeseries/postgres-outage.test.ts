import t from 'tap';
import { checkpointId } from '#engine';
import { startPostgres } from '../../support/postgres-server.ts';
import { connectTo, openTable, rejectedAs } from './postgres-harness.ts';
import { device, input, result } from './series-harness.ts';

await t.test(
  'kill -9 of the server in the middle loses and doubles nothing; writing goes on by itself',
  async (t) => {
    const fragile = await startPostgres();
    t.teardown(() => fragile.stop());
    const writer = await openTable(t, { table: 'restarted', url: fragile.url }, 1);
    const rows = Array.from({ length: 20_000 }, (_, i) =>
      result(device(i % 1_000), Math.floor(i / 1_000), { n: i }),
    );
    let killed: Promise<void> | null = null;
    for (let i = 0; i < rows.length; i += 1_000) {
      await writer.write(input(rows.slice(i, i + 1_000)));
      if (i === 9_000) killed = fragile.kill9().then(() => fragile.start());
    }
    await writer.prepareCommit(checkpointId(1));
    await killed;
    const check = await connectTo(t, fragile.url);
    t.same((await check.query('SELECT count(*), sum(n) FROM restarted')).rows, [
      { count: '20000', sum: (20_000 * 19_999) / 2 },
    ]);
    t.ok((writer.stats?.()['retries'] ?? 0) > 0, 'it had to try again');
  },
);

await t.test(
  'a server that stays away fails the attempt within its bound, and the next attempt too',
  async (t) => {
    const gone = await startPostgres();
    t.teardown(() => gone.stop());
    const writer = await openTable(t, { table: 'gone', url: gone.url, retryFor: '500ms' }, 1);
    await gone.kill9();
    await writer.write(input([result('k', 0, { n: 1 })]));
    await rejectedAs(t, 'MR_SINK_FAILED', writer.prepareCommit(checkpointId(1)));
    await rejectedAs(
      t,
      'MR_SINK_FAILED',
      openTable(t, { table: 'gone', url: gone.url, retryFor: '200ms' }, 2),
    );
    const ended = new AbortController();
    const aborted = openTable(t, { table: 'gone', url: gone.url, retryFor: '1h' }, 2, {
      signal: ended.signal,
    });
    ended.abort();
    await rejectedAs(t, 'MR_SINK_FAILED', aborted);
  },
);
