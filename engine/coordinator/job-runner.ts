import { type CheckpointId, checkpointId } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode, errorText, hasCode, MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Random } from '../base/random.ts';
import type { CheckpointStore, Ownership } from '../checkpoint/checkpoint-store.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { decideRestore, type LogFacts } from '../checkpoint/protocol.ts';
import { refuseMismatch } from '../checkpoint/restored-state.ts';
import { type ExecutionGraph, planExecution } from '../graph/execution-graph.ts';
import type { JobGraph } from '../graph/job-graph.ts';
import { validateGraph } from '../graph/validate.ts';
import type { PartitionLog } from '../log/partition-log.ts';
import { Attempt } from './attempt.ts';
import { hostInThisThread, type OpenHosts } from './open-hosts.ts';
import type { CheckpointEntry, JobFailure, JobHandle, JobState, JobStatus } from './job-status.ts';
import type { OpenRedisLink } from '../redis/redis-link.ts';
import { describeJob } from './job-view.ts';
import { decideRestart } from './restart-policy.ts';

/** What a job runs on. Closing the log and the store is the caller's business. */
export interface JobEnvironment {
  readonly namespace: string;
  /** Where sinks on Redis write unless told otherwise. */
  readonly redisUrl?: string;
  readonly log: PartitionLog;
  readonly store: CheckpointStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly uuid: () => string;
  /** Who runs it, for people: host and process id. */
  readonly owner: string;
  readonly killPoint?: (name: string) => void;
  /** How sources and sinks connect to Redis; a simulation hands in its own. */
  readonly openLink?: OpenRedisLink;
  /** Where its slots run. Default: all in this thread. */
  readonly openHosts?: OpenHosts;
}

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
 * JR2 checkpoints, savepoints and the stop run one after another.
 */
class JobRunner implements JobHandle {
  readonly name: string;
  readonly done: Promise<JobState>;
  readonly #graph: ExecutionGraph;
  readonly #environment: JobEnvironment;
  readonly #listeners = new Set<() => void>();
  readonly #startedAt: number;
  readonly #failures: JobFailure[] = [];
  readonly #history: CheckpointEntry[] = [];
  readonly #ruledOut = new Set<CheckpointId>();
  #state: JobState = 'created';
  #stateSince: number;
  #attempt: Attempt | null = null;
  #abort = new AbortController();
  #intervalMs: number;
  #generation = 0;
  #restarts = 0;
  #completed = 0;
  #failed = 0;
  #inProgress: number | null = null;
  #restoredFrom: number | null = null;
  #request: 'none' | 'cancel' | 'stop' = 'none';
  #serial: Promise<unknown> = Promise.resolve();
  #reschedule: () => void = () => {};

