import { DeadLetter, deadLetterTopic, type PartitionLog } from '#engine';
import { Reading } from '../../jobs/device-telemetry/reading.ts';
import { readTopic } from '../../operators/testing/read-topic.ts';
import { type Recount, recount } from './recount.ts';
import {
  type ChecksumVerdict,
  type LakeVerdict,
  verifyLakeChecksums,
  verifyLakeRows,
} from './verify-lake.ts';
import {
  compareWindows,
  differingWindows,
  storedInPostgres,
  storedInRedis,
  type WindowVerdict,
} from './verify-windows.ts';
import type { Workload } from './workload.ts';

export interface Leavings {
  readonly workload: Workload;
  readonly log: PartitionLog;
  readonly redisUrl: string;
  readonly postgresUrl: string;
  readonly warehouse: string;
}

/** All that was counted, and what of it is not as it must be. */
export interface Findings {
  readonly recount: Recount;
  readonly deadLetters: number;
  readonly postgres: WindowVerdict;
  readonly redis: WindowVerdict;
  readonly differing: number;
  readonly icebird: LakeVerdict;
  readonly duckdb: ChecksumVerdict;
  readonly problems: readonly string[];
}

/** Holds everything that a run has left against the input, made again from its seed. */
export async function verify(leavings: Leavings): Promise<Findings> {
  const { workload, log, redisUrl, postgresUrl, warehouse } = leavings;
  const expected = recount(workload, await readTopic(log, 'telemetry-late', Reading));
  const deadLetters = (await readTopic(log, deadLetterTopic('device-telemetry'), DeadLetter)).length;
  const inPostgres = await storedInPostgres(postgresUrl);
  const inRedis = await storedInRedis(redisUrl, expected.windows.keys());
  const found = {
    recount: expected,
    deadLetters,
    postgres: compareWindows(expected.windows, inPostgres),
    redis: compareWindows(expected.windows, inRedis),
    differing: differingWindows(inPostgres, inRedis),
    icebird: await verifyLakeRows(workload, warehouse),
    duckdb: await verifyLakeChecksums(workload, warehouse),
  };
  return { ...found, problems: problemsOf(found, workload) };
}

function problemsOf(found: Omit<Findings, 'problems'>, { events, partitions }: Workload): readonly string[] {
  const { recount: expected, icebird, duckdb } = found;
  const lakeRows = events + partitions;
  return [
    ...windowProblems('PostgreSQL', found.postgres, expected),
    ...windowProblems('Redis', found.redis, expected),
    ...when(found.differing > 0, `${found.differing} windows differ between PostgreSQL and Redis`),
    ...when(
      expected.lateWrong > 0,
      `${expected.lateWrong} late records are doubled or no input of the windows`,
    ),
    ...when(found.deadLetters > 0, `${found.deadLetters} dead letters, and there must be none`),
    ...when(
      icebird.lost + icebird.doubled + icebird.wrong > 0 || icebird.rows !== lakeRows,
      `the lake has ${icebird.rows} rows of ${lakeRows} by icebird: ${icebird.lost} lost, ${icebird.doubled} doubled, ${icebird.wrong} wrong`,
    ),
    ...when(
      duckdb.differing > 0 || duckdb.rows !== lakeRows,
      `the lake has ${duckdb.rows} rows of ${lakeRows} by DuckDB, ${duckdb.differing} devices differ: ${duckdb.example}`,
    ),
  ];
}

function windowProblems(store: string, verdict: WindowVerdict, { relevant, late }: Recount): string[] {
  const { lost, surplus, wrong, counted, examples } = verdict;
  return [
    ...when(
      lost + surplus + wrong > 0,
      `${store}: ${lost} windows lost, ${surplus} surplus, ${wrong} wrong (${examples.join('; ')})`,
    ),
    ...when(
      counted + late !== relevant,
      `${store}: ${counted} counted + ${late} late are not the ${relevant} records of the input`,
    ),
  ];
}

function when(condition: boolean, problem: string): string[] {
  return condition ? [problem] : [];
}
