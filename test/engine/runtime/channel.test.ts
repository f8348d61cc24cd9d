import fc from 'fast-check';
import t from 'tap';
import { checkpointId, LIMITS } from '#engine';
import { Channel, type Element } from '../../../engine/runtime/channel.ts';
import { rowRecords } from '../../support/operator-bench.ts';

const records = (n: number): Element => ({ kind: 'records', records: rowRecords([n], [n]) });

void t.test('gives elements in order; of watermarks in a row only the last', async () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.nat(99).map((n): Element | 'shift' => records(n)) },
    { weight: 3, arbitrary: fc.nat(99).map((time): Element | 'shift' => ({ kind: 'watermark', time })) },
    { weight: 1, arbitrary: fc.constantFrom<Element | 'shift'>({ kind: 'idle' }, { kind: 'end' }) },
    {
      weight: 1,
      arbitrary: fc.nat(9).map((n): Element | 'shift' => ({ kind: 'barrier', checkpoint: checkpointId(n) })),
    },
    { weight: 5, arbitrary: fc.constant<Element | 'shift'>('shift') },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (script) => {
      const channel = new Channel();
      const model: Element[] = [];
      for (const it of script) {
        if (it === 'shift') {
          if (channel.shift() !== (model.shift() ?? null)) return false;
        } else {
          channel.push(it);
          if (it.kind === 'watermark' && model.at(-1)?.kind === 'watermark') model.pop();
          model.push(it);
        }
        if (channel.empty !== (model.length === 0)) return false;
        const batches = model.filter((element) => element.kind === 'records').length;
        if (channel.full !== batches >= LIMITS.channelBatchesMax) return false;
      }
      return true;
    }),
    { numRuns: 300 },
  );
});

void t.test('tells the receiver of arrivals and the sender of room', async (test) => {
  const channel = new Channel();
  let pushes = 0;
  let rooms = 0;
  channel.listen(
    () => pushes++,
    () => rooms++,
  );
  for (let i = 0; i < LIMITS.channelBatchesMax; i++) channel.push(records(i));
  test.equal(pushes, LIMITS.channelBatchesMax);
  test.equal(channel.full, true);
  channel.push({ kind: 'barrier', checkpoint: checkpointId(1) });
  test.equal(pushes, LIMITS.channelBatchesMax + 1, 'a barrier needs no credit');
  channel.shift();
  test.equal(rooms, 1);
  test.equal(channel.full, false);
  channel.shift();
  test.equal(rooms, 1, 'said once, when room comes');
});

void t.test('a drained channel keeps hold of no batch', async (test) => {
  const channel = new Channel();
  const collected: boolean[] = [];
  const registry = new FinalizationRegistry<number>(() => collected.push(true));
  const send = () => {
    const element = records(1);
    registry.register(element, 1);
    channel.push(element);
    channel.shift();
  };
  send();
  if (globalThis.gc === undefined) {
    const { setFlagsFromString } = await import('node:v8');
    const { runInNewContext } = await import('node:vm');
    setFlagsFromString('--expose-gc');
    globalThis.gc = runInNewContext('gc') as NodeJS.GCFunction;
  }
  for (let i = 0; i < 20 && collected.length === 0; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  test.equal(collected.length, 1);
  test.equal(channel.empty, true);
});
