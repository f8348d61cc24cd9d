import t from 'tap';
import { TextCache } from '../../../engine/state/text-cache.ts';
import { seededRandom, StringDictionary } from '#wire';

function dictionaryOf(texts: readonly string[]): StringDictionary {
  const encoded = texts.map((text) => new TextEncoder().encode(text));
  const words = new Int32Array(encoded.reduce((sum, bytes) => sum + ((bytes.length + 3) >>> 2), 0));
  const bytes = new Uint8Array(words.buffer);
  let at = 0;
  for (const part of encoded) {
    bytes.set(part, at);
    at += (part.length + 3) & ~3;
  }
  return new StringDictionary(
    words,
    Uint32Array.from(encoded, (part) => part.length),
  );
}

void t.test('texts are those of the dictionary, whatever the cache remembers or forgets', async (test) => {
  const cache = new TextCache();
  const random = seededRandom(5);
  let wrong = 0;
  // Rounds of repeating and of new strings, enough of both to pass the bound and to make the cache rest.
  for (let round = 0; round < 400; round++) {
    const texts = Array.from({ length: 500 }, (_, i) => {
      const number = round % 100 < 50 ? Math.floor(random() * 3_000) : round * 500 + i;
      return ['', `dev-${number}`, `gerät-${number}-äöü`, `日本-${number}`][number & 3] as string;
    });
    const distinct = [...new Set(texts)];
    const got = cache.texts(dictionaryOf(distinct));
    if (got.length !== distinct.length || distinct.some((text, i) => got[i] !== text)) wrong++;
  }
  test.equal(wrong, 0);
});
