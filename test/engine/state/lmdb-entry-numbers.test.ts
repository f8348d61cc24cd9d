import fc from 'fast-check';
import t from 'tap';
import { EntryNumbers } from '../../../engine/state/lmdb-entry-numbers.ts';
import { propertyRuns } from '../../support/property-runs.ts';

void t.test('EN1: a number names one entry; marks go with it', async (test) => {
  const step = fc.record({
    kind: fc.constantFrom('take', 'take', 'give', 'mark', 'unmark'),
    at: fc.nat({ max: 1000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
      const numbers = new EntryNumbers();
      const taken: number[] = [];
      const marked = new Set<number>();
      for (const { kind, at } of steps) {
        const number = taken[at % Math.max(1, taken.length)];
        if (kind === 'take') {
          const next = numbers.take();
          if (taken.includes(next) || next < 1 || numbers.isMarked(next)) return false;
          taken.push(next);
        } else if (number === undefined) continue;
        else if (kind === 'give') {
          numbers.give(number);
          marked.delete(number);
          taken.splice(taken.indexOf(number), 1);
        } else if (kind === 'mark') {
          numbers.mark(number);
          marked.add(number);
        } else {
          numbers.unmark(number);
          marked.delete(number);
        }
        if (numbers.size !== taken.length) return false;
        if (taken.some((it) => numbers.isMarked(it) !== marked.has(it))) return false;
      }
      return Math.max(0, ...taken) <= steps.length;
    }),
    { numRuns: propertyRuns(200) },
  );
  test.pass();
});

void t.test('marks reach as far as numbers do', async (test) => {
  const numbers = new EntryNumbers();
  for (let n = 0; n < 5000; n++) numbers.mark(numbers.take());
  for (let n = 1; n <= 5000; n += 7) numbers.unmark(n);
  for (let n = 1; n <= 5000; n++) if (numbers.isMarked(n) !== (n % 7 !== 1)) test.fail(`number ${n}`);
  test.notOk(numbers.isMarked(1_000_000));
  test.pass();
});
