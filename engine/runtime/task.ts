import type { CheckpointId } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode, errorText, failureOf, MillraceError } from '../base/errors.ts';
import { MAX_WATERMARK } from '../time/watermark.ts';
import type { Element, ElementSender } from './channel.ts';
import type { GateEvent, InputGate } from './input-gate.ts';
import type { MultiInputOperator, Operator, OperatorState, Output } from './operator.ts';
import { SinkOperator } from './sink-operator.ts';
import type { SourceReader, SourceSnapshot } from './source.ts';
import { type Rest, TaskTime } from './task-time.ts';

/** Where a task's elements come from. */
export type TaskInput =
  | { readonly kind: 'source'; readonly operator: string; readonly reader: SourceReader }
  | { readonly kind: 'gate'; readonly gate: InputGate };

/** An operator inside a task, in call order. */
export interface TaskOperator {
  readonly id: string;
  readonly operator: Operator | MultiInputOperator;
}

/** What a task hands to the coordinator for one barrier. */
export interface TaskSnapshot {
  readonly checkpoint: CheckpointId;
  readonly source: { readonly operator: string; readonly snapshot: SourceSnapshot } | null;
  readonly states: ReadonlyMap<string, OperatorState>;
  /** Per sink operator of this task; resolves when staged. */
  readonly prepared: ReadonlyMap<string, Promise<unknown>>;
  readonly alignmentMs: number;
  /** How long taking it kept records waiting. */
  readonly syncMs: number;
}

export interface TaskOptions {
  readonly id: string;
  readonly subtask: number;
  readonly input: TaskInput;
  /** Per input, who takes it: the task's first operator, or a fan-out to several. */
  readonly heads: readonly Output[];
  readonly operators: readonly TaskOperator[];
  /** Channels to downstream tasks; barriers go to all of them. */
  readonly outputs: readonly ElementSender[];
  readonly onSnapshot: (task: Task, snapshot: TaskSnapshot) => void;
  readonly onEnded: (task: Task) => void;
  readonly clock: Clock;
}

export type TurnResult = 'progress' | 'idle' | 'backpressured' | 'ended';

/**
 * One subtask of one vertex: takes elements from its input and runs each to completion through its operators, synchronously.
 *
 * TK1 a barrier falls between two elements: every operator's state is captured in the same call, before the next element.
 * TK2 no element is taken while an operator or an output channel cannot take more records.
 */
export class Task {
  readonly id: string;
  readonly subtask: number;
  readonly #options: TaskOptions;
  readonly #barriers: CheckpointId[] = [];
  #stopping: 'no' | 'stop' | 'drain' = 'no';
  #inputEnded = false;
  #endSent = false;
  /** Where its time goes. */
  readonly time: TaskTime;
  #turnEndedMs: number;

