import fc from 'fast-check';
import t from 'tap';
import { type CheckpointId, checkpointId, type Element, rowAt } from '#engine';
import { Channel } from '../../../engine/runtime/channel.ts';
import { type GateEvent, InputGate } from '../../../engine/runtime/input-gate.ts';
import { rowRecords } from '../../support/operator-bench.ts';
import { propertyRuns } from '../../support/property-runs.ts';

interface Tagged {
  readonly channel: number;
  readonly n: number;
  /** Barriers before it on its channel. */
  readonly epoch: number;
}

const records = (row: Tagged): Element => ({ kind: 'records', records: rowRecords([row], [row.n]) });
const watermark = (time: number): Element => ({ kind: 'watermark', time });
const barrier = (id: number): Element => ({ kind: 'barrier', checkpoint: checkpointId(id) });
const row = (event: GateEvent | null): Tagged => {
  if (event?.kind !== 'records') throw new Error(`expected records, got ${event?.kind}`);
  return rowAt(event.records, 0) as Tagged;
};
const gateOf = (count: number) => {
  const channels = Array.from({ length: count }, () => new Channel());
  return {
    channels,
    gate: new InputGate([channels], { monotonic: () => 0 }),
    channel: (i: number) => channels[i] as Channel,
  };
};
const drain = (gate: InputGate) => {
  const events: GateEvent[] = [];
  for (let event = gate.poll(); event !== null; event = gate.poll()) events.push(event);
  return events;
};

void t.test(
  'IG1: nothing is taken from a channel behind its barrier until the others have theirs',
  async (test) => {
    const { gate, channel } = gateOf(2);
    channel(0).push(barrier(1));
    channel(0).push(records({ channel: 0, n: 1, epoch: 1 }));
    test.equal(gate.poll(), null);
    channel(1).push(records({ channel: 1, n: 2, epoch: 0 }));
    test.equal(row(gate.poll()).n, 2);
    channel(1).push(barrier(1));
    test.match(gate.poll(), { kind: 'barrier', checkpoint: checkpointId(1) });
    test.equal(row(gate.poll()).n, 1);
  },
);

void t.test('IG2: the end of a channel counts as its barrier', async (test) => {
  const { gate, channel } = gateOf(2);
  channel(0).push(barrier(1));
  test.equal(gate.poll(), null);
  channel(1).push({ kind: 'end' });
  test.match(gate.poll(), { kind: 'barrier', checkpoint: checkpointId(1) });
  channel(0).push(barrier(2));
  test.match(gate.poll(), { kind: 'barrier', checkpoint: checkpointId(2) }, 'and as all later ones');
  channel(0).push({ kind: 'end' });
  test.same(gate.poll(), { kind: 'end' });
});

void t.test(
  'IG4: a later barrier gives up the alignment under way; barriers of what was given up are dropped',
  async (test) => {
    const { gate, channel } = gateOf(2);
    channel(0).push(barrier(1));
    channel(0).push(records({ channel: 0, n: 1, epoch: 1 }));
    test.equal(gate.poll(), null, 'waits for barrier 1');
    channel(1).push(barrier(2));
    test.equal(row(gate.poll()).n, 1, 'goes on: nobody waits for barrier 1 any more');
    channel(1).push(records({ channel: 1, n: 2, epoch: 2 }));
    test.equal(gate.poll(), null, 'waits for barrier 2');
    channel(0).push(barrier(2));
    test.match(gate.poll(), { kind: 'barrier', checkpoint: checkpointId(2) });
    channel(0).push(barrier(1));
    channel(0).push(records({ channel: 0, n: 3, epoch: 2 }));
    test.same(
      [row(gate.poll()).n, row(gate.poll()).n].toSorted((a, b) => a - b),
      [2, 3],
      'the late barrier 1 is dropped',
    );
  },
);

void t.test('IG4: a checkpoint that is given up blocks no channel, now or later', async (test) => {
  const { gate, channel } = gateOf(2);
  channel(0).push(barrier(5));
  channel(0).push(records({ channel: 0, n: 1, epoch: 1 }));
  test.equal(gate.poll(), null);
  gate.abort(checkpointId(5));
  test.equal(row(gate.poll()).n, 1);
  channel(1).push(barrier(5));
  channel(1).push(records({ channel: 1, n: 2, epoch: 1 }));
  test.equal(row(gate.poll()).n, 2);
});

