import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { CompactMap, type MapKey } from '../../../operators/state/compact-map.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const KINDS = ['keys', 'values', 'entries'] as const;
const COMMANDS = [
  'set',
  'set',
  'set',
  'get',
  'has',
  'delete',
  'delete',
  'begin',
  'next',
  'next',
  'next',
] as const;

/** More than are searched, and those that only SameValueZero takes for the same. */
const key: fc.Arbitrary<MapKey> = fc.constantFrom(0, -0, Number.NaN, 1, '1', '', 'a', 1.5, 1_700_000_000_000);
const steps = fc.array(
  fc.record({ command: fc.constantFrom(...COMMANDS), key, n: fc.nat({ max: 8 }) }, { noNullPrototype: true }),
  { maxLength: 120, size: 'max' },
);

interface Step {
  readonly command: (typeof COMMANDS)[number];
  readonly key: MapKey;
  readonly n: number;
}

/** What each step gives, iterators by number among those that were begun. */
function outcomes(map: Map<MapKey, unknown> | CompactMap<unknown>, them: readonly Step[]): unknown[] {
  const iterators: Iterator<unknown>[] = [];
  const does = ({ command, key, n }: Step): unknown => {
    switch (command) {
      case 'set':
        return void map.set(key, n);
      case 'begin':
        return iterators.push(map[KINDS[n % KINDS.length] as 'keys']());
      case 'next':
        return iterators[n % (iterators.length + 1)]?.next();
      default:
        return map[command](key);
    }
  };
  return them.map((step) => [does(step), map.size]).concat([...map.entries()]);
}

void t.test(
  'CM1: it does what a Map does, whatever is done while its iterators are under way',
  async (test) => {
    fc.assert(
      fc.property(steps, (them) =>
        isDeepStrictEqual(outcomes(new CompactMap(), them), outcomes(new Map(), them)),
      ),
      { numRuns: propertyRuns(1000) },
    );
    test.pass();
  },
);

void t.test(
  'CM1: a loop that is left may be gone on with, and an iterator that has ended stays so',
  async (test) => {
    for (const count of [3, 20]) {
      const map = new CompactMap<string>();
      for (let i = 0; i < count; i++) map.set(i, `value ${i}`);
      const keys = map.keys();
      for (const it of keys) if (it === 1) break;
      test.strictSame(
        [...keys],
        Array.from({ length: count - 2 }, (_, i) => i + 2),
      );
      map.set(100, 'more');
      test.strictSame([...keys], []);
    }
  },
);

void t.test('CM1: every entry is visited once', async (test) => {
  for (const count of [0, 8, 9]) {
    const map = new CompactMap<number>();
    for (let i = 0; i < count; i++) map.set(i, -i);
    const seen: [MapKey, number][] = [];
    map.forEach((it, value) => seen.push([it, value]));
    test.strictSame(seen, [...map.entries()]);
  }
});
