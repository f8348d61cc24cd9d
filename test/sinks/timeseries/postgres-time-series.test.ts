import t, { type Test } from 'tap';
import { checkpointId, systemClock, type SinkWriter } from '#engine';
import {
  postgresTimeSeries,
  type PostgresTimeSeriesOptions,
} from '../../../sinks/timeseries/postgres-time-series.ts';
import type { WindowResult } from '../../../sinks/timeseries/window-result.ts';
import { heldSocket } from '../../support/held-socket.ts';
import { startPostgres } from '../../support/postgres-server.ts';
import { connectTo, openTable, rejectedAs } from './postgres-harness.ts';
import { DAY, device, input, result, WINDOW_MS, writeThrough } from './series-harness.ts';

const server = await startPostgres();
t.teardown(() => server.stop());
const sql = await connectTo(t, server.url);

await t.test(
  'rows have the key, the window, every field and the generation; nulls, NaN and infinity keep',
  async (t) => {
    const { writer } = await open(t, 'shape', 3);
    await writeThrough(writer, [
      result({ tenant: `a'"\\{},é`, deviceId: '1' }, 0, { n: 1, temp: -0.1 }),
      result({ tenant: 'b', deviceId: '1' }, -1_000_000, { n: Number.NaN, temp: null }),
      result({ tenant: 'b', deviceId: '1' }, 1, { n: Number.NEGATIVE_INFINITY, temp: 1e300 }),
    ]);
    const { rows } = await sql.query('SELECT * FROM shape ORDER BY tenant, window_start');
    t.same(rows, [
      { tenant: `a'"\\{},é`, deviceId: '1', ...windowOf(0), generation: '3', n: 1, temp: -0.1 },
      { tenant: 'b', deviceId: '1', ...windowOf(-1_000_000), generation: '3', n: Number.NaN, temp: null },
      {
        tenant: 'b',
        deviceId: '1',
        ...windowOf(1),
        generation: '3',
        n: Number.NEGATIVE_INFINITY,
        temp: 1e300,
      },
    ]);
  },
);

await t.test(
  'a replay rewrites the same rows, out of order and overlapping, and the last value of a batch wins',
  async (t) => {
    const { writer } = await open(t, 'replay');
    const rows = Array.from({ length: 6_000 }, (_, i) =>
      result(device(i % 300), Math.floor(i / 300), { n: i, temp: i / 7 }),
    );
    await writeThrough(writer, rows.toReversed());
    const read = async () => (await sql.query('SELECT * FROM replay ORDER BY "deviceId", window_start')).rows;
    const before = await read();
    t.equal(before.length, 6_000);
    await writeThrough((await open(t, 'replay', 2)).writer, rows.slice(1_000));
    t.same(
      (await read()).map((row) => ({ ...row, generation: '1' })),
      before,
    );
    await writeThrough((await open(t, 'replay', 2)).writer, [
      result(device(5), 3, { n: 0, temp: 0 }),
      result(device(5), 3, { n: 1, temp: 2 }),
    ]);
    const range = `SELECT n, temp FROM replay WHERE tenant = 'acme' AND "deviceId" = 'pump-5' AND window_start >= $1 AND window_start < $2`;
    t.same((await sql.query(range, [new Date(DAY + 3 * WINDOW_MS), new Date(DAY + 4 * WINDOW_MS)])).rows, [
      { n: 1, temp: 2 },
    ]);
  },
);

await t.test(
  'many writers make the same table at once; new fields widen it; absent ones become null',
  async (t) => {
    const writers = await Promise.all(
      Array.from({ length: 6 }, (_, subtask) => open(t, 'race', 1, { subtask })),
    );
    await Promise.all(
      writers.map(({ writer }, i) => writeThrough(writer, [result(i, 0, { n: i, [`f${i % 3}`]: i })])),
    );
    const { writer } = writers[0] as { writer: SinkWriter<WindowResult> };
    await writeThrough(writer, [result(0, 0, { n: 5 })]);
    t.same((await sql.query('SELECT key, n, f0, f1, f2 FROM race ORDER BY key')).rows, [
      { key: 0, n: 5, f0: null, f1: null, f2: null },
      { key: 1, n: 1, f0: null, f1: 1, f2: null },
      { key: 2, n: 2, f0: null, f1: null, f2: 2 },
      { key: 3, n: 3, f0: 3, f1: null, f2: null },
      { key: 4, n: 4, f0: null, f1: 4, f2: null },
      { key: 5, n: 5, f0: null, f1: null, f2: 5 },
    ]);
  },
);

