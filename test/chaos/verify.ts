import { DeadLetter, deadLetterTopic, type PartitionLog, systemClock } from '#engine';
import { openTimeSeriesReader } from '#sinks';
import { readTopic } from '../../operators/testing/read-topic.ts';
import { duckdb } from '../sinks/iceberg/table-oracles.ts';
import { type Expected, expect, type ExpectedLane, expectedLanes, markName, windowName } from './expected.ts';
import { ChaosEvent, JOB, LAKE, Mark, SERIES, TOPICS, WindowRow, type Workload } from './workload.ts';

export interface Leavings {
  readonly workload: Workload;
  /** Records of each (feeder, lane). */
  readonly due: number;
  readonly log: PartitionLog;
  readonly url: string;
  readonly namespace: string;
  readonly warehouse: string;
}

/** What one place that results go to was found to hold. Rows are windows, marks or records. */
export interface Verdict {
  readonly place: string;
  readonly expected: number;
  readonly found: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly examples: readonly string[];
}

/** Holds everything that a run has left against the input, made again. */
export async function verify(leavings: Leavings): Promise<readonly Verdict[]> {
  const { workload, due, log } = leavings;
  const late = await readTopic(log, TOPICS.late, ChaosEvent);
  const expected = expect(workload, due, late);
  const rows = await readTopic(log, TOPICS.windows, WindowRow);
  const windows = rows.map(
    ({ device, at, count, sum }) => [windowName(device, at), `${count} records, sum ${sum}`] as const,
  );
  const counted = rows.reduce((sum, { count }) => sum + count, 0);
  const marks = (await readTopic(log, TOPICS.marks, Mark)).map(
    ({ device, kind, count, at }) => [markName(device, kind, kind === 'tick' ? at : count), ''] as const,
  );
  const letters = await readTopic(log, deadLetterTopic(JOB), DeadLetter);
  return [
    recounted(expected, counted, late.length),
    compare('windows, exactly once', windowTexts(expected), windows),
    compare('windows, time series', windowTexts(expected), await storedSeries(leavings, expected)),
    compare('state and timers', new Map([...expected.marks].map((name) => [name, ''])), marks),
    verdictOfLanes(expected.lanes, await storedLanes(leavings.warehouse)),
    { ...NOTHING, place: 'dead letters', found: letters.length, wrong: letters.length },
  ];
}

/** What the lake must hold when nothing is under way: every record that is due, once. */
export async function verifyLake(workload: Workload, due: number, warehouse: string): Promise<Verdict> {
  return verdictOfLanes(expectedLanes(workload, due), await storedLanes(warehouse));
}

export function isRight({ lost, doubled, wrong }: Verdict): boolean {
  return lost + doubled + wrong === 0;
}

const NOTHING = { expected: 0, found: 0, lost: 0, doubled: 0, wrong: 0, examples: [] } as const;
const EXAMPLES_MAX = 5;

/** Records, not windows: each is counted by one window or shown as late. */
function recounted({ windowed, late, lateWrong }: Expected, counted: number, lateRows: number): Verdict {
  const found = counted + lateRows;
  return {
    ...NOTHING,
    place: 'records, in windows or late',
    expected: windowed,
    found,
    lost: Math.max(0, windowed - found),
    doubled: Math.max(0, found - windowed),
    wrong: lateWrong,
    examples: [`${counted} counted, ${late} late`],
  };
}

function windowTexts({ windows }: Expected): ReadonlyMap<string, string> {
  return new Map([...windows].map(([name, { count, sum }]) => [name, `${count} records, sum ${sum}`]));
}

/** Rows by name and content. A row under a name that is not expected, or with other content, is wrong. */
export function compare(
  place: string,
  expected: ReadonlyMap<string, string>,
  rows: readonly (readonly [name: string, text: string])[],
): Verdict {
  const seen = new Set<string>();
  const examples: string[] = [];
  let [doubled, wrong] = [0, 0];
  for (const [name, text] of rows) {
    const wanted = expected.get(name);
    if (seen.has(name)) doubled++;
    else if (wanted !== text) wrong++;
    else {
      seen.add(name);
      continue;
    }
    const what = seen.has(name) ? 'is there again' : `must be ${wanted ?? 'not there'}`;
    if (examples.length < EXAMPLES_MAX) examples.push(`${name} (${text}) ${what}`);
    seen.add(name);
  }
  let lost = 0;
  for (const name of expected.keys()) {
    if (seen.has(name)) continue;
    lost++;
    if (examples.length < EXAMPLES_MAX) examples.push(`${name} is missing`);
  }
  return { place, expected: expected.size, found: rows.length, lost, doubled, wrong, examples };
}

