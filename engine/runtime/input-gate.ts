import type { CheckpointId } from '../base/brand.ts';
import type { Clock } from '../base/clock.ts';
import { WatermarkMerger } from '../time/watermark-merger.ts';
import type { ElementReceiver } from './channel.ts';
import type { Records } from './operator.ts';

/** What a task is to do next. */
export type GateEvent =
  | { readonly kind: 'records'; readonly input: number; readonly records: Records }
  | { readonly kind: 'watermark'; readonly input: number; readonly time: number }
  | { readonly kind: 'idle'; readonly input: number }
  | {
      readonly kind: 'barrier';
      readonly checkpoint: CheckpointId /** since its first barrier */;
      readonly alignmentMs: number;
    }
  | { readonly kind: 'end' };

/** One of a subtask's inputs: a channel from each subtask of the vertex above, their merged time, and whether idleness was said. */
interface GateInput {
  readonly merger: WatermarkMerger;
  idle: boolean;
}

/**
 * Joins a subtask's input channels into one sequence of events: merges watermarks per input, aligns barriers over all.
 *
 * IG1 from a channel's barrier until every channel has delivered it (or ended), nothing is taken from that channel.
 * IG2 the barrier event comes after all records before the barrier on every channel, and before all after it.
 * IG3 a channel that turned idle is active again from its next record or watermark on; idleness of all of an input's channels
 *     is said once, after the watermark that it raised.
 * IG4 a barrier of a checkpoint that was given or given up is dropped; one of a later checkpoint gives up the alignment under way.
 */
export class InputGate {
  readonly #channels: readonly ElementReceiver[];
  readonly #inputs: readonly GateInput[];
  /** Per channel, its input and its number within it. */
  readonly #places: readonly (readonly [input: number, index: number])[];
  readonly #blocked: boolean[];
  readonly #ended: boolean[];
  readonly #clock: Pick<Clock, 'monotonic'>;
  #aligning: CheckpointId | null = null;
  #aligningSinceMs = 0;
  /** The newest checkpoint that was given or given up. */
  #passed = 0;
  #freed = false;
  #next = 0;

  /** @param inputs per input, its channels */
  constructor(inputs: readonly (readonly ElementReceiver[])[], clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.#channels = inputs.flat();
    this.#inputs = inputs.map((channels) => ({ merger: new WatermarkMerger(channels.length), idle: false }));
    this.#places = inputs.flatMap((channels, input) => channels.map((_, index) => [input, index] as const));
    this.#blocked = this.#channels.map(() => false);
    this.#ended = this.#channels.map(() => false);
  }

  /** The next event, or null when no channel can give one. Takes channels in turn. */
  poll(): GateEvent | null {
    for (let input = 0; input < this.#inputs.length; input++)
      if (this.#turnsIdle(input)) return { kind: 'idle', input };
    for (let tries = this.#channels.length; tries > 0; tries--) {
      const channel = this.#next;
      this.#next = (channel + 1) % this.#channels.length;
      if (this.#blocked[channel]) continue;
      const event = this.#take(channel);
      if (event !== null) return event;
      // A later barrier has freed channels that were passed over.
      if (this.#freed) tries = this.#channels.length + 1;
      this.#freed = false;
    }
    return null;
  }

  /** Gives up a checkpoint: channels that wait for its barrier go on. */
  abort(checkpoint: CheckpointId): void {
    if (this.#aligning !== null && this.#aligning <= checkpoint) this.#unblock();
    this.#passed = Math.max(this.#passed, checkpoint);
  }

  /** Takes from one channel until an event comes of it or it is empty or blocked. */
  #take(at: number): GateEvent | null {
    const channel = this.#channels[at] as ElementReceiver;
    const [input, index] = this.#places[at] as readonly [number, number];
    const state = this.#inputs[input] as GateInput;
    const { merger } = state;
    for (let element = channel.shift(); element !== null; element = channel.shift()) {
      switch (element.kind) {
        case 'records':
          merger.active(index);
          state.idle = false;
          return { kind: 'records', input, records: element.records };
        case 'watermark':
          state.idle = false;
          if (merger.watermark(index, element.time)) return { kind: 'watermark', input, time: merger.merged };
          break;
        case 'idle':
          // Idleness of all may have raised the watermark: that first, idleness with the next poll.
          if (merger.idle(index)) return { kind: 'watermark', input, time: merger.merged };
          if (this.#turnsIdle(input)) return { kind: 'idle', input };
          break;
        case 'barrier':
          if (!this.#align(element.checkpoint)) break;
          this.#blocked[at] = true;
          return this.#complete();
        case 'end':
          this.#ended[at] = true;
          this.#blocked[at] = true;
          if (this.#ended.every(Boolean)) return { kind: 'end' };
          if (this.#aligning !== null) return this.#complete();
          return null;
      }
    }
    return null;
  }

  /** All channels of an input are idle and that has not been said yet. */
  #turnsIdle(input: number): boolean {
    const state = this.#inputs[input] as GateInput;
    if (state.idle || !state.merger.allIdle) return false;
    state.idle = true;
    return true;
  }

  /** False when the barrier is to be dropped. */
  #align(checkpoint: CheckpointId): boolean {
    const newest = this.#aligning ?? this.#passed;
    if (checkpoint < newest || checkpoint <= this.#passed) return false;
    if (this.#aligning === checkpoint) return true;
    if (this.#aligning !== null) {
      this.#unblock();
      this.#freed = true;
    }
    this.#aligning = checkpoint;
    this.#aligningSinceMs = this.#clock.monotonic();
    return true;
  }

  #complete(): GateEvent | null {
    if (!this.#blocked.every(Boolean)) return null;
    const checkpoint = this.#aligning as CheckpointId;
    this.#unblock();
    this.#passed = checkpoint;
    return { kind: 'barrier', checkpoint, alignmentMs: this.#clock.monotonic() - this.#aligningSinceMs };
  }

  #unblock(): void {
    this.#aligning = null;
    for (let i = 0; i < this.#blocked.length; i++) this.#blocked[i] = this.#ended[i] as boolean;
  }
}