await t.test('an older generation is refused once a newer one has opened (PW1, PW2)', async (t) => {
  const zombie = await open(t, 'fence', 1);
  await writeThrough(zombie.writer, [result('k', 0, { n: 1 })]);
  const { writer } = await open(t, 'fence', 2);
  await zombie.writer.write(input([result('k', 0, { n: -1 }), result('other', 0, { n: -1 })]));
  await rejectedAs(t, 'MR_SINK_FENCED', zombie.writer.prepareCommit(checkpointId(2)));
  t.throws(() => zombie.writer.write(input([result('k', 0, { n: -1 })])), { code: 'MR_SINK_FENCED' });
  await rejectedAs(t, 'MR_SINK_FENCED', open(t, 'fence', 1));
  t.same((await sql.query('SELECT key, n FROM fence')).rows, [{ key: 'k', n: 1 }]);
  await writeThrough(writer, [result('k', 0, { n: 2 })]);
  t.same((await sql.query('SELECT key, n, generation FROM fence')).rows, [
    { key: 'k', n: 2, generation: '2' },
  ]);
});

await t.test(
  'opening waits for an older batch under way; one that starts later is refused (PW1)',
  async (t) => {
    const zombie = await open(t, 'under_way', 1, { subtask: 1 }); // its barriers only flush
    await writeThrough(zombie.writer, [result('k', 0, { n: 1 })]);
    const blocker = await connectTo(t, server.url);
    await blocker.query('BEGIN');
    await blocker.query("SELECT * FROM under_way WHERE key = 'k' FOR UPDATE"); // holds the zombie's batch, after its look at the fence
    await zombie.writer.write(input([result('k', 0, { n: -1 })]));
    await waiting(1);
    let opened = false;
    const opening = open(t, 'under_way', 2).then((next) => {
      opened = true;
      return next;
    });
    await waiting(2);
    t.equal(opened, false, 'the batch under way holds the fence');
    await blocker.query('ROLLBACK');
    await zombie.writer.prepareCommit(checkpointId(2));
    await writeThrough((await opening).writer, [result('k', 0, { n: 2 })]);
    await zombie.writer.write(input([result('k', 0, { n: -2 })]));
    await rejectedAs(t, 'MR_SINK_FENCED', zombie.writer.prepareCommit(checkpointId(3)));
    t.same((await sql.query('SELECT n, generation FROM under_way')).rows, [{ n: 2, generation: '2' }]);
  },
);

await t.test('a batch on its way when a newer generation opens is refused when it arrives', async (t) => {
  const dir = new URL(server.url).searchParams.get('host') as string;
  const socket = await heldSocket(dir, `${dir}/.s.PGSQL.5432`, '.s.PGSQL.5433');
  t.teardown(() => socket.close());
  const zombie = await open(
    t,
    'on_its_way',
    1,
    {},
    { url: server.url.replace('localhost', 'localhost:5433') },
  );
  await writeThrough(zombie.writer, [result('k', 0, { n: 1 })]);
  socket.hold();
  await zombie.writer.write(input([result('k', 0, { n: -1 })]));
  const flushed = rejectedAs(t, 'MR_SINK_FENCED', zombie.writer.prepareCommit(checkpointId(2)));
  await socket.holding();
  await writeThrough((await open(t, 'on_its_way', 2)).writer, [result('k', 0, { n: 2 })]);
  socket.release();
  await flushed;
  t.same((await sql.query('SELECT n FROM on_its_way')).rows, [{ n: 2 }]);
});

