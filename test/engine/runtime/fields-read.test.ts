import t from 'tap';
import { fieldsRead } from '../../../engine/runtime/fields-read.ts';
import type { RowFunction } from '../../../engine/runtime/function-node.ts';

interface Row {
  a: number;
  b: number;
  c: { d: number };
  'e-f': string;
}
const read = (run: RowFunction) => {
  const fields = fieldsRead(run);
  return fields === null ? null : [...fields].toSorted();
};
const methods = {
  two(this: void, { a }: Row, b: Pick<Row, 'b'>, { c } = b as Row) {
    return a + c.d;
  },
  ['comp' + 'uted'](this: void, row: Row) {
    return row.c.d;
  },
  async later(this: void, { a }: Row) {
    return a;
  },
  whole(this: void, row: Row) {
    return [row];
  },
};
class Methods {
  sum(this: void, row: Row) {
    return row.a + row.b;
  }
}
const outside = { row: { a: 1 }, use: (_: unknown) => 1 };

void t.test('FR1: what a function reads of its row is found in its text', async (test) => {
  const told: readonly (readonly [RowFunction, readonly string[]])[] = [
    [(row: Row) => row.a, ['a']],
    [(row: Row) => row.a > 1 && row.b < 2, ['a', 'b']],
    [(row: Row) => (row as { a: number }).a, ['a']],
    [(row: Row | null) => row?.a, ['a']],
    [(row: Row) => row['e-f'].length, ['e-f']],
    [(row: Row) => row.c.d, ['c']],
    [(row: Row) => ({ a: row.a, row: row.b }), ['a', 'b']],
    [(row: Row) => outside.use(row.a) + outside.row.a, ['a']],
    [(row: Row) => [1, 2].map((n) => n * row.b), ['b']],
    [(row: Row, b = row.b) => row.a + b, ['a', 'b']],
    [({ a, b }: Row) => a + b, ['a', 'b']],
    [({ a: x = 2, c: { d } }: Partial<Row> & Pick<Row, 'c'>) => x + d, ['a', 'c']],
    [({ 'e-f': text }: Row) => ({ ...outside.row, text }), ['e-f']],
    [() => true, []],
    [(_row: Row) => 7, []],
    // oxlint-disable-next-line prefer-arrow-callback -- is what is tested
    [
      function named(row: Row) {
        const { length } = row['e-f'];
        return row.a + length;
      },
      ['a', 'e-f'],
    ],
    [
      (row: Row) => {
        const {
          a,
          c: { d },
          'e-f': text = `${row.b}`,
        } = row as Omit<Row, 'e-f'> & { 'e-f'?: string };
        return a + d + text;
      },
      ['a', 'b', 'c', 'e-f'],
    ],
    [methods.two, ['a']],
    [methods['computed'] as RowFunction, ['c']],
    [methods.later as RowFunction, ['a']],
    [Methods.prototype.sum, ['a', 'b']],
  ];
  for (const [run, fields] of told) test.strictSame(read(run), fields, String(run));
});

void t.test('FR1: a row that is used in any other way is needed whole', async (test) => {
  const whole: readonly RowFunction[] = [
    (row: Row) => ({ ...row }),
    (row: Row) => row,
    (row: Row) => [row],
    (row: Row) => ({ row }),
    (row: Row) => outside.use(row),
    (row: Row) => JSON.stringify(row),
    (row: Row) => Object.keys(row).length + row.a,
    (row: Row) => `${row as unknown as string}`,
    (row: Row, name = row) => name.a,
    (row: Row) => row[outside.row.a as unknown as 'a'],
    (row: Row) => (row.a = 1),
    (row: Row) => row.a++,
    (row: Row) => delete (row as Partial<Row>).a,
    (row: Partial<Row> | null) => delete row?.a,
    (row: Row) => ([row.a] = [1]),
    (row: Row) => {
      for (row.a of [1, 2]);
      return row.b;
    },
    (row: { a: () => number }) => row.a(),
    (row: { a: (text: unknown) => number }) => row.a`x`,
    (row: Row) => {
      const { a, ...rest } = row;
      return outside.use(rest) + a;
    },
    (row: Row) => {
      const all = row;
      return all.a;
    },
    (row: Row) => {
      const { a, b = outside.use(row) } = row as Partial<Record<'a' | 'b', unknown>>;
      return [a, b];
    },
    (row: Row) => {
      let a = 0;
      ({ a } = row);
      return a;
    },
    (row: Row) => ((row: Row) => row.b)(outside.row as Row) + row.a,
    ({ a, ...rest }: Row) => outside.use(rest) + a,
    // oxlint-disable-next-line typescript/no-useless-default-assignment -- is what is tested
    (row: Partial<Row> = {}) => row.a,
    (...rows: Row[]) => rows[0]?.a,
    ({ [outside.row.a as unknown as 'a']: a }: Row) => a,
    // oxlint-disable-next-line no-eval -- is what is tested
    (row: Row) => row.a + Number(eval('row.b')),
    function (row: Row) {
      // oxlint-disable-next-line prefer-rest-params -- is what is tested
      return row.a + arguments.length;
    },
    Math.abs as RowFunction,
    ((row: Row) => row.a).bind(null),
    { method: (row: Row) => row }.method,
    methods.whole,
    new Proxy((row: Row) => row.a, {}),
    class {} as unknown as RowFunction,
  ];
  for (const run of whole) test.equal(read(run), null, String(run));
});
