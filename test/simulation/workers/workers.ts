import '../compile-once.ts';
import '../slower-looks.ts';
import type { CheckpointStore, JobGraph, PartitionLog } from '#engine';
import { LIMITS } from '../../../engine/base/limits.ts';
import type { OpenRedisLink } from '../../../engine/redis/redis-link.ts';
import { jobKeys } from '../../../engine/redis/keys.ts';
import { applyFault, type ArmedPoint } from '../apply-fault.ts';
import { drawFaults, endOf, type Fault } from '../fault-plan.ts';
import { SimKernel } from '../kernel.ts';
import { Ledger } from '../ledger.ts';
import type { PlantedBug } from '../planted/planted-bug.ts';
import type { SimProcess } from '../process.ts';
import { runProducer } from '../producer.ts';
import { SimRedis } from '../redis.ts';
import { SimRole } from '../role.ts';
import type { Scenario, ScenarioOptions, SimReport } from '../scenario.ts';
import { NAMESPACE, Reading, WindowResult } from '../simulated-job.ts';
import { TopicWatch } from '../topic-watch.ts';
import { verifyOnce, verifyWindows } from '../verify-windows.ts';
import { createWorkload, type Lane, PRODUCERS, SPAN_MS, type Workload } from '../workload.ts';
import { CheckpointWatch } from './checkpoint-watch.ts';
import { Console, drawErrands, type Errand } from './console.ts';
import { FenceAudit } from './fence-audit.ts';
import { HostWatch } from './host-watch.ts';
import { leftoversIn } from './leftovers.ts';
import { JOB, pipelineJob, READINGS_PARTITIONS, RESULT_PARTITIONS, Tally, TOPICS } from './pipeline-job.ts';
import { runWorker, type SimWorker } from './run-worker.ts';
import { newestResults, verifyTallies } from './verify-pipeline.ts';
import type { WorkersWorld } from './workers-world.ts';

/**
 * One job on two or three workers, each a process with threads that its supervisor keeps going; whichever worker gets the lease coordinates.
 * Two gateways feed it, and somebody at a console rescales, pauses and stops it, on Redis with a replica.
 *
 * Of two kinds, like the scenario of one process: `replicated`, where nothing confirmed is ever taken back, and `process`.
 */
export const workers = {
  name: 'workers',
  run: (seed: number, options: WorkersOptions = {}) => new Workers(seed, options).run(),
} as const satisfies Scenario;

/** Points of the coordinator at which its process may be killed. */
const KILL_POINTS: readonly string[] = [
  'checkpoint:begin',
  'checkpoint:triggered',
  'checkpoint:acknowledged',
  'checkpoint:before-publish',
  'checkpoint:confirmed',
  'checkpoint:published',
  'checkpoint:after-publish',
  'checkpoint:sink-committed',
  'checkpoint:committed',
  'checkpoint:completed',
  'checkpoint:held',
  'checkpoint:trimmed',
  'checkpoint:collected',
  'restore:owned',
  'restore:begin',
  'restore:held',
  'restore:before-commit',
  'restore:after-commit',
  'restore:opened',
  'restore:start-held',
  'restore:start-stored',
  'restore:start-published',
  'restore:end',
  'log:mid-commit',
];

class Workers {
  readonly #kernel: SimKernel;
  readonly #redis: SimRedis;
  readonly #workload: Workload;
  readonly #ledger: Ledger;
  readonly #durability: 'process' | 'replicated';
  readonly #setting: Setting;
  readonly #planted: PlantedBug | null;
  readonly #faults: readonly Fault[];
  readonly #roles = new Map<string, SimRole>();
  readonly #workers = new Map<SimProcess, SimWorker>();
  readonly #console: Console;
  readonly #audit = new FenceAudit();
  readonly #hosts = new HostWatch();
  readonly #checkpoints: CheckpointWatch;
  readonly #windows: TopicWatch<WindowResult>;
  readonly #tallies: TopicWatch<Tally>;
  readonly #late: TopicWatch<Reading>;
  readonly #armed: ArmedPoint[] = [];
  readonly #failures = new Map<string, number>();
  readonly #problems: string[] = [];
  #faultsOverMs: number;
  readonly #quietFromMs: number;
  #status = '';
  /** Since when the job has been stopped while nothing went wrong; else now. */
  #stoppedMs = 0;

