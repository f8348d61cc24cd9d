import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBenchRedis } from '../bench-redis.ts';
import { median } from '../median.ts';
import { machineText } from '../versus/finish-report.ts';
import { CONNECTIONS, load, type LoadResult } from './autocannon.ts';

export interface HttpOptions {
  /** Of each measurement. */
  readonly seconds: number;
  readonly runs: number;
  /** File for all runs. */
  readonly json?: string;
  /** Default: standard output. */
  readonly print?: (line: string) => void;
}

export interface HttpOutcome extends LoadResult {
  readonly path: string;
  /** Of the server while it was asked. */
  readonly cpuMs: number;
}

export const HTTP_HELP = `  http                  the admin API of the running device telemetry job, asked by autocannon
    --seconds <n>       of each measurement, default 10, at most 600; ${CONNECTIONS} connections on loopback
    --runs <n>          default 3
`;

const SECONDS_MAX = 600;
const WARM_UP_SECONDS_MAX = 2;
const PATHS = ['/api/v1/jobs', '/api/v1/jobs/device-telemetry', '/api/v1/jobs/device-telemetry/checkpoints'];

/** Asks for every path in turn, round after round, of a server in a process of its own. @throws when a request is not answered with 2xx */
export async function runHttp(options: HttpOptions): Promise<readonly HttpOutcome[]> {
  const { seconds, runs, json } = options;
  if (seconds > SECONDS_MAX) throw new Error(`A measurement lasts ${SECONDS_MAX} s at most.`);
  const print = options.print ?? ((line: string) => process.stdout.write(`${line}\n`));
  print(`HTTP: ${CONNECTIONS} connections for ${seconds} s each. Node ${process.version}, ${machineText()}`);
  print('The bound on requests of the admin API is lifted.');
  const outcomes: HttpOutcome[] = [];
  for (let round = 1; round <= runs; round++) {
    for (const outcome of await askAll(seconds)) {
      outcomes.push(outcome);
      print(`round ${round}  ${outcome.path}: ${(outcome.requests / outcome.seconds).toFixed(0)} requests/s`);
    }
  }
  for (const line of httpTable(outcomes)) print(line);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(outcomes, null, 2)}\n`);
  return outcomes;
}

async function askAll(seconds: number): Promise<readonly HttpOutcome[]> {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-http-'));
  const redis = await startBenchRedis(dir);
  const server = fork(join(import.meta.dirname, 'admin-process.ts'), [redis.url, dir]);
  const exited = once(server, 'exit');
  const said = async () => {
    const [what] = (await Promise.race([once(server, 'message'), exited.then(endedEarly)])) as [number];
    return what;
  };
  const cpuMs = () => {
    server.send('cpu');
    return said();
  };
  try {
    const port = await said();
    const outcomes: HttpOutcome[] = [];
    for (const path of PATHS) {
      const url = `http://127.0.0.1:${port}${path}`;
      await load(url, Math.min(seconds, WARM_UP_SECONDS_MAX));
      const before = await cpuMs();
      const result = await load(url, seconds);
      if (result.requests === 0) throw new Error(`${url} gave no answer in ${seconds} s.`);
      outcomes.push({ ...result, path, cpuMs: (await cpuMs()) - before });
    }
    return outcomes;
  } finally {
    if (server.connected) server.disconnect();
    await exited;
    await redis.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function endedEarly(): never {
  throw new Error('The server has ended.');
}

/** Medians of all runs. */
export function httpTable(outcomes: readonly HttpOutcome[]): readonly string[] {
  const rows = [...Map.groupBy(outcomes, ({ path }) => path)].map(([path, runs]) => {
    const middle = (of: (run: HttpOutcome) => number) => median(runs.map(of));
    const cells = [
      path,
      middle((run) => run.requests / run.seconds).toFixed(0),
      middle((run) => run.p50Ms),
      middle((run) => run.p99Ms),
      middle((run) => (run.cpuMs * 1_000) / run.requests).toFixed(0),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '',
    '| path | requests/s | p50, whole ms | p99 | server CPU µs per request |',
    '|---|---|---|---|---|',
    ...rows,
  ];
}
