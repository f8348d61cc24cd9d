import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import t from 'tap';
import type { OutboxFrame } from '../../edge-forwarder/outbox-change.ts';
import { Outbox, type OutboxOptions } from '../../edge-forwarder/outbox.ts';
import { openOutboxDatabase } from '../../edge-forwarder/outbox-database.ts';
import type { Clock } from '#wire';

const MIB = 1024 * 1024;
/** Thousands of commits: on a busy disk their syncs would take minutes. */
const MEMORY = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A clock that only moves when told; the outbox reads the monotonic time alone. */
function manualClock() {
  let ms = 0;
  const clock: Clock = {
    now: () => ms,
    monotonic: () => ms,
    after: () => () => undefined,
    sleep: () => Promise.resolve(),
    yieldTurn: () => Promise.resolve(),
  };
  return { clock, advance: (by: number) => (ms += by) };
}

function directory(t: Tap): string {
  const path = mkdtempSync(join(MEMORY, 'mr-outbox-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

type Tap = Pick<typeof t, 'teardown'>;

function options(path: string, clock: Clock, more: Partial<OutboxOptions> = {}): OutboxOptions {
  return {
    directory: path,
    bytesMax: 16 * MIB,
    whenFull: 'block',
    graceMs: 1_000,
    graceBytesMax: 16 * MIB,
    clock,
    ...more,
  };
}

/** Content that names its sequence, so that a mix-up shows. */
function content(partition: number, first: number, size: number): Uint8Array {
  return new Uint8Array(size).fill((partition * 31 + first) & 0xff);
}

function frame(outbox: Outbox, partition: number, records: number, size = 200): OutboxFrame {
  const first = outbox.lane(partition).next;
  return { partition, first, last: first + records - 1, bytes: content(partition, first, size) };
}

function store(outbox: Outbox, frames: readonly OutboxFrame[], position = 0): 'stored' | 'full' {
  const accepted = frames.reduce((sum, f) => sum + f.last - f.first + 1, 0);
  return outbox.commit({ frames, input: { name: 'in', origin: 'o', position }, accepted, rejected: 0 });
}

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

/** What the outbox promises, without any storage. */
interface Model {
  stored: OutboxFrame[];
  next: [number, number];
  confirmedTo: [number, number];
  position: number;
  dropped: number;
  readonly mayDrop: boolean;
}

interface Real {
  outbox: Outbox;
  readonly reopen: () => Outbox;
  readonly advance: (ms: number) => void;
}

const PARTITIONS = [0, 1] as const;

function check(model: Model, { outbox }: Real): void {
  for (const p of PARTITIONS) {
    const lane = outbox.lane(p);
    const expected = model.stored.filter((f) => f.partition === p && f.first >= lane.confirmedTo);
    const actual = outbox.read(p, lane.confirmedTo, 1_000, 100 * MIB);
    if (lane.next !== model.next[p]) throw new Error(`next of ${p}: ${lane.next}, not ${model.next[p]}`);
    if (JSON.stringify(actual.map(brief)) !== JSON.stringify(expected.map(brief))) {
      throw new Error(
        `lane ${p}: ${JSON.stringify(actual.map(brief))}, not ${JSON.stringify(expected.map(brief))}`,
      );
    }
    for (const f of actual)
      if (f.bytes[0] !== content(p, f.first, 1)[0]) throw new Error(`content of ${p}:${f.first}`);
  }
  if (outbox.counters.dropped !== model.dropped)
    throw new Error(`dropped ${outbox.counters.dropped}, not ${model.dropped}`);
  const sum = model.stored.reduce(
    (all, f) => all + (f.first >= outbox.lane(f.partition).confirmedTo ? f.bytes.length : 0),
    0,
  );
  if (outbox.pendingBytes !== sum) throw new Error(`pending ${outbox.pendingBytes} bytes, not ${sum}`);
}

const brief = (f: OutboxFrame) => [f.first, f.last, f.bytes.length];

class Append implements fc.Command<Model, Real> {
  readonly sizes: readonly (readonly [number, number, number])[];
  constructor(sizes: readonly (readonly [number, number, number])[]) {
    this.sizes = sizes;
  }
  check = () => true;
  run(model: Model, real: Real): void {
    const next: [number, number] = [...model.next];
    const frames = this.sizes.map(([p, records, size]) => {
      const first = next[p as 0 | 1];
      next[p as 0 | 1] = first + records;
      return { partition: p, first, last: first + records - 1, bytes: content(p, first, size) };
    });
    const before = real.outbox.counters.dropped;
    const result = store(real.outbox, frames, model.position + 1);
    if (result === 'stored') {
      model.stored.push(...frames);
      model.next = next;
      model.position++;
      takeDrops(model, real.outbox, before);
    } else if (real.outbox.counters.dropped !== before) throw new Error('dropped without storing');
    if ((real.outbox.input('in')?.position ?? 0) !== model.position) throw new Error('position');
    check(model, real);
  }
  toString = () => `append(${JSON.stringify(this.sizes)})`;
}

/** Drops may only ever take the oldest unconfirmed frames. */
function takeDrops(model: Model, outbox: Outbox, before: number): void {
  let dropped = 0;
  for (const p of PARTITIONS) {
    const { front } = outbox.lane(p);
    for (const f of model.stored) {
      if (f.partition === p && f.last < front && f.first >= model.confirmedTo[p])
        dropped += f.last - f.first + 1;
    }
    model.stored = model.stored.filter((f) => f.partition !== p || f.first >= front);
    model.confirmedTo[p] = Math.max(model.confirmedTo[p], front);
  }
  if (dropped !== outbox.counters.dropped - before)
    throw new Error(`counted ${outbox.counters.dropped - before} drops of ${dropped}`);
  if (dropped > 0 && !model.mayDrop) throw new Error('OB3: dropped under block');
  if (dropped > 0 && outbox.graceBytes > 0) throw new Error('dropped while confirmed frames could have gone');
  model.dropped += dropped;
}

class Confirm implements fc.Command<Model, Real> {
  readonly partition: 0 | 1;
  readonly count: number;
  constructor(partition: 0 | 1, count: number) {
    this.partition = partition;
    this.count = count;
  }
  check = () => true;
  run(model: Model, real: Real): void {
    const lane = real.outbox.lane(this.partition);
    for (const f of real.outbox.read(this.partition, lane.confirmedTo, this.count, 100 * MIB)) {
      real.outbox.confirm(f);
      model.confirmedTo[this.partition] = f.last + 1;
    }
    check(model, real);
  }
  toString = () => `confirm(${this.partition}, ${this.count})`;
}

class Rewind implements fc.Command<Model, Real> {
  readonly partition: 0 | 1;
  readonly back: number;
  constructor(partition: 0 | 1, back: number) {
    this.partition = partition;
    this.back = back;
  }
  check = () => true;
  run(model: Model, real: Real): void {
    const lane = real.outbox.lane(this.partition);
    const confirmed = model.stored.filter(
      (f) => f.partition === this.partition && f.last < lane.confirmedTo && f.first >= lane.front,
    );
    const target = confirmed.at(-1 - this.back);
    if (target === undefined) return;
    if (real.outbox.rewind(this.partition, target.first).kind !== 'rewound') throw new Error('not rewound');
    model.confirmedTo[this.partition] = target.first;
    check(model, real);
  }
  toString = () => `rewind(${this.partition}, ${this.back})`;
}

class Reopen implements fc.Command<Model, Real> {
  check = () => true;
  run(model: Model, real: Real): void {
    real.outbox.close();
    real.outbox = real.reopen();
    check(model, real);
  }
  toString = () => 'reopen';
}

class Later implements fc.Command<Model, Real> {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
  check = () => true;
  run(model: Model, real: Real): void {
    real.advance(this.ms);
    real.outbox.maintain();
    check(model, real);
  }
  toString = () => `later(${this.ms})`;
}

for (const whenFull of ['block', 'drop-oldest'] as const) {
  await t.test(
    `any sequence of appends, confirmations, rewinds and reopens agrees with a model (${whenFull}; OB1 to OB4)`,
    (t) => {
      const partition = fc.constantFrom(0 as const, 1 as const);
      const size = fc.tuple(partition, fc.integer({ min: 1, max: 9 }), fc.constantFrom(100, 9_000, 120_000));
      const commands = fc.commands(
        [
          fc.array(size, { minLength: 1, maxLength: 3 }).map((sizes) => new Append(sizes)),
          fc.tuple(partition, fc.integer({ min: 1, max: 5 })).map(([p, n]) => new Confirm(p, n)),
          fc.tuple(partition, fc.nat(4)).map(([p, n]) => new Rewind(p, n)),
          fc.constantFrom(1, 400, 2_000).map((ms) => new Later(ms)),
          fc.constant(new Reopen()),
        ],
        { maxCommands: 60, size: '+1' },
      );
      fc.assert(
        fc.property(commands, (plan) => {
          const path = mkdtempSync(join(MEMORY, 'mr-outbox-model-'));
          const { clock, advance } = manualClock();
          const reopen = () =>
            new Outbox(options(path, clock, { bytesMax: MIB, whenFull, graceBytesMax: 400_000 }));
          const real: Real = { outbox: reopen(), reopen, advance };
          try {
            const model = (): Model => ({
              stored: [],
              next: [1, 1],
              confirmedTo: [1, 1],
              position: 0,
              dropped: 0,
              mayDrop: whenFull === 'drop-oldest',
            });
            fc.modelRun(() => ({ model: model(), real }), plan);
          } finally {
            real.outbox.close();
            rmSync(path, { recursive: true, force: true });
          }
        }),
        { numRuns: 40 },
      );
      t.end();
    },
  );
}

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
