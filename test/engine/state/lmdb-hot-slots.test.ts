import fc from 'fast-check';
import t from 'tap';
import { HotSlots } from '../../../engine/state/lmdb-hot-slots.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const slot = fc.nat({ max: 5 });
const step = fc.oneof(
  fc.record({ kind: fc.constant('enter' as const), slot }),
  fc.record({ kind: fc.constant('leave' as const), slot }),
  fc.record({ kind: fc.constant('note' as const), slot }),
  fc.record({ kind: fc.constant('settle' as const), sizeMax: fc.nat({ max: 6 }) }),
);

void t.test('HS1 HS3: holds follow cells, and who has none is forgotten', async (test) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const holds = new Map<number, number>();
      const hold = (of: number, by: number) => holds.set(of, (holds.get(of) ?? 0) + by);
      const hot = new HotSlots({
        group: (of) => of % 3,
        slots: { hold: (of) => hold(of, 1), drop: (of) => hold(of, -1) },
      });
      const cells = new Map<number, number>();
      const known = new Set<number>();
      const withCells = () => [...cells].filter(([, count]) => count > 0).map(([of]) => of);
      for (const it of steps) {
        if (it.kind === 'enter') {
          known.add(it.slot);
          cells.set(it.slot, (cells.get(it.slot) ?? 0) + 1);
          hot.enter(it.slot);
        } else if (it.kind === 'leave') {
          const count = cells.get(it.slot) ?? 0;
          if (count === 0) continue;
          cells.set(it.slot, count - 1);
          hot.leave(it.slot);
        } else if (it.kind === 'note') {
          known.add(it.slot);
          hot.note(it.slot);
        } else {
          const forgotten = new Set<number>();
          hot.forgetLoose((of) => forgotten.add(of));
          for (const of of known) if (((cells.get(of) ?? 0) === 0) !== forgotten.has(of)) return false;
          hot.evict(it.sizeMax, (of) => {
            if ((cells.get(of) ?? 0) === 0) throw new Error(`slot ${of} has no cell`);
            cells.set(of, 0);
            forgotten.add(of);
          });
          for (const of of forgotten) known.delete(of);
          if (hot.size > it.sizeMax) return false;
        }
        const held = [...holds].filter(([, count]) => count !== 0);
        const expected = withCells();
        if (held.some(([of, count]) => count !== 1 || !expected.includes(of))) return false;
        if (held.length !== expected.length || hot.size !== expected.length) return false;
      }
      return true;
    }),
    { numRuns: propertyRuns(500) },
  );
  test.pass();
});

void t.test('a slot that was used since the hand came by gets a second chance', async (test) => {
  const hot = new HotSlots({ group: (of) => of >> 1, slots: { hold() {}, drop() {} } });
  for (let of = 0; of < 4; of++) hot.enter(of);
  hot.forgetLoose(() => {});
  hot.touched[0] = 1;
  hot.touched[2] = 1;
  const evicted: number[] = [];
  hot.evict(2, (of) => evicted.push(of));
  test.same(evicted, [1, 3]);
  hot.evict(0, (of) => evicted.push(of));
  test.same(evicted, [1, 3, 0, 2], 'it had only one');
});
