import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { validName, type WorkerKeys, workerKeys } from '../redis/keys.ts';
import type { ClusterContext } from './cluster-context.ts';
import { CLUSTER_SCRIPTS } from './cluster-scripts.ts';

/** What a worker process says about itself when it starts. */
export interface WorkerDescription {
  /** Made anew with every registration, e.g. a uuid. */
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly slots: number;
  /** Epoch ms by its own clock, for people. */
  readonly startedAt: number;
  /** Of Millrace. */
  readonly version: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** What it says with every heartbeat. */
export interface WorkerLoad {
  /** Slots that jobs use. */
  readonly used: number;
  /** It takes no more slots, and ends when it has none. */
  readonly draining: boolean;
}

export interface LivingWorker extends WorkerDescription, WorkerLoad {
  /** Name of the link that it registered by. */
  readonly link: string;
  /** Counts as dead after so many more ms without a heartbeat, by the server's clock. */
  readonly expiresInMs: number;
}

export interface WorkerRegistryOptions {
  /** Silence after which a worker that registers here is given up. Default LIMITS.workerExpiryMs. */
  readonly expiryMs?: number;
}

/**
 * Which worker processes there are.
 * Owns nothing; suspends at every call. A call may reach the server twice (RC2), which changes nothing.
 *
 * WR1 Only the server's clock says who lives: a worker does from its registration until `expiryMs` after its last heartbeat.
 * WR2 A worker that was given up or has deregistered never comes back under its id; it registers again under a new one.
 *     (Ids are remembered for LIMITS.workersGoneMs, much longer than a call is repeated.)
 * WR3 What dead workers leave here is removed by whoever lists. One that was silent for LIMITS.workerSilentMs and whose link has no
 *     connection to the server is dead before its time: its process has ended.
 */
export class WorkerRegistry {
  readonly #context: ClusterContext;
  readonly #keys: WorkerKeys;
  readonly #expiryMs: number;

  constructor(context: ClusterContext, options: WorkerRegistryOptions = {}) {
    this.#context = context;
    this.#keys = workerKeys(context.namespace);
    this.#expiryMs = options.expiryMs ?? LIMITS.workerExpiryMs;
  }

  /**
   * Enters a worker; `gone` when its id has been given up, so that it needs a new one.
   * @throws MR_CONFIG_INVALID when the description is not usable or there are too many workers; MR_REDIS_UNAVAILABLE
   */
  async register(worker: WorkerDescription, load: WorkerLoad = IDLE): Promise<'registered' | 'gone'> {
    const description = descriptionText({ ...worker, link: this.#context.link.name });
    for (let attempt = 0; attempt < 2; attempt++) {
      const { alive, info, load: loads, gone } = this.#keys;
      const args = [worker.id, description, loadText(load), this.#expiryMs, LIMITS.workersMax];
      const reply = await this.#context.link.script(
        CLUSTER_SCRIPTS.registerWorker,
        [alive, info, loads, gone],
        args,
      );
      const [kind] = reply as ['ok' | 'gone' | 'full'];
      if (kind !== 'full') return kind === 'ok' ? 'registered' : 'gone';
      await this.list(); // makes room where the dead are
    }
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `Worker '${worker.id}' on ${worker.host} cannot register: namespace '${this.#context.namespace}' has ${LIMITS.workersMax} workers. Use another namespace, or fewer workers with more slots.`,
    );
  }

  /** Says that a worker lives; false when it has been given up. @throws MR_REDIS_UNAVAILABLE */
  async heartbeat(id: string, load: WorkerLoad): Promise<boolean> {
    const { alive, load: loads } = this.#keys;
    const args = [validName(id, 'worker id'), loadText(load), this.#expiryMs];
    return (await this.#context.link.script(CLUSTER_SCRIPTS.heartbeatWorker, [alive, loads], args)) === 1;
  }

  /** Takes a worker out at once. @throws MR_REDIS_UNAVAILABLE */
  async deregister(id: string): Promise<void> {
    const { alive, info, load, gone } = this.#keys;
    const args = [validName(id, 'worker id')];
    await this.#context.link.script(CLUSTER_SCRIPTS.deregisterWorker, [alive, info, load, gone], args);
  }

  /** Everybody who lives, by id. @throws MR_REDIS_UNAVAILABLE */
  async list(): Promise<readonly LivingWorker[]> {
    const { alive, info, load, gone } = this.#keys;
    const args = [LIMITS.workersGoneMs, LIMITS.workersGoneMax];
    const reply = await this.#context.link.script(
      CLUSTER_SCRIPTS.listWorkers,
      [alive, info, load, gone],
      args,
    );
    const flat = reply as readonly string[];
    const workers: LivingWorker[] = [];
    for (let i = 0; i + 3 < flat.length; i += 4) workers.push(livingWorker(flat, i));
    const ended = await this.#ended(workers);
    return workers.filter((worker) => !ended.has(worker)).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** Those that have ended before their time was over, which are given up. */
  async #ended(workers: readonly LivingWorker[]): Promise<ReadonlySet<LivingWorker>> {
    const silent = workers.filter(({ expiresInMs }) => this.#expiryMs - expiresInMs > LIMITS.workerSilentMs);
    if (silent.length === 0) return new Set();
    const links = silent.map(({ link }) => link);
    const missing = await this.#context.link.missing(this.#keys.alive, links).catch(() => NONE);
    const ended = silent.filter(({ link }) => missing.has(link));
    await Promise.all(ended.map(({ id }) => this.deregister(id)));
    return new Set(ended);
  }
}

const NONE: ReadonlySet<string> = new Set();
const IDLE: WorkerLoad = { used: 0, draining: false };

const loadText = ({ used, draining }: WorkerLoad): string => `${used} ${draining ? 1 : 0}`;

function livingWorker(flat: readonly string[], at: number): LivingWorker {
  const description = JSON.parse(flat[at + 1] as string) as WorkerDescription & { readonly link: string };
  const [used, draining] = (flat[at + 2] as string).split(' ');
  return {
    ...description,
    used: Number(used),
    draining: draining === '1',
    expiresInMs: Number(flat[at + 3]),
  };
}

function descriptionText(worker: WorkerDescription & { readonly link: string }): string {
  validName(worker.id, 'worker id');
  const text = JSON.stringify(worker);
  const slotsValid =
    Number.isSafeInteger(worker.slots) && worker.slots >= 1 && worker.slots <= LIMITS.workerSlotsMax;
  if (slotsValid && Buffer.byteLength(text) <= LIMITS.workerBytesMax) return text;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    slotsValid
      ? `The description of worker '${worker.id}' is longer than ${LIMITS.workerBytesMax} bytes: shorten its labels.`
      : `Worker '${worker.id}' offers ${worker.slots} slots: use 1 to ${LIMITS.workerSlotsMax}.`,
  );
}
