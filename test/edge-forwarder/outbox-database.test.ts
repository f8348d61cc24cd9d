import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { openOutboxDatabase } from '../../edge-forwarder/outbox-database.ts';
import { Outbox } from '../../edge-forwarder/outbox.ts';
import { directory, frame, manualClock, MIB, options, store } from '../support/outbox-bench.ts';

await t.test('every open has synchronous=FULL, WAL and incremental vacuum, a reopened file too', (t) => {
  const path = directory(t);
  for (const attempt of ['fresh', 'reopened']) {
    const { database } = openOutboxDatabase(path, MIB);
    const read = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
    t.equal(read('synchronous'), 2, `${attempt}: synchronous`);
    t.equal(read('journal_mode'), 'wal', `${attempt}: journal`);
    t.equal(read('auto_vacuum'), 2, `${attempt}: auto_vacuum`);
    t.equal(read('max_page_count'), Math.ceil(MIB / 4092) + 1 + 64, `${attempt}: cap`);
    database.close();
  }
  t.end();
});

await t.test('a second forwarder on the same outbox is refused', (t) => {
  const { clock } = manualClock();
  const path = directory(t);
  const outbox = new Outbox(options(path, clock));
  t.throws(() => new Outbox(options(path, clock)), { code: 'MR_EDGE_OUTBOX' });
  outbox.close();
  new Outbox(options(path, clock)).close();
  t.end();
});

await t.test('a damaged file is kept aside, and a fresh one takes its place', (t) => {
  const { clock } = manualClock();
  for (const [name, damage] of [
    ['the header', (path: string) => overwrite(path, 0, 100)],
    ['a page in the middle', (path: string) => overwrite(path, 4096 * 2, 4096 * 2)],
  ] as const) {
    const path = directory(t);
    const before = new Outbox(options(path, clock));
    store(before, [frame(before, 0, 3, 20_000)]);
    before.close();
    damage(join(path, 'outbox.db'));
    const outbox = new Outbox(options(path, clock));
    t.equal(outbox.quarantined, join(path, 'outbox.db.damaged-1'), name);
    t.ok(readdirSync(path).includes('outbox.db.damaged-1'), `${name}: kept`);
    t.equal(outbox.lane(0).epoch, 0, `${name}: the epoch is asked for anew`);
    t.equal(outbox.lane(0).next, 1);
    outbox.close();
  }
  t.end();
});

await t.test('a foreign layout is refused', (t) => {
  const path = directory(t);
  const database = new DatabaseSync(join(path, 'outbox.db'));
  database.exec('PRAGMA user_version = 9');
  database.close();
  t.throws(() => openOutboxDatabase(path, MIB), { code: 'MR_EDGE_OUTBOX' });
  t.end();
});

function overwrite(path: string, at: number, bytes: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, new Uint8Array(bytes).fill(0x5a), 0, bytes, at);
  closeSync(file);
}
