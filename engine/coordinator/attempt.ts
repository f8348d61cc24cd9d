import type { CheckpointId } from '../base/brand.ts';
import { ERROR_CATALOGUE, errorCode, invariant, MillraceError } from '../base/errors.ts';
import type { CheckpointStore, Ownership } from '../checkpoint/checkpoint-store.ts';
import type { Manifest, ManifestOperator, SnapshotRef } from '../checkpoint/manifest.ts';
import { positionsToHold } from '../checkpoint/protocol.ts';
import { SnapshotWriter } from '../checkpoint/snapshot-writer.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import { keyFieldsOf } from '../graph/key-fields.ts';
import type { HostAcknowledgement, HostHandle } from '../host/host-protocol.ts';
import { sourceState } from '../host/pending-barrier.ts';
import type { PartitionLog, TopicPosition } from '../log/partition-log.ts';
import type { AttemptEnvironment } from '../runtime/attempt-environment.ts';
import type { HostsPlan, OpenHosts } from './open-hosts.ts';
import { relayAlignment } from './relay-alignment.ts';
import { SinkCommitters } from './sink-committers.ts';

export interface AttemptOptions {
  /** Planned at the parallelism of this attempt. */
  readonly graph: ExecutionGraph;
  readonly environment: AttemptEnvironment;
  readonly store: CheckpointStore;
  readonly ownership: Ownership;
  /** What to begin from, a checkpoint of this very job ({@link adoptState}); null: afresh. */
  readonly restored: Manifest | null;
  readonly openHosts: OpenHosts;
  /** {@link historyChanges} before anything was read for this attempt. Default: as it is now. */
  readonly histories?: number;
  readonly poisoned?: readonly string[];
  /** Content hash of the job's bundle. */
  readonly jobVersion?: string;
}

export interface CompletedCheckpoint {
  readonly manifest: Manifest;
  readonly stateBytes: number;
  readonly writtenBytes: number;
  readonly alignmentMs: number;
  readonly syncMs: number;
}

/**
 * One attempt of one job: its hosts opened from a checkpoint, run until they end or one fails, closed. What decides and publishes is
 * here; what processes records is in the hosts.
 *
 * The life of a checkpoint is `checkpoint()`, top to bottom. Suspension points: each await there; tasks keep running meanwhile.
 *
 * AT1 sinks have committed what the restored checkpoint names before any source is opened.
 * AT2 a checkpoint's sinks commit only after its manifest is published and durable.
 * AT3 one checkpoint at a time; one that is given up before it is published is given up at every host before the next begins.
 * AT4 no host processes anything before all are open.
 * AT5 before a manifest is published everything that it names is durable, and so is the output of the checkpoint before it: a server that
 *     has lost writes since is noticed here, and the attempt ends.
 * AT6 once closed it begins no further effect.
 */
export class Attempt {
  readonly #options: AttemptOptions;
  readonly #writer: SnapshotWriter;
  readonly #committers: SinkCommitters;
  #hosts: readonly HostHandle[] = [];
  readonly #histories: number;
  readonly #failure = Promise.withResolvers<never>();
  #closed = false;
  /** A manifest has been, or may have been, published, and its output is not committed yet. */
  publishing = false;

