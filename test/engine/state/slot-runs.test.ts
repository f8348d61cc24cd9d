import fc from 'fast-check';
import t from 'tap';
import { SlotRuns } from '../../../engine/state/slot-runs.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const GROUPS = 4;
const group = fc.nat({ max: GROUPS - 1 });
const step = fc.oneof(
  { weight: 3, arbitrary: group.map((of) => ({ kind: 'take' as const, of })) },
  { weight: 1, arbitrary: group.map((of) => ({ kind: 'give back' as const, of })) },
);

void t.test('a slot is given to one taker at a time, and half of all slots are used at least', async () => {
  const property = fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (script) => {
    const runs = new SlotRuns(GROUPS);
    const taken = Array.from({ length: GROUPS }, (): number[] => []);
    const ever = new Set<number>();
    for (const { kind, of } of script) {
      const slots = taken[of] as number[];
      if (kind === 'take') {
        const slot = runs.take(of);
        if (taken.flat().includes(slot)) return false;
        slots.push(slot);
        ever.add(slot);
      } else if (slots.length > 0) runs.giveBack(slots.shift() as number, of);
    }
    return Math.max(0, ...ever) < ever.size * 2 + GROUPS;
  });
  fc.assert(property, { numRuns: propertyRuns(300) });
});

void t.test('many slots of a group lie beside one another', async (test) => {
  const runs = new SlotRuns(GROUPS);
  const slots: number[] = [];
  for (let i = 0; i < 4_096; i++)
    if (i % GROUPS === 1) slots.push(runs.take(1));
    else runs.take(i % GROUPS);
  const neighbours = slots.filter((slot, i) => slot - 1 === slots[i - 1]);
  test.ok(neighbours.length > slots.length * 0.95, `${neighbours.length} of ${slots.length}`);
});
