import fc from 'fast-check';
import t from 'tap';
import { hasCode } from '#engine';
import {
  bucket,
  day,
  hashValue,
  hour,
  identity,
  month,
  type PartitionTransform,
  partitionFunction,
  partitionText,
  resultType,
  transformText,
  truncate,
  year,
} from '../../../sinks/iceberg/partition-transform.ts';

const micros = (iso: string) => Date.parse(iso) * 1000;

await t.test('bucket hashes are those of the Iceberg spec, appendix B', async (t) => {
  t.equal(hashValue(34), 2017239379, 'int and long 34');
  t.equal(hashValue(34n), 2017239379);
  t.equal(
    hashValue(BigInt(Date.UTC(2017, 10, 16, 22, 31, 8)) * 1000n),
    -2047944441,
    'timestamptz 2017-11-16T14:31:08-08:00',
  );
  t.equal(hashValue(1510871468000001n), -1207196810, 'one microsecond later');
  t.equal(hashValue('iceberg'), 1210000089);
  t.equal(hashValue(Uint8Array.of(0, 1, 2, 3)), -188683207);
});

await t.test('time transforms floor, also before 1970', async (t) => {
  const cases: readonly [PartitionTransform, string, number, string][] = [
    [year('ts'), '2017-11-16T22:31:08Z', 47, '2017'],
    [month('ts'), '2017-11-16T22:31:08Z', 574, '2017-11'],
    [day('ts'), '2017-11-16T22:31:08Z', 17486, '2017-11-16'],
    [hour('ts'), '2017-11-16T22:31:08Z', 419686, '2017-11-16-22'],
    [year('ts'), '1969-12-31T23:59:59.999Z', -1, '1969'],
    [month('ts'), '1969-12-31T23:59:59.999Z', -1, '1969-12'],
    [day('ts'), '1969-12-31T23:59:59.999Z', -1, '1969-12-31'],
    [hour('ts'), '1969-12-31T23:59:59.999Z', -1, '1969-12-31-23'],
  ];
  for (const [transform, iso, value, text] of cases) {
    const result = partitionFunction(transform, 'timestamptz')(micros(iso));
    t.equal(result, value, `${transformText(transform)} of ${iso}`);
    t.equal(partitionText(transform, result), text);
  }
});

await t.test('truncate cuts strings at code points and numbers at multiples', async (t) => {
  const apply = (width: number, type: 'string' | 'int' | 'long') =>
    partitionFunction(truncate('x', width), type);
  t.equal(apply(3, 'string')('iceberg'), 'ice');
  t.equal(apply(3, 'string')('ab'), 'ab');
  t.equal(apply(2, 'string')('𝒳𝒴𝒵'), '𝒳𝒴', 'surrogate pairs stay whole');
  t.equal(apply(10, 'int')(1), 0);
  t.equal(apply(10, 'int')(-1), -10);
  t.equal(apply(10, 'long')(-1n), -10n);
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
      fc.integer({ min: 1, max: 1e9 }),
      (value, width) => {
        const low = apply(width, 'long')(value) as bigint;
        return low <= value && value - low < BigInt(width) && low % BigInt(width) === 0n;
      },
    ),
  );
});

await t.test('bucket stays within its width', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 1000 }), (text, width) => {
      const value = partitionFunction(bucket('x', width), 'string')(text) as number;
      return Number.isInteger(value) && value >= 0 && value < width;
    }),
  );
});

await t.test('a transform that does not fit its column is refused with what it takes', async (t) => {
  const refuses = (
    transform: PartitionTransform,
    type: 'double' | 'string' | 'timestamptz',
    text: RegExp,
  ) => {
    try {
      resultType(transform, type);
      t.fail('it was accepted');
    } catch (error) {
      t.ok(hasCode(error, 'MR_CONFIG_INVALID'));
      t.match((error as Error).message, text);
    }
  };
  refuses(identity('x'), 'double', /identity does not apply to 'x', which is double/);
  refuses(day('x'), 'string', /It takes timestamptz/);
  refuses(truncate('x', 4), 'timestamptz', /does not apply/);
  refuses(bucket('x', 0), 'string', /width must be a whole number/);
});
