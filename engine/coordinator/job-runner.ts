import type { CheckpointId } from '../base/brand.ts';
import { errorText, hasCode, MillraceError } from '../base/errors.ts';
import type { Ownership } from '../checkpoint/checkpoint-store.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { type ExecutionGraph, planExecution } from '../graph/execution-graph.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import { validateGraph } from '../graph/validate.ts';
import { adoptState } from './adopt-state.ts';
import { Attempt } from './attempt.ts';
import { checkpointPolicy } from './checkpoint-policy.ts';
import { CheckpointSeries } from './checkpoint-series.ts';
import { chooseRestore } from './choose-restore.ts';
import type { JobEnvironment } from './job-environment.ts';
import { JobHistory } from './job-history.ts';
import type { JobHandle, JobState, JobStatus, RescaleEntry, StopOptions } from './job-status.ts';
import { describeJob } from './job-view.ts';
import { hostInThisThread } from './open-hosts.ts';
import { PoisonRecords } from './poison-records.ts';
import { Rescaling } from './rescaling.ts';
import { decideRestart, failuresInRow, failuresToKeep } from './restart-policy.ts';
import { type Owned, takeOwnership } from './take-ownership.ts';

export type { JobEnvironment };

/**
 * Starts a job in this process: takes it over from whoever ran it, restores its newest usable checkpoint and keeps it running.
 * @throws MR_GRAPH_INVALID, MR_CONFIG_INVALID at once; everything later shows in the handle's status.
 */
export function runJob(graph: JobGraph, environment: JobEnvironment): JobHandle {
  validateGraph(graph);
  return new JobRunner(graph, environment);
}

const FINAL: readonly JobState[] = ['finished', 'stopped', 'cancelled', 'failed'];

/**
 * Keeps one job going, attempt after attempt. Suspension points: between attempts, and while an attempt runs.
 *
 * JR1 the token and the generation are raised before anything is read.
 * JR2 checkpoints, savepoints, rescaling and the stop run one after another: each takes its checkpoint in the attempt's series (CQ2).
 * JR3 every rescaling ends, whatever happens meanwhile: completed, rolled back or failed.
 * JR4 when a job is given up that another coordinator has taken over, the last failure says so: what a replaced one meets, such as sinks that
 *     are ahead, tells nothing of the job.
 */
class JobRunner implements JobHandle {
  readonly name: string;
  readonly done: Promise<JobState>;
  readonly #environment: JobEnvironment;
  readonly #listeners = new Set<() => void>();
  readonly #startedAt: number;
  readonly #history = new JobHistory();
  readonly #poison: PoisonRecords;
  readonly #ruledOut = new Set<CheckpointId>();
  readonly #failedAt: number[] = [];
  #graph: ExecutionGraph;
  #state: JobState = 'created';
  #stateSince: number;
  /** The one that runs, or the one that ran last. */
  #current: RunningAttempt | null = null;
  #abort = new AbortController();
  #intervalMs: number;
  #generation = 0;
  #request: 'none' | 'cancel' | 'stop' = 'none';
  /** What the checkpoint at the end of a draining stop is, and the id that it got. */
  #drainTo: Manifest['kind'] | null = null;
  #drained: number | null = null;
  #stopped: Promise<number | null> | null = null;
  #rescaling: Rescaling | null = null;

  constructor(graph: JobGraph, environment: JobEnvironment) {
    this.name = graph.name;
    this.#graph = planExecution(graph);
    this.#environment = environment;
    this.#intervalMs = graph.options.checkpointIntervalMs;
    this.#poison = new PoisonRecords(graph.options.poisonAfter);
    this.#startedAt = environment.clock.now();
    this.#stateSince = this.#startedAt;
    this.done = this.#run();
  }

