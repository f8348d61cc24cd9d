import type { Generation } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import type { KeySelector } from '../state/key-space.ts';
import type { OpenStateBackend } from '../state/state-backend.ts';
import type { Stage } from './row-loop.ts';
import type { SinkInput } from './sink.ts';

/** Records on their way through a task, immutable: a column batch with the rows meant, or plain rows with their times. */
export type Records<T = unknown> = SinkInput<T>;

/** Where records and time signals go. Calls are synchronous; whoever cannot take more says so before (Operator.ready). */
export interface Output {
  readonly records: (records: Records) => void;
  /** No more records with a time ≤ `time` will come. Rises; lower ones are ignored by the receiver. */
  readonly watermark: (time: number) => void;
  /** Nothing will come for a while: do not wait for this input. The next record or watermark ends it. */
  readonly idle: () => void;
}

/** What every operator may have beside its inputs. */
interface OperatorLife {
  /** The task's input has ended, and nothing is pending in any of its operators. */
  readonly end?: () => void;
  /** Runs what has become possible since (answered promises, due processing-time timers). Called in every turn. */
  readonly poll?: () => void;
  /** A promise while the operator can take no more records; null when it can. */
  readonly blocked?: () => Promise<void> | null;
  /** True while it still holds records of its own that must come out before the end. */
  readonly pending?: () => boolean;
  /** All state at this point, synchronously: a later change must not show in it. Undefined for stateless operators. */
  readonly snapshot?: () => OperatorState;
  /** Called before the first record, with every stored part that concerns this subtask. */
  readonly restore?: (parts: readonly OperatorState[]) => void;
  readonly counters?: () => OperatorCounters;
  /** What it will give without a new record, and when; null when nothing. For "why is there no output?". */
  readonly waiting?: () => Waiting | null;
  readonly close?: () => Promise<void>;
}

/**
 * One subtask's instance of one operator with one input. Between two calls it has no unflushed output (OP1), so that a
 * barrier may fall between any two calls.
 */
export interface Operator extends OperatorLife, Output {}

/** The same for an operator with several inputs, in the order of its node's inputs (see InputMerger for their time). */
export interface MultiInputOperator extends OperatorLife {
  readonly inputs: readonly Output[];
}

/** The next output that needs no new record. */
export interface Waiting {
  readonly what: 'window' | 'timer' | 'processing-time timer' | 'join' | 'pattern' | 'call';
  /** Event time (processing-time timers: wall clock) at which it comes, epoch ms; null for a call that may answer any time. */
  readonly until: number | null;
  /** How many of them there are. */
  readonly count: number;
}

/** What a snapshot holds. Values are plain, msgpack-able data or typed arrays. */
export interface OperatorState {
  /** Event time reached; restored so that closed windows stay closed. */
  readonly watermark: number;
  readonly idle: boolean;
  /**
   * Keyed state by key group: a rescaled subtask takes the groups of its range. A group may be made when it is asked for, then still as
   * it was when the snapshot was taken; each is asked for at most once, between two batches, before {@link release}.
   */
  readonly groups: ReadonlyMap<number, unknown>;
  /**
   * Key groups that may differ from the snapshot before (the first one: from what was restored), also those that are gone.
   * Missing: any may. A group that is not in it is stored by reference to the bytes of an earlier checkpoint.
   */
  readonly dirty?: ReadonlySet<number>;
  /** The snapshot has been written or given up: what it kept for groups not asked for may go. Before the next snapshot at the latest. */
  readonly release?: () => void;
  /** State of the subtask itself, e.g. in-flight inputs; a rescaled operator shares the list round robin. */
  readonly items: readonly unknown[];
  /** State that is the same in every subtask (broadcast state); each gets one subtask's copy back, whole. */
  readonly broadcast?: unknown;
}

export interface OperatorCounters {
  readonly keys: number;
  readonly timers: number;
  readonly lateRecords: number;
}

/** What an operator is given when it starts. */
export interface OperatorContext {
  readonly job: string;
  readonly operator: string;
  readonly subtask: number;
  readonly parallelism: number;
  readonly maxParallelism: number;
  readonly generation: Generation;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Stateless steps fused in front of its (first) input. */
  readonly stages: readonly Stage[];
  /** The same for each input; none where the task's own inputs are its inputs. */
  readonly inputStages: readonly (readonly Stage[])[];
  /** Of its (first) input when that is keyed, else null. */
  readonly keys: KeySelector | null;
  /** The same for each input. */
  readonly inputKeys: readonly (KeySelector | null)[];
  readonly output: Output;
  /** A named side output; records only. */
  readonly side: (name: string) => Output;
  /** Decides about a throwing record: returns when it went to dead letters, throws when the job must fail. */
  readonly onRecordError: RecordErrorHandler;
  /**
   * First and last key group of this subtask, where nobody but the operator looks whether a record's key is among them: a new key of
   * another group is refused as MR_KEY_MISPLACED. Missing where a router has dealt the records.
   */
  readonly ownGroups?: readonly [first: number, last: number];
  /** Asks for a turn: something asynchronous has finished. */
  readonly wake: () => void;
  /** Where the job wants keyed state that an operator declares; in memory when missing. */
  readonly openState?: OpenStateBackend;
  /** No generated code, for environments that forbid it. */
  readonly interpreted: boolean;
}

export type RecordErrorHandler = (error: unknown, row: () => unknown, time: number) => void;

/** What a graph node says of its operator: a value, shared by all subtasks. */
export interface OperatorDefinition<O extends Operator | MultiInputOperator = Operator | MultiInputOperator> {
  /** Short kind for graphs and metrics, e.g. `window-aggregate`. */
  readonly kind: string;
  /** Names of its side outputs. */
  readonly sides: readonly string[];
  readonly create: (context: OperatorContext) => O;
  /** How its keyed state looks to people; without it a key group is shown as it is stored. */
  readonly describeGroup?: DescribeGroup;
}

/**
 * Tells what one key group of a snapshot holds of each of its keys, which have numbers from 0 in the order stored. What it gives is
 * plain data, equal exactly when what is stored of the key is. It may throw for what it does not know.
 */
export type DescribeGroup = (group: unknown) => (key: number) => KeyedStateView;

/** What a snapshot holds of one key, by name. */
export type KeyedStateView = Readonly<Record<string, unknown>>;
