import { MIN_WATERMARK } from './watermark.ts';

/**
 * Merges the watermarks of several channels. Source: Flink, StatusWatermarkValve.
 *
 * WM1 the merged watermark is the minimum over active, aligned channels and only rises.
 * WM2 an idle channel leaves the minimum; active again, it stays out until its watermark has caught up with the merged one.
 * WM3 when the last channel turns idle, the maximum over all channels is given once; after that nothing until one is active.
 */
export class WatermarkMerger {
  readonly #watermarks: number[];
  readonly #idle: boolean[];
  readonly #aligned: boolean[];
  #merged = MIN_WATERMARK;

  constructor(channels: number) {
    this.#watermarks = new Array<number>(channels).fill(MIN_WATERMARK);
    this.#idle = new Array<boolean>(channels).fill(false);
    this.#aligned = new Array<boolean>(channels).fill(true);
  }

  get merged(): number {
    return this.#merged;
  }

  /** Last watermark of one channel. */
  of(channel: number): number {
    return this.#watermarks[channel] as number;
  }

  /** True when every channel is idle. */
  get allIdle(): boolean {
    return this.#idle.every(Boolean);
  }

  /** Watermark of one channel; true when the merged watermark has risen. */
  watermark(channel: number, time: number): boolean {
    this.active(channel);
    if (time <= (this.#watermarks[channel] as number)) return false;
    this.#watermarks[channel] = time;
    if (!this.#aligned[channel] && time >= this.#merged) this.#aligned[channel] = true;
    return this.#advance();
  }

  /** The channel turns idle; true when the merged watermark has risen. */
  idle(channel: number): boolean {
    if (this.#idle[channel]) return false;
    this.#idle[channel] = true;
    if (!this.allIdle) return this.#advance();
    return this.#raise(Math.max(...this.#watermarks));
  }

  /** The channel is active again. */
  active(channel: number): void {
    if (!this.#idle[channel]) return;
    this.#idle[channel] = false;
    this.#aligned[channel] = (this.#watermarks[channel] as number) >= this.#merged;
  }

  #advance(): boolean {
    let min = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#watermarks.length; i++) {
      if (!this.#idle[i] && this.#aligned[i]) min = Math.min(min, this.#watermarks[i] as number);
    }
    return min !== Number.POSITIVE_INFINITY && this.#raise(min);
  }

  #raise(time: number): boolean {
    if (time <= this.#merged) return false;
    this.#merged = time;
    return true;
  }
}
