import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Durability } from '#engine';
import type { ChaosJobVariables } from './chaos-job.ts';
import { Child } from './child.ts';
import { type ChaosNetwork, PLACES_MAX } from './network.ts';

const PROGRAM = fileURLToPath(new URL('../../ops/cli/main.mjs', import.meta.url));
const JOB_MODULE = fileURLToPath(new URL('./chaos-job.ts', import.meta.url));
const DRAIN_SECONDS = 20;

export interface WorkerFleetOptions {
  readonly redisUrl: string;
  readonly namespace: string;
  readonly durability: Durability;
  readonly slots: number;
  readonly network: ChaosNetwork;
  /** For logs and the compile cache. */
  readonly folder: string;
  readonly variables: ChaosJobVariables;
}

/** One `millrace worker` process in its place. */
export interface FleetWorker {
  readonly place: number;
  readonly process: Child;
  /** It is frozen or cut off: nobody counts on it now. */
  absent: boolean;
}

/** Worker processes. Owns them; every one that ends unasked is noted as a problem. */
export class WorkerFleet {
  readonly problems: string[] = [];
  readonly #options: WorkerFleetOptions;
  readonly #workers = new Map<number, FleetWorker>();
  readonly #expected = new Set<Child>();

  constructor(options: WorkerFleetOptions) {
    this.#options = options;
  }

  get running(): readonly FleetWorker[] {
    return [...this.#workers.values()].filter(({ process }) => process.running);
  }

  /** Those that are neither frozen nor cut off. */
  get present(): readonly FleetWorker[] {
    return this.running.filter(({ absent }) => !absent);
  }

  byPid(pid: number): FleetWorker | undefined {
    return this.running.find(({ process }) => process.pid === pid);
  }

  /** Starts a worker in a place that is free; null when none is. */
  start(place: number | null = this.#freePlace()): FleetWorker | null {
    if (place === null) return null;
    const { redisUrl, namespace, durability, slots, network, folder, variables } = this.#options;
    const settings = { redis: redisUrl, namespace, durability, slots, job: JOB_MODULE, drain: DRAIN_SECONDS };
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    const command = [...network.prefix(place), process.execPath, PROGRAM, 'worker', ...flags];
    const env = { ...process.env, ...variables, NODE_COMPILE_CACHE: join(folder, 'compile-cache') };
    const child = new Child(command, { log: join(folder, `worker-${place}.log`), env });
    const worker: FleetWorker = { place, process: child, absent: false };
    this.#workers.set(place, worker);
    void child.gone().then((how) => {
      if (!this.#expected.has(child))
        this.problems.push(`worker ${child.pid} in place ${place} has ended by itself: ${how}`);
    });
    return worker;
  }

  /** SIGKILL; its place is free when this resolves. */
  async kill({ process: child }: FleetWorker): Promise<void> {
    this.#expected.add(child);
    child.signal('SIGKILL');
    await child.gone();
  }

  /** SIGTERM: its slots move, and it ends. */
  async leave({ process: child }: FleetWorker): Promise<string> {
    this.#expected.add(child);
    child.signal('SIGTERM');
    return child.gone();
  }

  async killAll(): Promise<void> {
    await Promise.all(this.running.map((worker) => this.kill(worker)));
  }

  #freePlace(): number | null {
    for (let place = 0; place < PLACES_MAX; place++)
      if (!this.#workers.get(place)?.process.running) return place;
    return null;
  }
}
