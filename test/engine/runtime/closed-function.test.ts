import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import {
  closedFields,
  closedResult,
  type ClosedText,
  type Holds,
  type ReadableRow,
} from '../../../engine/runtime/closed-function.ts';
import type { RowFunction } from '../../../engine/runtime/function-node.ts';
import { propertyRuns } from '../../support/property-runs.ts';

/** A row of columns; `o` and `big` hold what operators may not touch. */
interface Row {
  readonly n: number;
  readonly m: number | null;
  readonly s: string;
  readonly r: string | null;
  readonly b: boolean;
  readonly o: unknown;
  readonly big: bigint;
  readonly 'e-f': number;
  readonly undefined?: number;
}
const HOLDS: Readonly<Record<string, Holds>> = {
  n: 'number',
  m: 'number',
  s: 'text',
  r: 'text',
  b: 'number',
  o: 'any',
  big: 'any',
  'e-f': 'number',
  undefined: 'number',
};
const columns: ReadableRow = {
  holds: (name) => (Object.hasOwn(HOLDS, name) ? (HOLDS[name] as Holds) : null),
  cell: (name) => `row[${JSON.stringify(name)}]`,
};
const rows: readonly Row[] = [
  { n: 1, m: null, s: 'a', r: null, b: true, o: { x: 1 }, big: 1n, 'e-f': 0, undefined: 5 },
  { n: -0, m: Number.NaN, s: '', r: '10', b: false, o: null, big: 0n, 'e-f': 1e21, undefined: 0 },
  { n: 0.1, m: -7, s: '10', r: 'ä`${s}`\\', b: false, o: [], big: -9n, 'e-f': -3, undefined: Number.NaN },
];

/** What the text gives for a row. */
function valueOf(closed: ClosedText, row: Row): unknown {
  // oxlint-disable-next-line typescript/no-implied-eval -- is what is tested
  return (new Function('row', `return ${closed.text()};`) as (row: Row) => unknown)(row);
}

const outside = { limit: 3, use: (value: unknown) => value };
let counter = 0;

void t.test('CF1: a closed function is an expression of fields, which gives what it gives', async (test) => {
  const closed: readonly RowFunction[] = [
    (row: Row) => row.n,
    (row: Row) => row['e-f'],
    (row: Row) => row.n > 1e-1 && row.s !== 'a',
    (row: Row) => ((row.m ?? -1_000) * 2 ** -row.n) % 3,
    (row: Row) => (-row.n) ** 2 - -row.n - +(row.r as string),
    (row: Row) => (row.n && row.s) || row.r,
    (row: Row) => (row.b ? row.s : row.m === null ? null : 'other "quoted" \u2028'),
    (row: Row) => row.s + row.n + row.m,
    (row: Row) => row.n + (row.m as number) + 1,
    (row: Row) => `${row.s}/${row.m}\n\`\${row.n}${row.b}`,
    (row: Row) => typeof row.o,
    (row: Row) => !row.o || row.o === row.big,
    (row: Row) => row.o ?? row.big,
    (row: Row) => ~row.n | (row.n << 2) | (row['e-f'] >>> 1),
    (row: Row) => (row.s as unknown) == row.n || row.r! < row.s,
    ({ n, s: text }: Row) => (n ? text : n),
    ({ n: s, s: n }: Row) => n + s,
    // oxlint-disable-next-line no-shadow-restricted-names -- is what is tested
    ({ undefined }: Row) => undefined,
    // oxlint-disable-next-line prefer-arrow-callback -- is what is tested
    [
      function named(row: Row) {
        return /* of it */ row.n * 0.5; // and no more
      },
    ][0] as RowFunction,
    {
      method(this: void, row: Row) {
        return row.n === 1;
      },
    }.method,
    () => true,
    (_row: Row) => 7,
  ];
  for (const run of closed) {
    const found = closedResult(run, columns);
    if (found === null) test.fail(`closed: ${String(run)}`);
    else
      for (const row of rows)
        test.strictSame(valueOf(found, row), (run as (row: Row) => unknown)(row), String(run));
  }
});

