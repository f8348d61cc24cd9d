import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { OutboxFrame } from '../../edge-forwarder/outbox-change.ts';
import { Outbox } from '../../edge-forwarder/outbox.ts';
import { content, manualClock, MEMORY, MIB, options, store } from '../support/outbox-bench.ts';

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
