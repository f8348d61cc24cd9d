import type { Clock } from '#wire';
import type { RedisLink } from './redis-link.ts';

/** What a forwarder tells the operators of a topic while its partitions are full. Durations only: its clock may be wrong. */
export interface HeldFacts {
  readonly heldMs: number;
  readonly partitions: readonly number[];
  readonly pendingRecords: number;
  readonly pendingBytes: number;
  /** Age of the oldest pending record; null while it is not known. */
  readonly oldestMs: number | null;
  /** The outbox is full as well. */
  readonly inputHeld: boolean;
}

/** How often it says that it is still held. */
const AGAIN_MS = 5_000;

/**
 * Keeps what the log's side knows of this forwarder: an entry while it is held, none otherwise, so that many forwarders cost nothing
 * as long as all is well. Best effort: a report that does not get through is left out, and the next one follows.
 */
export class HeldReport {
  readonly #link: Pick<RedisLink, 'connected' | 'tellHeld'>;
  /** When it was told last that it is held (monotonic); null: it is not known to be. */
  #toldMs: number | null = null;
  #telling = false;

  constructor(link: Pick<RedisLink, 'connected' | 'tellHeld'>) {
    this.#link = link;
  }

  /** Called about once a second. @param nowMs monotonic */
  update(facts: HeldFacts | null, nowMs: number): void {
    if (this.#telling || !this.#link.connected) return;
    const isKnown = facts === null ? this.#toldMs === null : nowMs - (this.#toldMs ?? -AGAIN_MS) < AGAIN_MS;
    if (!isKnown) void this.#tell(facts, nowMs);
  }

  /** Nobody waits here any more. Takes at most `waitMs`. */
  async end(clock: Pick<Clock, 'sleep'>, waitMs: number): Promise<void> {
    if (this.#toldMs === null || !this.#link.connected) return;
    await Promise.race([this.#link.tellHeld(null).catch(() => undefined), clock.sleep(waitMs)]);
  }

  async #tell(facts: HeldFacts | null, nowMs: number): Promise<void> {
    this.#telling = true;
    try {
      await this.#link.tellHeld(facts);
      this.#toldMs = facts === null ? null : nowMs;
    } catch {
      // Said again with the next update.
    } finally {
      this.#telling = false;
    }
  }
}
