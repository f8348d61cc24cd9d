import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorText, type JobStatus } from '#engine';
import { type ChaosServers, type SetupName } from './chaos-servers.ts';
import { startClusterServers } from './cluster-servers.ts';
import { startDiskServer } from './disk-server.ts';
import { describeStep, planSteps, type Step, type StepMs } from './fault-plan.ts';
import { Feeders } from './feeders.ts';
import { inject, type Stage } from './inject.ts';
import { openJobClient } from './job-client.ts';
import { openNetwork } from './network.ts';
import { Progress } from './progress.ts';
import type { ChaosReport, StepReport } from './report.ts';
import { startSentinelServers } from './sentinel-servers.ts';
import { isRight, type Verdict, verify, verifyLake } from './verify.ts';
import { ChaosEvent, TOPICS, type Workload } from './workload.ts';
import { WorkerFleet } from './worker-fleet.ts';

export interface ChaosOptions {
  readonly setup: SetupName;
  readonly seed: number;
  /** Faults come for so long; starting, draining and counting are beside it. */
  readonly faultsMs: number;
  /** Steps at most. Default: as many as there is time for. */
  readonly stepsMax?: number;
  /** Kinds of faults; default: all that the set-up has. */
  readonly only?: readonly string[];
  /** A step lasts so long, at least and at most. Default: 7 to 13 s. */
  readonly stepMs?: StepMs;
  /** Records per second, all feeders together. */
  readonly rate: number;
  /** Keys of state that are written before the faults begin. */
  readonly keys: number;
  readonly checkpointMs: number;
  readonly workers: number;
  readonly slots: number;
  /** Between two counts of the lake while nothing flows; 0: only at the end. */
  readonly countEveryMs: number;
  readonly keepLogs: boolean;
  readonly say: (line: string) => void;
}

const NAMESPACE = 'chaos';
const LANES = 4;
const FEEDERS = 2;
const PARALLELISM = [2, 4] as const;
/** Beside a checkpoint's interval: the system must have gone on for so long before the next step, so that what stalls is that step's. */
const CALM_MS = 2_000;
/** No progress for so long after everything was healed is a problem. */
const RECOVERY_MS_MAX = 90_000;
const PROGRESS_EVERY_MS = 5_000;
const START_MS = Date.UTC(2026, 0, 15, 12);

/** One run: starts everything, does what is planned, drains, counts, ends everything. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const startedMs = performance.now();
  const folder = mkdtempSync(join(temporaryRoot(), 'mr-chaos-'));
  mkdirSync(join(folder, 'warehouse'));
  const network = openNetwork();
  const closing: (() => Promise<void> | void)[] = [() => network.close()];
  try {
    const servers = await startServers(options.setup, network.host, folder);
    closing.push(() => servers.stop());
    const job = await openJobClient(servers.url, NAMESPACE);
    closing.push(() => job.close());
    await job.log.createTopic(TOPICS.events, { partitions: LANES, schema: ChaosEvent });
    const workers = new WorkerFleet({
      redisUrl: servers.url,
      namespace: NAMESPACE,
      durability: servers.durability,
      slots: options.slots,
      network,
      folder,
      variables: {
        CHAOS_WAREHOUSE: join(folder, 'warehouse'),
        CHAOS_PARALLELISM: String(PARALLELISM[1]),
        CHAOS_CHECKPOINT_MS: String(options.checkpointMs),
        CHAOS_TOLERABLE: String(options.seed % 2 === 0 ? 0 : 3),
      },
    });
    closing.push(() => workers.killAll());
    const feeders = new Feeders({
      redisUrl: servers.url,
      namespace: NAMESPACE,
      durability: servers.durability,
      workload: workloadOf(options),
      folder,
    });
    closing.push(() => feeders.end());
    const progress = new Progress(job, options.checkpointMs);
    closing.push(() => progress.end());
    const stage = { servers, network, workers, feeders, job, parallelism: PARALLELISM };
    const run = new ChaosRun(options, stage, progress, join(folder, 'warehouse'));
    await run.drive();
    const problems = run.allProblems();
    if (problems.length === 0 && !options.keepLogs)
      closing.unshift(() => rmSync(folder, { recursive: true }));
    return {
      setup: options.setup,
      seed: options.seed,
      seconds: (performance.now() - startedMs) / 1_000,
      records: feeders.due * FEEDERS * LANES,
      generations: progress.status?.generation ?? 0,
      steps: run.steps,
      verdicts: run.verdicts,
      failures: failuresOf(progress),
      feedersReopened: feeders.reopened,
      problems,
      folder: problems.length === 0 && !options.keepLogs ? null : folder,
    };
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}

/** Drives one run. Owns its faults; suspends everywhere. */
class ChaosRun {
  readonly steps: StepReport[] = [];
  verdicts: readonly Verdict[] = [];
  readonly #options: ChaosOptions;
  readonly #stage: Stage;
  readonly #progress: Progress;
  readonly #warehouse: string;
  readonly #problems: string[] = [];
  readonly #startedMs = performance.now();
  #countedMs = performance.now();

