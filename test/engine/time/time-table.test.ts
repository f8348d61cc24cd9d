import fc from 'fast-check';
import t from 'tap';
import { TimeTable } from '../../../engine/time/time-table.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const START = 1_700_000_000_000;

void t.test('values are those of a Map, whatever comes and goes', async () => {
  const time = fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.integer({ min: 0, max: 40 }).map((n) => START + n),
    // Of one place in a table of 64, and of others.
    fc.integer({ min: 0, max: 40 }).map((n) => START + n * 2 ** 26),
    fc.constantFrom(
      -0,
      0.5,
      START + 0.5,
      2 ** 31,
      -(2 ** 40),
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
    ),
  );
  const step = fc.tuple(fc.boolean(), time, fc.nat());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: 'max' }), (script) => {
      const table = new TimeTable();
      const model = new Map<number, number>();
      for (const [isSet, at, value] of script) {
        if (isSet) {
          table.set(at, value);
          model.set(at, value);
        } else if (model.has(at)) {
          table.delete(at);
          model.delete(at);
        }
        if (table.get(at) !== (model.get(at) ?? -1)) return false;
      }
      const seen = new Map<number, number>();
      table.forEach((at, value) => seen.set(at, value));
      return (
        table.size === model.size &&
        seen.size === model.size &&
        [...model].every(([at, value]) => table.get(at) === value && seen.get(at) === value)
      );
    }),
    { numRuns: propertyRuns(500) },
  );
});
