import { type CheckpointId, checkpointId } from '../base/brand.ts';
import type { Manifest, SinkCommit } from '../checkpoint/manifest.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import type { StagedOutput } from '../host/host-protocol.ts';
import type { AttemptEnvironment } from '../runtime/attempt-environment.ts';
import { type JobSink, sinkContext, sinksOf } from '../runtime/job-sinks.ts';
import type { SinkCommitRequest, SinkCommitter } from '../runtime/sink.ts';

/**
 * The committers of one attempt, of all sinks, and the sinks' ids. Owns what a manifest names of them.
 *
 * KC1 what several barriers staged is committed in the order of the barriers, each under its own number.
 * KC2 a checkpoint of which anything is gone is found out before any sink has committed anything of it.
 */
export class SinkCommitters {
  /** Per operator; made once when the sink first starts, kept in manifests. */
  readonly sinkIds: Readonly<Record<string, string>>;
  readonly #sinks: readonly JobSink[];
  readonly #parallelism: number;
  readonly #environment: AttemptEnvironment;
  readonly #restored: Manifest | null;
  readonly #committers = new Map<string, SinkCommitter>();

  /** @param restored what the attempt begins from; null: afresh */
  constructor(graph: ExecutionGraph, restored: Manifest | null, environment: AttemptEnvironment) {
    const sinks = sinksOf(graph);
    this.#sinks = sinks;
    this.#parallelism = graph.job.options.parallelism;
    this.#environment = environment;
    this.#restored = restored;
    const known = new Map(restored?.sinks.map(({ operator, sinkId }) => [operator, sinkId]));
    this.sinkIds = Object.fromEntries(
      sinks.map(({ operator }) => [operator, known.get(operator) ?? environment.uuid()]),
    );
  }

  /** Opens every committer and commits what the restored checkpoint left to commit. Before any source starts. */
  async recover(): Promise<void> {
    const checkpoint = this.#restored?.id ?? checkpointId(0);
    for (const sink of this.#sinks) {
      const committer = await this.#open(sink);
      if (committer !== null) this.#committers.set(sink.operator, committer);
    }
    for (const [operator, committer] of this.#committers) await committer.check?.(this.#pending(operator));
    for (const [operator, committer] of this.#committers) {
      await this.#environment.killPoint('restore:before-commit');
      await committer.recover(this.#pending(operator), checkpoint);
    }
  }

  #pending(sink: string): readonly SinkCommitRequest[] {
    const { id, sinks } = this.#restored ?? { id: checkpointId(0), sinks: [] };
    return sinks
      .filter(({ operator, committables }) => operator === sink && committables.length > 0)
      .sort((a, b) => a.seq - b.seq)
      .map(({ seq, committables }) => ({ seq, committables, checkpoint: id }));
  }

  /** What the manifest of `checkpoint` says of the sinks, from what all hosts staged for it and for given up ones before it. */
  commitsOf(checkpoint: CheckpointId, staged: readonly StagedOutput[]): readonly SinkCommit[] {
    return this.#sinks.flatMap(({ operator }) => {
      const own = staged.filter((one) => one.operator === operator);
      const barriers = new Set([...own.map((one) => one.checkpoint), checkpoint]);
      return [...barriers]
        .sort((a, b) => a - b)
        .map((seq) => ({
          operator,
          sinkId: this.sinkIds[operator] as string,
          seq,
          committables: own.filter((one) => one.checkpoint === seq).flatMap((one) => one.committables),
        }))
        .filter((commit) => commit.seq === checkpoint || commit.committables.length > 0);
    });
  }

  /** Makes a published checkpoint's output visible. */
  async commit({ id, sinks }: Manifest): Promise<void> {
    for (const { operator, seq, committables } of sinks) {
      if (committables.length === 0) continue;
      await this.#committers.get(operator)?.commit({ seq, checkpoint: id, committables });
      await this.#environment.killPoint('checkpoint:sink-committed');
    }
  }

  stats(operator: string): Readonly<Record<string, number>> {
    return this.#committers.get(operator)?.stats?.() ?? {};
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#committers.values()].map((committer) => committer.close()));
  }

  async #open({ operator, sink, writers }: JobSink): Promise<SinkCommitter | null> {
    const context = sinkContext(this.#environment, {
      operator,
      sinkId: this.sinkIds[operator] as string,
      subtask: 0,
      nextSeq: (this.#restored?.id ?? 0) + 1,
      // Also those of an attempt that ran with more.
      parallelism: Math.ceil(writers * Math.max(1, (this.#restored?.parallelism ?? 0) / this.#parallelism)),
      deadLetter: () => {},
      undoFloor: () => checkpointId(0),
    });
    return (await sink.openCommitter?.(context)) ?? null;
  }
}
