import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { hasCode } from '#engine';
import { AvroReader, AvroWriter } from '../../../sinks/iceberg/avro-bytes.ts';
import { decodeAvroFile, encodeAvroFile } from '../../../sinks/iceberg/avro-file.ts';
import type { AvroType } from '../../../sinks/iceberg/avro-value.ts';

const SCHEMA: AvroType = {
  type: 'record',
  name: 'thing',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'name', type: ['null', 'string'], default: null },
    { name: 'raw', type: 'bytes' },
    { name: 'flag', type: 'boolean' },
    { name: 'ratio', type: 'double' },
    { name: 'small', type: 'float' },
    { name: 'hash', type: { type: 'fixed', name: 'hash4', size: 4 } },
    { name: 'again', type: ['null', 'hash4'], default: null },
    {
      name: 'items',
      type: { type: 'array', items: { type: 'record', name: 'item', fields: [{ name: 'n', type: 'int' }] } },
    },
    { name: 'more', type: { type: 'map', values: 'long' } },
  ],
};

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const long = int64.map((value) => (value >= -(2n ** 53n) + 1n && value < 2n ** 53n ? Number(value) : value));
const fixed = fc.uint8Array({ minLength: 4, maxLength: 4 });
const thing = fc.record({
  id: long,
  name: fc.option(fc.string({ unit: 'grapheme' })),
  raw: fc.uint8Array({ maxLength: 50 }),
  flag: fc.boolean(),
  ratio: fc.double(),
  small: fc.float(),
  hash: fixed,
  again: fc.option(fixed),
  items: fc.array(fc.record({ n: fc.integer() }), { maxLength: 5 }),
  more: fc.dictionary(fc.string(), long, { maxKeys: 3, noNullPrototype: true }),
});

await t.test('any rows come back from an Avro file as they went in', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(thing, { maxLength: 20 }), async (rows) => {
      const { metadata, rows: back } = await decodeAvroFile(
        await encodeAvroFile(SCHEMA, rows, { key: 'välue' }),
        'test',
      );
      t.equal(metadata.get('key'), 'välue');
      t.strictSame(JSON.stringify(back, show), JSON.stringify(rows, show));
    }),
    { numRuns: 60 },
  );
});

await t.test('files of several blocks are read whole', async (t) => {
  const rows = Array.from({ length: 2_345 }, (_, id) => ({ id }));
  const schema: AvroType = { type: 'record', name: 'r', fields: [{ name: 'id', type: 'long' }] };
  t.strictSame((await decodeAvroFile(await encodeAvroFile(schema, rows, {}), 'test')).rows, rows);
});

await t.test('longs are zig-zag varints at every width', async (t) => {
  const vectors: readonly [number | bigint, string][] = [
    [0, '00'],
    [-1, '01'],
    [1, '02'],
    [-64, '7f'],
    [64, '8001'],
    [2 ** 31, '8080808010'],
    [9223372036854775807n, 'feffffffffffffffff01'],
    [-9223372036854775808n, 'ffffffffffffffffff01'],
  ];
  for (const [value, hex] of vectors) {
    const writer = new AvroWriter();
    writer.long(value);
    t.equal(Buffer.from(writer.done()).toString('hex'), hex, String(value));
    t.equal(new AvroReader(Buffer.from(hex, 'hex')).long(), value);
  }
});

await t.test('a damaged file is MR_TABLE_CORRUPT and named', async (t) => {
  const good = Buffer.from(await encodeAvroFile(SCHEMA, [], {}));
  const cases = [
    Buffer.alloc(0),
    randomBytes(100),
    good.subarray(0, good.length - 5),
    Buffer.concat([good, Buffer.of(2, 2, 0)]),
  ];
  for (const bytes of cases) {
    const error = await decodeAvroFile(bytes, '/table/m0.avro').then(
      () => null,
      (reason: unknown) => reason,
    );
    t.ok(hasCode(error, 'MR_TABLE_CORRUPT'));
    t.match((error as Error).message, '/table/m0.avro');
  }
});

function show(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}
