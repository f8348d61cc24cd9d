import type { ElementReceiver, ElementSender } from '../runtime/channel.ts';

/** One channel of a job: from a subtask to a subtask, into one input of a vertex. */
export interface ChannelId {
  /** Index of the receiving vertex, and which of its inputs. */
  readonly vertex: number;
  readonly input: number;
  /** Subtasks. */
  readonly from: number;
  readonly to: number;
}

/** One host's ends of the channels that begin or end at other hosts of the attempt. Elements arrive in order, none lost, none twice. */
export interface Exchange {
  readonly sender: (channel: ChannelId) => ElementSender;
  readonly receiver: (channel: ChannelId) => ElementReceiver;
  /** Rejects when it cannot go on; never resolves. */
  readonly failed: Promise<never>;
  readonly close: () => Promise<void>;
}