  constructor(options: ChaosOptions, stage: Stage, progress: Progress, warehouse: string) {
    this.#options = options;
    this.#stage = stage;
    this.#progress = progress;
    this.#warehouse = warehouse;
  }

  allProblems(): readonly string[] {
    const { workers, feeders } = this.#stage;
    const lost = feeders.lostConfirmed;
    return [
      ...this.#problems,
      ...workers.problems,
      ...feeders.problems,
      ...(lost > 0 ? [`${lost} records that the log had confirmed were gone later`] : []),
    ];
  }

  async drive(): Promise<void> {
    const saying = setInterval(() => this.#options.say(this.#describe()), PROGRESS_EVERY_MS);
    try {
      await this.#begin();
      await this.#faults();
      await this.#finish();
    } catch (error) {
      this.#problems.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    } finally {
      clearInterval(saying);
    }
  }

  async #begin(): Promise<void> {
    const { workers, feeders } = this.#stage;
    for (let i = 0; i < this.#options.workers; i++) workers.start();
    await this.#until('the job runs', 60_000, ({ state }) => state === 'running');
    const { coldKeysPerLane } = feeders.workload;
    const cold = coldKeysPerLane * FEEDERS * LANES;
    if (cold > 0) await this.#until('the keys are there', 600_000, () => this.#progress.consumed >= cold);
    feeders.flowing = true;
    await this.#until('checkpoints', 60_000, ({ checkpoints }) => checkpoints.completed >= 2);
    await sleep(this.#calmMs);
  }

  async #faults(): Promise<void> {
    const {
      setup,
      seed,
      only,
      stepMs,
      faultsMs,
      stepsMax = Number.POSITIVE_INFINITY,
      countEveryMs,
    } = this.#options;
    const endMs = performance.now() + faultsMs;
    for (const step of planSteps({ seed, setup, only, stepMs })) {
      if (this.steps.length >= stepsMax || this.allProblems().length > 0) return;
      if (countEveryMs > 0 && performance.now() - this.#countedMs > countEveryMs) await this.#countLake();
      if (performance.now() > endMs) return;
      await this.#step(step);
    }
  }

  async #step(step: Step): Promise<void> {
    const number = this.steps.length + 1;
    const atMs = performance.now();
    this.#options.say(`#${number} ${describeStep(step)}`);
    const outcomes = await Promise.allSettled(step.faults.map((fault) => inject(this.#stage, fault)));
    const what: string[] = [];
    const skipped: string[] = [];
    let detectionMs: number | null = null;
    let hurtMs = Number.POSITIVE_INFINITY;
    for (const [i, outcome] of outcomes.entries()) {
      const kind = step.faults[i]?.kind ?? '';
      if (outcome.status === 'rejected')
        this.#problems.push(`#${number} ${kind}: ${errorText(outcome.reason)}`);
      else if ('skipped' in outcome.value) skipped.push(`${kind}: ${outcome.value.skipped}`);
      else {
        what.push(outcome.value.what);
        detectionMs ??= outcome.value.detectionMs;
        hurtMs = Math.min(hurtMs, outcome.value.beganMs);
      }
    }
    await sleep(Math.max(0, atMs + step.lastsMs - performance.now()));
    const recovered = await this.#recovered();
    const nowMs = performance.now();
    const report: StepReport = {
      atMs: Math.round(atMs - this.#startedMs),
      kinds: step.faults.map(({ kind }) => kind),
      what,
      skipped,
      detectionMs,
      states: this.#progress.states
        .filter((one) => one.atMs > hurtMs)
        .map((one) => `${((one.atMs - hurtMs) / 1_000).toFixed(1)} ${one.state}`),
      readAgainMs: this.#progress.recoveryMs('read', Math.min(hurtMs, nowMs), nowMs),
      visibleAgainMs: this.#progress.recoveryMs('visible', Math.min(hurtMs, nowMs), nowMs),
    };
    this.steps.push(report);
    this.#options.say(`#${number} ${JSON.stringify({ ...report, atMs: undefined })}`);
    if (!recovered)
      this.#problems.push(
        `#${number} ${describeStep(step)}: no progress for ${RECOVERY_MS_MAX} ms: ${this.#describe()}`,
      );
  }

  get #calmMs(): number {
    return CALM_MS + this.#options.checkpointMs;
  }

  /** When reading and visible output have gone on for a while without a stall. */
  async #recovered(): Promise<boolean> {
    const healedMs = performance.now();
    for (;;) {
      await sleep(100);
      const nowMs = performance.now();
      const calm = (['read', 'visible'] as const).every(
        (gauge) =>
          nowMs - healedMs > this.#calmMs &&
          this.#progress.recoveryMs(gauge, nowMs - this.#calmMs, nowMs) === 0,
      );
      if (calm) return true;
      if (nowMs - healedMs > RECOVERY_MS_MAX || this.#progress.givenUp !== null) return false;
    }
  }

  /** Nothing flows, everything is read and committed: then the lake has each record once. */
  async #countLake(): Promise<void> {
    const { feeders } = this.#stage;
    await this.#quiet();
    let verdict: Verdict | null = null;
    for (let look = 0; look < 30 && (verdict === null || verdict.lost > 0); look++) {
      await sleep(1_000);
      verdict = await verifyLake(feeders.workload, feeders.due, this.#warehouse);
    }
    this.#options.say(`counted: ${JSON.stringify(verdict)}`);
    if (verdict !== null && !isRight(verdict))
      this.#problems.push(`the lake is not right: ${JSON.stringify(verdict)}`);
    feeders.flowing = true;
    this.#countedMs = performance.now();
    await sleep(this.#calmMs);
  }

  /** Until everything that was due is confirmed and read. */
  async #quiet(): Promise<void> {
    const { feeders } = this.#stage;
    feeders.flowing = false;
    await this.#until('feeders have seen everything confirmed', 120_000, () => feeders.done);
    const all = feeders.due * FEEDERS * LANES;
    await this.#until(`${all} records are read`, 120_000, () => this.#progress.consumed === all);
  }

  async #finish(): Promise<void> {
    const { feeders, job, servers } = this.#stage;
    await this.#quiet();
    const answer = await job.request('stop-with-savepoint', { drain: true }, 120_000);
    if (answer.state !== 'done') this.#problems.push(`stopping: ${JSON.stringify(answer)}`);
    await this.#until('the job has stopped', 60_000, ({ state }) => state === 'stopped');
    this.verdicts = await verify({
      workload: feeders.workload,
      due: feeders.due,
      log: job.log,
      url: servers.url,
      namespace: NAMESPACE,
      warehouse: this.#warehouse,
    });
    for (const verdict of this.verdicts)
      if (!isRight(verdict)) this.#problems.push(`${verdict.place}: lost, doubled or wrong`);
  }

  /** @param timeoutMs without anything new being read */
  async #until(what: string, timeoutMs: number, holds: (status: JobStatus) => boolean): Promise<void> {
    const beganMs = performance.now();
    for (;;) {
      const { status } = this.#progress;
      if (status !== null && holds(status)) return;
      const quietMs = performance.now() - Math.max(beganMs, this.#progress.lastAdvanceMs('read'));
      if (this.#progress.givenUp !== null || quietMs > timeoutMs)
        throw new Error(`not within ${timeoutMs} ms: ${what}: ${this.#describe()}`);
      await sleep(50);
    }
  }

  #describe(): string {
    const { status } = this.#progress;
    const { feeders, workers } = this.#stage;
    const seconds = ((performance.now() - this.#startedMs) / 1_000).toFixed(0);
    const at =
      status === null
        ? 'no status'
        : `${status.state}, generation ${status.generation}, ×${status.parallelism}`;
    const all = feeders.due * FEEDERS * LANES;
    const last = status?.failures[0];
    const { givenUp } = this.#progress;
    return [
      `${seconds} s: ${at}`,
      `${workers.running.length} workers`,
      `${all} due, ${feeders.confirmed} confirmed, ${this.#progress.consumed} read`,
      `${status?.checkpoints.completed ?? 0} checkpoints`,
      ...(givenUp === null ? [] : [`GIVEN UP: ${givenUp}`]),
      ...(last === undefined ? [] : [`last failure ${last.code}: ${last.message.slice(0, 90)}`]),
      ...feeders.lastErrors.slice(0, 1).map((text) => `feeder: ${text.slice(0, 60)}`),
    ].join(', ');
  }
}

function startServers(setup: SetupName, host: string, folder: string): Promise<ChaosServers> {
  switch (setup) {
    case 'sentinel':
      return startSentinelServers(host, folder);
    case 'cluster':
      return startClusterServers(host, folder);
    case 'disk':
    case 'process':
      return startDiskServer(setup, host, folder);
  }
}

function workloadOf({ seed, rate, keys }: ChaosOptions): Workload {
  return {
    seed,
    startMs: START_MS,
    feeders: FEEDERS,
    lanes: LANES,
    rate,
    devicesPerLane: 50,
    coldKeysPerLane: Math.ceil(keys / (FEEDERS * LANES)),
  };
}

function failuresOf(progress: Progress): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const code of progress.failures.values()) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}

/** In memory where the system has such a place: processes are killed, not machines, and nothing waits for a disk. */
function temporaryRoot(): string {
  const root = '/dev/shm';
  try {
    rmSync(mkdtempSync(join(root, 'mr-probe-')), { recursive: true });
    return root;
  } catch {
    return tmpdir();
  }
}