  constructor(options: TaskOptions) {
    this.id = options.id;
    this.subtask = options.subtask;
    this.#options = options;
    this.#turnEndedMs = options.clock.monotonic();
    this.time = new TaskTime(this.#turnEndedMs);
  }

  get ended(): boolean {
    return this.#endSent;
  }

  /** When its last turn ended. */
  get turnEndedMs(): number {
    return this.#turnEndedMs;
  }

  get input(): TaskInput {
    return this.#options.input;
  }

  get operators(): readonly TaskOperator[] {
    return this.#options.operators;
  }

  /** Source tasks: takes the barrier before the next element. */
  triggerBarrier(checkpoint: CheckpointId): void {
    this.#barriers.push(checkpoint);
  }

  /** An ended task answers a barrier that can no longer reach it through its input. */
  snapshotEnded(checkpoint: CheckpointId): void {
    this.#barrier(checkpoint, 0);
  }

  /** A barrier that has not come through yet is not waited for any more. */
  abortBarrier(checkpoint: CheckpointId): void {
    const { input } = this.#options;
    if (input.kind === 'gate') input.gate.abort(checkpoint);
    else this.#barriers.splice(0, this.#barriers.length, ...this.#barriers.filter((id) => id > checkpoint));
  }

  /** Source tasks: takes no more input; what has been taken stays. With `drain` the input ends there. */
  stopInput(drain: boolean): void {
    this.#stopping = drain ? 'drain' : 'stop';
  }

  /** Works for about `turnMs`, at least one element. @param roundMs when the round of turns began that this one is of; default: now */
  turn(turnMs: number, roundMs?: number): TurnResult {
    const { clock } = this.#options;
    const started = clock.monotonic();
    this.time.turn(started, roundMs ?? started);
    let result: TurnResult = 'idle';
    let progressed = false;
    let rest: Rest = 'queued';
    try {
      for (;;) {
        result = this.#step();
        if (result !== 'progress') break;
        if (!progressed) this.time.found();
        progressed = true;
        if (clock.monotonic() - started >= turnMs) break;
      }
    } catch (error) {
      throw this.#failed(error);
    }
    if (result === 'backpressured') rest = 'backpressured';
    else if (result !== 'progress') rest = 'idle';
    this.#turnEndedMs = clock.monotonic();
    this.time.rest(this.#turnEndedMs, rest);
    return progressed && result !== 'ended' ? 'progress' : result;
  }

  async close(): Promise<void> {
    if (this.#options.input.kind === 'source') await this.#options.input.reader.close();
    for (const { operator } of this.#options.operators) await operator.close?.();
  }

  #step(): TurnResult {
    for (const { operator } of this.#options.operators) operator.poll?.();
    const barrier = this.#barriers.shift();
    if (barrier !== undefined) {
      this.#barrier(barrier, 0);
      return 'progress';
    }
    if (this.#blocked()) return 'backpressured';
    if (this.#inputEnded) return this.#finish();
    const { input } = this.#options;
    if (input.kind === 'source') {
      const element = this.#poll(input);
      if (element === null) return 'idle';
      this.#take(0, element);
    } else {
      const event = input.gate.poll();
      if (event === null) return 'idle';
      this.#take('input' in event ? event.input : 0, event);
    }
    return 'progress';
  }

  #poll({ operator, reader }: Extract<TaskInput, { kind: 'source' }>): Element | null {
    if (this.#stopping !== 'no') return this.#stopping === 'drain' ? { kind: 'end' } : null;
    try {
      return reader.poll();
    } catch (error) {
      throw failureOf(error, operator, 'MR_OPERATOR_FAILED');
    }
  }

  #take(input: number, element: Element | GateEvent): void {
    const head = this.#options.heads[input] as Output;
    switch (element.kind) {
      case 'records':
        head.records(element.records);
        break;
      case 'watermark':
        head.watermark(element.time);
        break;
      case 'idle':
        head.idle();
        break;
      case 'end':
        // A source that has ended has reached the end of time: windows and timers that are open give what they have.
        if (this.#options.input.kind === 'source') head.watermark(MAX_WATERMARK);
        this.#inputEnded = true;
        break;
      case 'barrier':
        this.#barrier(element.checkpoint, 'alignmentMs' in element ? element.alignmentMs : 0);
        break;
    }
  }

  /** The input has ended: waits for asynchronous operators, then tells the outputs. */
  #finish(): TurnResult {
    if (this.#endSent) return 'ended';
    if (this.#options.operators.some(({ operator }) => operator.pending?.() ?? false)) return 'idle';
    this.#endSent = true;
    for (const { operator } of this.#options.operators) operator.end?.();
    this.#options.onEnded(this);
    return 'ended';
  }

  #blocked(): boolean {
    return (
      this.#options.outputs.some((channel) => channel.full) ||
      this.#options.operators.some(({ operator }) => (operator.blocked?.() ?? null) !== null)
    );
  }

  #barrier(checkpoint: CheckpointId, alignmentMs: number): void {
    const { input, operators, outputs, clock } = this.#options;
    const startedMs = clock.monotonic();
    const source =
      input.kind === 'source' ? { operator: input.operator, snapshot: input.reader.snapshot() } : null;
    const states = new Map<string, OperatorState>();
    const prepared = new Map<string, Promise<unknown>>();
    for (const { id, operator } of operators) {
      const state = operator.snapshot?.();
      if (state !== undefined) states.set(id, state);
      if (operator instanceof SinkOperator) prepared.set(id, operator.prepare(checkpoint));
    }
    for (const channel of outputs) channel.push({ kind: 'barrier', checkpoint });
    const syncMs = clock.monotonic() - startedMs;
    this.#options.onSnapshot(this, { checkpoint, source, states, prepared, alignmentMs, syncMs });
  }

  #failed(error: unknown): unknown {
    if (errorCode(error) !== null) return error;
    return new MillraceError(
      'MR_OPERATOR_FAILED',
      `Task '${this.id}' (subtask ${this.subtask}) failed: ${errorText(error)}.`,
      {
        cause: error,
        details: { operator: this.id, subtask: this.subtask },
      },
    );
  }
}
