import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { type RowConsumer, RowLoop, type Stage } from '#engine';
import { eventTime, i64, nullable, obj, schema } from '#wire';
import { columnRecords, rowRecords } from '../../support/operator-bench.ts';
import { form, forms, Sample, samples, stages } from '../../support/row-arbitraries.ts';
import { propertyRuns } from '../../support/property-runs.ts';

interface Outcome {
  readonly rows: readonly (readonly [unknown, number])[];
  readonly errors: readonly (readonly [string, unknown, number])[];
}

/** Runs batches through one loop and notes every row that comes through and every error. */
function outcome(
  steps: readonly Stage[],
  interpreted: boolean,
  batches: readonly ReturnType<typeof forms>[],
  refuse: (row: Sample) => boolean = () => false,
): Outcome {
  const rows: [unknown, number][] = [];
  const errors: [string, unknown, number][] = [];
  const consumer: RowConsumer = {
    accept(row, time) {
      if (refuse(row as Sample)) throw new Error('refused');
      rows.push([row, time]);
    },
  };
  const loop = new RowLoop({
    name: 'test',
    stages: steps,
    consumer,
    interpreted,
    onError: (error, row, time) => errors.push([(error as Error).message, row(), time]),
  });
  for (const records of batches) loop.run(records);
  return { rows, errors };
}

void t.test(
  'RL1: generated and interpreted loops do the same, record by record and error by error',
  async () => {
    fc.assert(
      fc.property(
        stages(),
        fc.array(fc.tuple(samples(), form()), { minLength: 1, maxLength: 3 }),
        (steps, input) => {
          const batches = input.map(([rows, how]) => forms(rows, how));
          const refuse = (row: Sample) => row.level === -2;
          return isDeepStrictEqual(
            outcome(steps, false, batches, refuse),
            outcome(steps, true, batches, refuse),
          );
        },
      ),
      { numRuns: propertyRuns(400) },
    );
  },
);

void t.test('columns, selections and rows of the same records give the same', async () => {
  fc.assert(
    fc.property(stages(), samples(), fc.boolean(), (steps, rows, interpreted) => {
      const [asRows, asColumns, asSelection] = (['rows', 'columns', 'selection'] as const).map((how) =>
        outcome(steps, interpreted, [forms(rows, how)]),
      );
      return isDeepStrictEqual(asRows, asColumns) && isDeepStrictEqual(asRows, asSelection);
    }),
    { numRuns: propertyRuns(300) },
  );
});

void t.test('stages do what their names say', async (test) => {
  const steps: Stage[] = [
    { kind: 'filter', run: (n) => (n as number) > 1 },
    { kind: 'map', run: (n) => (n as number) * 10 },
    { kind: 'flatMap', run: (n) => [n, (n as number) + 1] },
    { kind: 'filter', run: (n) => n !== 31 },
  ];
  for (const interpreted of [false, true]) {
    const { rows } = outcome(steps, interpreted, [rowRecords([1, 2, 3], [5, 6, 7])]);
    test.same(rows, [
      [20, 6],
      [21, 6],
      [30, 7],
    ]);
  }
});

void t.test(
  'RL1: a throwing record is reported once with its row and time, and the loop goes on',
  async (test) => {
    const steps: Stage[] = [
      {
        kind: 'map',
        run(n) {
          if ((n as number) % 2 === 1) throw new Error(`odd ${String(n)}`);
          return n;
        },
      },
    ];
    for (const interpreted of [false, true]) {
      const { rows, errors } = outcome(steps, interpreted, [
        rowRecords([1, 2, 3, 3, 4, 5], [10, 20, 30, 31, 40, 50]),
      ]);
      test.same(rows, [
        [2, 20],
        [4, 40],
      ]);
      test.same(errors, [
        ['odd 1', 1, 10],
        ['odd 3', 3, 30],
        ['odd 3', 3, 31],
        ['odd 5', 5, 50],
      ]);
    }
  },
);

void t.test('RL1: an error handler that throws ends the batch there', async (test) => {
  for (const interpreted of [false, true]) {
    const seen: unknown[] = [];
    const loop = new RowLoop({
      name: 'test',
      stages: [],
      interpreted,
      consumer: {
        accept(row) {
          seen.push(row);
          if (row === 2) throw new Error('two');
        },
      },
      onError(error) {
        throw error;
      },
    });
    test.throws(() => loop.run(rowRecords([1, 2, 3], [0, 0, 0])), { message: 'two' });
    test.same(seen, [1, 2]);
  }
});

void t.test('RL2: generated text is shown on request and carries its own source URL', async (test) => {
  const loop = new RowLoop({
    name: 'per-device.0',
    stages: [{ kind: 'filter', run: () => true }],
    consumer: { accept: () => {} },
    interpreted: false,
    onError: () => {},
  });
  const text = loop.source(Sample);
  test.match(text, /sourceURL=millrace-loop-per-device\.0\.sample/);
  test.match(text, /batch\.column\(3\)/);
  test.notMatch(loop.source(null), /columns/);
});

const sampleStep = (run: (row: Sample) => unknown) => run as (row: unknown) => unknown;