  status(): JobStatus {
    return describeJob({
      graph: this.#graph,
      attempt: this.#current?.attempt ?? null,
      state: this.#state,
      stateSince: this.#stateSince,
      startedAt: this.#startedAt,
      generation: this.#generation,
      intervalMs: this.#intervalMs,
      history: this.#history,
    });
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setCheckpointInterval(ms: number): void {
    if (!Number.isSafeInteger(ms) || ms < 100 || ms > 86_400_000) {
      throw new MillraceError(
        'MR_CONFIG_INVALID',
        `The checkpoint interval must be 100 ms to 1 day, got ${ms} ms.`,
      );
    }
    this.#intervalMs = ms;
    this.#current?.checkpoints.changePolicy(checkpointPolicy(this.#graph.job.options, ms));
  }

  async savepoint(): Promise<number> {
    return this.#running('a savepoint').checkpoints.take('savepoint');
  }

  async rescale(parallelism: number): Promise<RescaleEntry> {
    const { attempt, checkpoints } = this.#running('rescaling');
    const { job } = this.#graph;
    const wanted = { ...job, options: { ...job.options, parallelism } };
    validateGraph(wanted);
    if (this.#rescaling !== null)
      throw new MillraceError('MR_API_CONFLICT', `Job '${this.name}' is being rescaled already.`);
    const rescaling = new Rescaling(planExecution(wanted), this.#graph, this.#environment.clock);
    this.#rescaling = rescaling;
    try {
      await checkpoints.take('checkpoint');
      // Whoever stops the job takes its last checkpoint from the attempt that runs.
      if (this.#endRequested) throw new Error(`the job is ${this.#state}`);
      rescaling.checkpointTaken();
      attempt.stop();
    } catch (error) {
      this.#endRescaling('failed', error);
    }
    return rescaling.done;
  }

  async cancel(): Promise<void> {
    if (FINAL.includes(this.#state)) return;
    this.#beginEnd('cancel');
    this.#abort.abort();
    this.#current?.attempt.stop();
    await this.done;
  }

  async stop(options: StopOptions = {}): Promise<number | null> {
    if (FINAL.includes(this.#state)) return null;
    if (this.#request === 'cancel') {
      await this.done;
      return null;
    }
    this.#stopped ??= this.#stop(options);
    return this.#stopped;
  }

  async #stop(options: StopOptions): Promise<number | null> {
    const running = this.#state === 'running' ? this.#current : null;
    this.#beginEnd('stop');
    if (running === null) {
      this.#abort.abort();
      await this.done;
      return null;
    }
    const { attempt, checkpoints } = running;
    const kind = options.savepoint ? 'savepoint' : 'checkpoint';
    if (options.drain) {
      // The checkpoint comes when all tasks have ended, with what they gave at the end of time.
      this.#drainTo = kind;
      attempt.stopSources(true);
      await this.done;
      return this.#drained;
    }
    attempt.stopSources(false);
    try {
      return await checkpoints.take(kind);
    } catch (error) {
      this.#noteFailure(error);
      return null;
    } finally {
      attempt.stop();
      await this.done;
    }
  }

  /** From now on nothing begins by itself. */
  #beginEnd(request: 'cancel' | 'stop'): void {
    this.#request = request;
    this.#enter(request === 'cancel' ? 'cancelling' : 'stopping');
    this.#current?.checkpoints.end();
  }

  get #endRequested(): boolean {
    return this.#request !== 'none';
  }

  #requestedEnd(): 'cancelled' | 'stopped' {
    return this.#request === 'cancel' ? 'cancelled' : 'stopped';
  }

  async #run(): Promise<JobState> {
    const outcome = await this.#attempts();
    this.#endRescaling('failed', new Error(`the job is ${outcome}`));
    return this.#enter(outcome);
  }

  /** Attempt after attempt, until one ends by itself or on request, or the restart strategy gives up. */
  async #attempts(): Promise<JobState> {
    const { clock, random } = this.#environment;
    let owned: Owned | null = null;
    for (let inRow = 0; ; ) {
      const startedMs = clock.monotonic();
      try {
        this.#enter('starting');
        owned = await takeOwnership(this.name, owned?.ownership ?? null, this.#environment);
        this.#generation = owned.ownership.generation;
        await this.#environment.killPoint?.('restore:owned');
        const outcome = await this.#runAttempt(owned);
        if (this.#endRequested) return this.#requestedEnd();
        if (outcome === 'ended') return 'finished';
        this.#startRescaled();
      } catch (error) {
        this.#noteFailure(error);
        if (this.#endRequested) return this.#requestedEnd();
        if (this.#rollBack(error)) continue;
        if (this.#rescaling?.isDue) {
          // It was to end, and what it held is in the checkpoint.
          this.#startRescaled();
          continue;
        }
        const now = clock.monotonic();
        this.#failedAt.push(now);
        const facts = { error, inRow, failedAt: this.#failedAt, ranMs: now - startedMs };
        const { restart } = this.#graph.job.options;
        const decision = decideRestart(facts, restart, random);
        if (decision.kind === 'fail') {
          await this.#noteIfReplaced(owned);
          return 'failed';
        }
        inRow = failuresInRow(facts, restart);
        while (this.#failedAt.length > failuresToKeep(restart)) this.#failedAt.shift();
        this.#enter('restarting');
        this.#history.restarts++;
        await clock.sleep(decision.delayMs, this.#abort.signal);
        if (this.#abort.signal.aborted) return this.#requestedEnd();
      }
    }
  }

  /** JR4 */
  async #noteIfReplaced(owned: Owned | null): Promise<void> {
    if (owned === null) return;
    await this.#environment.store.nextGeneration(owned.ownership).catch((error: unknown) => {
      if (hasCode(error, 'MR_CHECKPOINT_FENCED')) this.#noteFailure(error);
    });
  }

  async #runAttempt({ ownership, histories }: Owned): Promise<'ended' | 'stopped'> {
    const { clock, random, log, store, namespace, redisUrl, openLink, uuid, onDeadLetter, killPoint } =
      this.#environment;
    const { jobVersion } = this.#environment;
    const ending = new AbortController();
    const signal = AbortSignal.any([this.#abort.signal, ending.signal]);
    const restored = await this.#restore(ownership);
    this.#history.restoredFrom = restored?.id ?? null;
    const attempt = await Attempt.open({
      graph: this.#graph,
      store,
      ownership,
      restored,
      openHosts: this.#environment.openHosts ?? hostInThisThread(store),
      histories,
      poisoned: this.#poison.poisoned(),
      ...(jobVersion === undefined ? {} : { jobVersion }),
      environment: {
        job: this.name,
        namespace,
        redisUrl,
        openLink,
        generation: ownership.generation,
        log,
        clock,
        random,
        uuid,
        onDeadLetter,
        signal,
        killPoint: killPoint ?? (() => {}),
      },
    }).catch((error: unknown) => this.#ruleOut(restored, error, true));
    try {
      if (this.#endRequested) return 'stopped';
      const checkpoints = this.#begin(attempt);
      const outcome = await Promise.race([attempt.run(), checkpoints.run()]);
      if (outcome === 'ended' && (!this.#endRequested || this.#drainTo !== null))
        this.#drained = await checkpoints.take(this.#drainTo ?? 'checkpoint');
      return outcome;
    } catch (error) {
      return this.#ruleOut(restored, error, false);
    } finally {
      ending.abort();
      this.#current?.checkpoints.end();
      await attempt.close();
    }
  }

  /** A checkpoint that does not match its logs is not tried again: found so while opening, or by a reader at the very position it restored. */
  #ruleOut(restored: Manifest | null, error: unknown, opening: boolean): never {
    if (restored !== null && hasCode(error, 'MR_LOG_ROLLED_BACK')) {
      const { topic, partition, offset } = error.details;
      const atStart = restored.positions.some(
        (p) => p.topic === topic && p.partition === partition && p.offset === offset,
      );
      if (opening || atStart) this.#ruledOut.add(restored.id);
    }
    throw error;
  }

  #begin(attempt: Attempt): CheckpointSeries {
    const checkpoints = new CheckpointSeries({
      attempt,
      clock: this.#environment.clock,
      policy: checkpointPolicy(this.#graph.job.options, this.#intervalMs),
      // A rescaled attempt is to show at once that it can complete one: it has less time for that than the interval may be.
      atOnce: this.#graph === this.#rescaling?.target,
      history: this.#history,
      ended: (outcome) => {
        const isHealthy = outcome === 'completed' && this.#rescaling?.isHealthy(this.#graph);
        if (isHealthy) this.#endRescaling('completed', null);
        this.#changed();
      },
    });
    this.#current = { attempt, checkpoints };
    this.#rescaling?.started(this.#graph, (why) => attempt.fail(why));
    this.#enter('running');
    return checkpoints;
  }

  async #restore(ownership: Ownership): Promise<Manifest | null> {
    this.#enter('restoring');
    const { restoreFrom } = this.#environment;
    const job = { job: this.name, ...this.#graph.job };
    const chosen = await chooseRestore(job, this.#environment, restoreFrom ?? null, this.#ruledOut);
    return chosen === null ? null : adoptState(chosen, ownership, this.#graph, this.#environment);
  }

  /** The next attempt runs at the parallelism that was asked for. */
  #startRescaled(): void {
    if (this.#rescaling !== null) this.#graph = this.#rescaling.target;
  }

  /** Goes back to the old parallelism when the first attempt at the new one has failed; says whether it did. */
  #rollBack(error: unknown): boolean {
    const rescaling = this.#rescaling;
    if (rescaling === null || this.#graph !== rescaling.target) return false;
    this.#graph = rescaling.source;
    this.#endRescaling('rolled-back', error);
    return true;
  }

  #endRescaling(outcome: RescaleEntry['outcome'], error: unknown): void {
    const entry = this.#rescaling?.end(outcome, error === null ? null : errorText(error));
    if (entry !== undefined) this.#history.rescale(entry);
    this.#rescaling = null;
  }

  #running(what: string): RunningAttempt {
    if (this.#state === 'running' && this.#current !== null) return this.#current;
    throw new MillraceError(
      'MR_CHECKPOINT_FAILED',
      `Job '${this.name}' is ${this.#state}; ${what} needs a running job.`,
    );
  }

  #noteFailure(error: unknown): void {
    this.#poison.note(error);
    this.#history.failure(error, this.#environment.clock.now(), this.#generation);
    this.#environment.onFailure?.(error);
  }

  #enter(state: JobState): JobState {
    const leaving = FINAL.includes(this.#state);
    const busyEnding = (this.#state === 'stopping' || this.#state === 'cancelling') && !FINAL.includes(state);
    if (!leaving && !busyEnding) {
      this.#state = state;
      this.#stateSince = this.#environment.clock.now();
      this.#changed();
    }
    return state;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

interface RunningAttempt {
  readonly attempt: Attempt;
  readonly checkpoints: CheckpointSeries;
}
