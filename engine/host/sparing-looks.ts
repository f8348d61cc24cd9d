import type { Clock } from '../base/clock.ts';

/** How much of the time looks at one thing may take at most. */
const SHARE = 1 / 500;

/**
 * Looks that cost what there is to see, such as one at all sessions that are open: the longer the last look has taken, the later the
 * next one, and what was seen then is told meanwhile.
 */
export class SparingLooks<Thing extends object, Seen> {
  readonly #clock: Clock;
  readonly #look: (thing: Thing) => Seen;
  readonly #seen = new WeakMap<Thing, { readonly what: Seen; readonly untilMs: number }>();

  constructor(clock: Clock, look: (thing: Thing) => Seen) {
    this.#clock = clock;
    this.#look = look;
  }

  at(thing: Thing): Seen {
    const begunMs = this.#clock.monotonic();
    const before = this.#seen.get(thing);
    if (before !== undefined && begunMs < before.untilMs) return before.what;
    const what = this.#look(thing);
    const endedMs = this.#clock.monotonic();
    this.#seen.set(thing, { what, untilMs: endedMs + (endedMs - begunMs) / SHARE });
    return what;
  }
}
