import fc from 'fast-check';
import t from 'tap';
import { encodeKey, hashKey, type Key, type KeyScalar } from '../../../engine/key/key.ts';
import { keyGroupOf, keyGroupRange } from '../../../engine/key/key-group.ts';
import { decodeGroup, encodeGroup } from '../../../engine/checkpoint/snapshot-codec.ts';
import { viewGroup } from '../../../engine/inspect/stored-group.ts';
import { newArrays } from '../../../engine/state/array-source.ts';
import { createKeySpace, type FieldKeySpace, type KeySelector } from '../../../engine/state/key-space.ts';
import { packInSteps, type StoredKeys } from '../../../engine/state/packed-keys.ts';
import { finish } from '../../../engine/state/steps.ts';
import type { ValueKeySpace } from '../../../engine/state/value-key-space.ts';
import { DictionaryBuilder } from '../../../engine/wire/dictionary-builder.ts';
import type { StringDictionary } from '../../../engine/wire/string-dictionary.ts';
import { LIMITS } from '../../../engine/base/limits.ts';

const MAX_PARALLELISM = 128;
const LISTED = { listsGroups: true };
const FIELDS = ['a', 'b', 'c'] as const;
type Row = Readonly<Record<(typeof FIELDS)[number], KeyScalar>>;
type Space = ReturnType<typeof createKeySpace>;

const row: fc.Arbitrary<Row> = fc.record({
  a: fc.integer({ min: 0, max: 40 }).map((n) => `${n % 5 === 0 ? 'mieter-ü' : 'tenant'}-${n}`),
  b: fc.oneof(fc.integer({ min: -2, max: 6 }), fc.constant(-0)),
  c: fc.oneof(fc.boolean(), fc.bigInt({ min: 0n, max: 3n })),
});
const step = fc.oneof(
  { weight: 6, arbitrary: row.map((it) => ({ kind: 'row' as const, row: it })) },
  { weight: 3, arbitrary: fc.nat(1000).map((nth) => ({ kind: 'drop' as const, nth })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reclaim' as const }) },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Runs a script against a Map from canonical key bytes to slot; true when the two never differ. */
function agrees(
  space: Space,
  keyOf: (row: Row) => Key,
  valueOf: (row: Row) => unknown,
  script: readonly Step[],
): boolean {
  const model = new Map<string, { slot: number; holders: number; row: Row }>();
  for (const it of script) {
    switch (it.kind) {
      case 'row': {
        const text = Buffer.from(encodeKey(keyOf(it.row))).toString('hex');
        const slot = space.slotOfRow(it.row);
        const known = model.get(text);
        if (known === undefined && [...model.values()].some((other) => other.slot === slot)) return false;
        if (known !== undefined && known.slot !== slot) return false;
        space.slots.hold(slot);
        model.set(text, { slot, holders: (known?.holders ?? 0) + 1, row: known?.row ?? it.row });
        break;
      }
      case 'drop': {
        const held = [...model.values()].filter((entry) => entry.holders > 0);
        const entry = held[it.nth % Math.max(1, held.length)];
        if (entry === undefined) break;
        space.slots.drop(entry.slot);
        entry.holders--;
        break;
      }
      case 'reclaim':
        space.reclaim();
        for (const [text, entry] of model) if (entry.holders === 0) model.delete(text);
        if (space.size !== model.size) return false;
        break;
    }
    if (![...model.values()].every((entry) => matches(space, entry, keyOf, valueOf))) return false;
  }
  return isListed(space, [...model.values()]) && isPacked(space, [...model.values()], keyOf);
}

function matches(
  space: Space,
  { slot, row: from }: { slot: number; row: Row },
  keyOf: (row: Row) => Key,
  valueOf: (row: Row) => unknown,
): boolean {
  const key = keyOf(from);
  return (
    Buffer.compare(space.canonical(slot), encodeKey(key)) === 0 &&
    space.slotOfCanonical(encodeKey(key)) === slot &&
    space.group(slot) === keyGroupOf(hashKey(key), MAX_PARALLELISM) &&
    text(space.value(slot)) === text(valueOf(from))
  );
}

/** Every slot is in its group's list and nowhere else. */
function isListed(space: Space, entries: readonly { readonly slot: number }[]): boolean {
  const listed = space.groups().flatMap((group) => {
    const slots = [...space.slotsOfGroup(group)];
    return slots.length > 0 && slots.every((slot) => space.group(slot) === group) ? slots : [-1];
  });
  const sorted = (slots: readonly number[]) => slots.toSorted((a, b) => a - b).join();
  return sorted(listed) === sorted(entries.map(({ slot }) => slot));
}

/** Packed keys are the canonical ones, and lead back to their slots, packed or one by one. */
function isPacked(
  space: Space,
  entries: readonly { readonly slot: number; readonly row: Row }[],
  keyOf: (row: Row) => Key,
): boolean {
  const slots = Int32Array.from(entries, ({ slot }) => slot);
  const packed = space.pack(slots);
  const canonical = entries.map(({ row: from }) => encodeKey(keyOf(from)));
  return (
    Buffer.concat(canonical).equals(packed.bytes) &&
    space.slotsOf(packed).join() === slots.join() &&
    space.slotsOf(canonical).join() === slots.join()
  );
}

/** Like JSON, with bigints, telling −0 from 0. */
const text = (value: unknown): string =>
  JSON.stringify(value, (_, v: unknown) => (Object.is(v, -0) ? '-0' : typeof v === 'bigint' ? `${v}n` : v));

const plain = (value: KeyScalar): KeyScalar => (value === 0 ? 0 : value);

for (const width of [1, 2, 3]) {
  const fields = FIELDS.slice(0, width);
  void t.test(`a key space of ${width} field(s) behaves like a map, slots used again included`, async () => {
    const keyOf = (it: Row): Key => (width === 1 ? it.a : fields.map((field) => it[field]));
    const valueOf = (it: Row) => Object.fromEntries(fields.map((field) => [field, plain(it[field])]));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (script) =>
        agrees(createKeySpace({ kind: 'fields', fields }, MAX_PARALLELISM, LISTED), keyOf, valueOf, script),
      ),
      { numRuns: 150 },
    );
  });
}

const selectors: readonly (readonly [string, (row: Row) => Key])[] = [
  ['scalar', (it) => it.b],
  ['tuple', (it) => [it.a, it.b, it.c]],
];
for (const [name, select] of selectors) {
  void t.test(`a key space of a function's ${name} keys behaves like a map`, async () => {
    const valueOf = (it: Row) => {
      const key = select(it);
      return Array.isArray(key) ? (key as KeyScalar[]).map(plain) : plain(key as KeyScalar);
    };
    const selector: KeySelector = { kind: 'function', select: (it) => select(it as Row) };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (script) =>
        agrees(createKeySpace(selector, MAX_PARALLELISM, LISTED), select, valueOf, script),
      ),
      { numRuns: 150 },
    );
  });
}

