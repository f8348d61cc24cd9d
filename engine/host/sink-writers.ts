import { type CheckpointId, checkpointId } from '../base/brand.ts';
import type { AttemptEnvironment } from '../runtime/attempt-environment.ts';
import { type JobSink, sinkContext } from '../runtime/job-sinks.ts';
import type { SinkContext } from '../runtime/sink.ts';
import { SinkOperator } from '../runtime/sink-operator.ts';
import type { HostDeployment } from './host-protocol.ts';

/** The writers of one host, of all sinks. Owns what they are told of completed checkpoints. */
export class SinkWriters {
  readonly #sinks: ReadonlyMap<string, JobSink>;
  readonly #deployment: Pick<HostDeployment, 'sinkIds' | 'begins'>;
  readonly #environment: AttemptEnvironment;
  readonly #writers: { readonly operator: string; readonly writer: SinkOperator }[] = [];
  #completed: CheckpointId;
  #undoFloor = checkpointId(0);

  constructor(
    sinks: readonly JobSink[],
    deployment: Pick<HostDeployment, 'sinkIds' | 'begins'>,
    environment: AttemptEnvironment,
  ) {
    this.#sinks = new Map(sinks.map((sink) => [sink.operator, sink]));
    this.#deployment = deployment;
    this.#environment = environment;
    this.#completed = deployment.begins;
  }

  /** Opens the writer of one subtask; older generations are fenced when it resolves. */
  async open(
    operator: string,
    subtask: number,
    deadLetter: SinkContext['deadLetter'],
    wake: () => void,
  ): Promise<SinkOperator> {
    const { sink, writers } = this.#sinks.get(operator) as JobSink;
    const { sinkIds, begins } = this.#deployment;
    const context = sinkContext(this.#environment, {
      operator,
      sinkId: sinkIds[operator] as string,
      subtask,
      parallelism: writers,
      nextSeq: begins + 1,
      deadLetter,
      undoFloor: () => this.#undoFloor,
    });
    const writer = new SinkOperator(operator, await sink.openWriter(context), wake);
    this.#writers.push({ operator, writer });
    return writer;
  }

  completed(checkpoint: CheckpointId): void {
    this.#undoFloor = this.#completed;
    this.#completed = checkpoint;
  }

  /** Totals by sink. */
  stats(): { operator: string; stats: Record<string, number> }[] {
    return [...this.#sinks.keys()].map((operator) => {
      const own = this.#writers.filter((one) => one.operator === operator);
      return { operator, stats: summed(own.map(({ writer }) => writer.writer.stats?.())) };
    });
  }
}

/** Sums by name. */
export function summed(
  parts: readonly (Readonly<Record<string, number>> | undefined)[],
): Record<string, number> {
  const totals: Record<string, number> = {};
  for (const part of parts)
    for (const [name, value] of Object.entries(part ?? {})) totals[name] = (totals[name] ?? 0) + value;
  return totals;
}
