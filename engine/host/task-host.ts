import type { CheckpointId } from '../base/brand.ts';
import { MillraceError } from '../base/errors.ts';
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import type { SnapshotRef } from '../checkpoint/manifest.ts';
import { RestoredState } from '../checkpoint/restored-state.ts';
import { SnapshotWriter } from '../checkpoint/snapshot-writer.ts';
import type { Exchange } from '../exchange/exchange.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { AttemptEnvironment } from '../runtime/attempt-environment.ts';
import { buildTasks } from '../runtime/build-tasks.ts';
import { sinksOf } from '../runtime/job-sinks.ts';
import type { MemberMeter } from '../runtime/member-meter.ts';
import type { Task, TaskSnapshot } from '../runtime/task.ts';
import { TaskLoop } from '../runtime/task-loop.ts';
import { type LowestByGroup, WatermarkAlignment } from '../source/watermark-alignment.ts';
import { HostChannels } from './host-channels.ts';
import type {
  HostAcknowledgement,
  HostDeployment,
  HostHandle,
  HostStatus,
  SourceStart,
  StagedOutput,
} from './host-protocol.ts';
import { describeHost, whatWaits, type WaitingLooks } from './host-view.ts';
import {
  checkpointGivenUp,
  type GatheredBarrier,
  type OperatorSnapshot,
  PendingBarrier,
  statesOf,
} from './pending-barrier.ts';
import { SinkWriters } from './sink-writers.ts';
import { SparingLooks } from './sparing-looks.ts';

export interface TaskHostOptions {
  /** Planned at the deployment's parallelism. */
  readonly graph: ExecutionGraph;
  readonly deployment: HostDeployment;
  readonly environment: AttemptEnvironment;
  readonly store: CheckpointStore;
  /** To the attempt's other hosts; null when there is none. */
  readonly exchange: Exchange | null;
}

/**
 * Some slots of one attempt in one thread: their tasks, from opening to closing, and what they hand in for checkpoints.
 * Suspension points: opening, storing snapshots, and between rounds of the task loop.
 *
 * TH1 what sinks staged is handed in with every checkpoint until one that covers it is completed.
 * TH2 a checkpoint that was given up leaves nothing behind: no channel waits for it, no snapshot is kept for it.
 * TH3 snapshots of one checkpoint are stored after those of the one before, so that one may refer to the other's.
 * TH4 a sink that could not stage its rows ends the attempt: they are nowhere else.
 */
export class TaskHost implements HostHandle {
  readonly meters: MemberMeter[] = [];
  readonly #options: TaskHostOptions;
  readonly #writer: SnapshotWriter;
  readonly #sinks: SinkWriters;
  readonly #alignment = new WatermarkAlignment();
  readonly #pending = new Map<CheckpointId, PendingBarrier>();
  #staged: readonly Staged[] = [];
  readonly #waiting: WaitingLooks;
  #tasks: Task[] = [];
  #loop: TaskLoop | null = null;
  #storing: Promise<unknown> = Promise.resolve();
  readonly #failure = Promise.withResolvers<never>();
  /** The newest checkpoint that was completed or given up. */
  #settledCheckpoint = 0;
  #closed = false;

