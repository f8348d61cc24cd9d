import type { CheckpointId } from '../base/brand.ts';
import { LIMITS } from '../base/limits.ts';
import type { ExecutionGraph } from '../graph/execution-graph.ts';
import { DEAD_LETTER_ID } from '../graph/validate.ts';
import { DeadLetter, deadLetterTopic } from '../log/dead-letter.ts';
import { logSink } from '../log/log-sink.ts';
import type { AttemptEnvironment } from './attempt-environment.ts';
import type { Sink, SinkContext } from './sink.ts';

/** One sink of a job, the one for dead letters included. */
export interface JobSink {
  readonly operator: string;
  readonly sink: Sink<unknown>;
  /** Subtasks that write to it: one per slot; of dead letters one per task. */
  readonly writers: number;
}

export function sinksOf({ job, vertices }: ExecutionGraph): readonly JobSink[] {
  const { parallelism } = job.options;
  const sinks = job.nodes.flatMap((node): JobSink[] =>
    node.kind === 'sink' ? [{ operator: node.id, sink: node.sink, writers: parallelism }] : [],
  );
  const deadLetters = logSink({
    name: deadLetterTopic(job.name),
    schema: DeadLetter,
    partitions: 1,
    partitionedBy: null,
    retention: { bytes: LIMITS.deadLetterBytesKept },
  }) as Sink<unknown>;
  return [...sinks, { operator: DEAD_LETTER_ID, sink: deadLetters, writers: vertices.length * parallelism }];
}

/** What a writer or a committer of a sink is given. */
export function sinkContext(
  environment: AttemptEnvironment,
  sink: {
    readonly operator: string;
    readonly sinkId: string;
    readonly subtask: number;
    readonly parallelism: number;
    readonly nextSeq: number;
    readonly deadLetter: SinkContext['deadLetter'];
    readonly undoFloor: () => CheckpointId;
  },
): SinkContext {
  const { job, generation, namespace, redisUrl, openLink, log, clock, random, signal, killPoint } =
    environment;
  return {
    job,
    generation,
    namespace,
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(openLink === undefined ? {} : { openLink }),
    log,
    clock,
    random,
    signal,
    killPoint: (name) => void killPoint(name),
    ...sink,
  };
}