await t.test(
  'an answer to COMMIT that is lost leads to the same rows; a batch killed before it leaves none',
  async (t) => {
    const points: string[] = [];
    const { writer } = await open(t, 'killed', 1, {
      killPoint(name) {
        points.push(name);
        // Twice before a commit, then once after one.
        if ([1, 2, 4].includes(points.length)) throw new Error(`cut off at ${name}`);
      },
    });
    await writeThrough(writer, [result('k', 0, { n: 1 })]);
    const [before, after] = ['postgres:before-commit', 'postgres:after-commit'];
    t.same(points, [before, before, before, after, before, after]);
    t.same((await sql.query('SELECT n FROM killed')).rows, [{ n: 1 }]);
    t.equal(writer.stats?.()['retries'], 3);
  },
);

await t.test(
  'rows that the server refuses go to the dead letters, once each; the others are written (PW3)',
  async (t) => {
    const letters: [WindowResult, string][] = [];
    const { writer } = await open(t, 'letters', 1, {
      deadLetter: (row, reason) => letters.push([row as WindowResult, reason]),
    });
    await writeThrough(writer, [result('first', 0, { n: 0 })]);
    const rows = Array.from({ length: 1_000 }, (_, i) =>
      result(i % 250 === 7 ? `nul\0${i}` : `k${i}`, 0, { n: i }),
    );
    await writeThrough(writer, [...rows, result({ other: 'shape' }, 0, { n: 1 })]);
    t.equal(Number((await sql.query('SELECT count(*) FROM letters')).rows[0].count), 997);
    t.equal(letters.length, 5);
    t.same(letters[0], [result({ other: 'shape' }, 0, { n: 1 }), `its key has no 'key'`]);
    t.same(
      letters
        .slice(1)
        .map(([row]) => row.value['n'])
        .sort((a, b) => Number(a) - Number(b)),
      [7, 257, 507, 757],
    );
  },
);

await t.test('old rows are deleted when a retention is declared', async (t) => {
  const clock = { ...systemClock, now: () => DAY + 100 * WINDOW_MS };
  const { writer } = await open(t, 'retained', 1, { clock }, { retention: 50 * WINDOW_MS });
  await writeThrough(
    writer,
    Array.from({ length: 100 }, (_, i) => result('k', i, { n: i })),
  );
  const { rows } = await sql.query('SELECT count(*), min(n) FROM retained');
  t.same(rows, [{ count: '50', min: 50 }]);
  t.equal(writer.stats?.()['rowsDeleted'], 50);
});

await t.test('tables and tags that do not fit are refused with what to do', async (t) => {
  t.throws(() => postgresTimeSeries('a.b.c', { url: '' }), { code: 'MR_CONFIG_INVALID' });
  t.throws(() => postgresTimeSeries('a', { url: '', tags: ['window_start'] }), { code: 'MR_CONFIG_INVALID' });
  await sql.query('CREATE TABLE taken (id int PRIMARY KEY)');
  const taken = await open(t, 'taken');
  await rejectedAs(t, 'MR_SINK_REFUSED', writeThrough(taken.writer, [result('k', 0, { n: 1 })]));
  const reserved = await open(t, 'reserved');
  await rejectedAs(t, 'MR_SINK_REFUSED', writeThrough(reserved.writer, [result('k', 0, { generation: 1 })]));
  await rejectedAs(t, 'MR_SINK_REFUSED', open(t, 'nowhere.x'));
  const first = await open(t, 'shared', 5);
  await writeThrough(first.writer, [result('k', 0, { n: 1 })]);
  const second = await open(t, 'shared', 1, { job: 'another-job' });
  await rejectedAs(t, 'MR_SINK_REFUSED', writeThrough(second.writer, [result('k', 0, { n: 2 })]));
});

async function open(
  t: Test,
  table: string,
  attempt = 1,
  context: Parameters<typeof openTable>[3] = {},
  options: Partial<PostgresTimeSeriesOptions> = {},
): Promise<{ readonly writer: SinkWriter<WindowResult> }> {
  return { writer: await openTable(t, { url: server.url, ...options, table }, attempt, context) };
}

/** Resolves when `count` backends wait for a lock. */
async function waiting(count: number): Promise<void> {
  const text = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
  while (Number((await sql.query(text)).rows[0].count) < count) await systemClock.sleep(10);
}

function windowOf(i: number) {
  return { window_start: new Date(DAY + i * WINDOW_MS), window_end: new Date(DAY + (i + 1) * WINDOW_MS) };
}
