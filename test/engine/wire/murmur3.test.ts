import t from 'tap';
import { DictionaryBuilder } from '../../../engine/wire/dictionary-builder.ts';
import { murmur3Words } from '../../../engine/wire/murmur3.ts';
import { StringDictionary } from '../../../engine/wire/string-dictionary.ts';

/** Published vectors of MurmurHash3_x86_32: text, seed, hash. */
const VECTORS: readonly [string, number, number][] = [
  ['', 0, 0],
  ['', 1, 0x514e28b7],
  ['', 0xffffffff, 0x81f16f39],
  ['test', 0, 0xba6bd213],
  ['Hello, world!', 0, 0xc0363e43],
  ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
  ['aaaa', 0x9747b28c, 0x5a97808a],
  ['aaa', 0x9747b28c, 0x283e0130],
  ['aa', 0x9747b28c, 0x5d211726],
  ['a', 0x9747b28c, 0x7fa09ea6],
];

await t.test('hashes are those of the reference', async (t) => {
  for (const [text, seed, hash] of VECTORS) {
    const padded = Buffer.alloc((Buffer.byteLength(text) + 3) & ~3);
    const length = padded.write(text);
    const words = new Int32Array(new Uint8Array(padded).buffer);
    t.equal(murmur3Words(words, 0, length, seed) >>> 0, hash, text);
  }
});

await t.test('a dictionary gives texts and hashes, whether it was built or read', async (t) => {
  const texts = [
    '',
    'a',
    'test',
    'Hello, world!',
    '\uFEFFmark',
    'ßß',
    '𝄞',
    'x'.repeat(1000),
    'ж'.repeat(500),
  ];
  const builder = new DictionaryBuilder();
  for (const text of [...texts, ...texts]) builder.add(text);
  const built = builder.finish();
  const read = new StringDictionary(built.words, built.lengths);
  t.same(built.texts(), texts);
  t.same(read.texts(), texts);
  t.same(
    texts.map((_, i) => read.text(i)),
    texts,
  );
  t.same(read.hashes(), built.hashes());
  t.equal((read.hashes()[3] as number) >>> 0, 0xc0363e43);
  t.equal(builder.finish().size, 0, 'the next batch starts empty');
});
