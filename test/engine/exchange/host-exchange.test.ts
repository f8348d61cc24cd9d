import t from 'tap';
import { checkpointId, type Element, LIMITS, planExecution } from '#engine';
import { HostExchange } from '../../../engine/exchange/host-exchange.ts';
import type { ExchangePart, PeerTransport } from '../../../engine/exchange/peer-transport.ts';
import { rowRecords } from '../../support/operator-bench.ts';
import job from '../host/counting-job.ts';

const graph = planExecution(job.graph({ parallelism: 2 }));
/** The vertex that the keyed exchange leads to. */
const vertex = graph.vertices.findIndex(({ upstream }) => upstream.length > 0);
const channel = (from: number, to: number) => ({ vertex, input: 0, from, to });
const batch = (n: number): Element => ({ kind: 'records', records: rowRecords([{ n }], [n]) });
const numbersOf = (element: Element | null) =>
  element?.kind === 'records' && element.records.kind === 'rows'
    ? (element.records.rows as { n: number }[])[0]?.n
    : element?.kind;

/** Two hosts with one slot each; what is sent lies in `wire` until it is carried over. */
function pair() {
  const wire: { readonly to: number; readonly parts: readonly ExchangePart[] }[] = [];
  const listeners = new Map<number, (parts: readonly ExchangePart[]) => void>();
  const transport = (from: number, to: number): PeerTransport => ({
    send: (parts) => void wire.push({ to, parts }),
    listen: (arrived) => void listeners.set(from, arrived),
    failed: new Promise<never>(() => {}),
    close: async () => {},
  });
  const wakes = [0, 0];
  const host = (own: number, other: number) =>
    new HostExchange({
      graph,
      host: own,
      places: [0, 1],
      peers: new Map([[other, transport(own, other)]]),
      wake: () => {
        wakes[own] = (wakes[own] ?? 0) + 1;
      },
    });
  const [a, b] = [host(0, 1), host(1, 0)];
  const carry = async () => {
    await Promise.resolve(); // what a turn has pushed leaves when it has ended
    for (const { to, parts } of wire.splice(0)) listeners.get(to)?.(structuredClone(parts));
    await Promise.resolve();
    for (const { to, parts } of wire.splice(0)) listeners.get(to)?.(structuredClone(parts));
  };
  return { a, b, wire, wakes, carry };
}

void t.test(
  'HX1: so many batches are under way until the receiver takes some; signals pass',
  async (test) => {
    const { a, b, wakes, carry } = pair();
    const sender = a.sender(channel(0, 1));
    const receiver = b.receiver(channel(0, 1));
    let pushed = 0;
    while (!sender.full) sender.push(batch(pushed++));
    test.equal(pushed, LIMITS.channelBatchesMax);
    sender.push({ kind: 'barrier', checkpoint: checkpointId(7) });
    await carry();
    test.ok(sender.full, 'arriving is not taking');
    test.ok((wakes[1] ?? 0) > 0, 'the receiver is woken');
    for (let n = 0; n < LIMITS.channelBatchesMax / 2; n++) test.equal(numbersOf(receiver.shift()), n);
    const before = wakes[0] ?? 0;
    await carry();
    test.equal(sender.full, false, 'credit has come back');
    test.ok((wakes[0] ?? 0) > before, 'and the sender is woken');
  },
);

void t.test('HX2: order is kept, and a channel that nobody takes from holds up no other', async (test) => {
  const { a, b, carry } = pair();
  const held = a.sender(channel(0, 1));
  const other = b.sender(channel(1, 0));
  const heldEnd = b.receiver(channel(0, 1));
  const otherEnd = a.receiver(channel(1, 0));
  for (let n = 0; n < LIMITS.channelBatchesMax; n++) held.push(batch(n));
  held.push({ kind: 'watermark', time: 5 });
  held.push({ kind: 'end' });
  for (let round = 0; round < 50; round++) {
    other.push(batch(round));
    await carry();
    test.equal(numbersOf(otherEnd.shift()), round);
    await carry();
    test.equal(other.full, false);
  }
  const order = Array.from({ length: LIMITS.channelBatchesMax + 2 }, () => numbersOf(heldEnd.shift()));
  test.same(order, [...Array(LIMITS.channelBatchesMax).keys(), 'watermark', 'end']);
  test.equal(heldEnd.shift(), null);
});
