import type { Element } from '../runtime/channel.ts';
import type { SourceContext } from '../runtime/source.ts';
import type { PartitionClock } from '../time/partition-clock.ts';
import { WatermarkMerger } from '../time/watermark-merger.ts';
import { MIN_WATERMARK } from '../time/watermark.ts';
import { type AlignedPartition, WatermarkAlignment } from './watermark-alignment.ts';

/** How often idleness is looked for. */
export const LOOK_EVERY_MS = 100;

/**
 * Event time of one subtask's end of a source: the clocks of its partitions, merged, and the time signals that follow from them.
 * Partitions are channels 0, 1, … here.
 *
 * Owns: the merger, the signals not yet handed on, and the partitions' places in their alignment group.
 *
 * ET1 restored event time is that of the partition that lags most; none is left out until it proves idle again.
 * ET2 a partition that alignment has paused is neither read nor idle; the pause does not count as quiet time.
 */
export class SourceTime {
  readonly #clocks: readonly PartitionClock[];
  readonly #context: SourceContext;
  readonly #merger: WatermarkMerger;
  readonly #aligned: readonly AlignedPartition[];
  /** Per partition, since when it is paused (monotonic ms); NaN while it is not. */
  readonly #pausedAtMs: Float64Array;
  readonly #signals: Element[] = [];
  #sentIdle = false;
  #lookedAtMs = 0;

  constructor(clocks: readonly PartitionClock[], context: SourceContext) {
    this.#clocks = clocks;
    this.#context = context;
    this.#merger = new WatermarkMerger(Math.max(1, clocks.length));
    this.#pausedAtMs = new Float64Array(clocks.length).fill(Number.NaN);
    const { alignment } = context.options;
    const shared = context.alignment ?? new WatermarkAlignment();
    this.#aligned = alignment ? clocks.map(() => shared.join(alignment, context.wake)) : [];
    // One after another into a fresh merger: it waits for all of them, so that no partition runs ahead of one that lags (ET1).
    for (const [channel, { watermark }] of clocks.entries()) {
      this.#merger.watermark(channel, watermark);
      this.#report(channel);
    }
    if (this.#merger.merged > MIN_WATERMARK) this.#queueWatermark();
  }

  /** The next time signal to hand on, if any. */
  shift(): Element | null {
    return this.#signals.shift() ?? null;
  }

  /** Something has come, though perhaps nothing that counts: an idle signal is due again after it. */
  active(): void {
    this.#sentIdle = false;
  }

  /** Records of a partition are about to be handed on, see {@link PartitionClock.observe}. */
  observe(channel: number, producer: string, newestMs: number, declared: number): void {
    const clock = this.#clocks[channel] as PartitionClock;
    clock.observe(producer, newestMs, declared, this.#context.clock.monotonic());
    if (this.#merger.watermark(channel, clock.watermark)) this.#queueWatermark();
    this.#report(channel);
  }

  /** True while alignment keeps the partition from being read. Ask before each read. */
  paused(channel: number): boolean {
    const paused = this.#aligned[channel]?.paused ?? false;
    const sinceMs = this.#pausedAtMs[channel] as number;
    if (paused === !Number.isNaN(sinceMs)) return paused;
    const nowMs = this.#context.clock.monotonic();
    if (!paused) (this.#clocks[channel] as PartitionClock).excuse(nowMs - sinceMs);
    this.#pausedAtMs[channel] = paused ? nowMs : Number.NaN;
    return paused;
  }

  /**
   * Nothing has arrived: is a partition, or all of them, idle? Looks every {@link LOOK_EVERY_MS} at most.
   * @param atHead whether a partition is known to hold nothing that was not handed on
   */
  look(atHead: (channel: number) => boolean): void {
    const nowMs = this.#context.clock.monotonic();
    if (nowMs - this.#lookedAtMs < LOOK_EVERY_MS) return;
    this.#lookedAtMs = nowMs;
    for (const [channel, clock] of this.#clocks.entries()) {
      if (this.paused(channel) || !atHead(channel)) continue;
      clock.atHead(nowMs);
      // Idleness of its producers may have raised the partition's watermark: first the time, then that nothing follows.
      const caughtUp = this.#merger.of(channel) === clock.watermark;
      const risen = !(clock.idle && caughtUp) && this.#merger.watermark(channel, clock.watermark);
      const freed = clock.idle && this.#merger.idle(channel);
      if (risen || freed) this.#queueWatermark();
      this.#report(channel);
    }
    if ((this.#merger.allIdle || this.#clocks.length === 0) && !this.#sentIdle) {
      this.#sentIdle = true;
      this.#signals.push({ kind: 'idle' });
    }
  }

  close(): void {
    for (const partition of this.#aligned) partition.leave();
  }

  #report(channel: number): void {
    const partition = this.#aligned[channel];
    if (partition === undefined) return;
    const { watermark, idle } = this.#clocks[channel] as PartitionClock;
    if (idle) partition.idle();
    else if (watermark > MIN_WATERMARK) partition.report(watermark);
  }

  #queueWatermark(): void {
    this.#signals.push({ kind: 'watermark', time: this.#merger.merged });
  }
}
