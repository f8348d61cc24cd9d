import { DeadLetter } from '../log/dead-letter.ts';
import {
  ERROR_CATALOGUE,
  errorCode,
  errorText,
  failureOf,
  invariant,
  MillraceError,
} from '../base/errors.ts';
import type { RestoredState } from '../checkpoint/restored-state.ts';
import { type ExecutionGraph, type Member, partitioningInto, type Vertex } from '../graph/execution-graph.ts';
import type { OperatorNode, Partitioning } from '../graph/job-graph.ts';
import { DEAD_LETTER_ID } from '../graph/validate.ts';
import { keyGroupRange } from '../key/key-group.ts';
import type { AttemptEnvironment } from './attempt-environment.ts';
import type { ElementReceiver, ElementSender } from './channel.ts';
import type { HostChannels } from '../host/host-channels.ts';
import { recordFingerprint } from './record-fingerprint.ts';
import type { SourceReader } from './source.ts';
import type { SinkWriters } from '../host/sink-writers.ts';
import { InputGate } from './input-gate.ts';
import { createRouter } from './router.ts';
import { MemberMeter } from './member-meter.ts';
import type {
  MultiInputOperator,
  Operator,
  OperatorContext,
  Output,
  Records,
  RecordErrorHandler,
} from './operator.ts';
import { createPassThrough } from './pass-through.ts';
import type { WatermarkAlignment } from '../source/watermark-alignment.ts';
import { type AttemptState, openAttemptState } from '../state/lmdb-state.ts';
import { Task, type TaskInput, type TaskOperator, type TaskOptions } from './task.ts';

/** Everything that tasks are made from. */
export interface BuildContext {
  readonly graph: ExecutionGraph;
  readonly environment: AttemptEnvironment;
  readonly restored: RestoredState;
  /** Subtasks to build, of every vertex. */
  readonly slots: readonly number[];
  readonly channels: HostChannels;
  readonly sinks: SinkWriters;
  readonly poisoned: ReadonlySet<string>;
  readonly alignment: WatermarkAlignment;
  readonly meters: MemberMeter[];
  readonly wake: () => void;
  readonly onSnapshot: TaskOptions['onSnapshot'];
  readonly onEnded: TaskOptions['onEnded'];
}

/** Opens sources and sinks, restores operators and wires the tasks of a host's slots, vertex by vertex. */
export async function buildTasks(context: BuildContext): Promise<Task[]> {
  const { vertices, job } = context.graph;
  const { state: placement } = job.options;
  const state = placement.kind === 'disk' ? await openAttemptState(placement, context.environment) : null;
  const shared = { alignment: context.alignment, state };
  const tasks: Task[] = [];
  try {
    for (const vertex of vertices) {
      for (const subtask of context.slots)
        tasks.push(await new TaskBuilder(context, vertex, subtask, shared).build());
    }
  } catch (error) {
    // Whoever would close the operators has not got them.
    await state?.close();
    throw error;
  }
  return tasks;
}

type RouterMember = Extract<Member, { role: 'router' }>;

/** What the tasks of a host share. */
interface Shared {
  readonly alignment: WatermarkAlignment;
  /** Null when state is in memory. */
  readonly state: AttemptState | null;
}

class TaskBuilder {
  readonly #context: BuildContext;
  readonly #vertex: Vertex;
  readonly #subtask: number;
  readonly #shared: Shared;
  readonly #operators: TaskOperator[] = [];
  readonly #outputs: ElementSender[] = [];
  /** Per member, its inputs. */
  readonly #inputs = new Map<number, readonly Output[]>();
  #deadLetters: Output | null = null;
  /** Of a source's task: tells where a record came from. */
  #reader: SourceReader | null = null;

  constructor(context: BuildContext, vertex: Vertex, subtask: number, shared: Shared) {
    this.#context = context;
    this.#vertex = vertex;
    this.#subtask = subtask;
    this.#shared = shared;
  }

  async build(): Promise<Task> {
    await this.#openDeadLetters();
    const { members } = this.#vertex;
    // Consumers first: an operator is given its outputs when it is made.
    for (let index = members.length - 1; index > 0; index--) await this.#make(index);
    const first = members[0] as Member;
    const input = first.role === 'source' ? await this.#openSource(first) : this.#openGate();
    if (first.role !== 'source') await this.#make(0);
    this.#operators.reverse();
    const heads =
      first.role === 'source'
        ? [this.#meter(0).counting(this.#outputOf(0, null))]
        : (this.#inputs.get(0) as readonly Output[]);
    return new Task({
      id: this.#vertex.id,
      subtask: this.#subtask,
      input,
      heads,
      operators: this.#operators,
      outputs: this.#outputs,
      onSnapshot: this.#context.onSnapshot,
      onEnded: this.#context.onEnded,
      clock: this.#context.environment.clock,
    });
  }

  async #make(index: number): Promise<void> {
    const member = this.#vertex.members[index] as Member;
    const operator = await this.#create(index, member);
    const meter = this.#meter(index);
    meter.operator = operator;
    this.#operators.push({ id: member.id, operator });
    const inputs = 'inputs' in operator ? operator.inputs : [operator];
    this.#inputs.set(
      index,
      inputs.map((input) => meter.counting(input)),
    );
  }

