import type { CheckpointId } from '../base/brand.ts';
import { LIMITS } from '../base/limits.ts';
import type { Records } from './operator.ts';

/** What travels between tasks, in order. */
export type Element =
  | { readonly kind: 'records'; readonly records: Records }
  | { readonly kind: 'watermark'; readonly time: number }
  | { readonly kind: 'idle' }
  | { readonly kind: 'barrier'; readonly checkpoint: CheckpointId }
  | { readonly kind: 'end' };

/** The sending end of a channel between two subtasks, wherever the other one is. */
export interface ElementSender {
  /** No credit left: the sender must not produce more records. */
  readonly full: boolean;
  /** Signals always pass, so that a barrier is never held up by credit. */
  readonly push: (element: Element) => void;
}

/** The receiving end: elements in the order in which they were pushed, none lost, none twice. */
export interface ElementReceiver {
  readonly shift: () => Element | null;
}

/**
 * A bounded queue between two subtasks of one thread. The sender asks {@link full} before it produces; signals always pass
 * (consecutive watermarks become one), so that a barrier is never held up by credit.
 */
export class Channel implements ElementSender, ElementReceiver {
  readonly #queue: Element[] = [];
  #head = 0;
  #batches = 0;
  #onPush: () => void = () => {};
  #onRoom: () => void = () => {};

  /** No credit left: the sender must not produce more records. */
  get full(): boolean {
    return this.#batches >= LIMITS.channelBatchesMax;
  }

  get empty(): boolean {
    return this.#head === this.#queue.length;
  }

  push(element: Element): void {
    const last = this.#queue.at(-1);
    if (element.kind === 'watermark' && last?.kind === 'watermark' && !this.empty) {
      this.#queue[this.#queue.length - 1] = element;
      return;
    }
    if (element.kind === 'records') this.#batches++;
    this.#queue.push(element);
    this.#onPush();
  }

  shift(): Element | null {
    if (this.empty) return null;
    const element = this.#queue[this.#head++] as Element;
    // Taken elements are let go as soon as it costs little: each may hold a whole batch.
    if (this.empty || this.#head > 64) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
    if (element.kind === 'records') {
      this.#batches--;
      if (this.#batches === LIMITS.channelBatchesMax - 1) this.#onRoom();
    }
    return element;
  }

  /** Sets who is told of new elements and of room. */
  listen(onPush: () => void, onRoom: () => void): void {
    this.#onPush = onPush;
    this.#onRoom = onRoom;
  }
}
