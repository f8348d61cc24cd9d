import fc from 'fast-check';
import t from 'tap';
import { ReusedArrays } from '../../../engine/state/array-source.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const kinds = ['bytes', 'int32', 'uint32', 'float64'] as const;
const asked = fc.record({
  kind: fc.constantFrom(...kinds),
  length: fc.oneof(fc.nat(40), fc.nat(30_000)),
});

void t.test('AS1: arrays between two resets share no memory, and begin as zeros', async () => {
  fc.assert(
    fc.property(fc.array(fc.array(asked, { maxLength: 12 }), { maxLength: 5 }), (rounds) => {
      const arrays = new ReusedArrays();
      for (const round of rounds) {
        arrays.reset();
        const given = round.map(({ kind, length }) => arrays[kind](length));
        for (const [i, array] of given.entries()) {
          if (array.length !== round[i]?.length || array.some((it) => it !== 0)) return false;
          array.fill(i + 1);
        }
        if (given.some((array, i) => array.some((it) => it !== i + 1))) return false;
      }
      return true;
    }),
    { numRuns: propertyRuns(60) },
  );
});

void t.test('memory is used again, but not kept without a limit', async (test) => {
  const arrays = new ReusedArrays();
  arrays.float64(100_000);
  arrays.reset();
  const { buffer } = arrays.float64(100_000);
  arrays.reset();
  test.equal(arrays.int32(200_000).buffer, buffer);
  arrays.bytes(64 * 1024 * 1024);
  arrays.reset();
  test.ok(arrays.bytes(1).buffer.byteLength <= 32 * 1024 * 1024);
});
