import t from 'tap';
import {
  moveSlot,
  ownerOf,
  parseClusterSlots,
  primariesOf,
  redirection,
} from '../../../engine/redis/cluster-map.ts';

const asked = { host: 'asked', port: 1 };

void t.test('CLUSTER SLOTS becomes a map, and a redirection corrects it', async (t) => {
  const map = parseClusterSlots(
    [
      [0, 99, ['a', 7000, 'ida', []], ['r', 7003, 'idr', []]],
      [100, 16_382, ['', 7001, 'idb', []]],
      [16_383, 16_383, ['a', 7000, 'ida', []]],
    ],
    asked,
  );
  t.same(ownerOf(map, 99), { host: 'a', port: 7000 });
  t.same(ownerOf(map, 100), { host: 'asked', port: 7001 }, 'a node that knows no host is the one asked');
  t.same(map.replicas, [{ host: 'r', port: 7003 }]);
  const primaries = primariesOf(map) ?? [];
  t.same(
    primaries.map(({ address, holds }) => [address.port, holds(0), holds(16_383), holds(100)]),
    [
      [7000, true, true, false],
      [7001, false, false, true],
    ],
  );
  moveSlot(map, 99, { host: 'c', port: 7002 });
  t.same(ownerOf(map, 99), { host: 'c', port: 7002 });
  t.same(ownerOf(map, 98), { host: 'a', port: 7000 });
});

void t.test('a slot that nobody holds is no primary', async (t) => {
  const map = parseClusterSlots([[0, 16_382, ['a', 7000, 'ida']]], asked);
  t.equal(ownerOf(map, 16_383), null);
  t.equal(primariesOf(map), null);
});

void t.test('redirections are read from what nodes say', async (t) => {
  const from = (message: string) => redirection(new Error(message), asked);
  t.same(from('MOVED 3999 10.0.0.1:6381'), {
    kind: 'moved',
    slot: 3999,
    to: { host: '10.0.0.1', port: 6381 },
  });
  t.same(from('ASK 1 ::1:6381'), { kind: 'ask', slot: 1, to: { host: '::1', port: 6381 } });
  t.same(from('MOVED 1 :6381')?.to, { host: 'asked', port: 6381 });
  t.equal(from('ERR no'), null);
  t.equal(redirection('MOVED 1 a:1', asked), null);
});
