import { open } from 'lmdb';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createKeySpace } from '#engine';
import type { LmdbCells } from '../../../engine/state/lmdb-cells.ts';
import { LmdbScratch } from '../../../engine/state/lmdb-scratch.ts';
import { LmdbStateBackend } from '../../../engine/state/lmdb-state-backend.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-lmdb-cells-'));
const scratches: LmdbScratch[] = [];
t.teardown(async () => {
  for (const scratch of scratches) await scratch.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A backend, and how often it goes to its files. */
function counted(hotKeysMax: number) {
  const scratch = new LmdbScratch(open, mkdtempSync(join(folder, 'state-')));
  scratches.push(scratch);
  const keys = createKeySpace({ kind: 'fields', fields: ['key'] }, 128);
  const counts = { find: 0, write: 0, put: 0 };
  for (const name of ['find', 'write', 'put'] as const) {
    const original = scratch[name].bind(scratch) as (...args: unknown[]) => unknown;
    const counting = (...args: unknown[]) => (counts[name]++, original(...args));
    Object.defineProperty(scratch, name, { value: counting });
  }
  const backend = new LmdbStateBackend(keys, hotKeysMax, () => scratch);
  const format = { store: (cell: number) => cell, load: (stored: unknown) => stored as number };
  return {
    scratch,
    cells: backend.cells('numbers', format) as LmdbCells<number>,
    others: backend.cells('others', format),
    slot: (key: string) => keys.slotOfRow({ key }),
    batch: () => {
      backend.settle();
      keys.reclaim();
    },
    /** What was counted since the last call. */
    taken: () => {
      const taken = { ...counts };
      Object.assign(counts, { find: 0, write: 0, put: 0 });
      return taken;
    },
  };
}

void t.test(
  'DC1: the disk is asked once per key and state, and only for states that are used',
  async (test) => {
    const { cells, slot, batch, taken } = counted(10);
    for (let batches = 0; batches < 3; batches++) {
      for (let n = 0; n < 5; n++) cells.set(slot('a'), (cells.get(slot('a')) ?? 0) + 1);
      batch();
    }
    test.same(taken(), { find: 1, write: 0, put: 0 });
    for (let n = 0; n < 5; n++) cells.get(slot('never seen'));
    test.equal(taken().find, 1);
  },
);

void t.test('LB1: all that leaves at one time is one transaction', async (test) => {
  const { cells, others, slot, batch, taken } = counted(10);
  for (let n = 0; n < 50; n++) {
    cells.set(slot(`key-${n}`), n);
    others.set(slot(`key-${n}`), n);
  }
  batch();
  test.match(taken(), { write: 1, put: 80 });
  for (let n = 0; n < 50; n++) cells.clear(slot(`key-${n}`));
  batch();
  test.match(taken(), { write: 1, put: 0 });
});

void t.test('DC2: an entry that is out of date is not given, and not given twice', async (test) => {
  const { cells, slot, batch } = counted(1);
  for (const key of ['a', 'b', 'c']) cells.set(slot(key), 1);
  batch();
  const all = () => {
    const found: unknown[] = [];
    cells.forEach((_, cell) => found.push(cell));
    cells.forEachSpilled((_, __, stored) => found.push(stored));
    return found.sort((a, b) => Number(a) - Number(b));
  };
  test.same(all(), [1, 1, 1]);
  for (const key of ['a', 'b']) cells.set(slot(key), 2);
  test.same(all(), [1, 2, 2]);
  cells.clear(slot('a'));
  test.same(all(), [1, 2]);
  cells.clear(slot('c'));
  test.same(all(), [2]);
  batch();
  test.same(all(), [2]);
  test.equal(cells.get(slot('a')), undefined);
});

void t.test(
  'LE1: what was written is read at once, also by who has read before in the same turn',
  async (test) => {
    const { scratch } = counted(1);
    const key = Buffer.from('\x01\x00\x07key');
    test.equal(scratch.find(key), 0);
    for (let number = 1; number < 4; number++) {
      scratch.write(() => scratch.put(key, null, number, { number }));
      test.equal(scratch.find(key), number);
      test.same(scratch.found(), { number });
    }
    const entries = [...scratch.entries(1)];
    test.match(entries, [{ group: 7, number: 3, stored: { number: 3 } }]);
    test.throws(() =>
      scratch.write(() => {
        scratch.remove(key);
        throw new Error('changed its mind');
      }),
    );
    test.equal(scratch.find(key), 3, 'a write that fails leaves nothing');
  },
);

void t.test('what is frozen for a snapshot does not change with what comes after', async (test) => {
  const { cells, slot, batch } = counted(1);
  for (const key of ['a', 'b', 'c']) cells.set(slot(key), 1);
  batch();
  cells.set(slot('a'), 2);
  const read = (of: ReturnType<typeof cells.freezeSpilled>) => {
    const found: unknown[] = [];
    for (let group = 0; group < 128; group++) of.forEachOf(group, (_, stored) => found.push(stored));
    return found;
  };
  const spilled: unknown[] = [];
  cells.forEachSpilled((_, __, stored) => spilled.push(stored));
  const frozen = cells.freezeSpilled();
  for (let round = 3; round < 6; round++) {
    for (const key of ['a', 'b', 'c', 'd']) cells.set(slot(key), round);
    batch();
  }
  cells.clear(slot('b'));
  batch();
  for (const key of ['a', 'b', 'c']) cells.get(slot(key));
  test.ok(spilled.length > 0);
  test.same(read(frozen), spilled);
  test.same(read(frozen), spilled, 'and may be read again');
  cells.freezeSpilled();
  test.throws(() => read(frozen), { code: 'MR_INVARIANT' });
});
