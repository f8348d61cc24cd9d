import type { CheckpointId } from '../base/brand.ts';
import { LIMITS } from '../base/limits.ts';
import { keyPartitioner, type Partitioner } from '../key/key-partitioner.ts';
import { recordCount, rowAt } from '../runtime/record-at.ts';
import type {
  Sink,
  SinkCommitRequest,
  SinkCommitter,
  SinkContext,
  SinkInput,
  SinkWriter,
} from '../runtime/sink.ts';
import { BatchBuilder } from '../wire/batch-builder.ts';
import { encodeFrame } from '../wire/frame.ts';
import { type DeclaredTopic, topicOptions } from './declared-topic.ts';
import { openTopic } from './open-topic.ts';
import type { StageTarget, Topic } from './partition-log.ts';
import { checkPartitioner } from './topic-settings.ts';

/** Encoded frames kept in memory before they are staged. */
const UNSTAGED_BYTES_MAX = 1024 * 1024;

/** One subtask's staged output of one barrier. */
interface LogCommittable {
  readonly topic: string;
  readonly stage: string;
  /** Number of the interval that the stage is of. */
  readonly seq: number;
  readonly partitions: readonly number[];
  /** Per partition, in how many parts it was staged. */
  readonly parts: readonly number[];
  readonly records: number;
}

/** Makes `partitionLog(…)` a sink: rows are staged beside their partition and become readable with the checkpoint, once. */
export function logSink<Row>(declared: DeclaredTopic<Row>): Sink<Row, 'exactly-once'> {
  const { name, schema, partitionedBy } = declared;
  return {
    kind: 'partition-log',
    guarantee: 'exactly-once',
    target: name,
    async openWriter(context) {
      const { log } = context;
      await log.registerSchema(schema);
      const known = (await log.topic(name)) ?? (await openTopic(log, name, topicOptions(declared)));
      checkPartitioner(known, partitionedBy);
      return new LogWriter(known, declared, context);
    },
    async openCommitter(context) {
      const known = await openTopic(context.log, name, topicOptions(declared));
      return new LogCommitter(known, context);
    },
  };
}

/**
 * Suspension points: staging. Rows of one barrier are staged in parts as they come, the last at the barrier.
 *
 * LW1 everything staged under one seq lies between two barriers (SW2): sealing swaps the buffers before anything is awaited.
 */
class LogWriter<Row> implements SinkWriter<Row> {
  readonly #topic: Topic;
  readonly #context: SinkContext;
  /** Null: batches go round. */
  readonly #partitionOf: Partitioner<Row> | null;
  readonly #builders: BatchBuilder<Row>[];
  #frames: Uint8Array[][];
  #unstagedBytes = 0;
  #seq: number;
  #parts: number[];
  #records = 0;
  #turn = 0;
  #staging: Promise<void> = Promise.resolve();
  #rowsWritten = 0;
  #bytesWritten = 0;

  constructor(topic: Topic, { schema, partitionedBy }: DeclaredTopic<Row>, context: SinkContext) {
    this.#topic = topic;
    this.#context = context;
    this.#partitionOf =
      partitionedBy === null
        ? null
        : keyPartitioner(schema, partitionedBy.fields, topic.partitions, partitionedBy.keyGroups);
    this.#builders = Array.from({ length: topic.partitions }, () => new BatchBuilder(schema));
    this.#frames = Array.from({ length: topic.partitions }, () => []);
    this.#parts = new Array<number>(topic.partitions).fill(0);
    this.#seq = context.nextSeq;
  }

