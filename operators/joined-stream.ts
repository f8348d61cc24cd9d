import type { Guarantee, SignedDuration } from '#engine';
import type { DataStream } from './data-stream.ts';
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
