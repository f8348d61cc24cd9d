import fc from 'fast-check';
import t from 'tap';
import { SlotTable } from '../../../engine/state/slot-table.ts';
import { propertyRuns } from '../../support/property-runs.ts';

type Step = { readonly kind: 'add' | 'hold' | 'drop' | 'reclaim'; readonly slot: number };

void t.test('ST1: exactly the slots that nobody holds are reclaimed, once, and only when asked', async () => {
  const step = fc.record({
    kind: fc.constantFrom<Step['kind']>('add', 'add', 'hold', 'hold', 'drop', 'drop', 'reclaim'),
    slot: fc.integer({ min: 0, max: 12 }).map((n) => (n === 12 ? 5000 : n)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (script) => {
      const table = new SlotTable();
      const held = new Map<number, number>();
      for (const { kind, slot } of script) {
        const holders = held.get(slot);
        if (kind === 'add' && holders === undefined) {
          table.add(slot);
          held.set(slot, 0);
        } else if (kind === 'hold' && holders !== undefined) {
          table.hold(slot);
          held.set(slot, holders + 1);
        } else if (kind === 'drop' && holders !== undefined && holders > 0) {
          table.drop(slot);
          held.set(slot, holders - 1);
        } else if (kind === 'reclaim') {
          const freed: number[] = [];
          table.reclaim((free) => freed.push(free));
          const expected = [...held].filter(([, n]) => n === 0).map(([s]) => s);
          for (const s of expected) held.delete(s);
          if (freed.sort((a, b) => a - b).join() !== expected.sort((a, b) => a - b).join()) return false;
        }
      }
      return true;
    }),
    { numRuns: propertyRuns(500) },
  );
});

void t.test(
  'ST2: while it is pinned no slot is reclaimed; each new slot is told before it is held',
  async (test) => {
    const table = new SlotTable();
    const added: number[] = [];
    table.onAdd((slot) => added.push(slot));
    table.add(3);
    table.add(1);
    test.same(added, [3, 1]);
    const [first, second] = [table.pin(), table.pin()];
    const freed: number[] = [];
    const reclaim = () => table.reclaim((slot) => freed.push(slot));
    reclaim();
    first();
    first();
    reclaim();
    test.same(freed, []);
    second();
    reclaim();
    test.same(freed, [3, 1]);
  },
);

void t.test('dropping more often than holding is an invariant broken', async (test) => {
  const table = new SlotTable();
  table.add(3);
  table.hold(3);
  table.drop(3);
  test.throws(() => table.drop(3), { code: 'MR_INVARIANT' });
});