async function storedSeries({ url, namespace }: Leavings, { windows }: Expected) {
  const reader = await openTimeSeriesReader({ url, namespace, clock: systemClock });
  try {
    const devices = new Set([...windows.keys()].map((name) => name.slice(0, name.indexOf('@'))));
    for (const key of await reader.keys(SERIES, Number.MAX_SAFE_INTEGER)) devices.add(key);
    const rows: (readonly [string, string])[] = [];
    for (const device of devices) {
      const query = { name: SERIES, key: device, from: 0, to: 8.64e15, pointsMax: 10_000_000 };
      for (const { start, values } of await reader.range(query))
        rows.push([windowName(device, start), `${values['count']} records, sum ${values['sum']}`]);
    }
    return rows;
  } finally {
    await reader.close();
  }
}

interface StoredLane extends ExpectedLane {
  /** Different `n`, and the highest. */
  readonly distinct: number;
  readonly last: number;
  /** Rows whose model is not their device's. */
  readonly wrongModels: number;
}

async function storedLanes(warehouse: string): Promise<readonly StoredLane[]> {
  // The model of a device follows from its number, in SQL as in modelOf.
  const number = `CAST(regexp_extract(device, '([0-9]+)$', 1) AS BIGINT)`;
  const model = `CASE WHEN ${number} % 7 = 3 THEN NULL ELSE 'model-' || CAST(${number} % 5 AS VARCHAR) END`;
  const rows = await duckdb(
    warehouse,
    LAKE,
    `SELECT feeder, lane, CAST(count(*) AS DOUBLE) AS row_count, CAST(count(DISTINCT n) AS DOUBLE) AS distinct_n, max(n) AS last_n,
      CAST(sum("value") AS DOUBLE) AS value_sum, CAST(sum(epoch_ms("at") % 9973) AS DOUBLE) AS time_sum,
      CAST(count(*) FILTER (model IS DISTINCT FROM ${model}) AS DOUBLE) AS wrong_models FROM lake GROUP BY feeder, lane`,
  );
  return rows.map((row) => ({
    feeder: Number(row['feeder']),
    lane: Number(row['lane']),
    rows: Number(row['row_count']),
    distinct: Number(row['distinct_n']),
    last: Number(row['last_n']),
    valueSum: Number(row['value_sum']),
    timeSum: Number(row['time_sum']),
    wrongModels: Number(row['wrong_models']),
  }));
}

function verdictOfLanes(lanes: readonly ExpectedLane[], stored: readonly StoredLane[]): Verdict {
  const examples: string[] = [];
  let [lost, doubled, wrong] = [0, 0, 0];
  for (const lane of lanes) {
    const found = stored.find((one) => one.feeder === lane.feeder && one.lane === lane.lane);
    if (found === undefined) {
      lost += lane.rows;
      continue;
    }
    lost += lane.rows - Math.min(lane.rows, found.distinct);
    doubled += found.rows - found.distinct;
    const once = found.rows === lane.rows && found.distinct === lane.rows;
    const differs = once && (found.valueSum !== lane.valueSum || found.timeSum !== lane.timeSum);
    wrong += found.wrongModels + Math.max(0, found.last - lane.rows) + (differs ? 1 : 0);
    if (!once || differs) examples.push(`feeder ${lane.feeder}, lane ${lane.lane}: ${JSON.stringify(found)}`);
  }
  const rows = (of: readonly ExpectedLane[]) => of.reduce((sum, lane) => sum + lane.rows, 0);
  return {
    place: 'lake',
    expected: rows(lanes),
    found: rows(stored),
    lost,
    doubled,
    wrong,
    examples: examples.slice(0, EXAMPLES_MAX),
  };
}