/** What stands in the text of a loop over samples. */
function sourceOf(stages: readonly Stage[], generate?: RowConsumer['generate']): string {
  const consumer: RowConsumer = { accept: () => {}, ...(generate === undefined ? {} : { generate }) };
  return new RowLoop({
    name: 'test',
    stages,
    consumer,
    interpreted: false,
    onError: () => {},
  }).source(Sample);
}

void t.test('CF1: closed functions stand in the text, others are called', async (test) => {
  const limit = 2;
  const closed = sourceOf([
    { kind: 'filter', run: sampleStep(({ level }) => level > 2) },
    { kind: 'map', run: sampleStep(({ tenant, level }) => ({ who: tenant, twice: level * 2 })) },
    { kind: 'map', run: (row) => (row as { twice: number }).twice + 1 },
  ]);
  test.notMatch(closed, /filter\d|map\d/);
  test.match(closed, 'if (!(values4[i] > 2)) continue;');
  const called = sourceOf([
    { kind: 'filter', run: sampleStep(({ level }) => level > limit) },
    { kind: 'map', run: sampleStep((row) => ({ ...row, twice: row.level * limit })) },
  ]);
  test.match(called, /filter\d+\({ "level": values4\[i] }\)[^]*map\d+\(row_/);
});

void t.test('CF1: of a mapped row is made what is asked for', async (test) => {
  const map: Stage = {
    kind: 'map',
    run: sampleStep(({ tenant, value, level, ok }) => ({ level, who: tenant, twice: value! * 2, ok })),
  };
  const made = sourceOf([map], (writer, row) => {
    const { codes } = row.columns?.strings('who') ?? {};
    writer.line(`use(${codes}, ${row.field('twice').value}, ${row.cell('twice')}, ${row.cell('gone')});`);
  });
  test.match(made, /use\(codes1, (made_\d+), \1, undefined\)/);
  test.equal(made.match(/\* 2/g)?.length, 1, 'computed once');
  test.notMatch(made, /texts1|values4|values5/, 'looks at no other column');
  const [row] = outcome([map], false, [
    forms([{ ts: 1, tenant: 'a', device: null, value: null, level: 3, ok: null }], 'columns'),
  ]).rows;
  test.same(Object.entries(row?.[0] as object), [
    ['level', 3],
    ['who', 'a'],
    ['twice', 0],
    ['ok', null],
  ]);
});

void t.test('CF2: text that gets too long fails where its function would, asked for or not', async (test) => {
  const double: Stage = {
    kind: 'map',
    run: sampleStep(({ ts, tenant }) => ({ ts, tenant: tenant + tenant })),
  };
  const forget: Stage = { kind: 'map', run: sampleStep(({ ts }) => ({ ts })) };
  const seen: unknown[] = [];
  const note: Stage = {
    kind: 'filter',
    run: sampleStep((row) => seen.push(row.ts)),
  };
  const sample = { device: null, value: null, level: 0, ok: null };
  const records = forms(
    [
      { ...sample, ts: 1, tenant: 'x'.repeat(2 ** 15) },
      { ...sample, ts: 2, tenant: 'y' },
    ],
    'columns',
  );
  for (const interpreted of [false, true]) {
    const steps = [...new Array<Stage>(15).fill(double), note, forget];
    const { rows, errors } = outcome(steps, interpreted, [records]);
    test.same(rows, [[{ ts: 2 }, 2]]);
    test.same(
      errors.map(([message, , time]) => [message, time]),
      [['Invalid string length', 1]],
    );
    test.same(seen.splice(0), [2], 'nothing behind it has run');
  }
});

void t.test('CF2: what operators could throw on, or call into, is left to a call', async (test) => {
  const Cells = schema('cells', { ts: eventTime(1), big: nullable(i64(2)), cell: obj<unknown>(3) });
  type Cells = { ts: number; big: bigint | null; cell: unknown };
  const asNumber = (row: Cells) => (row.big as unknown as number) + 1;
  const asText = (row: Cells) => `${row.cell as string}`;
  const passOn = (row: Cells) => ({ big: row.big, cell: row.cell, isOne: row.big === row.cell });
  const records = columnRecords(Cells, [
    { ts: 1, big: 7n, cell: { n: 1 } },
    { ts: 2, big: null, cell: [2] },
  ]);
  for (const run of [asNumber, asText, passOn] as unknown as ((row: unknown) => unknown)[]) {
    const stages: Stage[] = [
      { kind: 'map', run },
      { kind: 'filter', run: (row) => row !== 1 },
    ];
    const [got, expected] = [false, true].map((interpreted) => outcome(stages, interpreted, [records]));
    test.strictSame(got, expected, String(run));
    if (run === (asNumber as unknown)) test.equal(got?.errors.length, 1);
  }
  const unasked = (row: Cells) => ({ ts: row.ts, more: (row.big as unknown as number) + 1 });
  const forget = ({ ts }: { readonly ts: number }) => ({ ts });
  const stages = [unasked, forget].map((run) => ({ kind: 'map', run: run as (row: never) => unknown }));
  const { rows, errors } = outcome(stages as Stage[], false, [records]);
  test.same([rows, errors.length], [[[{ ts: 2 }, 2]], 1]);
});