void t.test('IG3: all idle gives the highest watermark, then idleness, once', async (test) => {
  const { gate, channel } = gateOf(2);
  channel(0).push(watermark(10));
  channel(1).push(watermark(50));
  test.same(drain(gate), [{ kind: 'watermark', input: 0, time: 10 }]);
  channel(1).push({ kind: 'idle' });
  channel(0).push({ kind: 'idle' });
  test.same(drain(gate), [
    { kind: 'watermark', input: 0, time: 50 },
    { kind: 'idle', input: 0 },
  ]);
  channel(0).push({ kind: 'idle' });
  test.same(drain(gate), []);
  channel(0).push(watermark(60));
  channel(0).push({ kind: 'idle' });
  test.same(drain(gate), [
    { kind: 'watermark', input: 0, time: 60 },
    { kind: 'idle', input: 0 },
  ]);
});

void t.test('IG3: a channel that speaks again after idleness is waited for', async (test) => {
  // Regression: idleness of all was put back behind what had come meanwhile, and silenced an active channel.
  const { gate, channel } = gateOf(2);
  channel(0).push(watermark(10));
  channel(1).push(watermark(20));
  drain(gate);
  channel(1).push({ kind: 'idle' });
  drain(gate);
  channel(0).push(watermark(30));
  channel(0).push({ kind: 'idle' });
  channel(0).push(records({ channel: 0, n: 1, epoch: 0 }));
  channel(0).push(watermark(40));
  drain(gate);
  channel(1).push(watermark(100));
  test.same(drain(gate), [], 'channel 0 stands at 40 and is active: time does not run to 100');
});

/** What one channel delivers, with barriers 1, 2, … in order and maybe an end. */
const script = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant('records' as const) },
    { weight: 3, arbitrary: fc.integer({ min: -20, max: 100 }) },
    { weight: 1, arbitrary: fc.constant('idle' as const) },
    { weight: 2, arbitrary: fc.constant('barrier' as const) },
  ),
  { maxLength: 25 },
);

function elementsOf(channel: number, steps: readonly (number | 'records' | 'idle' | 'barrier')[]): Element[] {
  let epoch = 0;
  const elements = steps.map((step, n): Element => {
    if (step === 'records') return records({ channel, n, epoch });
    if (step === 'idle') return { kind: 'idle' };
    if (step === 'barrier') return barrier(++epoch);
    return watermark(step);
  });
  return [...elements, { kind: 'end' }];
}

void t.test(
  'IG1 IG2: whatever comes in whatever order, no record crosses its barrier, none is lost, order is kept, time rises',
  async () => {
    fc.assert(
      fc.property(
        fc.array(script, { minLength: 2, maxLength: 3 }),
        fc.array(fc.nat(5), { maxLength: 200, size: 'max' }),
        (scripts, order) => {
          const { gate, channels } = gateOf(scripts.length);
          const sending = scripts.map((steps, i) => elementsOf(i, steps));
          const sent = sending.flatMap((elements) => elements.filter((e) => e.kind === 'records').length);
          const events: GateEvent[] = [];
          const poll = () => {
            const event = gate.poll();
            if (event !== null) events.push(event);
            return event !== null;
          };
          for (const choice of order) {
            const next = choice < scripts.length ? sending[choice]?.shift() : undefined;
            if (next === undefined) poll();
            else channels[choice]?.push(next);
          }
          for (const [i, elements] of sending.entries())
            for (const element of elements) channels[i]?.push(element);
          while (poll());
          return isSound(events, sent, scripts);
        },
      ),
      { numRuns: propertyRuns(1500) },
    );
  },
);

function isSound(
  events: readonly GateEvent[],
  sent: readonly number[],
  scripts: readonly (readonly unknown[])[],
): boolean {
  const newest = sent.map(() => -1);
  const seen = sent.map(() => 0);
  let time = Number.NEGATIVE_INFINITY;
  let checkpoint = 0 as CheckpointId | 0;
  for (const event of events) {
    if (event.kind === 'records') {
      const { channel, n, epoch } = row(event);
      if (n <= (newest[channel] as number) || epoch !== checkpoint) return false;
      newest[channel] = n;
      seen[channel] = (seen[channel] as number) + 1;
    } else if (event.kind === 'watermark') {
      if (event.time <= time) return false;
      time = event.time;
    } else if (event.kind === 'barrier') {
      if (event.checkpoint !== checkpoint + 1) return false;
      checkpoint = event.checkpoint;
    }
  }
  const barriers = Math.max(...scripts.map((steps) => steps.filter((step) => step === 'barrier').length));
  const last = events.at(-1);
  return checkpoint === barriers && last?.kind === 'end' && seen.every((n, i) => n === sent[i]);
}