function dictionaryOf(texts: readonly string[]): StringDictionary {
  const builder = new DictionaryBuilder();
  for (const text of texts) builder.add(text);
  return builder.finish();
}

void t.test('strings of dictionaries and of functions are the same keys', async (test) => {
  const space = createKeySpace(
    { kind: 'function', select: (key) => key },
    MAX_PARALLELISM,
    LISTED,
  ) as ValueKeySpace;
  const texts = fc.array(fc.constantFrom('a', 'ä', 'dev-1', 'dev-2', 'dev-3', '', '\ufffd', '🜂'), {
    minLength: 1,
  });
  const slots = new Map<string, number>();
  const agree = (text: string, slot: number) => {
    const known = slots.get(text);
    if (known === undefined) space.slots.hold(slot);
    slots.set(text, known ?? slot);
    return (known ?? slot) === slot && space.value(slot) === text;
  };
  fc.assert(
    fc.property(texts, texts, fc.func(fc.boolean()), (entries, keys, isDropped) => {
      const dictionary = dictionaryOf([...new Set(entries)]);
      const found = new Int32Array(dictionary.size);
      space.findEntries(dictionary, found);
      const isRight = [...found.entries()].every(
        ([code, slot]) => slot === -1 || slots.get(dictionary.text(code)) === slot,
      );
      const fromKeys = keys.every((key) => agree(key, space.slotOfKey(key)));
      const fromEntries = [...found.keys()].every((code) =>
        agree(dictionary.text(code), space.internEntry(dictionary, code, dictionary.hash(code))),
      );
      for (const [text, slot] of slots) {
        if (!isDropped(text)) continue;
        space.slots.drop(slot);
        slots.delete(text);
      }
      space.reclaim();
      return isRight && fromKeys && fromEntries && space.size === slots.size;
    }),
    { numRuns: 300 },
  );
  const long = dictionaryOf(['x'.repeat(LIMITS.keyBytesMax)]);
  for (let i = 0; i < 2; i++)
    test.throws(() => space.internEntry(long, 0, long.hash(0)), { code: 'MR_KEY_INVALID' });
});

