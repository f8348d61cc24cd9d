import t from 'tap';
import { rowFrames } from '../../benchmarks/row-frames.ts';
import { runDataflow, type Dataflow } from '../../benchmarks/riot/engine.ts';
import { recount } from '../../benchmarks/riot/recount.ts';
import { ResultSum } from '../../benchmarks/riot/result-sum.ts';
import { OBSERVED, SenmlRow } from '../../benchmarks/riot/senml.ts';
import {
  findSample,
  readSample,
  registryOf,
  riotInput,
  SAMPLE,
  seededRows,
} from '../../benchmarks/riot/workload.ts';

const DATAFLOWS: readonly Dataflow[] = ['etl', 'stats'];
const sample = findSample();

/** A pack of one sensor, in range but for what is said. */
function row(message: number, source: string, temperature: number): SenmlRow {
  const values = [temperature, 50, 100, 200, 20];
  const e = [
    { u: 'string', n: 'source', sv: source },
    { u: 'lon', n: 'longitude', v: '6.1' },
    { u: 'lat', n: 'latitude', v: '46.2' },
    ...OBSERVED.map(({ name, unit }, i) => ({ v: String(values[i]), u: unit, n: name })),
  ];
  return { at: 1_000 + message, message, pack: JSON.stringify({ e, bt: 1_000 + message }) };
}

void t.test('ETL fills in what is out of range, annotates, and drops who is not registered', async (test) => {
  const registry = new Map([['s1', 'city-1,kit-2']]);
  const rows = [row(0, 's1', 10), row(1, 's1', 20), row(2, 's1', 99), row(3, 'stranger', 10)];
  const entry = (temperature: string) => [
    { n: 'source', u: 'string', sv: 's1' },
    { n: 'longitude', u: 'lon', v: '6.1' },
    { n: 'latitude', u: 'lat', v: '46.2' },
    { n: 'temperature', u: 'far', v: temperature },
    { n: 'humidity', u: 'per', v: '50' },
    { n: 'light', u: 'per', v: '100' },
    { n: 'dust', u: 'per', v: '200' },
    { n: 'airquality_raw', u: 'per', v: '20' },
    { n: 'location', u: 'string', sv: 'city-1' },
    { n: 'type', u: 'string', sv: 'kit-2' },
  ];
  const expected = new ResultSum();
  for (const [i, temperature] of ['10', '20', '15'].entries())
    expected.add(JSON.stringify({ bt: 1_000 + i, e: entry(temperature) }));
  const { rows: published, checksum } = await runDataflow(
    'etl',
    [...rowFrames(SenmlRow, rows, 'riot')],
    4,
    registry,
  );
  test.same([published, checksum], [3, expected.checksum]);
});

void t.test('STATS publishes averages, predictions, moments and distinct counts', async (test) => {
  const rows = Array.from({ length: 12 }, (_, i) => row(i, 's1', 20));
  const { rows: published } = await runDataflow(
    'stats',
    [...rowFrames(SenmlRow, rows, 'riot')],
    12,
    new Map([['s1', 'city-1,kit-2']]),
  );
  // Of each type: one block of ten, predictions from the eleventh value on, and the other two with every value.
  test.equal(published, OBSERVED.length * (1 + 2 + 12 + 12));
});

for (const dataflow of DATAFLOWS) {
  void t.test(`${dataflow} publishes what a recount by plain loops says`, async (test) => {
    // Fifty messages of each sensor: blocks and regressions need more than ten.
    const rows = [...seededRows(2_000, 7, 40)];
    const frames = [...rowFrames(SenmlRow, rows, 'riot')];
    const registry = registryOf(rows.map(({ pack }) => /"sv":"(\w+)"/.exec(pack)?.[1] ?? ''));
    await agree(test, dataflow, frames, rows.length, registry);
  });

  void t.test(
    `${dataflow} of RIoTBench's own sample does, too`,
    { skip: sample === null ? `the sample is not at ${SAMPLE}` : false },
    async (test) => {
      const path = sample as string;
      const events = readSample(path).length * 4;
      const { file, registry } = riotInput({ events, seed: 1, sample: path }, test.testdir());
      await agree(test, dataflow, file.frames(), events, registry);
    },
  );
}

async function agree(
  test: Pick<typeof t, 'same' | 'ok'>,
  dataflow: Dataflow,
  frames: readonly Uint8Array[],
  events: number,
  registry: ReadonlyMap<string, string>,
): Promise<void> {
  const expected = new ResultSum();
  recount(dataflow, frames, registry, expected);
  const { rows, checksum } = await runDataflow(dataflow, frames, events, registry);
  test.same({ rows, checksum }, { rows: expected.rows, checksum: expected.checksum });
  test.ok(rows > 0);
}

void t.test('a checksum tells one value from another, and not their order', async (test) => {
  const sumOf = (...values: readonly number[]) => {
    const sum = new ResultSum();
    for (const value of values) sum.add({ kind: 'moment', sensor: 's', type: 't', values: [value] });
    return sum.checksum;
  };
  test.equal(sumOf(1, 2), sumOf(2, 1));
  test.not(sumOf(1, 2), sumOf(1, 2 + Number.EPSILON * 2));
});
