import type { Duration, Guarantee, SignedDuration } from '#engine';
import type { DataStream } from './data-stream.ts';
import type { CoGroupOptions } from './join/co-group.ts';
import type { WindowJoinOptions } from './join/window-join.ts';
import type { IntervalJoinOptions, JoinType } from './join/interval-join.ts';

/** Results of a join, and beside them the records of each input that came too late for it. */
export interface JoinedStream<Left, Right, Out, G extends Guarantee = Guarantee> extends DataStream<Out, G> {
  readonly side: { readonly lateLeft: DataStream<Left, G>; readonly lateRight: DataStream<Right, G> };
}

/** Pairs whose times differ by a bounded amount: `lower ≤ right time − left time ≤ upper`. */
export interface IntervalJoin<Left, Right, Out, Type extends JoinType>
  extends Omit<IntervalJoinOptions<Left, Right, Out, Type>, 'lowerMs' | 'upperMs'> {
  /** Least difference, e.g. `'-5m'`: right may come up to 5 minutes before left. */
  readonly lower: SignedDuration;
  /** Greatest difference. */
  readonly upper: SignedDuration;
}

/** Every pair of a key's records in one window; both streams share the windows. */
export interface WindowJoin<Left, Right, Out>
  extends Omit<WindowJoinOptions<Left, Right, Out>, 'allowedLatenessMs'> {
  /** How long after its end a window still takes records; each gives its new pairs at once. Default 0. */
  readonly allowedLateness?: Duration;
}

/** A function over both streams' records of a key in one window; one of the two lists may be empty. */
export interface CoGroup<K, Left, Right, Out>
  extends Omit<CoGroupOptions<K, Left, Right, Out>, 'allowedLatenessMs'> {
  /** How long after its end a window still takes records; each has the window grouped again. Default 0. */
  readonly allowedLateness?: Duration;
}
