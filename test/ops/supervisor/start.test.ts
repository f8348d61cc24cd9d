import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { seriesKeyText } from '#sinks';
import type { JobStatus } from '../../../engine/coordinator/job-status.ts';
import { promtool } from '../support/promtool.ts';

const MAIN = join(import.meta.dirname, '..', '..', '..', 'ops', 'main.ts');
const directory = await mkdtemp(join(tmpdir(), 'mr-start-'));
t.teardown(() => rm(directory, { recursive: true, force: true }));

interface Started {
  readonly child: ChildProcess;
  readonly exit: Promise<unknown[]>;
  readonly said: () => string;
}

function start(env: Record<string, string> = {}): Started {
  const child = spawn(process.execPath, [MAIN], {
    env: { ...process.env, REDIS_URL: '', MILLRACE_DIR: directory, PORT: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
  t.teardown(() => child.kill('SIGTERM'));
  return { child, exit: once(child, 'exit'), said: () => said };
}

/** Asks until there is an answer; a fleet's first windows take their 10 s. */
async function until<T>(what: string, msMax: number, ask: () => Promise<T | null>): Promise<T> {
  const deadline = performance.now() + msMax;
  for (;;) {
    const answer = await ask().catch(() => null);
    if (answer !== null) return answer;
    if (performance.now() > deadline)
      throw new Error(`${what}: not within ${msMax / 1_000} s. It said:\n${main.said()}`);
    await sleep(200);
  }
}

function processes(): { pid: number; parent: number; command: string }[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => {
    const [, pid, parent, command = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return { pid: Number(pid), parent: Number(parent), command };
  });
}

const childrenOf = (pid: number | undefined) =>
  processes().filter(({ parent, command }) => parent === pid && !command.startsWith('ps '));
const engineOf = (pid: number | undefined) =>
  childrenOf(pid).find(({ command }) => command.includes('engine-process.ts'));

const main = start();
const address = async () => /http:\/\/127\.0\.0\.1:\d+/.exec(main.said())?.[0] ?? null;
const windows = ({ operators }: JobStatus) =>
  operators.find(({ id }) => id === 'per-device')?.recordsOut ?? 0;
const lakeRows = ({ sinks }: JobStatus) =>
  sinks.find(({ operator }) => operator === 'lake')?.stats['rowsCommitted'] ?? 0;

/** The job once it runs and both its results flow, in the engine that runs now. */
async function flowingJob(url: string): Promise<JobStatus | null> {
  const { jobs } = (await (await fetch(`${url}/api/v1/jobs`)).json()) as { jobs: { state: string }[] };
  if (jobs[0]?.state !== 'running') return null;
  const job = (await (await fetch(`${url}/api/v1/jobs/device-telemetry`)).json()) as JobStatus;
  return windows(job) > 0 && lakeRows(job) > 0 ? job : null;
}

await t.test(
  'brings up Redis, the engine and a fleet: live windows and rows in the lake (SV1)',
  async (t) => {
    const url = await until('the address', 30_000, address);
    const job = await until('windows and rows', 45_000, () => flowingJob(url));
    t.equal(job.state, 'running');
    const commands = childrenOf(main.child.pid).map(({ command }) => command);
    t.equal(commands.length, 3, 'Redis, engine, forwarder');
    const metrics = await (await fetch(`${url}/metrics`)).text();
    t.equal(promtool(['check', 'metrics'], metrics), '', 'promtool accepts the metrics of a real job');
    t.match(metrics, /millrace_records_in_total\{[^}]*operator="per-device"/);
    const key = encodeURIComponent(seriesKeyText({ tenant: 'tenant-0', deviceId: 'dev-000000' }));
    const points = await until('a series of one device', 20_000, async () => {
      const answer = await (await fetch(`${url}/api/v1/series/device_10s?key=${key}`)).json();
      const { points } = answer as { points: { values: { n: number } }[] };
      return points.length > 0 ? points : null;
    });
    t.ok((points[0]?.values.n ?? 0) > 0);
    await until('a progress line', 10_000, async () =>
      /running · [\d,]+ events\/s · [\d,]+ windows/.test(main.said()) ? true : null,
    );
  },
);

await t.test('refuses a second instance in the same folder and says who holds it', async (t) => {
  const second = start();
  const [code] = await second.exit;
  t.equal(code, 1);
  t.match(second.said(), `Millrace already runs in this folder (process ${main.child.pid}`);
  t.equal(childrenOf(main.child.pid).length, 3, 'the first is untouched');
});

await t.test('a killed engine comes back at the same address and goes on (KP1, SV3)', async (t) => {
  const url = (await address()) as string;
  const before = engineOf(main.child.pid);
  process.kill(before?.pid ?? -1, 'SIGKILL');
  const job = await until('the job again', 45_000, () => flowingJob(url));
  const after = engineOf(main.child.pid);
  t.ok(after !== undefined && after.pid !== before?.pid, 'another process');
  t.ok((job.checkpoints.restoredFrom ?? 0) > 0, 'restored from a checkpoint');
  t.match(main.said(), /engine: ended by SIGKILL/);
});

await t.test(
  'SIGTERM ends all of it in order, within ten seconds and with nothing left (SV2, KP2)',
  async (t) => {
    const left = childrenOf(main.child.pid).map(({ pid }) => pid);
    const since = performance.now();
    main.child.kill('SIGTERM');
    t.strictSame(await main.exit, [0, null]);
    t.ok(performance.now() - since < 10_000);
    t.notMatch(main.said(), /did not stop/);
    const alive = processes().filter(({ pid, command }) => left.includes(pid) || command.includes(directory));
    t.strictSame(alive, []);
  },
);

await t.test('a wrong PORT is refused before anything starts', async (t) => {
  const wrong = start({ PORT: 'http' });
  t.strictSame(await wrong.exit, [1, null]);
  t.match(wrong.said(), /PORT must be a whole number/);
});

await t.test('a second signal ends all of it at once, though the engine is frozen (SV2)', async (t) => {
  const frozen = start();
  await until('the address', 30_000, async () => (/http:/.test(frozen.said()) ? true : null));
  const left = childrenOf(frozen.child.pid).map(({ pid }) => pid);
  process.kill(engineOf(frozen.child.pid)?.pid ?? -1, 'SIGSTOP');
  frozen.child.kill('SIGINT');
  await sleep(500);
  t.equal(frozen.child.exitCode, null, 'it waits for the engine');
  const since = performance.now();
  frozen.child.kill('SIGINT');
  t.strictSame(await frozen.exit, [1, null]);
  t.ok(performance.now() - since < 1_000);
  await until('the children gone', 2_000, async () =>
    processes().some(({ pid, command }) => left.includes(pid) && !command.includes('<defunct>'))
      ? null
      : true,
  );
});
