import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createKeySpace, hasCode, lmdbState, LIMITS, type StateBackend, type StateCells } from '#engine';
import { openAttemptState } from '../../../engine/state/lmdb-state.ts';
import { keyedStateContract } from '../../operators/state/keyed-state.contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-lmdb-'));
const opened: StateBackend[] = [];
t.teardown(async () => {
  for (const backend of opened) await backend.close?.();
  rmSync(folder, { recursive: true, force: true });
});

const numbers = { store: (cell: number) => cell, load: (stored: unknown) => stored as number };
const newKeys = () => createKeySpace({ kind: 'fields', fields: ['key'] }, 128);

for (const hotKeysMax of [1, 3, LIMITS.hotKeysDefault]) {
  const open = await lmdbState({ folder, hotKeysMax });
  keyedStateContract(`lmdb with ${hotKeysMax} hot keys`, (keys) => {
    const backend = open(keys);
    opened.push(backend);
    return backend;
  });
}

/** One state of numbers by text keys. */
async function subject(hotKeysMax: number) {
  const keys = newKeys();
  const backend = (await lmdbState({ folder, hotKeysMax }))(keys);
  opened.push(backend);
  const cells = backend.cells('numbers', numbers);
  return {
    keys,
    backend,
    cells,
    slot: (key: string) => keys.slotOfRow({ key }),
    batch: () => {
      backend.settle?.();
      keys.reclaim();
    },
  };
}

function inMemory(cells: StateCells<number>): number[] {
  const found: number[] = [];
  cells.forEach((_, cell) => found.push(cell));
  return found.sort((a, b) => a - b);
}

void t.test('SB5: after a batch only hotKeysMax keys are in memory, with their slots', async (test) => {
  const { keys, cells, slot, batch } = await subject(100);
  for (let key = 0; key < 5000; key++) {
    cells.set(slot(`key-${key}`), key);
    if (key % 50 === 0) batch();
  }
  batch();
  test.ok(inMemory(cells).length <= 100);
  test.equal(keys.size, inMemory(cells).length);
  for (let key = 0; key < 5000; key++) {
    test.equal(cells.get(slot(`key-${key}`)), key);
    if (key % 50 === 0) batch();
  }
});

