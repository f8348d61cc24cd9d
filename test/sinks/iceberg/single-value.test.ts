import fc from 'fast-check';
import t from 'tap';
import { compareValues, lowerBound, singleValue, upperBound } from '../../../sinks/iceberg/single-value.ts';

const hex = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString('hex'));

await t.test('values are encoded as the Iceberg spec, appendix D, says', async (t) => {
  t.equal(hex(singleValue('boolean', true)), '01');
  t.equal(hex(singleValue('int', 1)), '01000000');
  t.equal(hex(singleValue('date', -1)), 'ffffffff');
  t.equal(hex(singleValue('long', 1n)), '0100000000000000');
  t.equal(hex(singleValue('timestamptz', -1n)), 'ffffffffffffffff');
  t.equal(hex(singleValue('float', 1.5)), '0000c03f');
  t.equal(hex(singleValue('double', -0)), '0000000000000080', 'negative zero is kept');
  t.equal(hex(singleValue('string', 'é')), 'c3a9');
  t.equal(hex(singleValue('binary', Uint8Array.of(0, 255))), '00ff');
});

await t.test('string bounds have 16 code points at most and still enclose the value', async (t) => {
  t.equal(Buffer.from(lowerBound('string', 'abcdefghijklmnopqrst')).toString(), 'abcdefghijklmnop');
  t.equal(Buffer.from(upperBound('string', 'abcdefghijklmnopqrst') ?? []).toString(), 'abcdefghijklmnoq');
  t.equal(
    Buffer.from(upperBound('string', `${'a'.repeat(15)}\u{d7ff}z`) ?? []).toString(),
    `${'a'.repeat(15)}\u{e000}`,
  );
  t.equal(
    Buffer.from(upperBound('string', `${'a'.repeat(15)}\u{10ffff}z`) ?? []).toString(),
    `${'a'.repeat(14)}b`,
  );
  t.equal(upperBound('string', '\u{10ffff}'.repeat(17)), null, 'nothing short sorts after it');
  const text = fc.string({
    unit: fc.constantFrom('a', 'ÿ', '\u{d7ff}', '\u{e000}', '\u{ffff}', '\u{10ffff}'),
    maxLength: 40,
  });
  fc.assert(fc.property(text, (value) => encloses('string', Buffer.from(value), value)));
});

await t.test('binary bounds have 16 bytes at most and still enclose the value', async (t) => {
  t.equal(upperBound('binary', new Uint8Array(17).fill(255)), null);
  const bytes = fc.uint8Array({ maxLength: 40 }).chain((it) =>
    fc.constantFrom(
      it,
      it.map((byte) => byte | 0xfe),
    ),
  );
  fc.assert(fc.property(bytes, (value) => encloses('binary', value, value)));
});

await t.test('values order by size, text by its bytes', async (t) => {
  t.ok(compareValues(2n, 10n) < 0);
  t.ok(compareValues('\u{ffff}', '\u{10000}') < 0, 'UTF-8 order, which UTF-16 does not have');
  t.ok(compareValues(false, true) < 0);
});

function encloses(type: 'string' | 'binary', bytes: Uint8Array, value: string | Uint8Array): boolean {
  const upper = upperBound(type, value);
  return (
    Buffer.compare(lowerBound(type, value), bytes) <= 0 &&
    (upper === null || Buffer.compare(upper, bytes) >= 0)
  );
}