  constructor(seed: number, { onEvent, durability, faults, errands: given, planted = null }: WorkersOptions) {
    this.#planted = planted;
    for (const [sha, standsFor] of planted?.aliases ?? []) this.#audit.alias(sha, standsFor);
    this.#kernel = new SimKernel(seed, onEvent === undefined ? {} : { onEvent });
    const random = this.#kernel.random('setting');
    this.#durability = durability ?? (random() < 0.6 ? 'replicated' : 'process');
    this.#setting = drawSetting(random);
    this.#redis = new SimRedis(this.#kernel, {
      executed: this.#audit.executed,
      promoted: () => this.#promoted(),
    });
    this.#ledger = new Ledger(this.#kernel, { isForgiving: this.#durability === 'process' });
    this.#workload = createWorkload(this.#kernel, READINGS_PARTITIONS);
    this.#checkpoints = new CheckpointWatch(this.#kernel, this.#redis, JOB);
    this.#windows = new TopicWatch(this.#redis, TOPICS.windows, WindowResult, RESULT_PARTITIONS);
    this.#tallies = new TopicWatch(this.#redis, TOPICS.tallies, Tally, RESULT_PARTITIONS);
    this.#late = new TopicWatch(this.#redis, TOPICS.late, Reading, 1);
    this.#faults = faults ?? this.#drawFaults();
    const errands = given ?? drawErrands(this.#kernel.random('errands'), SPAN_MS);
    this.#faultsOverMs = Math.max(0, ...this.#faults.map(endOf));
    this.#quietFromMs = Math.max(SPAN_MS, this.#faultsOverMs, ...errands.map(errandEnd)) + SETTLING_MS;
    this.#console = new Console(this.#world, { parallelism: this.#setting.parallelism, errands });
  }

  async run(): Promise<SimReport> {
    const putBack = this.#planted?.plant?.();
    try {
      return await this.#run();
    } finally {
      putBack?.();
    }
  }

  async #run(): Promise<SimReport> {
    const kernel = this.#kernel;
    for (const [producer, lanes] of this.#workload.lanes) this.#addProducer(producer, lanes);
    for (const name of this.#setting.workers) this.#addRole(name, (process) => this.#runWorker(process));
    this.#addRole('console', (process) => this.#console.run(process));
    for (const fault of this.#faults) this.#planFault(fault);
    kernel.schedule(LOOK_EVERY_MS, null, 'look', () => this.#look());
    const deadlineMs = this.#quietFromMs + PROGRESS_MS;
    const end = await kernel.run({
      until: () => this.#console.isOver || this.#problems.length > 0,
      deadlineMs,
      eventsMax: EVENTS_MAX,
    });
    if (end === 'reached')
      await kernel.run({ deadlineMs: kernel.nowMs + AFTERMATH_MS, eventsMax: EVENTS_MAX });
    else this.#problems.push(`no end after ${Math.round(kernel.nowMs)} ms (${end}): ${this.#progress()}`);
    this.#verify(end === 'reached');
    return this.#report();
  }

  get #world(): WorkersWorld {
    return {
      kernel: this.#kernel,
      isAllThroughRedis: this.#setting.isAllThroughRedis,
      slotsPerWorker: this.#setting.slotsPerWorker,
      sharedOptions: (process) => ({
        url: 'simulated',
        namespace: NAMESPACE,
        clock: process.clock,
        random: process.random,
        openLink: this.#opener(process),
        durability: this.#durability,
        unavailableMs: UNAVAILABLE_MS,
      }),
      graph: (parallelism, process) => this.#graph(parallelism, process),
      openedLog: (log: PartitionLog) => this.#planted?.log?.(log) ?? log,
      openedStore: (store: CheckpointStore) => this.#planted?.store?.(store) ?? store,
      openedHost: (thread, deployment, host) => this.#hosts.opened(thread, deployment, host),
      passKillPoint: (name, process) => this.#passKillPoint(name, process),
    };
  }

  #graph(parallelism: number, process: SimProcess): JobGraph {
    const { hasSeries } = this.#setting;
    const ledger = this.#ledger.sink(process);
    return pipelineJob({ parallelism, hasSeries }, this.#planted?.ledger?.(ledger) ?? ledger);
  }

  #opener(process: SimProcess): OpenRedisLink {
    const open = this.#redis.opener(process);
    const wrap = this.#planted?.link;
    return wrap === undefined ? open : async (options) => wrap(await open(options));
  }

  #drawFaults(): readonly Fault[] {
    return drawFaults(this.#kernel, {
      roles: [...this.#setting.workers, ...this.#setting.workers, ...PRODUCERS],
      points: KILL_POINTS,
      untilMs: SPAN_MS + 2_000,
      faultsMax: 10,
      powerLoss: this.#durability === 'process',
      workers: true,
    });
  }

  #addProducer(producer: string, lanes: readonly Lane[]): void {
    this.#addRole(producer, (process) => runProducer(this.#redis, process, producer, lanes));
  }

  #addRole(name: string, main: (process: SimProcess) => Promise<void>): void {
    this.#roles.set(name, new SimRole(this.#kernel, name, main));
  }

  async #runWorker(process: SimProcess): Promise<void> {
    await runWorker(this.#world, process, (worker) => this.#workers.set(process, worker));
    this.#workers.delete(process);
  }

  #planFault(fault: Fault): void {
    this.#kernel.schedule(fault.atMs, null, `fault ${JSON.stringify(fault)}`, () =>
      applyFault(fault, {
        redis: this.#redis,
        roles: this.#roles,
        armKillPoint: (armed) => this.#armed.push(armed),
      }),
    );
  }

  /** What is to happen here happens to whoever comes first. */
  #passKillPoint(name: string, process: SimProcess): void | Promise<void> {
    const index = this.#armed.findIndex(({ point }) => point === name);
    const armed = this.#armed[index];
    if (armed === undefined || process.state !== 'alive' || --armed.hit > 0) return;
    this.#armed.splice(index, 1);
    const role = this.#roles.get(process.role);
    if (armed.forMs === null) {
      this.#kernel.note(`${process.name} dies at ${name}`);
      role?.end(process, 300);
      return;
    }
    this.#kernel.note(`${process.name} stops at ${name}`);
    role?.freeze(armed.forMs);
    this.#faultsOverMs = Math.max(this.#faultsOverMs, this.#kernel.nowMs + armed.forMs);
    return new Promise((resolve) => process.schedule(0, 'goes on', resolve));
  }

  #promoted(): void {
    this.#audit.promoted();
    if (this.#durability === 'process') this.#hosts.endUniqueness();
  }

  /** What somebody outside sees, again and again. */
  #look(): void {
    this.#kernel.schedule(LOOK_EVERY_MS, null, 'look', () => this.#look());
    for (const watch of [this.#windows, this.#tallies, this.#late]) watch.look();
    this.#hosts.look();
    this.#lookAtStatus();
    this.#lookForOrphans();
    if (this.#durability === 'replicated') this.#checkpoints.look();
    this.#problems.push(...this.#hosts.problems, ...this.#checkpoints.problems, ...this.#audit.problems);
    if (this.#kernel.nowMs > this.#quietFromMs && this.#missing() === 0) this.#console.finish();
  }

  /** Records that are not yet where they must be, in the place that lacks most. (Tallies may wait for the end of time.) */
  #missing(): number {
    const { length } = this.#workload.readings;
    const count = (rows: readonly { readonly n: number }[]) => rows.reduce((sum, { n }) => sum + n, 0);
    const places = [
      count(newestResults(this.#windows.rows()).newest) + this.#late.rows().length,
      this.#durability === 'replicated' ? this.#ledger.entries.length : length,
    ];
    return length - Math.min(length, ...places);
  }

  /** Collects failures that the coordinators tell of. */
  #lookAtStatus(): void {
    const { status: key } = jobKeys(NAMESPACE, JOB);
    const text = String(this.#redis.primary.model.execute(['HGET', key, 'document']) ?? '');
    if (text === this.#status || text === '') return;
    this.#status = text;
    const { state, code, message, failures = [] } = JSON.parse(text) as StatusDocument;
    for (const failure of failures) {
      const name = `${failure.code} ${failure.at}`;
      if (this.#failures.has(name)) continue;
      this.#failures.set(name, 1);
      if (UNEXPECTED.has(failure.code)) this.#problems.push(`${failure.code}: ${failure.message}`);
    }
    if (state === 'failed' && this.#durability === 'replicated')
      this.#problems.push(
        `the job has failed: ${code ?? failures[0]?.code} ${message ?? failures[0]?.message}`,
      );
  }

  /** A job that is not to run has no hosts after a while. */
  #lookForOrphans(): void {
    const { nowMs } = this.#kernel;
    const { desired: key } = jobKeys(NAMESPACE, JOB);
    const desired = String(this.#redis.primary.model.execute(['HGET', key, 'desired']) ?? '');
    if (desired !== 'stopped' || nowMs < this.#faultsOverMs) this.#stoppedMs = nowMs;
    if (nowMs - this.#stoppedMs < ORPHAN_MS) return;
    this.#problems.push(...this.#hosts.living.map((thread) => `host ${thread} of a stopped job still runs`));
  }

  #verify(isOver: boolean): void {
    const { readings } = this.#workload;
    const { newest, problems } = newestResults(this.#windows.rows());
    this.#problems.push(...problems, ...verifyWindows(readings, newest, this.#late.rows()));
    this.#problems.push(...verifyTallies(readings, this.#tallies.rows()));
    if (isOver) this.#problems.push(...this.#leftovers());
    if (this.#durability === 'process') return;
    this.#problems.push(...verifyOnce('the ledger', readings, this.#ledger.entries));
    for (const watch of [this.#windows, this.#tallies, this.#late]) {
      this.#problems.push(...watch.changes.map((what) => `${what} though it had been read`));
      this.#problems.push(...watch.missing().map((what) => `${what} is gone though it had been read`));
    }
  }

  #leftovers(): readonly string[] {
    this.#hosts.look();
    const used = [...this.#workers].flatMap(([process, { worker }]) =>
      process.state === 'alive' && worker.used > 0 ? [`${process.name} still uses ${worker.used} slots`] : [],
    );
    const living = this.#hosts.living.map((thread) => `host ${thread} still runs`);
    // A job that lost its first checkpoint begins anew, and does not know of what it staged before.
    const isStageKept = this.#durability === 'process';
    return [...used, ...living, ...leftoversIn(this.#redis, { isStageKept })];
  }

  #progress(): string {
    const { failures = [], state } = (
      this.#status === '' ? {} : JSON.parse(this.#status)
    ) as Partial<StatusDocument>;
    const [failure] = failures.slice(-1);
    return `${this.#missing()} of ${this.#workload.readings.length} records missing; job ${state}, ${failure?.code} ${failure?.message}`;
  }

  #report(): SimReport {
    const { seed, trace, executed, nowMs } = this.#kernel;
    const { parallelism, workers: names, slotsPerWorker, isAllThroughRedis, hasSeries } = this.#setting;
    const codes = Map.groupBy(this.#failures.keys(), (name) => name.split(' ', 1)[0] as string);
    const exits = [...this.#roles.values()].flatMap(({ name, exits: list }) =>
      [...new Set(list)].map((how) => `${name} ended ×${list.filter((one) => one === how).length}: ${how}`),
    );
    return {
      seed,
      problems: this.#problems,
      trace,
      events: executed,
      virtualMs: nowMs,
      faults: this.#faults,
      notes: [
        `${this.#durability}, parallelism ${parallelism} on ${names.length} × ${slotsPerWorker}${isAllThroughRedis ? ', all through Redis' : ''}${hasSeries ? ', series' : ''}`,
        `generations ${this.#hosts.generations.join(', ')}`,
        ...this.#console.notes,
        ...[...codes].map(([code, names]) => `${code} ×${names.length}`),
        ...exits,
      ],
    };
  }
}

export interface WorkersOptions extends ScenarioOptions {
  /** Instead of what the seed draws. */
  readonly errands?: readonly Errand[];
}

interface Setting {
  readonly parallelism: number;
  readonly workers: readonly string[];
  readonly slotsPerWorker: number;
  readonly isAllThroughRedis: boolean;
  readonly hasSeries: boolean;
}

/** Workers with a slot or two more than the job needs, mostly. */
function drawSetting(random: () => number): Setting {
  const workers = Array.from({ length: random() < 0.5 ? 2 : 3 }, (_, i) => `worker-${i + 1}`);
  return {
    parallelism: 2 + Math.floor(random() * 3),
    workers,
    slotsPerWorker: workers.length === 2 ? 3 : 2,
    isAllThroughRedis: random() < 0.5,
    hasSeries: random() < 0.25,
  };
}

interface StatusDocument {
  readonly state: string;
  readonly code?: string;
  readonly message?: string;
  readonly failures?: readonly { readonly at: number; readonly code: string; readonly message: string }[];
}

function errandEnd(errand: Errand): number {
  return errand.atMs + ('forMs' in errand ? errand.forMs : 0);
}

const SETTLING_MS = 1_000;
const UNAVAILABLE_MS = 4_000;
const LOOK_EVERY_MS = 250;
/** A lease that runs out and an orphan's end lie in it. */
const AFTERMATH_MS = 5_000;
/** How long the job may take after the last fault, with everything that a restart may wait for. */
const PROGRESS_MS = 60_000;
/** An orphan ends when its coordinator's lease is over, at the next look. */
const ORPHAN_MS = LIMITS.leaseTtlMs + 2 * LIMITS.orphanLookMs;
const EVENTS_MAX = 400_000;
/** Codes that no fault of this scenario may lead to. */
const UNEXPECTED: ReadonlySet<string> = new Set([
  'MR_INVARIANT',
  'UNKNOWN',
  'MR_CHECKPOINT_CORRUPT',
  'MR_FRAME_CORRUPT',
  'MR_STATE_INCOMPATIBLE',
  'MR_OPERATOR_FAILED',
  'MR_SINK_AHEAD',
]);