  private constructor(options: TaskHostOptions) {
    this.#options = options;
    this.#failure.promise.catch(() => {});
    const { store, deployment, environment, graph } = options;
    const { job, token, generation } = deployment;
    this.#writer = new SnapshotWriter({
      store,
      ownership: { job, token, generation },
      clock: environment.clock,
    });
    this.#sinks = new SinkWriters(sinksOf(graph), deployment, environment);
    this.#waiting = new SparingLooks(environment.clock, whatWaits);
  }

  /** Opens sources and sinks, and restores what belongs to its slots. Nothing is processed before {@link run}. */
  static async open(options: TaskHostOptions): Promise<TaskHost> {
    const host = new TaskHost(options);
    try {
      await host.#open();
      return host;
    } catch (error) {
      await host.close();
      throw error;
    }
  }

  get tasks(): readonly Task[] {
    return this.#tasks;
  }

  get starts(): readonly SourceStart[] {
    return this.#tasks.flatMap(({ input, subtask }) =>
      input.kind === 'source' ? [{ operator: input.operator, subtask, ...input.reader.snapshot() }] : [],
    );
  }

  async run(): Promise<'ended' | 'stopped'> {
    const { exchange } = this.#options;
    const loop = (this.#loop as TaskLoop).run();
    return Promise.race([loop, this.#failure.promise, ...(exchange === null ? [] : [exchange.failed])]);
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

  align(lowestElsewhere: LowestByGroup): void {
    this.#alignment.elsewhere(lowestElsewhere);
  }

  stopSources(drain: boolean): void {
    for (const task of this.#tasks) if (task.input.kind === 'source') task.stopInput(drain);
    this.wake();
  }

  async checkpoint(id: CheckpointId): Promise<HostAcknowledgement> {
    if (this.#closed) throw this.#givenUp(id, 'its attempt has ended');
    if (id <= this.#settledCheckpoint) throw this.#givenUp(id, 'the coordinator has given it up');
    const pending = this.#pendingOf(id);
    for (const task of this.#tasks) {
      // No barrier reaches an ended task, and the loop may have ended with it.
      if (!task.ended && task.input.kind === 'source') task.triggerBarrier(id);
      else if (task.ended && pending.waitsFor(task)) task.snapshotEnded(id);
    }
    this.wake();
    const cancel = this.#declineWhenLate(pending);
    const gathered = await pending.gathered.finally(cancel);
    const storing = this.#storing.catch(() => {}).then(() => this.#store(pending, gathered));
    this.#storing = storing;
    storing.catch(() => {});
    return Promise.race([storing, pending.failed]);
  }

  abort(id: CheckpointId): void {
    this.#settle(id);
    for (const task of this.#tasks) task.abortBarrier(id);
    this.wake();
  }

  completed(id: CheckpointId): void {
    this.#staged = this.#staged.filter(({ checkpoint }) => checkpoint > id);
    this.#sinks.completed(id);
    this.#settle(id);
  }

  status(): HostStatus {
    const { clock } = this.#options.environment;
    const status = describeHost(
      this.#tasks,
      this.meters,
      this.#sinks.stats(),
      this.#waiting,
      clock.monotonic(),
    );
    const alignment = this.#alignment.lowest;
    return Object.keys(alignment).length === 0 ? status : { ...status, alignment };
  }

  async close(): Promise<void> {
    this.#loop?.stop();
    this.#closed = true;
    for (const pending of this.#pending.values())
      pending.fail(this.#givenUp(pending.id, 'its attempt has ended'));
    await Promise.allSettled(this.#tasks.map((task) => task.close()));
    await this.#options.exchange?.close();
  }

  async #open(): Promise<void> {
    const { graph, environment, deployment, exchange } = this.#options;
    const { host, places } = deployment;
    const wake = () => this.#loop?.wake();
    const slots = places.flatMap((place, slot) => (place === host ? [slot] : []));
    const arrived = (vertex: number, subtask: number) =>
      this.#loop?.arrived(this.#tasks[vertex * slots.length + slots.indexOf(subtask)] as Task);
    this.#tasks = await buildTasks({
      graph,
      environment,
      restored: await this.#restore(slots),
      slots,
      channels: new HostChannels({ host, places, exchange, wake, arrived }),
      sinks: this.#sinks,
      meters: this.meters,
      poisoned: new Set(deployment.poisoned),
      alignment: this.#alignment,
      wake,
      onSnapshot: (task, snapshot) => this.#onSnapshot(task, snapshot),
      onEnded: (task) => this.#onEnded(task),
    });
    this.#loop = new TaskLoop(this.#tasks, environment.clock);
  }

  async #restore(subtasks: readonly number[]): Promise<RestoredState> {
    const { store, deployment, graph } = this.#options;
    const { job, begins, isFresh } = deployment;
    if (isFresh) return RestoredState.empty();
    const manifest = await store.manifest(job, begins);
    if (manifest === null) {
      throw new MillraceError(
        'MR_CHECKPOINT_FAILED',
        `Checkpoint ${begins} of job '${job}' is not there any more: the server has lost it, or it was retired. The job restarts from what there is.`,
      );
    }
    const operators = new Set(graph.job.nodes.flatMap((node) => (node.kind === 'stage' ? [] : [node.id])));
    const { parallelism, maxParallelism } = graph.job.options;
    this.#writer.adopt(manifest);
    return RestoredState.load(store, manifest, { operators, parallelism, maxParallelism, subtasks });
  }

  /** Also for a barrier that another host's tasks sent before this host was told of it. */
  #pendingOf(id: CheckpointId): PendingBarrier {
    let pending = this.#pending.get(id);
    if (pending === undefined) {
      pending = new PendingBarrier(id, this.#tasks, (state) => this.#discard(id, state));
      this.#pending.set(id, pending);
    }
    return pending;
  }

  #onSnapshot(task: Task, snapshot: TaskSnapshot): void {
    const { checkpoint, prepared } = snapshot;
    const pending = checkpoint <= this.#settledCheckpoint ? null : this.#pendingOf(checkpoint);
    const staged = [...prepared].map(([operator, one]) => ({ operator, checkpoint, prepared: one }));
    this.#staged = [...this.#staged, ...staged];
    for (const one of prepared.values()) {
      one.catch((error: unknown) => {
        this.#failure.reject(error);
        pending?.fail(error);
      });
    }
    if (pending?.waitsFor(task)) pending.add(task, snapshot);
    else for (const state of statesOf(task, snapshot)) this.#discard(checkpoint, state);
  }

  /** Its operator need keep nothing for it, and the next snapshot is stored with what this one would have been. */
  #discard(checkpoint: CheckpointId, state: OperatorSnapshot): void {
    const { parallelism } = this.#options.graph.job.options;
    this.#writer.discard(checkpoint, { ...state, parallelism });
  }

  /** A barrier can no longer reach a task whose input has ended. */
  #onEnded(task: Task): void {
    for (const pending of this.#pending.values()) if (pending.waitsFor(task)) task.snapshotEnded(pending.id);
  }

  async #store(pending: PendingBarrier, gathered: GatheredBarrier): Promise<HostAcknowledgement> {
    const written = await this.#write(pending);
    const staged = await this.#stagedUpTo(pending.id);
    return { checkpoint: pending.id, ...gathered, ...written, staged };
  }

  async #write(pending: PendingBarrier) {
    const { parallelism } = this.#options.graph.job.options;
    const { clock } = this.#options.environment;
    const snapshots: SnapshotRef[] = [];
    let stateBytes = 0;
    let writtenBytes = 0;
    const states = pending.takeStates();
    try {
      while (!pending.isOver) {
        const state = states.shift();
        if (state === undefined) return { snapshots, stateBytes, writtenBytes };
        const written = await this.#writer.write(pending.id, { ...state, parallelism });
        stateBytes += written.stateBytes;
        writtenBytes += written.writtenBytes;
        snapshots.push(written.ref);
        await clock.yieldTurn();
      }
    } finally {
      for (const state of states) this.#discard(pending.id, state);
    }
    throw this.#givenUp(pending.id, 'before all of its snapshots were stored');
  }

  async #stagedUpTo(id: CheckpointId): Promise<readonly StagedOutput[]> {
    const due = this.#staged.filter(({ checkpoint }) => checkpoint <= id);
    const committables = await Promise.all(due.map(({ prepared }) => prepared));
    return due.flatMap(({ operator, checkpoint }, i) => {
      const committable = committables[i] ?? null;
      return committable === null ? [] : [{ operator, checkpoint, committables: [committable] }];
    });
  }

  /** Whoever waits for barriers holds back what comes behind them: not for ever. */
  #declineWhenLate(pending: PendingBarrier): () => void {
    const { alignmentTimeoutMs } = this.#options.graph.job.options;
    return this.#options.environment.clock.after(alignmentTimeoutMs, () =>
      pending.fail(
        this.#givenUp(pending.id, `its barriers had not come through within ${alignmentTimeoutMs} ms`),
      ),
    );
  }

  /** Nothing is gathered any more for this checkpoint and those before it. */
  #settle(id: CheckpointId): void {
    this.#settledCheckpoint = Math.max(this.#settledCheckpoint, id);
    this.#writer.forget(id);
    for (const pending of this.#pending.values()) {
      if (pending.id > id) continue;
      pending.fail(this.#givenUp(pending.id, 'the coordinator has given it up'));
      this.#pending.delete(pending.id);
    }
  }

  #givenUp(id: CheckpointId, why: string): Error {
    return checkpointGivenUp(this.#options.deployment.job, id, why);
  }
}

/** What one subtask of a sink stages at one barrier. */
interface Staged {
  readonly operator: string;
  readonly checkpoint: CheckpointId;
  readonly prepared: Promise<unknown>;
}