void t.test('tables and slots grow and shrink with tens of thousands of keys', async (test) => {
  const space = createKeySpace({ kind: 'fields', fields: ['a', 'b'] }, MAX_PARALLELISM);
  const slots = new Map<number, number>();
  for (let i = 0; i < 20_000; i++) {
    const slot = space.slotOfRow({ a: `t${i % 100}`, b: i });
    space.slots.hold(slot);
    slots.set(i, slot);
  }
  test.equal(new Set(slots.values()).size, 20_000);
  for (let i = 0; i < 20_000; i += 2) space.slots.drop(slots.get(i) as number);
  space.reclaim();
  test.equal(space.size, 10_000);
  let wrong = 0;
  for (let i = 1; i < 20_000; i += 2)
    if (space.slotOfRow({ a: `t${i % 100}`, b: i }) !== slots.get(i)) wrong++;
  test.equal(wrong, 0);
  let highest = 0;
  for (let i = 20_000; i < 30_000; i++)
    highest = Math.max(highest, space.slotOfRow({ a: `t${i % 100}`, b: i }));
  test.ok(highest < 20_000, 'slots are used again before new ones are made');
});

void t.test('a restored two-field key is the key of the next record', async (test) => {
  // Regression: records and restored keys looked in different places of the table, and a restore gave a key a second slot.
  const space = createKeySpace({ kind: 'fields', fields: ['a', 'b'] }, MAX_PARALLELISM);
  const restored = space.slotOfCanonical(encodeKey(['acme', 'device-7']));
  space.slots.hold(restored);
  test.equal(space.slotOfRow({ a: 'acme', b: 'device-7' }), restored);
});

void t.test('stored keys that are none, or of another width, are refused', async (test) => {
  const keys = createKeySpace({ kind: 'fields', fields: ['a', 'b'] }, MAX_PARALLELISM, LISTED);
  const good = encodeKey(['acme', 'device-7']);
  const stored = (bytes: Uint8Array) => ({ bytes, ends: Uint32Array.of(bytes.length) });
  for (let cut = 1; cut < good.length; cut++)
    test.throws(() => keys.slotsOf(stored(good.subarray(0, cut))), { code: 'MR_KEY_INVALID' });
  const invalid = good.slice();
  invalid[8] = 0xff;
  test.throws(() => keys.slotsOf(stored(invalid)), { code: 'MR_KEY_INVALID' }, 'no UTF-8');
  for (const key of ['acme', ['acme'], ['acme', 'b', 'c']])
    test.throws(() => keys.slotsOf(stored(encodeKey(key))), { code: 'MR_STATE_INCOMPATIBLE' });
  const mixed = stored(encodeKey(['acme', 7]));
  test.same([...keys.slotsOf(stored(good))].length, 1);
  test.throws(() => keys.slotsOf(mixed), { code: 'MR_KEY_INVALID' }, 'a field has one type for life');
});

void t.test('SC1: a record refused by its second key field leaves nothing behind', async (test) => {
  const space = createKeySpace({ kind: 'fields', fields: ['a', 'b'] }, MAX_PARALLELISM) as FieldKeySpace;
  for (let i = 0; i < 1000; i++)
    test.throws(() => space.slotOfRow({ a: `poison-${i}`, b: null }), { code: 'MR_KEY_INVALID' });
  space.reclaim();
  test.same(
    space.components.map((component) => component.size),
    [0, 0],
  );
  space.slots.hold(space.slotOfRow({ a: 'poison-3', b: 1 }));
  space.reclaim();
  test.equal(space.size, 1);
  test.same(space.value(space.slotOfRow({ a: 'poison-3', b: 1 })), { a: 'poison-3', b: 1 });
});

void t.test(
  'a key that no snapshot could hold is refused when it comes, not at the checkpoint',
  async (test) => {
    const long = 'x'.repeat(70_000);
    const half = 'y'.repeat(40_000);
    const spaces: readonly (readonly [KeySelector, unknown])[] = [
      [{ kind: 'fields', fields: ['a'] }, { a: long }],
      [
        { kind: 'fields', fields: ['a', 'b'] },
        { a: half, b: half },
      ],
      [{ kind: 'function', select: () => long }, {}],
      [{ kind: 'function', select: () => [half, half] }, {}],
    ];
    for (const [selector, poison] of spaces) {
      const space = createKeySpace(selector, MAX_PARALLELISM);
      test.throws(() => space.slotOfRow(poison), { code: 'MR_KEY_INVALID' });
      space.reclaim();
      test.equal(space.size, 0);
    }
  },
);

