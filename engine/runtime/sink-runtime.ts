import type { SinkCommit } from '../checkpoint/manifest.ts';
import type { AttemptEnvironment } from './attempt-environment.ts';
import type { Sink, SinkCommitter, SinkContext } from './sink.ts';
import { SinkOperator } from './sink-operator.ts';

/**
 * One sink of one attempt: its id and sequence, its committer, and the writers of its subtasks. Owns what a checkpoint names
 * of the sink.
 */
export class SinkRuntime {
  readonly operator: string;
  readonly sink: Sink<unknown>;
  readonly sinkId: string;
  readonly #parallelism: number;
  readonly #environment: AttemptEnvironment;
  readonly #restored: SinkCommit | null;
  readonly #writers: SinkOperator[] = [];
  #committer: SinkCommitter | null = null;
  #seq: number;

  constructor(
    operator: string,
    sink: Sink<unknown>,
    parallelism: number,
    restored: SinkCommit | null,
    environment: AttemptEnvironment,
  ) {
    this.operator = operator;
    this.sink = sink;
    this.sinkId = restored?.sinkId ?? environment.uuid();
    this.#seq = restored?.seq ?? 0;
    this.#parallelism = parallelism;
    this.#restored = restored;
    this.#environment = environment;
  }

  /** Opens the committer and commits what the restored checkpoint left to commit. Before any source starts. */
  async recover(): Promise<void> {
    if (this.sink.openCommitter === undefined) return;
    this.#committer = await this.sink.openCommitter(this.#context(0, () => {}));
    const restored = this.#restored;
    const pending =
      restored === null || restored.committables.length === 0
        ? []
        : [{ ...restored, checkpoint: this.#environment.restoredCheckpoint }];
    this.#environment.killPoint('restore:before-commit');
    await this.#committer.recover(pending, this.#seq);
  }

  /** Opens the writer of one subtask; older generations are fenced when it resolves. */
  async openWriter(
    subtask: number,
    deadLetter: SinkContext['deadLetter'],
    wake: () => void,
  ): Promise<SinkOperator> {
    const writer = await this.sink.openWriter(this.#context(subtask, deadLetter));
    const operator = new SinkOperator(this.operator, writer, this.#seq + 1, wake);
    this.#writers.push(operator);
    return operator;
  }

  /** What the first manifest of a fresh job says of this sink: its id, and that nothing is to be committed. */
  start(): SinkCommit {
    return { operator: this.operator, sinkId: this.sinkId, seq: this.#seq, committables: [] };
  }

  /** What the next manifest says of this sink. */
  nextCommit(committables: readonly unknown[]): SinkCommit {
    this.#seq++;
    return { operator: this.operator, sinkId: this.sinkId, seq: this.#seq, committables };
  }

  /** Makes a published checkpoint's output visible. */
  async commit(commit: SinkCommit, checkpoint: AttemptEnvironment['restoredCheckpoint']): Promise<void> {
    if (this.#committer === null || commit.committables.length === 0) return;
    await this.#committer.commit({ seq: commit.seq, checkpoint, committables: commit.committables });
  }

  stats(): Readonly<Record<string, number>> {
    const totals: Record<string, number> = {};
    for (const stats of [...this.#writers.map((w) => w.writer.stats?.()), this.#committer?.stats?.()]) {
      for (const [name, value] of Object.entries(stats ?? {})) totals[name] = (totals[name] ?? 0) + value;
    }
    return totals;
  }

  async close(): Promise<void> {
    await this.#committer?.close();
  }

  #context(subtask: number, deadLetter: SinkContext['deadLetter']): SinkContext {
    const { job, generation, namespace, redisUrl, openLink, log, clock, random, signal, killPoint } =
      this.#environment;
    return {
      job,
      operator: this.operator,
      subtask,
      parallelism: this.#parallelism,
      generation,
      sinkId: this.sinkId,
      nextSeq: this.#seq + 1,
      namespace,
      ...(redisUrl === undefined ? {} : { redisUrl }),
      openLink,
      log,
      clock,
      random,
      signal,
      killPoint,
      deadLetter,
    };
  }
}
