import fc from 'fast-check';
import t from 'tap';
import { hasCode } from '../../../engine/base/errors.ts';
import { LIMITS } from '../../../engine/base/limits.ts';
import { decodeKey, encodeKey, hashKey, hashTuple, isKey, type Key } from '../../../engine/key/key.ts';
import { DictionaryBuilder } from '../../../engine/wire/dictionary-builder.ts';
import { keys, texts } from '../../support/key-arbitraries.ts';
import { propertyRuns } from '../../support/property-runs.ts';

const hex = (key: Key) => Buffer.from(encodeKey(key)).toString('hex');

void t.test('key codec 1 is frozen', async (test) => {
  const vectors: readonly (readonly [Key, string])[] = [
    ['', '01'],
    ['a', '0161'],
    ['ß', '01c39f'],
    ['𝄞', '01f09d849e'],
    ['\uFEFFx', '01efbbbf78'],
    [0, '020000000000000000'],
    [-0, '020000000000000000'],
    [1, '023ff0000000000000'],
    [-1.5, '02bff8000000000000'],
    [Number.POSITIVE_INFINITY, '027ff0000000000000'],
    [Number.MAX_SAFE_INTEGER, '02433fffffffffffff'],
    [true, '0301'],
    [false, '0300'],
    [10n, '043130'],
    [-7n, '042d37'],
    [['acme', 7], '05020000000501' + '61636d65' + '0000000902401c000000000000'],
    [['a'], '0501000000020161'],
  ];
  for (const [key, bytes] of vectors) test.equal(hex(key), bytes, `${String(key)}`);
});

void t.test('key hashes are frozen', async (test) => {
  const unsigned = (key: Key) => (hashKey(key) >>> 0).toString(16);
  test.equal(unsigned('hello'), '248bfa47', 'MurmurHash3 x86 32 of "hello", seed 0');
  test.same(
    (['', 'a', 0, 1, -1.5, true, false, 10n, ['acme', 7], ['a', 'b', 'c']] satisfies Key[]).map(unsigned),
    [
      '0',
      '3c2569b2',
      'a1cba8ce',
      '5fe16f2b',
      'ce29ef20',
      'e1f15514',
      '85f0b427',
      'c1ab48b9',
      '395ca5f2',
      '5dd5ab96',
    ],
  );
});

void t.test('a key comes back from its bytes, hash and equality included', async () => {
  fc.assert(
    fc.property(keys(), (key) => {
      const back = decodeKey(encodeKey(key));
      return hex(back) === hex(key) && hashKey(back) === hashKey(key);
    }),
    { numRuns: propertyRuns(1000) },
  );
});

void t.test('keys of different types or boundaries never meet in their bytes', async (test) => {
  const alike: readonly Key[] = [
    '1',
    1,
    1n,
    true,
    ['1'],
    [1],
    ['a', 'b'],
    ['ab'],
    ['', 'ab'],
    'ab',
    ['ab', ''],
  ];
  test.equal(new Set(alike.map(hex)).size, alike.length);
});

void t.test("-0 and 0 are one key; a string's hash is its dictionary's", async (test) => {
  test.equal(hashKey(-0), hashKey(0));
  test.equal(hashKey(['a', -0]), hashKey(['a', 0]));
  fc.assert(
    fc.property(fc.uniqueArray(texts(), { minLength: 1, maxLength: 20 }), (entries) => {
      const builder = new DictionaryBuilder();
      for (const entry of entries) builder.add(entry);
      const hashes = builder.finish().hashes();
      return entries.every((entry, i) => hashes[i] === hashKey(entry));
    }),
  );
  test.equal(hashTuple([hashKey('a'), hashKey(1)]), hashKey(['a', 1]));
});

void t.test('what is no key is refused with its code, whatever it is', async (test) => {
  const wrong: readonly unknown[] = [
    undefined,
    null,
    Number.NaN,
    {},
    [],
    new Date(),
    Symbol('x'),
    () => 1,
    Object.create(null),
    ['a', undefined],
    ['a', Number.NaN],
    ['a', ['b']],
    [{}],
    Array.from({ length: 256 }, (_, i) => i),
  ];
  for (const value of wrong) {
    test.notOk(isKey(value));
    test.throws(() => encodeKey(value as Key), { code: 'MR_KEY_INVALID' });
  }
  // oxlint-disable-next-line no-sparse-arrays -- a hole is what is tested
  test.notOk(isKey(['a', , 'b']));
});

void t.test('a key longer than its bound is refused', async (test) => {
  const longest = 'x'.repeat(LIMITS.keyBytesMax - 1);
  test.equal(encodeKey(longest).length, LIMITS.keyBytesMax);
  test.throws(() => encodeKey(`${longest}x`), { code: 'MR_KEY_INVALID' });
  test.throws(() => encodeKey([longest, 1]), { code: 'MR_KEY_INVALID' });
});

void t.test('bytes that no key has are refused, never read as another key', async () => {
  const near = keys().chain((key) => {
    const bytes = encodeKey(key);
    return fc.oneof(
      fc.nat(bytes.length - 1).map((length) => bytes.slice(0, length)),
      fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)).map(([at, byte]) => {
        const changed = bytes.slice();
        changed[at] = byte;
        return changed;
      }),
      fc.constant(Uint8Array.from([...bytes, 0])),
    );
  });
  fc.assert(
    fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 24 })), (bytes) => {
      try {
        return Buffer.compare(encodeKey(decodeKey(bytes)), bytes) === 0;
      } catch (error) {
        return hasCode(error, 'MR_KEY_INVALID');
      }
    }),
    { numRuns: propertyRuns(2000) },
  );
});
