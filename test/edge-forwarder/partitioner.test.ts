import fc from 'fast-check';
import t from 'tap';
import { hashPartitioner } from '../../edge-forwarder/partitioner.ts';
import { bytes, eventTime, f64, nullable, schema, string } from '#wire';

const Row = schema('row', {
  ts: eventTime(1),
  a: string(2),
  b: nullable(string(3)),
  n: f64(4),
  raw: nullable(bytes(5)),
});
const row = (a: string, b: string | null = null, n = 0) => ({ ts: 0, a, b, n, raw: null });

await t.test('partitions follow the published murmur3 vectors', (t) => {
  // MurmurHash3 x86 32-bit, seed 0: '' → 0, 'test' → 0xba6bd213, 'Hello, world!' → 0xc0363e43
  const partition = hashPartitioner(Row, ['a'], 1_000);
  t.equal(partition(row('')), 0);
  t.equal(partition(row('test')), (0xba6bd213 & 0x7fffffff) % 1_000);
  t.equal(partition(row('Hello, world!')), (0xc0363e43 & 0x7fffffff) % 1_000);
  t.end();
});

await t.test('a partition depends on the key fields alone, not on earlier rows', (t) => {
  const shared = hashPartitioner(Row, ['a', 'b'], 64);
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.option(fc.string({ maxLength: 300 })),
      fc.double(),
      (a, b, n) => {
        const p = shared(row(a, b, n));
        return p === hashPartitioner(Row, ['a', 'b'], 64)(row(a, b, 0)) && p >= 0 && p < 64;
      },
    ),
  );
  t.not(shared(row('x', 'yz')), shared(row('xy', 'z')), 'parts do not run together');
  t.end();
});

await t.test('a key that cannot be is refused', (t) => {
  for (const key of [[], ['missing'], ['raw']])
    t.throws(() => hashPartitioner(Row, key, 4), { code: 'MR_CONFIG_INVALID' });
  t.end();
});
