import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { type RowConsumer, RowLoop, type Stage } from '#engine';
import { rowRecords } from '../../support/operator-bench.ts';
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