  private constructor(options: AttemptOptions) {
    const { graph, store, ownership, restored, environment } = options;
    invariant((restored?.job ?? ownership.job) === ownership.job, 'an attempt begins from its own job');
    this.#options = options;
    this.#histories = options.histories ?? historyChanges(environment.log, store);
    this.#failure.promise.catch(() => {});
    this.#writer = new SnapshotWriter({ store, ownership, clock: environment.clock });
    this.#committers = new SinkCommitters(graph, restored, environment);
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

  get hosts(): readonly HostHandle[] {
    return this.#hosts;
  }

  /** What a sink's committer reports. */
  committed(operator: string): Readonly<Record<string, number>> {
    return this.#committers.stats(operator);
  }

  /** Runs until every source has ended or {@link stop}; rejects with the first failure. */
  async run(): Promise<'ended' | 'stopped'> {
    const running = Promise.all(this.#hosts.map((host) => host.run()));
    const endRelay = relayAlignment(this.#hosts, this.#options.environment.clock);
    const outcomes = await Promise.race([running, this.#failure.promise]).finally(endRelay);
    return outcomes.includes('stopped') ? 'stopped' : 'ended';
  }

  /** Has {@link run} reject. */
  fail(error: unknown): void {
    this.#failure.reject(error);
  }

  stop(): void {
    for (const host of this.#hosts) host.stop();
  }

  /** Takes no more input; what has been taken is still processed. With `drain` event time ends as well. */
  stopSources(drain = false): void {
    for (const host of this.#hosts) host.stopSources(drain);
  }

  /** Takes, publishes and commits one checkpoint. What fails before it is published leaves the attempt as it was. */
  async checkpoint(kind: Manifest['kind']): Promise<CompletedCheckpoint> {
    const { store, ownership, environment, graph } = this.#options;
    const triggeredAt = environment.clock.now();
    await this.#passing('checkpoint:begin');
    const id = await store.nextCheckpointId(ownership);
    await this.#passing('checkpoint:triggered');
    const acknowledged = await this.#acknowledged(id);
    const manifest = this.#manifest({ id, kind, triggeredAt, ...acknowledged });
    await this.#passing('checkpoint:before-publish');
    this.publishing = true;
    // What hosts staged and stored, and what was committed for the checkpoint before: a manifest must not outlive it (AT5).
    await this.#confirmDurable();
    await this.#passing('checkpoint:confirmed');
    await store.publish(ownership, manifest, graph.job.options.checkpointsRetained);
    await this.#passing('checkpoint:published');
    await this.#confirmDurable();
    await this.#passing('checkpoint:after-publish');
    await this.#committers.commit(manifest);
    await this.#passing('checkpoint:committed');
    this.publishing = false;
    for (const host of this.#hosts) host.completed(id);
    await this.#passing('checkpoint:completed');
    await this.#release(manifest).catch((error: unknown) => this.#notReleased(error));
    const { stateBytes, writtenBytes, alignmentMs, syncMs } = acknowledged;
    return { manifest, stateBytes, writtenBytes, alignmentMs, syncMs };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([...this.#hosts.map((host) => host.close()), this.#committers.close()]);
  }

  async #open(): Promise<void> {
    const { graph, environment, ownership, restored, store, openHosts } = this.#options;
    await this.#passing('restore:begin');
    if (restored !== null)
      await this.#hold(positionsToHold(await store.list(environment.job), restored), environment);
    await this.#passing('restore:held');
    await this.#committers.recover();
    await this.#passing('restore:after-commit');
    // Before any host opens: what a fresh attempt writes is numbered from its first checkpoint on, so that a restore of that undoes it.
    const begins = restored?.id ?? (await store.nextCheckpointId(ownership));
    this.#hosts = await openHosts(this.#plan(begins), environment);
    await this.#passing('restore:opened');
    if (restored === null) await this.#publishStart(graph, begins);
    await this.#passing('restore:end');
  }

  #plan(begins: CheckpointId): HostsPlan {
    const { graph, ownership, restored, poisoned = [] } = this.#options;
    return {
      graph,
      deployment: {
        job: ownership.job,
        token: ownership.token,
        generation: ownership.generation,
        parallelism: graph.job.options.parallelism,
        begins,
        isFresh: restored === null,
        sinkIds: this.#committers.sinkIds,
        poisoned,
      },
    };
  }

  /**
   * The first checkpoint of a fresh job, before any record: where its sources start, and the ids of its sinks. With them published,
   * an attempt that dies early leaves no staged output that nobody knows, and no start that a second attempt would choose anew.
   */
  async #publishStart({ job }: ExecutionGraph, id: CheckpointId): Promise<void> {
    const { store, ownership, environment } = this.#options;
    const starts = this.#hosts.flatMap((host) => host.starts);
    const positions = starts.flatMap((start) => start.positions);
    await this.#hold(positions, environment);
    await this.#passing('restore:start-held');
    const snapshots: SnapshotRef[] = [];
    for (const { operator, subtask, items } of starts) {
      const state = sourceState(items);
      const { parallelism } = job.options;
      snapshots.push((await this.#writer.write(id, { operator, subtask, parallelism, state })).ref);
    }
    const triggeredAt = environment.clock.now();
    const start = { id, kind: 'checkpoint', triggeredAt, snapshots, positions, staged: [] } as const;
    const manifest = this.#manifest(start);
    await this.#passing('restore:start-stored');
    await this.#confirmDurable();
    await store.publish(ownership, manifest, job.options.checkpointsRetained);
    await this.#passing('restore:start-published');
    await this.#confirmDurable();
    for (const host of this.#hosts) host.completed(id);
  }

  /** A place where a crash test may end or hold up this coordinator, or where the attempt has been closed meanwhile (AT6). */
  async #passing(place: string): Promise<void> {
    const { killPoint, job } = this.#options.environment;
    await killPoint(place);
    if (this.#closed)
      throw new MillraceError('MR_CHECKPOINT_FAILED', `An attempt of job '${job}' was closed at ${place}.`);
  }

  /** Sends barrier `id` through all hosts and waits for everything they hand in; gives it up at all of them when one declines. */
  async #acknowledged(id: CheckpointId): Promise<Omit<HostAcknowledgement, 'checkpoint'>> {
    const { clock } = this.#options.environment;
    const { checkpointTimeoutMs } = this.#options.graph.job.options;
    const late = Promise.withResolvers<never>();
    const cancel = clock.after(checkpointTimeoutMs, () => late.reject(timedOut(id, checkpointTimeoutMs)));
    try {
      const acknowledging = Promise.all(
        this.#hosts.map(async (host) => {
          const acknowledgement = await host.checkpoint(id);
          await this.#passing('checkpoint:acknowledged');
          return acknowledgement;
        }),
      );
      return joined(await Promise.race([acknowledging, late.promise]));
    } catch (error) {
      for (const host of this.#hosts) host.abort(id);
      throw error;
    } finally {
      cancel();
    }
  }

  #manifest(
    parts: Pick<Manifest, 'id' | 'kind' | 'triggeredAt' | 'snapshots' | 'positions'> &
      Pick<HostAcknowledgement, 'staged'>,
  ): Manifest {
    const { environment, ownership, graph, jobVersion = '' } = this.#options;
    const { id, kind, triggeredAt, snapshots, positions, staged } = parts;
    return {
      format: 2,
      job: environment.job,
      jobVersion,
      id,
      generation: ownership.generation,
      kind,
      triggeredAt,
      completedAt: environment.clock.now(),
      parallelism: graph.job.options.parallelism,
      maxParallelism: graph.job.options.maxParallelism,
      operators: operatorsOf(graph, snapshots),
      snapshots,
      positions,
      sinks: this.#committers.commitsOf(id, staged),
    };
  }

  async #confirmDurable(): Promise<void> {
    const { store, environment } = this.#options;
    await Promise.all([environment.log.confirmDurable(), store.confirmDurable()]);
    // Another job on the same connections may have been told of it.
    if (historyChanges(environment.log, store) === this.#histories) return;
    throw new MillraceError(
      'MR_CHECKPOINT_NOT_DURABLE',
      `Redis was restarted or replaced while job '${environment.job}' ran, and may have lost what it had acknowledged. The job restarts from what is left.`,
    );
  }

  /** Lets go of what no retained checkpoint needs: log records and blobs. */
  async #release(manifest: Manifest): Promise<void> {
    const { store, environment } = this.#options;
    // As the server has them: one that has lost the newest still needs what those before it do.
    const retained = await store.list(environment.job);
    if (!retained.some(({ id }) => id === manifest.id)) return;
    await this.#hold(positionsToHold(retained, manifest), environment);
    // Answered by a server that has lost the checkpoint meanwhile, it holds too little: nothing may be trimmed by it.
    await this.#confirmDurable();
    await this.#passing('checkpoint:held');
    for (const { topic, partition } of manifest.positions) await environment.log.trim(topic, partition);
    await this.#passing('checkpoint:trimmed');
    await store.collect(environment.job);
    await this.#passing('checkpoint:collected');
  }

  /** The checkpoint is complete all the same, and the next one lets go of what this one did not; unless nothing can. */
  #notReleased(error: unknown): void {
    const code = errorCode(error);
    if (code === null || ERROR_CATALOGUE[code].retry === 'never') this.fail(error);
  }

  /** Has the log keep what `positions` may still be read from. */
  async #hold(positions: readonly TopicPosition[], { log, job }: AttemptEnvironment): Promise<void> {
    if (positions.length > 0) await log.registerPositions(job, this.#options.ownership.generation, positions);
  }
}

/** What all hosts handed in, together. */
function joined(parts: readonly HostAcknowledgement[]): Omit<HostAcknowledgement, 'checkpoint'> {
  const sum = (of: (part: HostAcknowledgement) => number) =>
    parts.reduce((total, part) => total + of(part), 0);
  return {
    snapshots: parts.flatMap((part) => part.snapshots),
    positions: parts.flatMap((part) => part.positions),
    staged: parts.flatMap((part) => part.staged),
    stateBytes: sum((part) => part.stateBytes),
    writtenBytes: sum((part) => part.writtenBytes),
    alignmentMs: Math.max(...parts.map((part) => part.alignmentMs)),
    syncMs: Math.max(...parts.map((part) => part.syncMs)),
  };
}

function operatorsOf(
  { job }: ExecutionGraph,
  snapshots: readonly SnapshotRef[],
): readonly ManifestOperator[] {
  const stateful = new Set(snapshots.map(({ operator }) => operator));
  return job.nodes.flatMap((node): ManifestOperator[] => {
    if (node.kind === 'stage') return [];
    const of = node.kind === 'operator' ? node.operator : node.kind === 'source' ? node.source : node.sink;
    const keys = keyFieldsOf(node);
    return [
      { id: node.id, kind: of.kind, stateful: stateful.has(node.id), ...(keys === null ? {} : { keys }) },
    ];
  });
}

function timedOut(id: CheckpointId, timeoutMs: number): MillraceError {
  return new MillraceError(
    'MR_CHECKPOINT_TIMEOUT',
    `Checkpoint ${id} was not acknowledged by all tasks within ${timeoutMs} ms.`,
  );
}

/** How often log and store have found a server with another history; who compares two readings knows whether one was lost in between. */
export function historyChanges(log: PartitionLog, store: CheckpointStore): number {
  return (log.historyChanges?.() ?? 0) + (store.historyChanges?.() ?? 0);
}