  write(input: SinkInput<Row>): void | Promise<void> {
    const count = recordCount(input);
    this.#turn = (this.#turn + 1) % this.#topic.partitions;
    for (let k = 0; k < count; k++) this.#add(rowAt(input, k) as Row);
    if (this.#unstagedBytes >= UNSTAGED_BYTES_MAX) return this.#stage();
  }

  async prepareCommit(checkpoint: CheckpointId): Promise<unknown> {
    for (let p = 0; p < this.#builders.length; p++) this.#encode(p);
    const staged = this.#stage();
    const committable: LogCommittable = {
      topic: this.#topic.name,
      stage: stageName(this.#context.sinkId, this.#context.subtask),
      seq: this.#seq,
      partitions: this.#parts.flatMap((parts, p) => (parts > 0 ? [p] : [])),
      parts: this.#parts.filter((parts) => parts > 0),
      records: this.#records,
    };
    this.#parts = this.#parts.map(() => 0);
    this.#records = 0;
    this.#seq = checkpoint + 1;
    await staged;
    return committable.records > 0 ? committable : null;
  }

  stats(): Readonly<Record<string, number>> {
    return { rowsWritten: this.#rowsWritten, bytesWritten: this.#bytesWritten };
  }

  async close(): Promise<void> {
    await this.#staging.catch(() => {});
  }

  #add(row: Row): void {
    const partition = this.#partitionOf === null ? this.#turn : this.#partitionOf(row);
    const builder = this.#builders[partition] as BatchBuilder<Row>;
    builder.append(row);
    this.#records++;
    this.#rowsWritten++;
    if (builder.count >= LIMITS.frameTargetRecords || builder.bytes >= LIMITS.frameTargetBytes)
      this.#encode(partition);
  }

  #encode(partition: number): void {
    const builder = this.#builders[partition] as BatchBuilder<Row>;
    if (builder.count === 0) return;
    // A stage is committed by (sink, seq); the frame's own sequence only has to be well-formed.
    const frame = encodeFrame(builder.finish(), {
      producer: stageName(this.#context.sinkId, this.#context.subtask),
      epoch: this.#seq,
      prev: 0,
      first: 1,
      watermark: Number.NaN,
      compression: 'zstd',
    });
    (this.#frames[partition] as Uint8Array[]).push(frame);
    this.#unstagedBytes += frame.length;
    this.#bytesWritten += frame.length;
  }

  #stage(): Promise<void> {
    const frames = this.#frames;
    this.#frames = frames.map(() => []);
    this.#unstagedBytes = 0;
    const targets = frames.flatMap((list, partition) =>
      list.length === 0
        ? []
        : [{ list, target: this.#target(partition), part: this.#parts[partition] as number }],
    );
    for (const { target } of targets)
      this.#parts[target.partition] = (this.#parts[target.partition] as number) + 1;
    this.#staging = this.#staging.then(async () => {
      for (const { list, target, part } of targets) await this.#context.log.stage(target, part, list);
    });
    return this.#staging;
  }

  #target(partition: number): StageTarget {
    const { sinkId, subtask, generation } = this.#context;
    return {
      topic: this.#topic.name,
      partition,
      sinkId: stageName(sinkId, subtask),
      seq: this.#seq,
      generation,
    };
  }
}

/**
 * Commits stages partition by partition; each is atomic and idempotent, so a commit cut short is simply repeated.
 *
 * LC1 what readers have seen of a partition stays in its order, also when a fail-over loses it for a while.
 */
class LogCommitter implements SinkCommitter {
  readonly #topic: Topic;
  readonly #context: SinkContext;
  /** Per partition, what was committed last. */
  readonly #last = new Map<number, StageTarget>();
  #rowsCommitted = 0;

  constructor(topic: Topic, context: SinkContext) {
    this.#topic = topic;
    this.#context = context;
  }

  async check(pending: readonly SinkCommitRequest[]): Promise<void> {
    const { log } = this.#context;
    for (const committable of pending.flatMap(({ committables }) => committables as LogCommittable[]))
      for (const [i, target] of targetsOf(committable).entries())
        await log.assertStaged(target, committable.parts[i] as number);
  }

  async commit({ committables }: SinkCommitRequest): Promise<void> {
    for (const committable of committables as readonly LogCommittable[]) {
      for (const target of targetsOf(committable)) {
        await this.#context.log.commitStage(target, this.#last.get(target.partition));
        this.#last.set(target.partition, target);
        this.#context.killPoint('log:mid-commit');
      }
      this.#rowsCommitted += committable.records;
    }
  }

  async recover(pending: readonly SinkCommitRequest[], restoredSeq: number): Promise<void> {
    for (const request of pending) await this.commit(request);
    const { log, sinkId: sink, parallelism, generation } = this.#context;
    const { name: topic, partitions } = this.#topic;
    const own = Array.from({ length: parallelism }, (_, subtask) => stageName(sink, subtask));
    for (let partition = 0; partition < partitions; partition++) {
      // Also of an attempt that has failed at a higher parallelism than any that is known here.
      const staged = await log.stagedSinks(topic, partition);
      for (const sinkId of new Set([...own, ...staged.filter((name) => name.startsWith(`${sink}.`))]))
        await log.dropStages({ topic, partition, sinkId, generation }, restoredSeq);
    }
  }

  stats(): Readonly<Record<string, number>> {
    return { rowsCommitted: this.#rowsCommitted };
  }

  async close(): Promise<void> {}
}

function targetsOf({ topic, stage, seq, partitions }: LogCommittable): readonly StageTarget[] {
  return partitions.map((partition) => ({ topic, partition, sinkId: stage, seq }));
}

function stageName(sinkId: string, subtask: number): string {
  return `${sinkId}.${subtask}`;
}
