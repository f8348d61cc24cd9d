import { type CheckpointId, checkpointId } from '../base/brand.ts';
import { errorText, hasCode, MillraceError } from '../base/errors.ts';
import type { Ownership } from '../checkpoint/checkpoint-store.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { type ExecutionGraph, planExecution } from '../graph/execution-graph.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import { validateGraph } from '../graph/validate.ts';
import { adoptState } from './adopt-state.ts';
import { Attempt, historyChanges } from './attempt.ts';
import { CheckpointPace } from './checkpoint-pace.ts';
import type { CheckpointPolicy } from './checkpoint-policy.ts';
import { chooseRestore } from './choose-restore.ts';
import type { JobEnvironment } from './job-environment.ts';
import { JobHistory } from './job-history.ts';
import type { JobHandle, JobState, JobStatus, RescaleEntry, StopOptions } from './job-status.ts';
import { describeJob } from './job-view.ts';
import { hostInThisThread } from './open-hosts.ts';
import { PoisonRecords } from './poison-records.ts';
import { Rescaling } from './rescaling.ts';
import { decideRestart, failuresInRow, failuresToKeep } from './restart-policy.ts';

export type { JobEnvironment };

/**
 * Starts a job in this process: takes it over from whoever ran it, restores its newest usable checkpoint and keeps it running.
 * @throws MR_GRAPH_INVALID, MR_CONFIG_INVALID at once; everything later shows in the handle's status.
 */
export function runJob(graph: JobGraph, environment: JobEnvironment): JobHandle {
  validateGraph(graph);
  return new JobRunner(graph, environment);
}

/** Attempts to have a new generation made durable, across a fail-over that is noticed meanwhile. */
const OWNING_TRIES_MAX = 3;
const FINAL: readonly JobState[] = ['finished', 'stopped', 'cancelled', 'failed'];

