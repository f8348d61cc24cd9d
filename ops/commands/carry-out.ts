import {
  BundleStore,
  type CheckpointStore,
  type ClusterContext,
  errorOf,
  type JobChange,
  JobLeases,
  JobRegistry,
  type JsonObject,
  MillraceError,
  type RequestKind,
} from '#engine';
import type { JobCommand } from './job-command.ts';
import { type StatusDocument, readStatus } from './status-document.ts';

export interface CommandContext {
  readonly cluster: ClusterContext;
  readonly store: CheckpointStore;
  /** Aborted when this process is to stop: another goes on with the command. */
  readonly signal: AbortSignal;
  /** Told how the job stands while the command waits. */
  readonly progress: (progress: CommandProgress) => void;
}

export interface CommandProgress {
  /** State of the job, or null while nobody has said. */
  readonly state: string | null;
  /** Its newest failure. */
  readonly failure: string | null;
}

/**
 * Carries out one command: says it to the registry under the command's id, and waits until the job's coordinator has done it. To begin
 * again is to go on, here or in another process.
 * @throws MR_API_NOT_FOUND, MR_API_CONFLICT, MR_BUNDLE_INVALID, MR_CONTROL_FAILED when it takes too long; what the coordinator answers;
 *   MR_REDIS_UNAVAILABLE
 */
export async function carryOut(
  context: CommandContext,
  id: string,
  command: JobCommand,
): Promise<JsonObject> {
  return new Execution(context, id, command.job).run(command);
}

const POLL_MS = 100;
/** Waiting ends; what was said stays said. */
const COMMAND_MS_MAX = 600_000;
/** For a job that starts to come up before it is asked for something. */
const RUNNING_MS_MAX = 60_000;

class Execution {
  readonly #context: CommandContext;
  readonly #id: string;
  readonly #job: string;
  readonly #registry: JobRegistry;
  readonly #leases: JobLeases;
  readonly #begunMs: number;
  #told = '';

  constructor(context: CommandContext, id: string, job: string) {
    this.#context = context;
    this.#id = id;
    this.#job = job;
    this.#registry = new JobRegistry(context.cluster);
    this.#leases = new JobLeases(context.cluster);
    this.#begunMs = context.cluster.clock.monotonic();
  }

  run(command: JobCommand): Promise<JsonObject> {
    switch (command.kind) {
      case 'deploy':
        return this.#deploy(command);
      case 'cancel':
        return this.#end('cancelled');
      case 'stop':
        return this.#end('stopped');
      case 'stop-with-savepoint':
        return this.#stopWithSavepoint(command.drain ?? false);
      case 'savepoint':
        return this.#ask('savepoint', {});
      case 'rescale':
        return this.#rescale(command.parallelism);
      case 'restart':
        return this.#restart();
      case 'fork':
        return this.#fork(command);
      case 'remove':
        return this.#remove();
    }
  }