  async #create(index: number, member: Member): Promise<Operator | MultiInputOperator> {
    switch (member.role) {
      case 'source':
        throw new MillraceError(
          'MR_INVARIANT',
          `source '${member.id}' is not the first member of its vertex`,
        );
      case 'sink':
        return this.#context.sinks.open(
          member.id,
          this.#subtask,
          (row, reason) => this.#deadLetter(member.id, row, reason, reason, null),
          this.#context.wake,
        );
      case 'collect':
        return createPassThrough(this.#operatorContext(index, member));
      case 'router': {
        const outputs = this.#sendersTo(member);
        this.#outputs.push(...outputs);
        // A record without a key is refused on behalf of the operator that it was for.
        const target = (this.#context.graph.vertices[member.target] as Vertex).id;
        return createRouter(member.partitioning, outputs, {
          ...this.#operatorContext(index, member),
          onRecordError: this.#onRecordError(target),
        });
      }
      case 'operator': {
        const { options } = this.#context.graph.job;
        const operator = member.node.operator.create({
          ...this.#operatorContext(index, member),
          ...keysOf(member.node),
          ...(member.checksKeys
            ? { ownGroups: keyGroupRange(this.#subtask, options.parallelism, options.maxParallelism) }
            : {}),
          ...this.#openState(member.id),
        });
        const parts = this.#context.restored.parts(
          member.id,
          this.#subtask,
          options.parallelism,
          options.maxParallelism,
        );
        if (parts.length > 0) operator.restore?.(parts);
        return operator;
      }
    }
  }

  #openState(operator: string): Pick<OperatorContext, 'openState'> {
    const { state } = this.#shared;
    return state === null ? {} : { openState: state.backend(operator, this.#subtask) };
  }

  #operatorContext(index: number, member: Member): OperatorContext {
    const { environment, graph } = this.#context;
    const { options } = graph.job;
    const inputStages = member.inputs.map(({ stages }) => stages);
    return {
      job: environment.job,
      operator: member.id,
      subtask: this.#subtask,
      parallelism: options.parallelism,
      maxParallelism: options.maxParallelism,
      generation: environment.generation,
      clock: environment.clock,
      signal: environment.signal,
      stages: inputStages[0] ?? [],
      inputStages,
      keys: null,
      inputKeys: [],
      output: this.#meter(index).emitting(this.#outputOf(index, null)),
      side: (name) => this.#outputOf(index, name),
      onRecordError: this.#onRecordError(member.id),
      wake: this.#context.wake,
      interpreted: options.interpreted,
    };
  }

  async #openSource(member: Extract<Member, { role: 'source' }>): Promise<TaskInput> {
    const { environment, graph, restored, wake } = this.#context;
    const { id, node } = member;
    const meter = this.#meter(0);
    const reader = await node.source.open({
      job: environment.job,
      operator: id,
      subtask: this.#subtask,
      parallelism: graph.job.options.parallelism,
      log: environment.log,
      redisUrl: environment.redisUrl,
      openLink: environment.openLink,
      alignment: this.#shared.alignment,
      clock: environment.clock,
      signal: environment.signal,
      options: node.options,
      restored: restored.items(id),
      deadLetter: (row, reason, time) => this.#deadLetter(id, row, reason, reason, time),
      unreadable: (error, input) => {
        if (graph.job.options.onError === 'fail') throw error;
        this.#deadLetter(id, input, errorCode(error) ?? 'unreadable', errorText(error), null);
      },
      wake,
    });
    meter.reader = reader;
    this.#reader = reader;
    return { kind: 'source', operator: id, reader };
  }