  constructor(graph: JobGraph, environment: JobEnvironment) {
    this.name = graph.name;
    this.#graph = planExecution(graph);
    this.#environment = environment;
    this.#intervalMs = graph.options.checkpointIntervalMs;
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
      restarts: this.#restarts,
      intervalMs: this.#intervalMs,
      failures: this.#failures,
      checkpoints: {
        completed: this.#completed,
        failed: this.#failed,
        inProgress: this.#inProgress,
        restoredFrom: this.#restoredFrom,
        history: [...this.#history],
      },
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
    this.#reschedule();
  }

  async savepoint(): Promise<number> {
    return this.#checkpoint(this.#runningAttempt(), 'savepoint');
  }

  async cancel(): Promise<void> {
    if (FINAL.includes(this.#state)) return;
    this.#request = 'cancel';
    this.#enter('cancelling');
    this.#abort.abort();
    this.#attempt?.stop();
    await this.done;
  }

  async stop(options: { readonly savepoint?: boolean } = {}): Promise<number | null> {
    if (FINAL.includes(this.#state)) return null;
    const attempt = this.#state === 'running' ? this.#attempt : null;
    this.#request = 'stop';
    this.#enter('stopping');
    if (attempt === null) {
      this.#abort.abort();
      await this.done;
      return null;
    }
    attempt.stopSources();
    try {
      return await this.#checkpoint(attempt, options.savepoint ? 'savepoint' : 'checkpoint');
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
    const { store, owner } = this.#environment;
    let ownership: Ownership | null = null;
    for (let failuresInRow = 0; ; ) {
      const startedMs = this.#environment.clock.monotonic();
      try {
        this.#enter('starting');
        ownership =
          ownership === null ? await store.takeOver(this.name, owner) : await store.nextGeneration(ownership);
        this.#generation = ownership.generation;
        const outcome = await this.#runAttempt(ownership);
        return this.#enter(outcome === 'ended' ? 'finished' : this.#requestedEnd());
      } catch (error) {
        this.#noteFailure(error);
        if (this.#endRequested) return this.#enter(this.#requestedEnd());
        const { restart } = this.#graph.job.options;
        const ranMs = this.#environment.clock.monotonic() - startedMs;
        failuresInRow = ranMs >= restart.resetAfterMs ? 1 : failuresInRow + 1;
        const decision = decideRestart({ error, failuresInRow }, restart, this.#environment.random);
        if (decision.kind === 'fail') return this.#enter('failed');
        this.#enter('restarting');
        this.#restarts++;
        await this.#environment.clock.sleep(decision.delayMs, this.#abort.signal);
        if (this.#abort.signal.aborted) return this.#enter(this.#requestedEnd());
      }
    }
  }

  async #runAttempt(ownership: Ownership): Promise<'ended' | 'stopped'> {
    const { clock, random, log, store, namespace, redisUrl, openLink, uuid, killPoint } = this.#environment;
    const ending = new AbortController();
    const signal = AbortSignal.any([this.#abort.signal, ending.signal]);
    const restored = await this.#restore();
    this.#restoredFrom = restored?.id ?? null;
    const attempt = await Attempt.open({
      graph: this.#graph,
      store,
      ownership,
      restored,
      openHosts: this.#environment.openHosts ?? hostInThisThread(store),
      environment: {
        job: this.name,
        namespace,
        redisUrl,
        openLink,
        generation: ownership.generation,
        restoredCheckpoint: restored?.id ?? checkpointId(0),
        log,
        clock,
        random,
        uuid,
        signal,
        killPoint: killPoint ?? (() => {}),
      },
    });
    try {
      if (this.#endRequested) return 'stopped';
      this.#attempt = attempt;
      this.#serial = Promise.resolve();
      this.#enter('running');
      const outcome = await Promise.race([attempt.run(), this.#tick(attempt, signal)]);
      if (outcome === 'ended' && !this.#endRequested) await this.#checkpoint(attempt, 'checkpoint');
      return outcome;
    } catch (error) {
      if (hasCode(error, 'MR_LOG_ROLLED_BACK') && restored !== null) this.#ruledOut.add(restored.id);
      throw error;
    } finally {
      ending.abort();
      this.#reschedule();
      await attempt.close();
    }
  }

  /** Triggers checkpoints until the attempt ends; rejects when one fails. */
  async #tick(attempt: Attempt, signal: AbortSignal): Promise<never> {
    for (;;) {
      await this.#sleepInterval(signal);
      if (signal.aborted || this.#endRequested) return new Promise<never>(() => {});
      await this.#checkpoint(attempt, 'checkpoint');
    }
  }

  /** One interval; a changed interval counts from the last trigger. */
  async #sleepInterval(signal: AbortSignal): Promise<void> {
    const { clock } = this.#environment;
    const startedMs = clock.monotonic();
    while (!signal.aborted) {
      const leftMs = this.#intervalMs - (clock.monotonic() - startedMs);
      if (leftMs <= 0) return;
      const changed = new AbortController();
      this.#reschedule = () => changed.abort();
      await clock.sleep(leftMs, AbortSignal.any([signal, changed.signal]));
    }
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
    this.#inProgress = triggeredAt;
    try {
      const { manifest, stateBytes } = await attempt.checkpoint(kind);
      this.#completed++;
      this.#note({
        id: manifest.id,
        kind,
        outcome: 'completed',
        triggeredAt,
        durationMs: clock.monotonic() - startedMs,
        stateBytes,
        failure: null,
      });
      return manifest.id;
    } catch (error) {
      this.#failed++;
      this.#note({
        id: 0,
        kind,
        outcome: 'failed',
        triggeredAt,
        durationMs: clock.monotonic() - startedMs,
        stateBytes: 0,
        failure: errorText(error),
      });
      throw error;
    } finally {
      this.#inProgress = null;
      this.#changed();
    }
  }

  async #restore(): Promise<Manifest | null> {
    const { store, log } = this.#environment;
    this.#enter('restoring');
    const manifests = await store.list(this.name);
    const facts = await logFacts(log, manifests);
    const decision = decideRestore({
      manifests,
      chosen: null,
      log: (t, p) => facts.get(`${t}:${p}`) ?? null,
      ruledOut: this.#ruledOut,
    });
    switch (decision.kind) {
      case 'fresh':
        return null;
      case 'impossible':
        throw new MillraceError(
          'MR_LOG_TRIMMED',
          `Job '${this.name}' cannot resume: none of its ${decision.refused.length} checkpoints fits the logs any more ` +
            `(${decision.refused.map((r) => `${r.id}: ${r.positions.map((p) => `${p.topic}/${p.partition} ${p.verdict}`).join(', ') || 'chain mismatch'}`).join('; ')}). ` +
            'Replay the raw events from the lake into the topic, or start the job under another name.',
        );
      case 'restore': {
        const operators = new Set(
          this.#graph.job.nodes.flatMap((node) => (node.kind === 'stage' ? [] : [node.id])),
        );
        refuseMismatch(decision.manifest, operators, this.#graph.job.options.maxParallelism);
        return decision.manifest;
      }
    }
  }

  #runningAttempt(): Attempt {
    if (this.#state === 'running' && this.#attempt !== null) return this.#attempt;
    throw new MillraceError(
      'MR_CHECKPOINT_FAILED',
      `Job '${this.name}' is ${this.#state}; a savepoint needs a running job.`,
    );
  }

  #noteFailure(error: unknown): void {
    const operator = error instanceof MillraceError ? error.details['operator'] : undefined;
    this.#failures.unshift({
      at: this.#environment.clock.now(),
      code: errorCode(error) ?? 'UNKNOWN',
      message: errorText(error),
      operator: typeof operator === 'string' ? operator : null,
      generation: this.#generation,
    });
    this.#failures.length = Math.min(this.#failures.length, 16);
  }

  #note(entry: CheckpointEntry): void {
    this.#history.unshift(entry);
    this.#history.length = Math.min(this.#history.length, LIMITS.historyEntriesMax);
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

async function logFacts(
  log: PartitionLog,
  manifests: readonly Manifest[],
): Promise<ReadonlyMap<string, LogFacts>> {
  const facts = new Map<string, LogFacts>();
  for (const topic of new Set(manifests.flatMap((m) => m.positions.map((p) => p.topic)))) {
    const known = await log.topic(topic);
    for (let partition = 0; partition < (known?.partitions ?? 0); partition++) {
      const [start, end] = await Promise.all([
        log.position(topic, partition, 'earliest'),
        log.position(topic, partition, 'latest'),
      ]);
      facts.set(`${topic}:${partition}`, { start, end });
    }
  }
  return facts;
}
