import type { OperatorDefinition } from '../runtime/operator.ts';
import type { Stage } from '../runtime/row-loop.ts';
import type { Guarantee, Sink } from '../runtime/sink.ts';
import type { Source, SourceOptions } from '../runtime/source.ts';
import type { KeySelector } from '../state/key-space.ts';

/** A job as its author wrote it: a plan as data, nodes in the order they were declared (inputs before consumers). */
export interface JobGraph {
  readonly name: string;
  readonly options: JobOptions;
  readonly nodes: readonly GraphNode[];
}

export interface JobOptions {
  /** What the job asks of its sinks; weaker ones must be accepted one by one. */
  readonly guarantee: Guarantee;
  readonly parallelism: number;
  /** Number of key groups; frozen in the first checkpoint. */
  readonly maxParallelism: number;
  readonly checkpointIntervalMs: number;
  readonly checkpointsRetained: number;
  readonly checkpointTimeoutMs: number;
  /** From the end of one checkpoint to the beginning of the next at least. */
  readonly checkpointMinPauseMs: number;
  /** Failed checkpoints in a row that do not fail the attempt. */
  readonly checkpointFailuresTolerable: number;
  /** A subtask that has waited so long for a checkpoint's barriers declines it. */
  readonly alignmentTimeoutMs: number;
  /** What a record that makes user code throw does: fail the attempt, or go to dead letters. */
  readonly onError: 'fail' | 'dead-letter';
  /** With `onError: 'fail'`: a record that has failed so many attempts goes to dead letters. Infinity by default. */
  readonly poisonAfter: number;
  readonly restart: RestartOptions;
  readonly state: StatePlacement;
  /** Runs without generated code. */
  readonly interpreted: boolean;
}

/**
 * Where the keyed state of process, co-process and broadcast operators lives: in memory, or in files of one attempt below `folder`
 * with the state of `hotKeysMax` keys per subtask in memory. Snapshots are the same, so that a job may change from one to the other.
 */
export type StatePlacement =
  | { readonly kind: 'memory' }
  | { readonly kind: 'disk'; readonly folder: string; readonly hotKeysMax: number };

/** What happens after an attempt has failed. */
export type RestartOptions =
  /** Delays that double; quiet running for `resetAfterMs` starts over. */
  | {
      readonly strategy: 'exponential';
      readonly firstMs: number;
      readonly maxMs: number;
      readonly resetAfterMs: number;
      /** Attempts in a row before the job fails for good; Infinity by default. */
      readonly attemptsMax: number;
    }
  | { readonly strategy: 'fixed'; readonly delayMs: number; readonly attemptsMax: number }
  /** More than `failuresMax` within `perMs` fail the job. */
  | {
      readonly strategy: 'failure-rate';
      readonly failuresMax: number;
      readonly perMs: number;
      readonly delayMs: number;
    }
  | { readonly strategy: 'none' };

export type GraphNode = SourceNode | StageNode | OperatorNode | SinkNode;

/** Whose output a node takes: index of the node, and the name of a side output or null for its main one. */
export interface NodeInput {
  readonly node: number;
  readonly side: string | null;
}

export interface SourceNode {
  readonly kind: 'source';
  readonly id: string;
  readonly source: Source<unknown>;
  readonly options: SourceOptions;
}

/** A stateless step; needs no id because it keeps nothing. */
export interface StageNode {
  readonly kind: 'stage';
  readonly stage: Stage;
  readonly input: NodeInput;
}

export interface OperatorNode {
  readonly kind: 'operator';
  readonly id: string;
  readonly operator: OperatorDefinition;
  readonly inputs: readonly OperatorInput[];
}

/** One input of an operator. */
export interface OperatorInput extends NodeInput {
  readonly partitioning: Partitioning;
}

/**
 * Which subtask gets a record: the sender's own number; the owner of its key's group; every one; or whichever is next, batch by batch.
 */
export type Partitioning =
  | { readonly kind: 'forward' }
  | { readonly kind: 'hash'; readonly keys: KeySelector }
  | { readonly kind: 'broadcast' }
  | { readonly kind: 'rebalance' };

export interface SinkNode {
  readonly kind: 'sink';
  readonly id: string;
  readonly sink: Sink<unknown>;
  readonly input: NodeInput;
}
