import type { CheckpointId } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { CheckpointStore, Ownership } from '../checkpoint/checkpoint-store.ts';
import type { Manifest, SinkCommit, SnapshotRef } from '../checkpoint/manifest.ts';
import {
  type AcknowledgedCheckpoint,
  PendingCheckpoint,
  sourceState,
} from '../checkpoint/pending-checkpoint.ts';
import { positionsToHold } from '../checkpoint/protocol.ts';
import { RestoredState } from '../checkpoint/restored-state.ts';
import { SnapshotWriter } from '../checkpoint/snapshot-writer.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import { DEAD_LETTER_ID } from '../graph/validate.ts';
import { DeadLetter, deadLetterTopic } from '../log/dead-letter.ts';
import { logSink } from '../log/log-sink.ts';
import type { TopicPosition } from '../log/partition-log.ts';
import type { AttemptEnvironment } from '../runtime/attempt-environment.ts';
import { buildTasks } from '../runtime/build-tasks.ts';
import type { MemberMeter } from '../runtime/member-meter.ts';
import type { Sink } from '../runtime/sink.ts';
import { SinkRuntime } from '../runtime/sink-runtime.ts';
import type { Task, TaskSnapshot } from '../runtime/task.ts';
import { TaskLoop } from '../runtime/task-loop.ts';

export interface AttemptOptions {
  readonly graph: ExecutionGraph;
  readonly environment: AttemptEnvironment;
  readonly store: CheckpointStore;
  readonly ownership: Ownership;
  readonly restored: RestoredState;
}

export interface CompletedCheckpoint {
  readonly manifest: Manifest;
  readonly stateBytes: number;
}

/**
 * One attempt of one job in one thread: opened from a checkpoint, run until it ends or fails, closed.
 *
 * The life of a checkpoint is `checkpoint()`, top to bottom. Suspension points: each await there; tasks keep running meanwhile.
 *
 * AT1 sinks have committed what the restored checkpoint names before any source is opened.
 * AT2 a checkpoint's sinks commit only after its manifest is published and durable.
 * AT3 one checkpoint at a time; a checkpoint that fails fails the attempt.
 */
export class Attempt {
  readonly #options: AttemptOptions;
  readonly #writer: SnapshotWriter;
  readonly #sinks = new Map<string, SinkRuntime>();
  readonly meters: MemberMeter[] = [];
  #tasks: Task[] = [];
  #loop: TaskLoop | null = null;
  #pending: PendingCheckpoint | null = null;
  #retained: readonly Manifest[] = [];
  #closed = false;

  private constructor(options: AttemptOptions) {
    this.#options = options;
    const { store, ownership, environment } = options;
    this.#writer = new SnapshotWriter({ store, ownership, clock: environment.clock });
  }

  static async open(options: AttemptOptions): Promise<Attempt> {
    const attempt = new Attempt(options);
    try {
      await attempt.#open();
      return attempt;
    } catch (error) {
      await attempt.close();
      throw error;
    }
  }

  get tasks(): readonly Task[] {
    return this.#tasks;
  }

  get sinks(): ReadonlyMap<string, SinkRuntime> {
    return this.#sinks;
  }

  /** Runs until every source has ended (a last checkpoint included) or {@link stop}; rejects with the first failure. */
  async run(): Promise<'ended' | 'stopped'> {
    return (this.#loop as TaskLoop).run();
  }

  stop(): void {
    this.#loop?.stop();
  }

  wake(): void {
    this.#loop?.wake();
  }

  /** Resolves when no task can go on without something new from outside. */
  async settled(): Promise<void> {
    await this.#loop?.settled();
  }

  /** True while an asynchronous operator holds records. */
  get pending(): boolean {
    return this.#tasks.some((task) => task.operators.some(({ operator }) => operator.pending?.() ?? false));
  }

  /** Takes no more input; what has been taken is still processed. */
  stopSources(): void {
    for (const task of this.#tasks) if (task.input.kind === 'source') task.stopInput();
    this.wake();
  }

  /** Takes, publishes and commits one checkpoint. */
  async checkpoint(kind: Manifest['kind']): Promise<CompletedCheckpoint> {
    const { store, ownership, environment, graph } = this.#options;
    const triggeredAt = environment.clock.now();
    const id = await store.nextCheckpointId(ownership);
    const acknowledged = await this.#barrier(id);
    const { snapshots, stateBytes } = await this.#writeSnapshots(id, acknowledged);
    const commits = [...this.#sinks].map(([operator, sink]) =>
      sink.nextCommit(acknowledged.committables.get(operator) ?? []),
    );
    const manifest = this.#manifest({
      id,
      kind,
      triggeredAt,
      snapshots,
      positions: acknowledged.positions,
      sinks: commits,
    });
    environment.killPoint('checkpoint:before-publish');
    await store.publish(ownership, manifest, graph.job.options.checkpointsRetained);
    await store.confirmDurable();
    environment.killPoint('checkpoint:after-publish');
    await this.#commitSinks(commits, id);
    await this.#release(manifest);
    return { manifest, stateBytes };
  }

