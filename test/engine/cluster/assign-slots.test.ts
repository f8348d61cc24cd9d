import fc from 'fast-check';
import t from 'tap';
import { assignSlots, type WorkerCapacity } from '../../../engine/cluster/assign-slots.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const worker = (id: string, slots: number, used = 0, draining = false): WorkerCapacity => ({
  id,
  slots,
  used,
  draining,
});

const placesOf = (...args: Parameters<typeof assignSlots>): readonly string[] => {
  const assignment = assignSlots(...args);
  if (assignment.kind === 'short') throw new Error(`${assignment.missing} slots are missing`);
  return assignment.places;
};

const countsOf = (places: readonly string[]) => {
  const counts = new Map<string, number>();
  for (const id of places) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
};

const keptOf = (places: readonly string[], previous: ReadonlyMap<number, string>) =>
  places.filter((id, slot) => previous.get(slot) === id).length;

const asMap = (places: readonly string[]) => new Map(places.entries());

void t.test('slots go round the workers, the emptiest first (AS4)', async (t) => {
  t.same(placesOf({ workers: [worker('a', 2), worker('b', 4), worker('c', 2)], parallelism: 4 }), [
    'b',
    'a',
    'c',
    'b',
  ]);
  t.same(placesOf({ workers: [worker('a', 8, 6), worker('b', 3)], parallelism: 3 }), ['b', 'a', 'b']);
});

void t.test('a worker that drains gets nothing and keeps nothing', async (t) => {
  const workers = [worker('a', 4, 0, true), worker('b', 4)];
  const previous = new Map([
    [0, 'a'],
    [1, 'b'],
  ]);
  t.same(placesOf({ workers, parallelism: 2, previous }), ['b', 'b']);
});

void t.test('what is missing is told', async (t) => {
  t.same(assignSlots({ workers: [], parallelism: 3 }), { kind: 'short', missing: 3 });
  const workers = [worker('a', 2, 1), worker('b', 2, 3), worker('c', 9, 0, true)];
  t.same(assignSlots({ workers, parallelism: 3 }), { kind: 'short', missing: 2 });
  t.throws(() => assignSlots({ workers, parallelism: 0 }), { code: 'MR_INVARIANT' });
});

void t.test('a worker that has died is replaced, and the slots of the others stay (AS3)', async (t) => {
  const all = ['a', 'b', 'c', 'd'].map((id) => worker(id, 4));
  const before = placesOf({ workers: all, parallelism: 8 });
  const after = placesOf({ workers: all.slice(0, 3), parallelism: 8, previous: asMap(before) });
  t.equal(keptOf(after, asMap(before)), 6);
  t.same(
    [...countsOf(after).values()].sort((a, b) => a - b),
    [2, 3, 3],
  );
});

const cluster = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^[a-h]$/),
    slots: fc.integer({ min: 1, max: 5 }),
    used: fc.integer({ min: 0, max: 5 }),
    draining: fc.boolean(),
  }),
  { selector: ({ id }) => id, maxLength: 6 },
);
const situation = fc.record({
  workers: cluster,
  parallelism: fc.integer({ min: 1, max: 12 }),
  previous: fc
    .array(fc.tuple(fc.integer({ min: 0, max: 14 }), fc.stringMatching(/^[a-h]$/)), { maxLength: 12 })
    .map((pairs) => new Map(pairs)),
});

const roomOf = (workers: readonly WorkerCapacity[]) =>
  new Map(workers.filter((w) => !w.draining && w.used < w.slots).map((w) => [w.id, w.slots - w.used]));

const isEven = (counts: ReadonlyMap<string, number>, room: ReadonlyMap<string, number>) =>
  [...room].every(([id, free]) => {
    const has = counts.get(id) ?? 0;
    return has === free || [...counts.values()].every((other) => other <= has + 1);
  });

void t.test('never over capacity, always even, all or nothing (AS1, AS2)', async () => {
  fc.assert(
    fc.property(situation, ({ workers, parallelism, previous }) => {
      const room = roomOf(workers);
      const free = [...room.values()].reduce((sum, n) => sum + n, 0);
      const assignment = assignSlots({ workers, parallelism, previous });
      if (assignment.kind === 'short') return free + assignment.missing === parallelism;
      const counts = countsOf(assignment.places);
      return (
        assignment.places.length === parallelism &&
        [...counts].every(([id, n]) => n <= (room.get(id) ?? 0)) &&
        isEven(counts, room)
      );
    }),
    { numRuns: propertyRuns(2_000) },
  );
});

void t.test('no even spread leaves more slots where they were; again changes nothing (AS3)', async () => {
  fc.assert(
    fc.property(situation, ({ workers, parallelism, previous }) => {
      const assignment = assignSlots({ workers, parallelism, previous });
      if (assignment.kind === 'short') return;
      const { places } = assignment;
      const again = placesOf({ workers: workers.toReversed(), parallelism, previous: asMap(places) });
      if (again.join() !== places.join()) throw new Error(`${places.join()} became ${again.join()}`);
      const best = bestKept(roomOf(workers), parallelism, previous);
      const kept = keptOf(places, previous);
      if (kept !== best) throw new Error(`${kept} stayed where ${best} could`);
    }),
    { numRuns: propertyRuns(1_000) },
  );
});

/** The most slots that can stay in any even spread, by trying all of them. */
function bestKept(
  room: ReadonlyMap<string, number>,
  parallelism: number,
  previous: ReadonlyMap<number, string>,
): number {
  const before = countsOf([...previous].filter(([slot]) => slot < parallelism).map(([, id]) => id));
  let best = -1;
  const ids = [...room.keys()];
  const tryAll = (at: number, left: number, counts: Map<string, number>) => {
    if (at === ids.length) {
      if (left > 0 || !isEven(counts, room)) return;
      const kept = [...counts].reduce((sum, [id, n]) => sum + Math.min(n, before.get(id) ?? 0), 0);
      best = Math.max(best, kept);
      return;
    }
    const id = ids[at] as string;
    for (let n = 0; n <= Math.min(left, room.get(id) as number); n++) {
      tryAll(at + 1, left - n, new Map(counts).set(id, n));
    }
  };
  tryAll(0, parallelism, new Map());
  return best;
}

void t.test('a large cluster is assigned at once', async (t) => {
  const workers = Array.from({ length: 1_000 }, (_, i) => worker(`w${i}`, 1 + (i % 32)));
  const places = placesOf({ workers, parallelism: 4_000 });
  t.equal(places.length, 4_000);
  t.ok(isEven(countsOf(places), roomOf(workers)));
});
