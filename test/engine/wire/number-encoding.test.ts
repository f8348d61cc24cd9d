import fc from 'fast-check';
import t from 'tap';
import { withBodyWriter } from '../../../engine/wire/body-writer.ts';
import { ENCODING } from '../../../engine/wire/frame-layout.ts';
import { writeNumbers } from '../../../engine/wire/number-encoding.ts';

await t.test('each kind of column takes its smallest form', async (t) => {
  const forms: readonly [string, readonly number[], Partial<Form>][] = [
    ['one value', [3.25, 3.25], { encoding: ENCODING.const, base: 3.25, bytes: 0 }],
    ['NaN alone', [Number.NaN, Number.NaN], { encoding: ENCODING.const, base: Number.NaN, bytes: 0 }],
    ['whole numbers', [1, -5, 2 ** 31 - 1], { encoding: ENCODING.decimal, exponent: 0, bytes: 12 }],
    ['two decimals', [1.5, 2.25, -0.01], { encoding: ENCODING.short, exponent: 2, base: -1, bytes: 6 }],
    ['just close enough', [-0.01, 655.34], { encoding: ENCODING.short, exponent: 2, base: -1, bytes: 4 }],
    ['just too far', [-0.01, 655.35], { encoding: ENCODING.decimal, exponent: 2, base: 0, bytes: 8 }],
    ['the lowest', [-(2 ** 31), -(2 ** 31) + 1], { encoding: ENCODING.short, base: -(2 ** 31), bytes: 4 }],
    ['the highest', [2 ** 31 - 2, 2 ** 31 - 1], { encoding: ENCODING.short, base: 2 ** 31 - 2, bytes: 4 }],
    ['nine decimals', [1e-9, 2], { encoding: ENCODING.decimal, exponent: 9, bytes: 8 }],
    ['times', [1.7e12, 1.7e12 + 86_400_000], { encoding: ENCODING.offset, base: 1.7e12, bytes: 8 }],
    ['near times', [1.7e12 + 65_535, 1.7e12], { encoding: ENCODING.short, base: 1.7e12, bytes: 4 }],
    ['times just too far', [1.7e12 + 65_536, 1.7e12], { encoding: ENCODING.offset, base: 1.7e12, bytes: 8 }],
    [
      'negative far away',
      [-(2 ** 50), -(2 ** 50) + 5],
      { encoding: ENCODING.short, exponent: 0, base: -(2 ** 50), bytes: 4 },
    ],
    ['ten decimals', [1e-10, 2], { encoding: ENCODING.plain, bytes: 16 }],
    ['a decimal that outgrows 32 bits', [2_000_000_000, 0.5], { encoding: ENCODING.plain, bytes: 16 }],
    ['minus zero', [-0, 1], { encoding: ENCODING.plain, bytes: 16 }],
    ['minus zero among times', [1.7e12, -0], { encoding: ENCODING.plain, bytes: 16 }],
    ['NaN among numbers', [1, Number.NaN], { encoding: ENCODING.plain, bytes: 16 }],
    ['infinity', [1, Number.POSITIVE_INFINITY], { encoding: ENCODING.plain, bytes: 16 }],
    ['too far apart', [1.7e12, 1.7e12 + 2 ** 31], { encoding: ENCODING.plain, bytes: 16 }],
    ['beyond whole doubles', [2 ** 53, 2 ** 53 + 2], { encoding: ENCODING.plain, bytes: 16 }],
  ];
  for (const [name, values, form] of forms) t.match(formOf(values, null), form, name);
});

await t.test('nulls neither stop a form nor count as a value', async (t) => {
  t.match(formOf([5, 0, 5], Uint8Array.of(0b010)), { encoding: ENCODING.const, base: 5 });
  t.match(formOf([0, 1.7e12, 1.7e12 + 1], Uint8Array.of(0b001)), { encoding: ENCODING.short, base: 1.7e12 });
  t.match(formOf([1.7e12, 1.7e12 + 1e6, 0], Uint8Array.of(0b100)), {
    encoding: ENCODING.offset,
    base: 1.7e12,
  });
  t.match(formOf([0, 7000.5, 7000.75], Uint8Array.of(0b001)), { encoding: ENCODING.short, base: 700_050 });
  t.match(formOf([0, 0], Uint8Array.of(0b11)), { encoding: ENCODING.const, base: 0 });
});

await t.test('numbers with up to six decimals of moderate size always become decimals', async (t) => {
  const decimal = fc
    .tuple(fc.integer({ min: -2000, max: 2000 }), fc.integer({ min: 0, max: 6 }))
    .map(([i, k]) => i / 10 ** k);
  fc.assert(
    fc.property(fc.array(decimal, { minLength: 2, maxLength: 50 }), (values) => {
      const signless = values.map((value) => value + 0);
      const { encoding } = formOf(signless, null);
      return (
        encoding === ENCODING.short ||
        encoding === ENCODING.decimal ||
        encoding === ENCODING.const ||
        signless.some((value) => Math.abs(value) > 2000)
      );
    }),
  );
  t.pass();
});

interface Form {
  readonly encoding: number;
  readonly exponent: number;
  readonly base: number;
  readonly bytes: number;
}

function formOf(values: readonly number[], nulls: Uint8Array | null): Form {
  return withBodyWriter((writer) => {
    const form = writeNumbers(writer, Float64Array.from(values), values.length, nulls);
    return { ...form, bytes: writer.length };
  });
}