  async close(): Promise<void> {
    this.#loop?.stop();
    this.#closed = true;
    // Whoever waits for a checkpoint must not wait for tasks that run no more.
    this.#pending?.fail(this.#over(this.#pending.id));
    const closing = [
      ...this.#tasks.map((task) => task.close()),
      ...[...this.#sinks.values()].map((sink) => sink.close()),
    ];
    await Promise.allSettled(closing);
  }

  async #open(): Promise<void> {
    const { graph, environment, restored, store } = this.#options;
    environment.killPoint('restore:begin');
    this.#retained = await store.list(environment.job);
    if (restored.manifest !== null) await this.#hold(positionsToHold(this.#retained, restored.manifest));
    this.#createSinks();
    for (const sink of this.#sinks.values()) await sink.recover();
    environment.killPoint('restore:after-commit');
    this.#tasks = await buildTasks({
      graph,
      environment,
      restored,
      sinks: this.#sinks,
      meters: this.meters,
      wake: () => this.#loop?.wake(),
      onSnapshot: (task, snapshot) => this.#onSnapshot(task, snapshot),
      onEnded: (task) => this.#onEnded(task),
    });
    if (restored.manifest === null) await this.#publishStart();
    this.#loop = new TaskLoop(this.#tasks, environment.clock);
    environment.killPoint('restore:end');
  }

  /**
   * The first checkpoint of a fresh job, before any record: where its sources start, and the ids of its sinks. With them published,
   * an attempt that dies early leaves no staged output that nobody knows, and no start that a second attempt would choose anew.
   */
  async #publishStart(): Promise<void> {
    const { store, ownership, environment, graph } = this.#options;
    const sources = this.#tasks.flatMap(({ input, subtask }) =>
      input.kind === 'source' ? [{ operator: input.operator, subtask, ...input.reader.snapshot() }] : [],
    );
    const positions = sources.flatMap((source) => source.positions);
    await this.#hold(positions);
    const id = await store.nextCheckpointId(ownership);
    const states = sources.map(({ operator, subtask, items }) => ({
      operator,
      subtask,
      state: sourceState(items),
    }));
    const { snapshots } = await this.#writeSnapshots(id, { states, positions, committables: new Map() });
    const sinks = [...this.#sinks.values()].map((sink) => sink.start());
    const manifest = this.#manifest({
      id,
      kind: 'checkpoint',
      triggeredAt: environment.clock.now(),
      snapshots,
      positions,
      sinks,
    });
    await store.publish(ownership, manifest, graph.job.options.checkpointsRetained);
    await store.confirmDurable();
    this.#retained = [manifest];
  }

  #manifest(
    parts: Pick<Manifest, 'id' | 'kind' | 'triggeredAt' | 'snapshots' | 'positions' | 'sinks'>,
  ): Manifest {
    const { environment, ownership, graph } = this.#options;
    return {
      format: 1,
      job: environment.job,
      generation: ownership.generation,
      completedAt: environment.clock.now(),
      maxParallelism: graph.job.options.maxParallelism,
      ...parts,
    };
  }

  #createSinks(): void {
    const { graph, environment, restored } = this.#options;
    const { parallelism } = graph.job.options;
    for (const node of graph.job.nodes) {
      if (node.kind !== 'sink') continue;
      this.#sinks.set(
        node.id,
        new SinkRuntime(node.id, node.sink, parallelism, restored.sink(node.id), environment),
      );
    }
    const topic = logSink(deadLetterTopic(environment.job), DeadLetter, {
      partitions: 1,
      partitionBy: null,
      retention: { bytes: LIMITS.deadLetterBytesKept },
    }) as Sink<unknown>;
    const tasks = graph.vertices.length * parallelism;
    this.#sinks.set(
      DEAD_LETTER_ID,
      new SinkRuntime(DEAD_LETTER_ID, topic, tasks, restored.sink(DEAD_LETTER_ID), environment),
    );
  }

  /** Sends barrier `id` through all tasks and waits for everything they hand in. */
  async #barrier(id: CheckpointId): Promise<AcknowledgedCheckpoint> {
    if (this.#closed) throw this.#over(id);
    const pending = new PendingCheckpoint(id, this.#tasks);
    this.#pending = pending;
    const { clock } = this.#options.environment;
    const { checkpointTimeoutMs } = this.#options.graph.job.options;
    const cancel = clock.after(checkpointTimeoutMs, () =>
      pending.fail(
        new MillraceError(
          'MR_CHECKPOINT_TIMEOUT',
          `Checkpoint ${id} was not acknowledged by all tasks within ${checkpointTimeoutMs} ms.`,
        ),
      ),
    );
    for (const task of this.#tasks) {
      if (task.input.kind === 'source') task.triggerBarrier(id);
      else if (task.ended) task.snapshotEnded(id);
    }
    // The loop may have ended already: source tasks then answer here.
    for (const task of this.#tasks) if (task.ended && pending.waitsFor(task)) task.snapshotEnded(id);
    this.wake();
    try {
      return await pending.acknowledged;
    } finally {
      cancel();
      this.#pending = null;
    }
  }

  #over(id: CheckpointId): MillraceError {
    const { job } = this.#options.environment;
    return new MillraceError(
      'MR_CHECKPOINT_FAILED',
      `Checkpoint ${id} of job '${job}' ended with its attempt.`,
    );
  }

  #onSnapshot(task: Task, snapshot: TaskSnapshot): void {
    if (this.#pending?.id === snapshot.checkpoint && this.#pending.waitsFor(task))
      this.#pending.acknowledge(task, snapshot);
  }

  /** A barrier can no longer reach a task whose input has ended. */
  #onEnded(task: Task): void {
    if (this.#pending?.waitsFor(task)) task.snapshotEnded(this.#pending.id);
  }

  async #writeSnapshots(
    id: CheckpointId,
    { states }: AcknowledgedCheckpoint,
  ): Promise<{ snapshots: SnapshotRef[]; stateBytes: number }> {
    const { parallelism } = this.#options.graph.job.options;
    const snapshots: SnapshotRef[] = [];
    let stateBytes = 0;
    for (const state of states) {
      const written = await this.#writer.write(id, { ...state, parallelism });
      stateBytes += written.stateBytes;
      snapshots.push(written.ref);
      await this.#options.environment.clock.yieldTurn();
    }
    return { snapshots, stateBytes };
  }

  async #commitSinks(commits: readonly SinkCommit[], id: CheckpointId): Promise<void> {
    for (const commit of commits) await (this.#sinks.get(commit.operator) as SinkRuntime).commit(commit, id);
  }

  /** Lets go of what no retained checkpoint needs: log records and blobs. */
  async #release(manifest: Manifest): Promise<void> {
    const { store, environment, graph } = this.#options;
    if (manifest.kind === 'checkpoint') {
      const kept = [...this.#retained.filter((m) => m.kind === 'checkpoint'), manifest];
      this.#retained = kept.slice(-graph.job.options.checkpointsRetained);
    }
    await this.#hold(positionsToHold(this.#retained, manifest));
    for (const { topic, partition } of manifest.positions) await environment.log.trim(topic, partition);
    await store.collect(environment.job);
  }

  /** Has the log keep what `positions` may still be read from. */
  async #hold(positions: readonly TopicPosition[]): Promise<void> {
    const { environment, ownership } = this.#options;
    if (positions.length > 0)
      await environment.log.registerPositions(environment.job, ownership.generation, positions);
  }
}