void t.test('CF1 CF2: what is not certainly closed is called', async (test) => {
  const called: readonly RowFunction[] = [
    (row: Row) => row.n > outside.limit,
    (row: Row) => row.n === counter,
    (row: Row) => outside.use(row.n),
    (row: Row) => Math.abs(row.n),
    (row: Row) => (row.m === undefined ? 1 : 2),
    (row: Row) => row.n > Number.MAX_VALUE,
    (row: Row) => row,
    (row: Row) => row.s.length,
    (row: Row) => row.s.startsWith('a'),
    (row: Row) => (row.o as { x: number }).x,
    (row: Row) => (row.o as { x: number } | null)?.x,
    (row: Row) => (row as Row | null)?.n,
    (row: Row) => `${row.o as string}`,
    (row: Row) => `${row.big}`,
    (row: Row) => (row.o as number) + 1,
    (row: Row) => -(row.o as number),
    (row: Row) => (row.o as number) > 1,
    (row: Row) => (row.o as number) == 1,
    (row: Row) => row.big + row.big,
    (row: Row) => ((row.b ? row.big : row.n) as number) * 2,
    (row: Row) => row.n === (5n as unknown),
    (row: Row) => (/a/ as unknown) === row.o,
    (row: Row) => 'x' in (row.o as object),
    (row: Row) => (row.o as object) instanceof Object,
    (row: Row) => [row.n],
    (row: Row) => [row.n, row.s],
    (row: Row) => ({ n: row.n }),
    (row: Row) => row[row.s as 'n'],
    (row: Row) => (row as unknown as { toString: unknown }).toString,
    (row: Row) => (row as unknown as { gone: number }).gone,
    (row: Row) => (row as unknown as { __proto__: unknown }).__proto__,
    (row: Row) => (counter++, row.n),
    (row: Row) => (counter = row.n),
    (row: { n: number }) => row.n++,
    (row: { n: number }) => (row.n = 1),
    (row: { n?: number }) => delete row.n,
    (row: Row) => void row.n,
    (row: Row) => ((n: number) => n)(row.n),
    (row: Row) => String.raw`${row.s}`,
    (row: Row) => new Date(row.n),
    function (this: unknown, row: Row) {
      return this === row.o;
    },
    function (row: Row) {
      // oxlint-disable-next-line prefer-rest-params -- is what is tested
      return arguments.length === row.n;
    },
    (row: Row, other: unknown = 1) => row.n === other,
    (row: Row, _other: unknown) => row.n,
    (...all: Row[]) => all.length,
    ({ n = 1 }: Partial<Row>) => n,
    ({ n, ...rest }: Row) => rest.m === n,
    ({ o: { x } }: { o: { x: number } }) => x,
    ({ [outside.limit]: n }: Record<number, unknown>) => n,
    ({ s }: Row) => s.length,
    // oxlint-disable-next-line typescript/no-useless-default-assignment -- is what is tested
    (row: Partial<Row> = {}) => row.n,
    async (row: Row) => row.n,
    function* (row: Row) {
      yield row.n;
    },
    (row: Row) => {
      const { n } = row;
      return n;
    },
    (row: Row) => {
      counter++;
      return row.n;
    },
    () => {},
    Math.abs as RowFunction,
    ((row: Row) => row.n).bind(null),
    new Proxy((row: Row) => row.n, {}),
    class {} as unknown as RowFunction,
  ];
  for (const run of called) test.equal(closedResult(run, columns), null, String(run));
  test.equal(counter, 0, 'nothing was run');
});

