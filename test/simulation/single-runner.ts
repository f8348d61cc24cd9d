import { type JobHandle, openRedisCheckpointStore, openRedisPartitionLog, runJob } from '#engine';
import './compile-once.ts';
import './slower-looks.ts';
import { applyFault, type ArmedPoint } from './apply-fault.ts';
import { drawFaults, endOf, type Fault } from './fault-plan.ts';
import { SimKernel } from './kernel.ts';
import { Ledger } from './ledger.ts';
import type { SimProcess } from './process.ts';
import { runProducer } from './producer.ts';
import { SimRedis } from './redis.ts';
import { SimRole } from './role.ts';
import type { PlantedBug } from './planted/planted-bug.ts';
import type { Scenario, ScenarioOptions, SimReport } from './scenario.ts';
import { NAMESPACE, PARTITIONS, Reading, simulatedJob, TOPICS, WindowResult } from './simulated-job.ts';
import { TopicWatch } from './topic-watch.ts';
import { verifyOnce, verifyWindows } from './verify-windows.ts';
import { createWorkload, type Lane, PRODUCERS, SPAN_MS, type Workload } from './workload.ts';

/**
 * One job in one process at a time, kept going by a supervisor, with two gateways that feed it, on Redis with a replica.
 *
 * A seed is of one of two kinds. `replicated`: confirmed writes survive a fail-over, so nothing that has left Redis is ever taken back: the
 * ledger's entries, and the results that somebody may have read. `process`: fail-overs and losses of power take back what they like,
 * and the gateways send again; what Redis holds in the end must be right by itself.
 */
export const singleRunner: Scenario = {
  name: 'single-runner',
  run: (seed, options = {}) => new SingleRunner(seed, options).run(),
};

const KILL_POINTS: readonly string[] = [
  'checkpoint:triggered',
  'checkpoint:before-publish',
  'checkpoint:published',
  'checkpoint:after-publish',
  'checkpoint:committed',
  'restore:begin',
  'restore:before-commit',
  'restore:after-commit',
  'restore:end',
  'log:mid-commit',
];

class SingleRunner {
  readonly #kernel: SimKernel;
  readonly #redis: SimRedis;
  readonly #workload: Workload;
  readonly #ledger: Ledger;
  readonly #durability: 'process' | 'replicated';
  readonly #parallelism: number;
  readonly #planted: PlantedBug | null;
  readonly #faults: readonly Fault[];
  readonly #roles = new Map<string, SimRole>();
  readonly #windows: TopicWatch<WindowResult>;
  readonly #late: TopicWatch<Reading>;
  readonly #handles = new Map<JobHandle, Map<string, number>>();
  readonly #armed: ArmedPoint[] = [];
  readonly #failures = new Map<string, number>();
  readonly #problems: string[] = [];
  /** When the last fault is over, virtual ms: what is complete before may be taken back. */
  readonly #quietFromMs: number;
  #isComplete = false;

