import type { CheckpointId } from '../base/brand.ts';
import { invariant } from '../base/errors.ts';
import { WatermarkMerger } from '../time/watermark-merger.ts';
import type { Channel } from './channel.ts';
import type { Records } from './operator.ts';

/** What a task is to do next. */
export type GateEvent =
  | { readonly kind: 'records'; readonly records: Records }
  | { readonly kind: 'watermark'; readonly time: number }
  | { readonly kind: 'idle' }
  | { readonly kind: 'barrier'; readonly checkpoint: CheckpointId }
  | { readonly kind: 'end' };

/**
 * Joins a subtask's input channels into one sequence of events: merges watermarks, aligns barriers.
 *
 * IG1 from a channel's barrier until every channel has delivered it (or ended), nothing is taken from that channel.
 * IG2 the barrier event comes after all records before the barrier on every channel, and before all after it.
 * IG3 a channel that turned idle is active again from its next record or watermark on; idleness of all is said once, after the
 *     watermark that it raised.
 */
export class InputGate {
  readonly #channels: readonly Channel[];
  readonly #merger: WatermarkMerger;
  readonly #blocked: boolean[];
  readonly #ended: boolean[];
  #aligning: CheckpointId | null = null;
  #next = 0;
  #isIdle = false;

  constructor(channels: readonly Channel[]) {
    this.#channels = channels;
    this.#merger = new WatermarkMerger(channels.length);
    this.#blocked = channels.map(() => false);
    this.#ended = channels.map(() => false);
  }

  restore(watermark: number): void {
    this.#merger.restore(watermark);
  }

  /** The next event, or null when no channel can give one. Takes channels in turn. */
  poll(): GateEvent | null {
    if (this.#turnsIdle()) return { kind: 'idle' };
    for (let tries = this.#channels.length; tries > 0; tries--) {
      const channel = this.#next;
      this.#next = (channel + 1) % this.#channels.length;
      if (this.#blocked[channel]) continue;
      const event = this.#take(channel);
      if (event !== null) return event;
    }
    return null;
  }

  /** Takes from one channel until an event comes of it or it is empty or blocked. */
  #take(index: number): GateEvent | null {
    const channel = this.#channels[index] as Channel;
    for (let element = channel.shift(); element !== null; element = channel.shift()) {
      switch (element.kind) {
        case 'records':
          this.#merger.active(index);
          this.#isIdle = false;
          return element;
        case 'watermark':
          this.#isIdle = false;
          if (this.#merger.watermark(index, element.time))
            return { kind: 'watermark', time: this.#merger.merged };
          break;
        case 'idle':
          // Idleness of all may have raised the watermark: that first, idleness with the next poll.
          if (this.#merger.idle(index)) return { kind: 'watermark', time: this.#merger.merged };
          if (this.#turnsIdle()) return { kind: 'idle' };
          break;
        case 'barrier': {
          invariant(
            this.#aligning === null || this.#aligning === element.checkpoint,
            `barrier ${element.checkpoint} arrived while aligning ${this.#aligning}`,
          );
          this.#aligning = element.checkpoint;
          this.#blocked[index] = true;
          return this.#complete();
        }
        case 'end':
          this.#ended[index] = true;
          this.#blocked[index] = true;
          if (this.#ended.every(Boolean)) return { kind: 'end' };
          if (this.#aligning !== null) return this.#complete();
          return null;
      }
    }
    return null;
  }

  /** All channels are idle and that has not been said yet. */
  #turnsIdle(): boolean {
    if (this.#isIdle || !this.#merger.allIdle) return false;
    this.#isIdle = true;
    return true;
  }

  #complete(): GateEvent | null {
    if (!this.#blocked.every(Boolean)) return null;
    const checkpoint = this.#aligning as CheckpointId;
    this.#aligning = null;
    for (let i = 0; i < this.#blocked.length; i++) this.#blocked[i] = this.#ended[i] as boolean;
    return { kind: 'barrier', checkpoint };
  }
}
