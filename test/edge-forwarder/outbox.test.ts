import { statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { OutboxFrame } from '../../edge-forwarder/outbox-change.ts';
import { Outbox } from '../../edge-forwarder/outbox.ts';
import { content, directory, frame, manualClock, MIB, options, store } from '../support/outbox-bench.ts';

await t.test('frames, counters and input position come back after a reopen (OB1)', (t) => {
  const { clock } = manualClock();
  const path = directory(t);
  let outbox = new Outbox(options(path, clock));
  store(outbox, [frame(outbox, 0, 3), frame(outbox, 2, 5)], 8);
  outbox.close();
  outbox = new Outbox(options(path, clock));
  t.equal(outbox.quarantined, null);
  t.same(outbox.input('in'), { name: 'in', origin: 'o', position: 8 });
  t.equal(outbox.counters.accepted, 8);
  t.equal(outbox.lane(0).next, 4);
  t.equal(outbox.lane(2).next, 6);
  t.same(outbox.read(2, 1, 10, MIB), [{ partition: 2, first: 1, last: 5, bytes: content(2, 1, 200) }]);
  t.equal(outbox.pendingRecords, 8);
  outbox.close();
  t.end();
});

await t.test('a change that breaks a chain is refused whole (OB1, OB2)', (t) => {
  const { clock } = manualClock();
  const outbox = new Outbox(options(directory(t), clock));
  const good = frame(outbox, 0, 2);
  const gap = { ...frame(outbox, 1, 2), first: 2, last: 3 };
  t.throws(() => store(outbox, [good, gap], 4), { code: 'MR_INVARIANT' });
  t.equal(outbox.pendingRecords, 0);
  t.same(outbox.read(0, 1, 10, MIB), []);
  t.equal(outbox.input('in'), null);
  outbox.close();
  t.end();
});

await t.test('at the cap block stores nothing, loses nothing, and goes on after confirmations (OB3)', (t) => {
  const { clock } = manualClock();
  const outbox = new Outbox(options(directory(t), clock, { bytesMax: MIB }));
  let stored = 0;
  while (store(outbox, [frame(outbox, 0, 1, 50_000)], stored + 1) === 'stored') stored++;
  t.ok(stored >= 15 && stored < 21, `${stored} frames of 50 kB fit into 1 MiB`);
  t.equal(outbox.input('in')?.position, stored, 'the position of what did not fit is not stored');
  t.equal(outbox.pendingRecords, stored);
  for (let seen = 0; seen < 100; seen++) {
    const [oldest] = outbox.read(0, outbox.lane(0).confirmedTo, 1, 1);
    t.same(oldest?.bytes, content(0, seen + 1, 50_000), `frame ${seen + 1} is next`);
    outbox.confirm(oldest as OutboxFrame);
    t.equal(store(outbox, [frame(outbox, 0, 1, 50_000)], ++stored), 'stored');
  }
  t.equal(outbox.counters.dropped, 0);
  outbox.close();
  t.end();
});

await t.test('at the cap drop-oldest takes the oldest, counts it, and declares the hole', (t) => {
  const { clock } = manualClock();
  const path = directory(t);
  let outbox = new Outbox(options(path, clock, { bytesMax: MIB, whenFull: 'drop-oldest' }));
  for (let i = 0; i < 50; i++) t.equal(store(outbox, [frame(outbox, 0, 2, 50_000)]), 'stored');
  const lane = { ...outbox.lane(0) };
  t.ok(outbox.counters.dropped >= 58, `${outbox.counters.dropped} dropped`);
  t.equal(outbox.counters.dropped + outbox.pendingRecords, 100);
  t.equal(lane.gapFrom, 1);
  t.equal(lane.front, outbox.counters.dropped + 1);
  outbox.close();
  outbox = new Outbox(options(path, clock, { bytesMax: MIB, whenFull: 'drop-oldest' }));
  t.match(
    outbox.lane(0),
    { gapFrom: 1, front: lane.front, confirmedTo: lane.front, next: 101 },
    'after a reopen too',
  );
  t.equal(outbox.counters.dropped, lane.front - 1);
  outbox.close();
  t.end();
});

await t.test('a dropped frame that was under way and arrived is not counted as dropped', (t) => {
  const { clock } = manualClock();
  const outbox = new Outbox(options(directory(t), clock, { bytesMax: MIB, whenFull: 'drop-oldest' }));
  store(outbox, [frame(outbox, 0, 2, 50_000)]);
  const [underWay] = outbox.read(0, 1, 1, 1);
  for (let i = 0; i < 30; i++) store(outbox, [frame(outbox, 0, 2, 50_000)]);
  const { dropped } = outbox.counters;
  outbox.confirm(underWay as OutboxFrame);
  t.equal(outbox.counters.dropped, dropped - 2);
  t.equal(outbox.lane(0).gapFrom, 3);
  outbox.close();
  t.end();
});

await t.test('a change that never fits is an error, not an endless wait', (t) => {
  const { clock } = manualClock();
  const outbox = new Outbox(options(directory(t), clock, { bytesMax: MIB }));
  t.throws(() => store(outbox, [frame(outbox, 0, 1, 2 * MIB)]), { code: 'MR_EDGE_OUTBOX' });
  outbox.close();
  t.end();
});

await t.test('confirmed frames stay for the grace period and can be taken back (OB4)', (t) => {
  const { clock, advance } = manualClock();
  const outbox = new Outbox(options(directory(t), clock));
  for (let i = 0; i < 4; i++) store(outbox, [frame(outbox, 0, 10)]);
  for (const stored of outbox.read(0, 1, 10, MIB)) {
    outbox.confirm(stored);
    advance(100);
  }
  t.equal(outbox.pendingRecords, 0);
  t.same(outbox.rewind(0, 21), { kind: 'rewound' });
  t.equal(outbox.pendingRecords, 20);
  t.equal(outbox.read(0, 21, 10, MIB).length, 2);
  for (const stored of outbox.read(0, 21, 10, MIB)) outbox.confirm(stored);
  advance(850);
  outbox.maintain();
  t.equal(outbox.lane(0).front, 21, 'the two confirmed long ago are gone, those confirmed again are not');
  t.same(outbox.rewind(0, 11), { kind: 'partial', lost: 10 });
  t.equal(outbox.counters.lost, 10);
  t.match(outbox.lane(0), { gapFrom: 11, front: 21, confirmedTo: 21 });
  outbox.close();
  t.end();
});

await t.test('grace is bounded by bytes as well', (t) => {
  const { clock } = manualClock();
  const outbox = new Outbox(options(directory(t), clock, { graceBytesMax: 10_000 }));
  for (let i = 0; i < 50; i++) store(outbox, [frame(outbox, i % 3, 1, 1_000)]);
  for (let p = 0; p < 3; p++) for (const stored of outbox.read(p, 1, 100, MIB)) outbox.confirm(stored);
  outbox.maintain();
  t.equal(outbox.graceBytes, 10_000);
  outbox.close();
  t.end();
});

await t.test('space returns to the disk after draining', (t) => {
  const { clock, advance } = manualClock();
  const path = directory(t);
  const outbox = new Outbox(options(path, clock));
  for (let i = 0; i < 100; i++) store(outbox, [frame(outbox, 0, 1, 60_000)]);
  for (const stored of outbox.read(0, 1, 200, 100 * MIB)) outbox.confirm(stored);
  advance(5_000);
  for (let i = 0; i < 4; i++) outbox.maintain();
  outbox.close();
  t.ok(
    statSync(join(path, 'outbox.db')).size < 1.1 * MIB,
    `${statSync(join(path, 'outbox.db')).size} bytes of 6 MB left`,
  );
  t.end();
});
