import type { OutputContext, ProcessContext } from './state/process-context.ts';
import type { Handles, Readers, StateSpec } from './state/state-kinds.ts';

/** What `onRecord` works with when its input is keyed: its key's state, and the broadcast state to look at. */
export interface BroadcastRecordContext<K, Out, S extends StateSpec, B extends StateSpec, Sides>
  extends ProcessContext<K, Out, Handles<S>, Sides> {
  readonly broadcast: Readers<B>;
}

/** The same when its input is not keyed: no key, state or timers. */
export interface BroadcastPlainContext<Out, B extends StateSpec, Sides> extends OutputContext<Out, Sides> {
  readonly broadcast: Readers<B>;
}

/**
 * What `onBroadcast` works with. Every subtask gets every broadcast record, possibly in another order among records of different
 * senders, and must come to the same state: derive it from the record and the state alone.
 */
export interface BroadcastContext<Out, B extends StateSpec, Sides> extends OutputContext<Out, Sides> {
  readonly broadcast: Handles<B>;
}

/** `onBroadcast` beside a keyed input. */
export interface KeyedBroadcastContext<K, Out, S extends StateSpec, B extends StateSpec, Sides>
  extends BroadcastContext<Out, B, Sides> {
  /** Calls `visit` for every key of this subtask that has state, in no particular order. What it emits has the broadcast record's time. */
  readonly forEachKey: (visit: (key: K, state: Handles<S>) => void) => void;
}