/**
 * Keeps one job going, attempt after attempt. Suspension points: between attempts, and while an attempt runs.
 *
 * JR1 the token and the generation are raised before anything is read.
 * JR2 checkpoints, savepoints, rescaling and the stop run one after another.
 * JR3 every rescaling ends, whatever happens meanwhile: completed, rolled back or failed.
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
  #attempt: Attempt | null = null;
  #abort = new AbortController();
  #intervalMs: number;
  #generation = 0;
  #histories = 0;
  #request: 'none' | 'cancel' | 'stop' = 'none';
  /** What the checkpoint at the end of a draining stop is, and the id that it got. */
  #drainTo: Manifest['kind'] | null = null;
  #drained: number | null = null;
  #stopped: Promise<number | null> | null = null;
  #rescaling: Rescaling | null = null;
  #pace: CheckpointPace | null = null;
  #serial: Promise<unknown> = Promise.resolve();

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
      attempt: this.#attempt,
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
    this.#pace?.changed();
  }

  async savepoint(): Promise<number> {
    return this.#checkpoint(this.#runningAttempt('a savepoint'), 'savepoint');
  }

  async rescale(parallelism: number): Promise<RescaleEntry> {
    const attempt = this.#runningAttempt('rescaling');
    const { job } = this.#graph;
    const wanted = { ...job, options: { ...job.options, parallelism } };
    validateGraph(wanted);
    if (this.#rescaling !== null)
      throw new MillraceError('MR_API_CONFLICT', `Job '${this.name}' is being rescaled already.`);
    const rescaling = new Rescaling(planExecution(wanted), this.#graph, this.#environment.clock);
    this.#rescaling = rescaling;
    try {
      await this.#checkpoint(attempt, 'checkpoint');
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
    this.#request = 'cancel';
    this.#enter('cancelling');
    this.#abort.abort();
    this.#attempt?.stop();
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
    const attempt = this.#state === 'running' ? this.#attempt : null;
    this.#request = 'stop';
    this.#enter('stopping');
    if (attempt === null) {
      this.#abort.abort();
      await this.done;
      return null;
    }
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
      return await this.#checkpoint(attempt, kind);
    } catch (error) {
      this.#noteFailure(error);
      return null;
    } finally {
      attempt.stop();
      await this.done;
    }
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
    let ownership: Ownership | null = null;
    for (let inRow = 0; ; ) {
      const startedMs = clock.monotonic();
      try {
        this.#enter('starting');
        ownership = await this.#own(ownership);
        this.#generation = ownership.generation;
        await this.#environment.killPoint?.('restore:owned');
        const outcome = await this.#runAttempt(ownership);
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
        if (decision.kind === 'fail') return 'failed';
        inRow = failuresInRow(facts, restart);
        while (this.#failedAt.length > failuresToKeep(restart)) this.#failedAt.shift();
        this.#enter('restarting');
        this.#history.restarts++;
        await clock.sleep(decision.delayMs, this.#abort.signal);
        if (this.#abort.signal.aborted) return this.#requestedEnd();
      }
    }
  }

  /**
   * Token and generation of the next attempt. They are durable before they are used, so that no other attempt is ever given the same ones; what
   * a server has lost before that is nothing of this attempt's.
   */
  async #own(before: Ownership | null): Promise<Ownership> {
    const { store, log, owner } = this.#environment;
    for (let tries = 1; ; tries++) {
      this.#histories = historyChanges(log, store);
      const ownership =
        before === null ? await store.takeOver(this.name, owner) : await store.nextGeneration(before);
      try {
        await Promise.all([store.confirmDurable(), log.confirmDurable()]);
        if (historyChanges(log, store) === this.#histories) return ownership;
      } catch (error) {
        if (!hasCode(error, 'MR_CHECKPOINT_NOT_DURABLE') || tries === OWNING_TRIES_MAX) throw error;
      }
    }
  }

  async #runAttempt(ownership: Ownership): Promise<'ended' | 'stopped'> {
    const { clock, random, log, store, namespace, redisUrl, openLink, uuid, killPoint, jobVersion } =
      this.#environment;
    const ending = new AbortController();
    const signal = AbortSignal.any([this.#abort.signal, ending.signal]);
    const restored = await this.#restore(ownership);
    const own = restored?.job === this.name ? restored.id : checkpointId(0);
    this.#history.restoredFrom = restored?.id ?? null;
    const attempt = await Attempt.open({
      graph: this.#graph,
      store,
      ownership,
      restored,
      openHosts: this.#environment.openHosts ?? hostInThisThread(store),
      histories: this.#histories,
      poisoned: this.#poison.poisoned(),
      ...(jobVersion === undefined ? {} : { jobVersion }),
      environment: {
        job: this.name,
        namespace,
        redisUrl,
        openLink,
        generation: ownership.generation,
        restoredCheckpoint: own,
        log,
        clock,
        random,
        uuid,
        signal,
        killPoint: killPoint ?? (() => {}),
      },
    }).catch((error: unknown) => this.#ruleOut(restored, error, true));
    try {
      if (this.#endRequested) return 'stopped';
      const pace = this.#begin(attempt);
      const outcome = await Promise.race([attempt.run(), this.#tick(attempt, pace, signal)]);
      if (outcome === 'ended' && (!this.#endRequested || this.#drainTo !== null))
        this.#drained = await this.#checkpoint(attempt, this.#drainTo ?? 'checkpoint');
      return outcome;
    } catch (error) {
      return this.#ruleOut(restored, error, false);
    } finally {
      ending.abort();
      this.#pace?.changed();
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

  #begin(attempt: Attempt): CheckpointPace {
    this.#attempt = attempt;
    this.#serial = Promise.resolve();
    // A rescaled attempt is to show at once that it can complete one: it has less time for that than the interval may be.
    const atOnce = this.#graph === this.#rescaling?.target;
    const pace = new CheckpointPace(this.#environment.clock, () => this.#policy(), atOnce);
    this.#pace = pace;
    this.#rescaling?.started(this.#graph, (why) => attempt.fail(why));
    this.#enter('running');
    return pace;
  }

  async #restore(ownership: Ownership): Promise<Manifest | null> {
    this.#enter('restoring');
    const { restoreFrom } = this.#environment;
    const job = { job: this.name, ...this.#graph.job };
    const chosen = await chooseRestore(job, this.#environment, restoreFrom ?? null, this.#ruledOut);
    return chosen === null ? null : adoptState(chosen, ownership, this.#graph, this.#environment);
  }

  /** Triggers checkpoints until the attempt ends; rejects when one fails and the job does not tolerate it. */
  async #tick(attempt: Attempt, pace: CheckpointPace, signal: AbortSignal): Promise<never> {
    for (;;) {
      await pace.due(signal);
      if (signal.aborted || this.#endRequested) return new Promise<never>(() => {});
      await this.#checkpoint(attempt, 'checkpoint').catch((error: unknown) => {
        if (!pace.tolerates(error)) throw error;
      });
    }
  }

  #policy(): CheckpointPolicy {
    const { checkpointMinPauseMs, checkpointFailuresTolerable } = this.#graph.job.options;
    return {
      intervalMs: this.#intervalMs,
      minPauseMs: checkpointMinPauseMs,
      failuresTolerable: checkpointFailuresTolerable,
    };
  }

  #checkpoint(attempt: Attempt, kind: Manifest['kind']): Promise<number> {
    const next = this.#serial.then(() => this.#takeCheckpoint(attempt, kind));
    this.#serial = next.catch(() => {});
    return next;
  }

  async #takeCheckpoint(attempt: Attempt, kind: Manifest['kind']): Promise<number> {
    const { clock } = this.#environment;
    const triggeredAt = clock.now();
    const startedMs = clock.monotonic();
    this.#history.inProgress = triggeredAt;
    const entry = { kind, triggeredAt };
    try {
      const { manifest, ...figures } = await attempt.checkpoint(kind);
      const durationMs = clock.monotonic() - startedMs;
      this.#history.checkpoint({
        ...entry,
        ...figures,
        id: manifest.id,
        outcome: 'completed',
        durationMs,
        failure: null,
      });
      this.#pace?.ended('completed');
      if (this.#rescaling?.isHealthy(this.#graph)) this.#endRescaling('completed', null);
      return manifest.id;
    } catch (error) {
      const durationMs = clock.monotonic() - startedMs;
      const nothing = { id: 0, stateBytes: 0, writtenBytes: 0, alignmentMs: 0, syncMs: 0 };
      this.#history.checkpoint({
        ...entry,
        ...nothing,
        outcome: 'failed',
        durationMs,
        failure: errorText(error),
      });
      this.#pace?.ended('failed');
      // It may be published: only a restore makes sure that its output is committed.
      if (attempt.publishing) attempt.fail(error);
      throw error;
    } finally {
      this.#history.inProgress = null;
      this.#changed();
    }
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

  #runningAttempt(what: string): Attempt {
    if (this.#state === 'running' && this.#attempt !== null) return this.#attempt;
    throw new MillraceError(
      'MR_CHECKPOINT_FAILED',
      `Job '${this.name}' is ${this.#state}; ${what} needs a running job.`,
    );
  }

  #noteFailure(error: unknown): void {
    this.#poison.note(error);
    this.#history.failure(error, this.#environment.clock.now(), this.#generation);
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