void t.test('rows without a key are refused with MR_KEY_INVALID, whatever they hold', async (test) => {
  const fields = createKeySpace({ kind: 'fields', fields: ['a'] }, MAX_PARALLELISM);
  const select = createKeySpace(
    { kind: 'function', select: (it) => (it as { a: unknown }).a },
    MAX_PARALLELISM,
  );
  for (const a of [undefined, null, Number.NaN, {}, [], Object.create(null), Symbol('s')]) {
    test.throws(() => fields.slotOfRow({ a }), { code: 'MR_KEY_INVALID' });
    test.throws(() => select.slotOfRow({ a }), { code: 'MR_KEY_INVALID' });
  }
  fields.slotOfRow({ a: 'text' });
  test.throws(() => fields.slotOfRow({ a: 1 }), { code: 'MR_KEY_INVALID' }, 'a field has one type for life');
  test.throws(() => fields.slotOfCanonical(encodeKey(['a', 'b'])), { code: 'MR_STATE_INCOMPATIBLE' });
});

void t.test(
  'a new key of another subtask’s groups is refused each time, and leaves nothing (EG2)',
  async (test) => {
    for (const fields of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
      const row = (i: number) => ({ a: `key-${i}`, b: i % 3, c: i % 2 === 0 });
      const all = createKeySpace({ kind: 'fields', fields }, MAX_PARALLELISM);
      const ownGroups = keyGroupRange(1, 3, MAX_PARALLELISM);
      const own = createKeySpace({ kind: 'fields', fields }, MAX_PARALLELISM, {
        ownGroups,
        listsGroups: true,
      });
      let refused = 0;
      for (let i = 0; i < 600; i++) {
        const group = all.group(all.slotOfRow(row(i % 300)));
        if (group >= ownGroups[0] && group <= ownGroups[1]) {
          const slot = own.slotOfRow(row(i % 300));
          test.equal(own.group(slot), group);
          own.slots.hold(slot);
        } else {
          refused++;
          test.throws(() => own.slotOfRow(row(i % 300)), { code: 'MR_KEY_MISPLACED' });
        }
      }
      test.equal(own.size, 300 - refused / 2);
      test.ok(own.groups().every((group) => group >= ownGroups[0] && group <= ownGroups[1]));
      own.reclaim();
      test.equal(own.size, 300 - refused / 2, 'what was admitted is still held');
    }
  },
);

const keyNumber = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.constantFrom(-0, 2 ** 31, -(2 ** 31), Number.POSITIVE_INFINITY),
);

void t.test('keys are stored, shown and restored alike, of numbers alone or not', async () => {
  const scalar = fc.oneof({ weight: 9, arbitrary: keyNumber }, { weight: 1, arbitrary: fc.bigInt() });
  const ofFields = (fields: readonly string[]): KeySelector => ({ kind: 'fields', fields });
  const selectors: readonly KeySelector[] = [
    ofFields(['a']),
    ofFields(['a', 'b']),
    ofFields(['a', 'b', 'c']),
    { kind: 'function', select: (it) => (it as Row).a },
    { kind: 'function', select: (it) => [(it as Row).a, (it as Row).b] },
  ];
  const script = fc.record({
    selector: fc.constantFrom(...selectors),
    rows: fc.array(fc.record({ a: scalar, b: keyNumber, c: keyNumber }), { maxLength: 40 }),
  });
  fc.assert(
    fc.property(script, ({ selector, rows }) => {
      const [space, restored] = [selector, selector].map((it) => createKeySpace(it, MAX_PARALLELISM)) as [
        Space,
        Space,
      ];
      const slots = Int32Array.from(new Set(rows.map((it) => space.slotOfRow(it))));
      const canonical = Array.from(slots, (slot) => Buffer.from(space.canonical(slot)).toString('hex'));
      const group = { keys: finish(packInSteps(space, slots, newArrays)) };
      const stored = decodeGroup(encodeGroup(group)) as { readonly keys: StoredKeys };
      const view = viewGroup(stored, null);
      const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
      return (
        view.keyCount === slots.length &&
        canonical.every((key, i) => hex(view.keyAt(i)) === key) &&
        [...restored.slotsOf(stored.keys)].every((slot, i) => hex(restored.canonical(slot)) === canonical[i])
      );
    }),
    { numRuns: 300 },
  );
});

void t.test('keys of numbers are stored as a list per field', async (test) => {
  const space = createKeySpace({ kind: 'fields', fields: ['a', 'b'] }, MAX_PARALLELISM);
  const slots = Int32Array.from([1, 2], (a) => space.slotOfRow({ a, b: a / 2 }));
  const keys = finish(packInSteps(space, slots, newArrays));
  test.strictSame(keys, { numbers: [Int32Array.of(1, 2), Float64Array.of(0.5, 1)], isTuple: true });
  test.throws(
    () => createKeySpace({ kind: 'fields', fields: ['a'] }, MAX_PARALLELISM).slotsOf(keys),
    { code: 'MR_STATE_INCOMPATIBLE' },
    'of another number of fields',
  );
});