void t.test('CF1: the fields of a literal, in its order', async (test) => {
  const run = ({ n, s, o }: Row) => ({ s, 'x-y': n * 2, o, n: s, '1': 'one' });
  const fields = closedFields(run, columns);
  test.same(
    [...(fields ?? [])].map(([name, { field }]) => [name, field]),
    [
      ['s', 's'],
      ['x-y', null],
      ['o', 'o'],
      ['n', 's'],
      ['1', null],
    ],
  );
  for (const [name, closed] of fields ?? [])
    for (const row of rows)
      test.strictSame(valueOf(closed, row), (run(row) as Readonly<Record<string, unknown>>)[name]);
  const inBlock = closedFields((row: Row) => {
    return { n: row.n };
  }, columns);
  test.same([...(inBlock?.keys() ?? [])], ['n']);
  const proto: unknown = { x: 1 };
  const called: readonly RowFunction[] = [
    (row: Row) => ({ ...row, n: row.n }),
    (row: Row) => ({ n: row.n, [row.s]: 1 }),
    (row: Row) => ({ n: row.n, at: { n: row.n } }),
    (row: Row) => ({ n: row.n, list: [row.n] }),
    (row: Row) => ({ n: row.n, of: outside.limit }),
    (row: Row) => ({ n: row.n, proto }),
    (row: Row) => ({ __proto__: row.o, n: row.n }),
    (row: Row) => ({ __proto__: row.o, n: row.n }),
    (row: Row) => ({
      get n() {
        return row.n;
      },
    }),
    (row: Row) => ({
      n() {
        return row.n;
      },
    }),
    (row: Row) => ({ 1: row.n }),
    (row: Row) => ({ n: (row as unknown as { gone: number }).gone }),
    (row: Row) => row,
    (row: Row) => row.n,
    // oxlint-disable-next-line no-eval -- two of a name are an error of type
    (0, eval)('(row) => ({ n: row.n, n: row.s })') as RowFunction,
  ];
  for (const each of called) test.equal(closedFields(each, columns), null, String(each));
});

void t.test('CF2: only text can be too long, and says so', async (test) => {
  const mayThrow = (run: RowFunction) => closedResult(run, columns)?.mayThrow;
  test.equal(
    mayThrow((row: Row) => row.n + (row.m as number)),
    false,
  );
  test.equal(
    mayThrow((row: Row) => row.s < (row.r as string)),
    false,
  );
  test.equal(
    mayThrow((row: Row) => row.s + row.n),
    true,
  );
  test.equal(
    mayThrow((row: Row) => `${row.s}`),
    true,
  );
  test.equal(
    mayThrow((row: Row) => (row.b ? !(row.s + row.n) : false)),
    true,
  );
});

const FIELDS = ['n', 'm', 's', 'r', 'b', 'o', 'big', 'e-f'] as const;
const OPERATORS = '+ - * / % ** & | ^ << >> >>> < > <= >= == != === !== && || ??'.split(' ');

/** Text of an expression; many are not closed, since they touch `o` or `big`. */
const { expression } = fc.letrec<{ expression: string; leaf: string; node: string }>((tie) => ({
  expression: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('leaf'), tie('node')),
  leaf: fc.oneof(
    fc.constantFrom(...FIELDS).map((name) => (name === 'e-f' ? "row['e-f']" : `row.${name}`)),
    fc.constantFrom('0', '1.5', '1_0', '0x1f', '"t"', "'1'", 'true', 'null', '-1'),
  ),
  node: fc.oneof(
    fc
      .tuple(tie('expression'), fc.constantFrom(...OPERATORS), tie('expression'))
      .map(([a, operator, b]) => `((${a}) ${operator} (${b}))`),
    fc.tuple(fc.constantFrom('!', '-', '+', '~', 'typeof '), tie('expression')).map(([o, a]) => `${o}(${a})`),
    fc
      .tuple(tie('expression'), tie('expression'), tie('expression'))
      .map(([a, b, c]) => `((${a}) ? ${b} : ${c})`),
    fc.tuple(tie('expression'), tie('expression')).map(([a, b]) => `\`<\${${a}}\${${b}}>\``),
  ),
}));

void t.test(
  'CF1 CF2: whatever is found closed gives what the function gives, and throws nothing',
  async () => {
    fc.assert(
      fc.property(expression, (text) => {
        // oxlint-disable-next-line no-eval -- a function whose text is made up
        const run = (0, eval)(`(row) => ${text}`) as (row: Row) => unknown;
        const closed = closedResult(run, columns);
        if (closed === null) return true;
        return rows.every((row) => {
          const [got, expected] = [valueOf(closed, row), run(row)];
          const holds =
            closed.holds === 'any' ||
            got == null ||
            ['number', 'boolean'].includes(typeof got) ||
            (closed.holds === 'text' && typeof got === 'string');
          return holds && isDeepStrictEqual(got, expected);
        });
      }),
      { numRuns: propertyRuns(2_000) },
    );
  },
);
