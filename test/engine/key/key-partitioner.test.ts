import fc from 'fast-check';
import t from 'tap';
import { keyGroupRange } from '#engine';
import {
  BatchBuilder,
  bool,
  bytes,
  eventTime,
  f32,
  f64,
  i64,
  type Infer,
  keyPartitioner,
  nullable,
  rowReader,
  schema,
  string,
} from '#wire';
import { hashKey, type Key } from '../../../engine/key/key.ts';
import { keyGroupOf, subtaskOf } from '../../../engine/key/key-group.ts';

const Row = schema('row', {
  ts: eventTime(1),
  a: string(2),
  b: nullable(string(3)),
  n: f64(4),
  narrow: f32(5),
  whole: i64(6),
  flag: bool(7),
  raw: nullable(bytes(8)),
});
type Row = Infer<typeof Row>;
const partitioner = (fields: readonly string[], partitions: number, keyGroups = 128) =>
  keyPartitioner(Row, fields, partitions, keyGroups);

const rows = fc.record({
  ts: fc.nat(),
  a: fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 300 })),
  b: fc.option(fc.string({ unit: 'grapheme' })),
  n: fc.double({ noNaN: true }),
  narrow: fc.double({ noNaN: true, min: -1e30, max: 1e30 }),
  whole: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  flag: fc.boolean(),
  raw: fc.constant(null),
});
const keys = fc.subarray(['a', 'n', 'narrow', 'whole', 'flag', 'ts'], { minLength: 1 });
const sizes = fc.tuple(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 64, max: 1_024 }));

/** The row as a reader of the topic sees it. */
function travelled(row: Row): Row {
  const builder = new BatchBuilder(Row);
  builder.append(row);
  return rowReader(Row)(builder.finish(), 0);
}

await t.test('a row lies in the partition that owns its key group, as the reading job finds the key', (t) => {
  fc.assert(
    fc.property(rows, keys, sizes, (row, fields, [partitions, keyGroups]) => {
      const read = travelled(row) as unknown as Readonly<Record<string, Key>>;
      const parts = fields.map((field) => read[field] as Key);
      const key = (parts.length === 1 ? parts[0] : parts) as Key;
      const group = keyGroupOf(hashKey(key), keyGroups);
      const partition = partitioner(fields, partitions, keyGroups)(row);
      const [first, last] = keyGroupRange(partition, partitions, keyGroups);
      return partition === subtaskOf(group, partitions, keyGroups) && first <= group && group <= last;
    }),
    { numRuns: 500 },
  );
  t.end();
});

await t.test(
  'where parallelism divides the partitions, those of a subtask in order hold just its key groups',
  (t) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 128, max: 1_000 }),
        (parallelism, each, keyGroups) => {
          const partitions = parallelism * each;
          for (let group = 0; group < keyGroups; group++) {
            const reads = subtaskOf(subtaskOf(group, partitions, keyGroups), parallelism, partitions);
            if (reads !== subtaskOf(group, parallelism, keyGroups)) return false;
          }
          return true;
        },
      ),
    );
    t.end();
  },
);

await t.test('the partition of a key is fixed for good', (t) => {
  const row: Row = {
    ts: 7,
    a: 'press-0001',
    b: null,
    n: 20.5,
    narrow: 0.1,
    whole: -5n,
    flag: true,
    raw: null,
  };
  const of = (...fields: readonly string[]) => partitioner(fields, 64, 32_768)(row);
  t.strictSame(
    [of('a'), of('n'), of('narrow'), of('whole'), of('flag'), of('a', 'n'), of('n', 'a')],
    [30, 7, 11, 29, 30, 29, 26],
  );
  t.end();
});

await t.test('a row whose key is no key has a partition all the same, and always the same', (t) => {
  const partition = partitioner(['a', 'b'], 64);
  const row: Row = { ts: 7, a: 'x', b: null, n: 0, narrow: 0, whole: 0n, flag: false, raw: null };
  t.equal(partition(row), partitioner(['a', 'b'], 64)({ ...row, n: 9 }));
  t.not(partition({ ...row, a: 'y' }), partition(row), 'the rest of the key still spreads');
  t.equal(partitioner(['n'], 64)({ ...row, n: Number.NaN }), partitioner(['b'], 64)(row));
  t.end();
});

await t.test('a key that cannot be is refused', (t) => {
  for (const key of [[], ['missing'], ['raw']])
    t.throws(() => partitioner(key, 4), { code: 'MR_CONFIG_INVALID' });
  t.throws(() => partitioner(['a'], 200), { code: 'MR_CONFIG_INVALID' }, 'more partitions than key groups');
  t.throws(() => partitioner(['a'], 1, 40_000), { code: 'MR_CONFIG_INVALID' });
  t.end();
});
