import fc from 'fast-check';
import t from 'tap';
import { TimedRows } from '../../../operators/join/timed-rows.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const SLOTS = 5;
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      slot: fc.nat(SLOTS - 1),
      time: fc.integer({ min: -9, max: 9 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('drop' as const),
      slot: fc.nat(SLOTS - 1),
      time: fc.integer({ min: -12, max: 12 }),
    }),
  },
);

interface Entry {
  readonly time: number;
  readonly row: object;
  readonly flag: number;
}

function listed(rows: TimedRows, slot: number): Entry[] {
  const all: Entry[] = [];
  for (let i = rows.head(slot); i < rows.end(slot); i++)
    all.push({ time: rows.times[i] as number, row: rows.rows[i] as object, flag: rows.flags[i] as number });
  return all;
}

void t.test('TR1 TR2: equal to a sorted list per slot; rows let go of are held nowhere', async () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (script) => {
      const rows = new TimedRows();
      const lists: Entry[][] = Array.from({ length: SLOTS }, () => []);
      for (const [n, { kind, slot, time }] of script.entries()) {
        const list = lists[slot] as Entry[];
        if (kind === 'add') {
          const entry = { time, row: { n }, flag: n % 3 };
          rows.add(slot, time, entry.row, entry.flag);
          list.push(entry);
          list.sort((a, b) => a.time - b.time);
        } else {
          const to = rows.firstAfter(slot, time);
          const isEmpty = !rows.isEmpty(slot) && rows.dropUntil(slot, to);
          const had = list.length;
          lists[slot] = list.filter((it) => it.time > time);
          if (isEmpty !== (had > 0 && lists[slot].length === 0)) return false;
        }
        const now = lists[slot] as Entry[];
        if (rows.firstFrom(slot, time) - rows.head(slot) !== now.filter((it) => it.time < time).length)
          return false;
        if (rows.firstAfter(slot, time) - rows.head(slot) !== now.filter((it) => it.time <= time).length)
          return false;
      }
      const all = lists.flat();
      return (
        lists.every(
          (list, slot) =>
            listed(rows, slot).every((it, i) => it.row === list[i]?.row && it.flag === list[i].flag) &&
            listed(rows, slot).length === list.length,
        ) &&
        rows.size === all.length &&
        new Set(rows.rows.filter((row) => row !== undefined)).size === all.length &&
        rows.rows.filter((row) => row !== undefined).length === all.length
      );
    }),
    { numRuns: propertyRuns(500) },
  );
});

void t.test('TR2: a key that comes and goes, or another one after it, takes no more room', async (test) => {
  const rows = new TimedRows();
  for (let round = 0; round < 1_000; round++) {
    const slot = round % 7;
    for (let i = 0; i < 100; i++) rows.add(slot, i, round, 0);
    rows.dropUntil(slot, rows.end(slot));
  }
  test.ok(rows.rows.length <= 4 + 8 + 16 + 32 + 64 + 128, `${rows.rows.length} places`);
  for (let time = 0; time < 10_000; time++) {
    rows.add(3, time, time, 0);
    if (time >= 50) rows.dropUntil(3, rows.head(3) + 1);
  }
  test.equal(rows.size, 50);
  test.ok(
    rows.rows.length <= 4 + 8 + 16 + 32 + 64 + 128,
    `a list of 50 that moves on: ${rows.rows.length} places`,
  );
});