void t.test('HS2: keys that come back stay, keys that are seen once go', async (test) => {
  const { cells, slot, batch } = await subject(20);
  for (let round = 0; round < 50; round++) {
    for (let hot = 0; hot < 10; hot++) cells.set(slot(`hot-${hot}`), hot);
    for (let cold = 0; cold < 5; cold++) cells.set(slot(`cold-${round}-${cold}`), 1000 + round);
    batch();
  }
  test.same(
    inMemory(cells).filter((cell) => cell < 1000),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
});

void t.test('DC3: what was only read is not written again', async (test) => {
  const { keys, cells, slot, batch } = await subject(1);
  let stores = 0;
  const backend = (await lmdbState({ folder, hotKeysMax: 1 }))(keys);
  opened.push(backend);
  const counted = backend.cells('counted', { ...numbers, store: (cell: number) => (stores++, cell) });
  const bothBatch = () => {
    backend.settle?.();
    batch();
  };
  for (const key of ['a', 'b', 'c']) counted.set(slot(key), 1);
  bothBatch();
  test.equal(stores, 2);
  for (let round = 0; round < 5; round++) {
    for (const key of ['a', 'b', 'c']) test.equal(counted.get(slot(key)), 1);
    bothBatch();
  }
  test.ok(stores <= 3, 'each key once at most');
  test.equal(cells.get(slot('a')), undefined);
});

void t.test('keys beyond what LMDB takes are found by their digest, and come back whole', async (test) => {
  const { keys, cells, slot, batch } = await subject(1);
  const long = (n: number) => `${'ß'.repeat(10_000)}-${n}`;
  for (let n = 0; n < 4; n++) cells.set(slot(long(n)), n);
  batch();
  batch();
  const spilled: [string, number][] = [];
  cells.forEachSpilled?.((canonical, group, stored) => {
    const at = keys.slotOfCanonical(canonical);
    test.equal(keys.group(at), group);
    spilled.push([(keys.value(at) as { key: string }).key, stored as number]);
  });
  test.equal(spilled.length, 3);
  for (const [key, n] of spilled) test.equal(key, long(n));
  for (let n = 0; n < 4; n++) test.equal(cells.get(slot(long(n))), n);
});

void t.test('SB4: spilled cells come key group by key group', async (test) => {
  const { cells, slot, batch } = await subject(1);
  for (let key = 0; key < 1000; key++) cells.set(slot(`key-${key}`), key);
  batch();
  const groups: number[] = [];
  cells.forEachSpilled?.((_, group) => groups.push(group));
  test.equal(groups.length, 999);
  test.same(
    groups,
    [...groups].sort((a, b) => a - b),
  );
});

void t.test('values of any size and kind come back', async (test) => {
  const keys = newKeys();
  const backend = (await lmdbState({ folder, hotKeysMax: 1 }))(keys);
  opened.push(backend);
  const format = { store: structuredClone<unknown>, load: (stored: unknown) => stored };
  const cells = backend.cells<unknown>('anything', format);
  const values = [
    'x'.repeat(3_000_000),
    new Uint8Array(100_000).fill(7),
    Float64Array.of(1.5, Number.NaN),
    { a: { b: [1n, null, new Date(5)] } },
    -0,
    '',
    false,
    null,
  ];
  for (let round = 0; round < 3; round++) {
    for (const [i, value] of values.entries()) {
      const slot = keys.slotOfRow({ key: String(i) });
      if (round > 0) test.strictSame(cells.get(slot), value);
      cells.set(slot, value);
    }
    backend.settle?.();
    keys.reclaim();
  }
});

void t.test('what has expired leaves the disk although nobody asks for it', async (test) => {
  const keys = newKeys();
  const backend = (await lmdbState({ folder, hotKeysMax: 1 }))(keys);
  opened.push(backend);
  let now = 0;
  let loads = 0;
  const cells = backend.cells<number>('lives', {
    expires: true,
    store: (at) => (at + 10 <= now ? undefined : at),
    load: (stored) => (loads++, (stored as number) + 10 <= now ? undefined : (stored as number)),
  });
  const add = (from: number, to: number) => {
    for (let key = from; key < to; key++) cells.set(keys.slotOfRow({ key: `key-${key}` }), now);
    backend.settle?.();
    keys.reclaim();
  };
  add(0, 100);
  now = 20;
  for (let batch = 0; batch < 10; batch++) add(100 + batch * 10, 110 + batch * 10);
  loads = 0;
  let spilled = 0;
  cells.forEachSpilled?.(() => spilled++);
  test.equal(spilled, 99, 'all that live, less the one in memory');
  test.equal(loads, 99, 'nothing else is there to be looked at');
});

void t.test('files belong to one attempt: gone when it closes, and deleted by the next', async (test) => {
  const root = join(folder, 'attempts');
  const at = (generation: number) => ({ job: 'job', generation });
  const first = await openAttemptState({ folder: root, hotKeysMax: 1 }, at(1));
  const lost = first.backend('count', 0)(newKeys());
  lost.cells('numbers', numbers);
  test.equal(readdirSync(join(root, 'job', '1')).length, 1);
  mkdirSync(join(root, 'job', 'not-a-generation'));

  const second = await openAttemptState({ folder: root, hotKeysMax: 1 }, at(2));
  test.notOk(existsSync(join(root, 'job', '1')));
  test.ok(existsSync(join(root, 'job', 'not-a-generation')));
  const one = second.backend('count', 0)(newKeys());
  const other = second.backend('count', 1)(newKeys());
  test.notOk(existsSync(join(root, 'job', '2')), 'LB2: an operator without state has no files');
  one.cells('numbers', numbers);
  other.cells('numbers', numbers);
  test.equal(readdirSync(join(root, 'job', '2')).length, 2);
  await one.close?.();
  test.equal(readdirSync(join(root, 'job', '2')).length, 1);
  await second.close();
  test.same(readdirSync(join(root, 'job', '2')), []);
  await first.close();
});

void t.test('a folder that cannot be written to is named', async (test) => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const named = (error: unknown) => {
    test.ok(hasCode(error, 'MR_CONFIG_INVALID'));
    test.match(error, { message: `'${file}`, details: { folder: String } });
  };
  const backend = (await lmdbState({ folder: file, hotKeysMax: 1 }))(newKeys());
  try {
    backend.cells('numbers', numbers);
    test.fail('opened in a file');
  } catch (error) {
    named(error);
  }
  await openAttemptState({ folder: file, hotKeysMax: 1 }, { job: 'job', generation: 1 }).then(
    () => test.fail('opened in a file'),
    named,
  );
  const open = lmdbState({ folder, hotKeysMax: 0 });
  await test.rejects(open, { code: 'MR_CONFIG_INVALID' });
});
