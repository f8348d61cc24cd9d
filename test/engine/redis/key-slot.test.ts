import fc from 'fast-check';
import t from 'tap';
import { keyInSlot, keySlot, SLOT_COUNT } from '../../../engine/redis/key-slot.ts';
import { slotGroups } from '../../../engine/redis/slot-groups.ts';

void t.test('slots are those of the specification', async (t) => {
  t.equal(keySlot('123456789'), 0x31c3, 'the check value of CRC16/XMODEM');
  t.equal(keySlot('foo'), 12_182);
  t.equal(keySlot('{user1000}.following'), keySlot('user1000'), 'a hash tag decides alone');
  t.equal(keySlot('foo{{bar}}zap'), keySlot('{bar'), 'from the first { to the first } after it');
  t.equal(keySlot('foo{bar}{zap}'), keySlot('bar'));
  t.not(keySlot('foo{}{bar}'), keySlot('bar'), 'an empty tag is none');
  t.equal(keySlot(Buffer.from('foo{b')), keySlot('foo{b'));
});

void t.test('a key is found in any slot', async () => {
  const slot = fc.integer({ min: 0, max: SLOT_COUNT - 1 });
  fc.assert(
    fc.property(
      slot,
      (wanted) => keySlot(keyInSlot('mr:ns:durable', (at) => at === wanted) as string) === wanted,
    ),
    { numRuns: 20 },
  );
  t.equal(
    keyInSlot('k', () => false),
    null,
  );
});

void t.test('on one server all keys may meet, on a cluster those of one slot', async (t) => {
  const keys = ['{a}1', '{b}1', '{a}2'];
  const identity = (key: string) => key;
  t.same(slotGroups({}, keys, identity), [keys]);
  t.same(slotGroups({ slotOf: keySlot }, keys, identity), [['{a}1', '{a}2'], ['{b}1']]);
  t.same(slotGroups({ slotOf: keySlot }, [], identity), []);
});