  async #deploy(command: Extract<JobCommand, { readonly kind: 'deploy' }>): Promise<JsonObject> {
    const { bundle, parallelism, restoreFrom, allowNonRestored } = command;
    const before = await this.#registry.desired(this.#job);
    const isFirst = (await this.#registry.requested(this.#job, this.#id)) === null;
    if (isFirst && !(await new BundleStore(this.#context.cluster).has(bundle))) throw noBundle(bundle);
    if (isFirst && restoreFrom !== undefined && before?.desired === 'running')
      throw this.#conflict(
        'runs, and can begin from a checkpoint of your choice only when it is stopped first',
      );
    const newest = (await this.#context.store.list(this.#job)).at(-1)?.id ?? 0;
    const settings = {
      ...(restoreFrom === undefined ? {} : { restoreFrom: { ...restoreFrom, asOf: newest } }),
      ...(allowNonRestored === undefined ? {} : { allowNonRestored }),
    };
    const { revision } = await this.#change({
      bundle,
      desired: 'running',
      ...(parallelism === undefined ? {} : { parallelism }),
      ...(Object.keys(settings).length === 0 ? {} : { settings: { ...before?.settings, ...settings } }),
    });
    const status = await this.#untilRuns(revision);
    if (status.state === 'running' && parallelism !== undefined && status.parallelism !== parallelism)
      await this.#rescale(parallelism);
    return { job: this.#job, bundle, revision, state: status.state, generation: status.generation ?? 0 };
  }

  async #end(desired: 'cancelled' | 'stopped'): Promise<JsonObject> {
    await this.#mustExist();
    await this.#change({ desired });
    return this.#untilEnded();
  }

  async #stopWithSavepoint(drain: boolean): Promise<JsonObject> {
    const result = await this.#ask('stop-with-savepoint', { drain });
    return { ...result, ...(await this.#untilEnded()) };
  }

  async #rescale(parallelism: number): Promise<JsonObject> {
    const result = await this.#ask('rescale', { parallelism }, `${this.#id}.rescale`);
    if (result['outcome'] === 'completed') return result;
    throw new MillraceError(
      'MR_CONTROL_FAILED',
      `Job '${this.#job}' could not be rescaled to ${parallelism} (${String(result['outcome'])}): ${String(result['failure'])}`,
    );
  }

  async #restart(): Promise<JsonObject> {
    const { desired } = await this.#mustExist();
    const isFirst = (await this.#registry.requested(this.#job, this.#id)) === null;
    if (desired === 'running' && isFirst) return this.#ask('restart', {}, `${this.#id}.restart`);
    const { revision } = await this.#change({ desired: 'running' });
    const { state } = await this.#untilRuns(revision);
    return { job: this.#job, state };
  }

  async #fork({
    name,
    bundle,
    checkpoint,
  }: Extract<JobCommand, { readonly kind: 'fork' }>): Promise<JsonObject> {
    const { cluster, store } = this.#context;
    const isFirst = (await this.#registry.requested(this.#job, this.#id)) === null;
    if (isFirst) {
      if (bundle !== undefined && !(await new BundleStore(cluster).has(bundle))) throw noBundle(bundle);
      if ((await this.#registry.desired(name)) !== null)
        throw this.#conflict(`cannot be forked: there is a job '${name}'`);
      if ((await store.list(name)).length > 0)
        throw this.#conflict(
          `cannot be forked: an earlier job '${name}' has left checkpoints; use another name`,
        );
    }
    const result = await this.#ask('fork', {
      name,
      ...(bundle && { bundle }),
      ...(checkpoint && { checkpoint }),
    });
    // Not before it runs does it keep the log from being trimmed.
    const { state } = await new Execution(this.#context, this.#id, name).#untilRuns(1);
    return { ...result, state };
  }

  async #remove(): Promise<JsonObject> {
    const desired = await this.#registry.desired(this.#job);
    if (desired?.desired === 'running') throw this.#conflict('runs; stop or cancel it first');
    await this.#registry.remove(this.#job);
    return { job: this.#job };
  }

  /** A request to the coordinator, answered. */
  async #ask(kind: RequestKind, args: JsonObject, id = this.#id): Promise<JsonObject> {
    if ((await this.#registry.requested(this.#job, id)) === null) {
      const { desired } = await this.#mustExist();
      if (desired !== 'running') throw this.#conflict(`is to be ${desired}, so that nobody can do that`);
      await this.#untilUp();
    }
    let { answer } = await this.#registry.request(this.#job, id, kind, args);
    for (
      ;
      answer.state === 'pending';
      answer = (await this.#registry.requested(this.#job, id))?.answer ?? answer
    ) {
      if (await this.#isOver()) throw await this.#endedBefore();
      await this.#wait('has not answered');
    }
    if (answer.state === 'done') return answer.result;
    const { code, message } = answer.result;
    throw errorOf({ code: String(code), message: String(message), stack: '', details: {} });
  }

  async #endedBefore(): Promise<MillraceError> {
    const status = await readStatus(this.#registry, this.#job);
    return status?.state === 'failed'
      ? failedJob(this.#job, status)
      : this.#conflict('has ended before it could do that');
  }

  /** For a while: a job that does not come up answers that itself. */
  async #untilUp(): Promise<void> {
    const { clock } = this.#context.cluster;
    const untilMs = clock.monotonic() + RUNNING_MS_MAX;
    while (clock.monotonic() < untilMs) {
      const status = await readStatus(this.#registry, this.#job);
      if (status?.state === 'running' || (await this.#isOver())) return;
      await this.#wait('does not run');
    }
  }

  async #untilRuns(revision: number): Promise<StatusDocument> {
    for (;;) {
      const status = await readStatus(this.#registry, this.#job);
      if (status !== null && status.revision >= revision) {
        if (status.state === 'failed') throw failedJob(this.#job, status);
        if (UP.has(status.state)) return status;
      }
      await this.#wait('does not run');
    }
  }

  async #untilEnded(): Promise<JsonObject> {
    while (!(await this.#isOver())) await this.#wait('has not ended');
    const status = await readStatus(this.#registry, this.#job);
    return { job: this.#job, state: status?.state ?? 'stopped' };
  }

  /** It is not to run, and nobody coordinates it. */
  async #isOver(): Promise<boolean> {
    const desired = await this.#registry.desired(this.#job);
    return desired?.desired !== 'running' && (await this.#leases.holder(this.#job)) === null;
  }

  async #wait(soFar: string): Promise<void> {
    const { cluster, signal, progress } = this.#context;
    const status = await readStatus(this.#registry, this.#job);
    const now = {
      state: status?.state ?? null,
      failure: status?.failures?.[0]?.message ?? status?.message ?? null,
    };
    if (JSON.stringify(now) !== this.#told) progress(now);
    this.#told = JSON.stringify(now);
    if (cluster.clock.monotonic() - this.#begunMs > COMMAND_MS_MAX) {
      const why = now.failure === null ? '' : ` Its newest failure: ${now.failure}`;
      throw new MillraceError(
        'MR_CONTROL_FAILED',
        `Job '${this.#job}' ${soFar} within ${COMMAND_MS_MAX / 1_000} s; it is ${now.state ?? 'without a coordinator'}. What was asked of it stays asked.${why}`,
      );
    }
    await cluster.clock.sleep(POLL_MS, signal);
    if (signal.aborted) throw new MillraceError('MR_CONTROL_FAILED', 'This process stops; another goes on.');
  }

  async #mustExist() {
    const desired = await this.#registry.desired(this.#job);
    if (desired !== null) return desired;
    throw new MillraceError(
      'MR_API_NOT_FOUND',
      `There is no job '${this.#job}'. List the jobs that there are.`,
    );
  }

  async #change(change: JobChange): Promise<{ readonly revision: number }> {
    return this.#registry.change(this.#job, this.#id, change);
  }

  #conflict(why: string): MillraceError {
    return new MillraceError('MR_API_CONFLICT', `Job '${this.#job}' ${why}.`);
  }
}

const UP: ReadonlySet<string> = new Set(['running', 'finished', 'stopped', 'cancelled']);

function failedJob(job: string, { code, message, failures }: StatusDocument): MillraceError {
  const why = message ?? failures?.[0]?.message ?? 'it does not say why';
  const given = code ?? failures?.[0]?.code ?? 'MR_CONTROL_FAILED';
  return errorOf({ code: given, message: `Job '${job}' has failed: ${why}`, stack: '', details: { job } });
}

function noBundle(bundle: string): MillraceError {
  return new MillraceError(
    'MR_BUNDLE_INVALID',
    `There is no bundle ${bundle}. Store it before it is deployed.`,
  );
}
