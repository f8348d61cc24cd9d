import { invariant } from '../../engine/base/errors.ts';
import { type Random, seededRandom } from '../../engine/base/random.ts';

/**
 * A deterministic scheduler: events in virtual time, drawn from one seed.
 *
 * Owns the queue of events, virtual time and the trace. Does not own what happens in an event, nor who may take one: an event's
 * owner decides (process.ts). Suspends in {@link SimKernel.run} only.
 *
 * SK1 Events run in the order of (time, seeded tie-break); nothing else starts anything, so one seed gives one trace.
 * SK2 Between two events every microtask has run, however long the chains of promises are.
 * SK3 Virtual time never goes back.
 *
 * For SK2 each event is a setImmediate callback of its own: Node drains microtasks between two of them until none is left. A fixed
 * number of `await`s would not do, since a chain may be longer. Immediates are set in batches, which costs about 0.2 µs an event where
 * one at a time costs 1.2 µs.
 */
export class SimKernel {
  readonly seed: number;
  readonly #ties: Random;
  readonly #heap: SimEvent[] = [];
  readonly #onEvent: ((line: string) => void) | null;
  #nowMs = 0;
  #order = 0;
  #executed = 0;
  #hashLow = 0x811c9dc5;
  #hashHigh = 0x9747b28c;
  #current: EventOwner | null = null;

  constructor(seed: number, options: { readonly onEvent?: (line: string) => void } = {}) {
    this.seed = seed;
    this.#ties = this.random('ties');
    this.#onEvent = options.onEvent ?? null;
  }

  /** Virtual ms since the start. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get executed(): number {
    return this.#executed;
  }

  /** Digest of every event, note and mark so far: 16 hex digits. */
  get trace(): string {
    return [this.#hashHigh, this.#hashLow].map((h) => (h >>> 0).toString(16).padStart(8, '0')).join('');
  }

  /** A stream of randomness of its own: what one draws from it moves no other. */
  random(name: string): Random {
    let hash = this.seed ^ 0x5bd1e995;
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
    return seededRandom(hash ^ (hash >>> 15));
  }

  /** Runs `run` as an event of `owner` after `delayMs`; the returned function takes it back. */
  schedule(delayMs: number, owner: EventOwner | null, label: EventLabel, run: () => void): () => void {
    invariant(delayMs >= 0, 'an event is due before now');
    const event: SimEvent = {
      atMs: this.#nowMs + delayMs,
      tie: this.#ties(),
      order: this.#order++,
      owner,
      label,
      run,
    };
    this.#push(event);
    return () => {
      event.run = null;
    };
  }

  /** Puts an event that its owner did not take back into the queue; those put back for one time keep their order. */
  postpone(event: SimEvent, atMs: number): void {
    event.atMs = Math.max(atMs, this.#nowMs);
    event.tie = -1;
    event.order = this.#order++;
    this.#push(event);
  }

  /** Adds something that happened to the trace. */
  note(text: string): void {
    this.#markText(text);
    this.#tell(text);
  }

  /** Adds a number to the digest alone. */
  mark(value: number): void {
    this.#hashLow = Math.imul(this.#hashLow ^ value, 0x01000193);
    this.#hashHigh = Math.imul(this.#hashHigh ^ value, 0x5bd1e995) ^ (this.#hashHigh >>> 13);
  }

  #trace({ owner, label, order, atMs }: SimEvent): void {
    this.mark(order);
    this.mark(Math.round(atMs * 1_000));
    if (owner !== null) this.#markText(owner.name);
    if (typeof label === 'string') this.#markText(label);
    if (this.#onEvent !== null)
      this.#tell(`${owner?.name ?? '-'} ${textOf(label)} ${Math.round(atMs * 1_000)}`);
  }

  #markText(text: string): void {
    for (let i = 0; i < text.length; i++) this.mark(text.charCodeAt(i));
  }

  #tell(text: string): void {
    this.#onEvent?.(`${this.#nowMs.toFixed(3).padStart(12)}   ${text}`);
  }

  /** Runs events until `until` holds (asked after each), nothing is left, or a bound is reached. */
  run(options: RunOptions): Promise<RunEnd> {
    return new Promise((resolve, reject) => {
      let end: RunEnd | null = null;
      const step = () => {
        if (end !== null) return;
        try {
          end = this.#step(options);
        } catch (error) {
          end = 'failed';
          reject(error);
        }
      };
      const batch = () => {
        if (end === 'failed') return;
        if (end !== null) return resolve(end);
        for (let i = 0; i < EVENTS_PER_BATCH; i++) setImmediate(step);
        setImmediate(batch);
      };
      batch();
    });
  }

  #step({ until, deadlineMs, eventsMax }: RunOptions): RunEnd | null {
    this.#current?.finished();
    this.#current = null;
    if (until?.() === true) return 'reached';
    if (this.#executed >= eventsMax) return 'budget';
    const event = this.#pop();
    if (event === null) return 'idle';
    if (event.atMs > deadlineMs) {
      this.#push(event);
      this.#nowMs = deadlineMs;
      return 'deadline';
    }
    this.#nowMs = event.atMs;
    if (event.owner !== null && !event.owner.admits(event)) return null;
    this.#executed++;
    this.#current = event.owner;
    this.#trace(event);
    event.run?.();
    return null;
  }

  #push(event: SimEvent): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as SimEvent;
      if (!isBefore(event, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = event;
  }

  /** The next event that was not taken back. */
  #pop(): SimEvent | null {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return null;
      const last = this.#heap.pop() as SimEvent;
      if (this.#heap.length > 0) this.#sink(last);
      if (first.run !== null) return first;
    }
  }

  #sink(event: SimEvent): void {
    const heap = this.#heap;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as SimEvent, heap[child] as SimEvent)) child++;
      if (!isBefore(heap[child] as SimEvent, event)) break;
      heap[i] = heap[child] as SimEvent;
      i = child;
    }
    heap[i] = event;
  }
}

/** Whose event it is. */
export interface EventOwner {
  readonly name: string;
  /** False: the owner has dropped the event, keeps it, or has put it back for later. */
  readonly admits: (event: SimEvent) => boolean;
  /** An admitted event and all that follows from it at once are over. */
  readonly finished: () => void;
}

/** For people who read the trace. One that costs something is made when it is printed, and is not in the digest. */
export type EventLabel = string | (() => string);

export interface SimEvent {
  atMs: number;
  tie: number;
  order: number;
  readonly owner: EventOwner | null;
  readonly label: EventLabel;
  /** Null once it was taken back. */
  run: (() => void) | null;
}

export interface RunOptions {
  readonly until?: () => boolean;
  /** Virtual ms since the start of the simulation. */
  readonly deadlineMs: number;
  /** Events since the start of the simulation. */
  readonly eventsMax: number;
}

/** Why a run ended; `failed` shows as a rejection. */
export type RunEnd = 'reached' | 'idle' | 'deadline' | 'budget' | 'failed';

const EVENTS_PER_BATCH = 64;

function textOf(label: EventLabel): string {
  return typeof label === 'string' ? label : label();
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs;
  return a.tie === b.tie ? a.order < b.order : a.tie < b.tie;
}