  constructor(seed: number, { onEvent, planted = null, durability, faults }: ScenarioOptions) {
    this.#kernel = new SimKernel(seed, onEvent === undefined ? {} : { onEvent });
    const random = this.#kernel.random('setting');
    const drawn = random() < 0.6 ? 'replicated' : 'process';
    this.#durability = durability ?? drawn;
    this.#parallelism = random() < 0.5 ? 1 : 2;
    this.#planted = planted;
    this.#redis = new SimRedis(this.#kernel);
    this.#ledger = new Ledger(this.#kernel, { isForgiving: this.#durability === 'process' });
    this.#workload = createWorkload(this.#kernel, PARTITIONS);
    this.#windows = new TopicWatch(this.#redis, TOPICS.windows, WindowResult, PARTITIONS);
    this.#late = new TopicWatch(this.#redis, TOPICS.late, Reading, 1);
    this.#faults =
      faults ??
      drawFaults(this.#kernel, {
        roles: ['runner', ...PRODUCERS],
        points: KILL_POINTS,
        untilMs: SPAN_MS + 2_000,
        faultsMax: 10,
        powerLoss: this.#durability === 'process',
      });
    this.#quietFromMs = Math.max(SPAN_MS, ...this.#faults.map(endOf)) + SETTLING_MS;
  }

  async run(): Promise<SimReport> {
    const kernel = this.#kernel;
    for (const [producer, lanes] of this.#workload.lanes) this.#addProducer(producer, lanes);
    this.#roles.set('runner', new SimRole(kernel, 'runner', (process) => this.#runJob(process)));
    for (const fault of this.#faults) this.#planFault(fault);
    kernel.schedule(LOOK_EVERY_MS, null, 'look', () => this.#look());
    const end = await kernel.run({
      until: () => this.#isComplete || this.#problems.length > 0,
      deadlineMs: DEADLINE_MS,
      eventsMax: EVENTS_MAX,
    });
    if (end === 'reached') {
      // What is there twice may only come now.
      this.#isComplete = false;
      await kernel.run({ deadlineMs: kernel.nowMs + AFTERMATH_MS, eventsMax: EVENTS_MAX });
    } else this.#problems.push(`no end after ${Math.round(kernel.nowMs)} ms (${end}): ${this.#progress()}`);
    this.#verify();
    return this.#report();
  }

  #addProducer(producer: string, lanes: readonly Lane[]): void {
    const main = (process: SimProcess) => runProducer(this.#redis, process, producer, lanes);
    this.#roles.set(producer, new SimRole(this.#kernel, producer, main));
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

  /** The main function of a process that runs the job until the job gives up. */
  async #runJob(process: SimProcess): Promise<void> {
    const { clock, random, uuid } = process;
    const shared = {
      url: 'simulated',
      namespace: NAMESPACE,
      clock,
      random,
      openLink: this.#redis.opener(process),
      durability: this.#durability,
      unavailableMs: UNAVAILABLE_MS,
    };
    const opened = await openRedisPartitionLog(shared);
    const log = this.#planted?.log?.(opened) ?? opened;
    const stored = await openRedisCheckpointStore({ ...shared, uuid });
    const store = this.#planted?.store?.(stored) ?? stored;
    const handle = runJob(simulatedJob(this.#parallelism, this.#ledger.sink(process)), {
      namespace: NAMESPACE,
      log,
      store,
      clock,
      random,
      uuid,
      owner: process.name,
      openLink: shared.openLink,
      killPoint: (name) => this.#passKillPoint(name, process),
    });
    this.#handles.set(handle, new Map());
    await handle.done;
    this.#noteFailures(handle);
    this.#handles.delete(handle);
    throw new Error(`the job gave up: ${handle.status().failures[0]?.message}`);
  }

  #passKillPoint(name: string, process: SimProcess): void {
    const index = this.#armed.findIndex(({ point }) => point === name);
    const armed = this.#armed[index];
    if (armed === undefined || process.state !== 'alive' || --armed.hit > 0) return;
    this.#armed.splice(index, 1);
    this.#kernel.note(`${process.name} dies at ${name}`);
    this.#roles.get('runner')?.end(process, 300);
  }

  /** What somebody outside sees, again and again. */
  #look(): void {
    this.#kernel.schedule(LOOK_EVERY_MS, null, 'look', () => this.#look());
    this.#windows.look();
    this.#late.look();
    for (const [handle, watermarks] of this.#handles) this.#lookAtJob(handle, watermarks);
    const counted = this.#windows.seen.reduce((sum, { n }) => sum + n, 0) + this.#late.seen.length;
    if (counted < this.#workload.readings.length) return;
    const isReplicated = this.#durability === 'replicated';
    const entered = isReplicated ? this.#ledger.entries.length : Number.POSITIVE_INFINITY;
    const total = this.#windows.rows().reduce((sum, { n }) => sum + n, 0) + this.#late.rows().length;
    this.#isComplete =
      Math.min(total, entered) >= this.#workload.readings.length && this.#kernel.nowMs > this.#quietFromMs;
  }

  #lookAtJob(handle: JobHandle, watermarks: Map<string, number>): void {
    const { generation, restarts, operators, state } = handle.status();
    if (state !== 'running') return;
    for (const { id, watermark } of operators) {
      if (watermark === null) continue;
      // A lost tail may give one generation twice.
      const name = `${id} of generation ${generation}, restart ${restarts}`;
      const before = watermarks.get(name) ?? Number.NEGATIVE_INFINITY;
      if (watermark < before)
        this.#problems.push(`the watermark of ${name} goes back from ${before} to ${watermark}`);
      watermarks.set(name, watermark);
    }
  }

  #noteFailures(handle: JobHandle): void {
    const { failures } = handle.status();
    const isReplaced = failures[0]?.code === 'MR_CHECKPOINT_FENCED';
    for (const { code, message } of failures) {
      this.#failures.set(code, (this.#failures.get(code) ?? 0) + 1);
      // What a replaced runner meets in sinks is its successor's (JR4).
      if (UNEXPECTED.has(code) && !(isReplaced && code === 'MR_SINK_AHEAD'))
        this.#problems.push(`${code}: ${message}`);
    }
  }

  #verify(): void {
    const { readings } = this.#workload;
    for (const handle of this.#handles.keys()) this.#noteFailures(handle);
    this.#problems.push(...verifyWindows(readings, this.#windows.rows(), this.#late.rows()));
    if (this.#durability === 'process') return;
    this.#problems.push(...verifyOnce('the ledger', readings, this.#ledger.entries));
    for (const watch of [this.#windows, this.#late]) {
      this.#problems.push(...watch.changes.map((what) => `${what} though it had been read`));
      this.#problems.push(...watch.missing().map((what) => `${what} is gone though it had been read`));
    }
  }

  #progress(): string {
    const [handle] = [...this.#handles.keys()].slice(-1);
    const status = handle?.status();
    const [failure] = status?.failures ?? [];
    const counted = this.#windows.rows().reduce((sum, { n }) => sum + n, 0);
    return `${counted} counted, ${this.#late.rows().length} late, ${this.#ledger.entries.length} in the ledger of ${this.#workload.readings.length}; job ${status?.state ?? 'is not there'}, ${failure?.code ?? 'no failure'} ${failure?.message ?? ''}`;
  }

  #report(): SimReport {
    const { seed, trace, executed, nowMs } = this.#kernel;
    const exits = [...this.#roles.values()].flatMap(({ name, exits: list }) =>
      [...new Set(list)].map((how) => `${name} ended ×${list.filter((one) => one === how).length}: ${how}`),
    );
    const codes = [...this.#failures].map(([code, times]) => `${code} ×${times}`);
    return {
      seed,
      problems: this.#problems,
      trace,
      events: executed,
      virtualMs: nowMs,
      faults: this.#faults,
      notes: [`${this.#durability}, parallelism ${this.#parallelism}`, ...codes, ...exits],
    };
  }
}

const SETTLING_MS = 1_000;
const UNAVAILABLE_MS = 4_000;
const LOOK_EVERY_MS = 250;
const AFTERMATH_MS = 1_500;
/** Longer than the longest fault, its detection and the restarts after it. */
const DEADLINE_MS = 120_000;
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