  #openGate(): TaskInput {
    const { channels, environment, graph } = this.#context;
    const inputs = this.#vertex.upstream.map((_, input) =>
      this.#partners(partitioningInto(graph, this.#vertex, input)).map(
        (from): ElementReceiver =>
          channels.receiver({ vertex: this.#vertex.index, input, from, to: this.#subtask }),
      ),
    );
    return { kind: 'gate', gate: new InputGate(inputs, environment.clock) };
  }

  #sendersTo({ target: vertex, targetInput: input, partitioning }: RouterMember): readonly ElementSender[] {
    const { channels } = this.#context;
    const from = this.#subtask;
    return this.#partners(partitioning).map((to) => channels.sender({ vertex, input, from, to }));
  }

  /** Subtasks at the other end of an edge. */
  #partners({ kind }: Partitioning): readonly number[] {
    if (kind === 'forward') return [this.#subtask];
    return Array.from({ length: this.#context.graph.job.options.parallelism }, (_, subtask) => subtask);
  }

  /** Every task writes its own dead letters; the sink is a member that no graph names. */
  async #openDeadLetters(): Promise<void> {
    const operator = await this.#context.sinks.open(
      DEAD_LETTER_ID,
      this.#vertex.index * this.#context.graph.job.options.parallelism + this.#subtask,
      () => {},
      this.#context.wake,
    );
    this.#operators.push({ id: DEAD_LETTER_ID, operator });
    this.#deadLetters = operator;
  }

  #deadLetter(
    operator: string,
    record: unknown,
    reason: string,
    message: string,
    recordTime: number | null,
  ): void {
    const { environment } = this.#context;
    this.#meterOf(operator).deadLetters++;
    const at = environment.clock.now();
    const row: DeadLetter = {
      at,
      job: environment.job,
      operator,
      reason,
      message,
      recordTime,
      record: record ?? null,
    };
    invariant(this.#deadLetters !== null, 'dead letters are open before any operator');
    this.#deadLetters.records({ kind: 'rows', rows: [row], times: Float64Array.of(at) });
    environment.onDeadLetter?.(row);
  }

  #onRecordError(operator: string): RecordErrorHandler {
    const { onError } = this.#context.graph.job.options;
    return (error, row, time) => {
      const code = errorCode(error);
      // Our own bug, or a service that is away, is no record's fault: setting records aside would empty the stream.
      if (code !== null && ERROR_CATALOGUE[code].domain !== 'user') throw failureOf(error, operator, code);
      if (code !== 'MR_KEY_INVALID' && onError === 'fail') {
        const record = recordFingerprint(operator, time, row());
        if (!this.#context.poisoned.has(record)) throw this.#recordFailed(error, operator, time, record);
      }
      this.#deadLetter(operator, row(), code ?? 'MR_OPERATOR_FAILED', errorText(error), time);
    };
  }

  #recordFailed(error: unknown, operator: string, time: number, record: string): MillraceError {
    const code = errorCode(error);
    const message =
      code === null
        ? `Operator '${operator}' (subtask ${this.#subtask}) failed on a record of event time ${time}: ${errorText(error)}. ` +
          `Mend the job, or declare onError: 'dead-letter' to set such records aside.`
        : errorText(error);
    const known = error instanceof MillraceError ? error.details : {};
    const details = { ...known, operator, subtask: this.#subtask, record, ...this.#reader?.given?.() };
    return new MillraceError(code ?? 'MR_OPERATOR_FAILED', message, { cause: error, details });
  }

  #outputOf(index: number, side: string | null): Output {
    const consumers = this.#vertex.members.flatMap(({ inputs }, i) =>
      inputs.flatMap((from, input) =>
        from.member === index && from.side === side ? [this.#inputs.get(i)?.[input] as Output] : [],
      ),
    );
    return fanOut(consumers);
  }

  #meter(index: number): MemberMeter {
    return this.#meterOf((this.#vertex.members[index] as Member).id);
  }

  #meterOf(id: string): MemberMeter {
    let meter = this.#context.meters.find((m) => m.id === id && m.subtask === this.#subtask);
    if (meter === undefined) {
      meter = new MemberMeter(id, this.#subtask);
      this.#context.meters.push(meter);
    }
    return meter;
  }
}

function keysOf({ inputs }: OperatorNode): Pick<OperatorContext, 'keys' | 'inputKeys'> {
  const inputKeys = inputs.map(({ partitioning }) =>
    partitioning.kind === 'hash' ? partitioning.keys : null,
  );
  return { inputKeys, keys: inputKeys[0] ?? null };
}

function fanOut(consumers: readonly Output[]): Output {
  if (consumers.length === 1) return consumers[0] as Output;
  return {
    records: (records: Records) => {
      for (const consumer of consumers) consumer.records(records);
    },
    watermark: (time) => {
      for (const consumer of consumers) consumer.watermark(time);
    },
    idle: () => {
      for (const consumer of consumers) consumer.idle();
    },
  };
}
