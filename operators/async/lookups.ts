import { MillraceError, type OperatorContext, type Random } from '#engine';
import type { CallAttempt, CallPolicy } from './call-policy.ts';
import { CallPool } from './call-pool.ts';
import type { KnownValue } from './known-values.ts';
import type { InFlight } from './in-flight.ts';
import { LookupCache, type LookupCacheSpec, type LookupKey } from './lookup-cache.ts';
import type { PendingInput } from './result-queue.ts';

/** How values are loaded: key by key, or many at once. */
export type Loader =
  | { readonly kind: 'one'; readonly load: (key: LookupKey, call: CallAttempt) => unknown }
  | {
      readonly kind: 'many';
      readonly load: (keys: readonly LookupKey[], call: CallAttempt) => unknown;
      readonly size: number;
      readonly waitMs: number;
    };

export interface LookupSpec {
  readonly loader: Loader;
  readonly policy: CallPolicy;
  readonly cache: LookupCacheSpec;
  readonly random: Random;
}

/** What the lookups of one subtask have come to since it started. */
export interface LookupStats {
  /** Records answered from the cache. */
  readonly hits: number;
  /** Records that had to wait for a load. */
  readonly misses: number;
  /** Loads begun, retries not counted; one for a batch of keys. */
  readonly loads: number;
  /** Loads that failed for good. */
  readonly errors: number;
}

/** A key that is being loaded, with the inputs that wait for it. */
interface Flight {
  readonly key: LookupKey;
  readonly inputs: PendingInput[];
}

/**
 * Values by key: from the cache, or by a load.
 *
 * LK1 a key is in at most one load at a time; inputs that ask for it meanwhile share the answer.
 * LK2 a load that fails is an error of every input that waited for it, and is not remembered.
 * LK3 a batch leaves when it is full, or `waitMs` after its first key; with 0 at the end of the records that asked.
 */
export class Lookups {
  readonly #loader: Loader;
  readonly #context: OperatorContext;
  readonly #inFlight: InFlight;
  readonly #cache: LookupCache;
  readonly #calls: CallPool<readonly Flight[]>;
  readonly #flights = new Map<LookupKey, Flight>();
  /** Flights that wait for company. */
  #batch: Flight[] = [];
  #isBatchDue = false;
  #cancelBatch: () => void = () => {};
  #hits = 0;
  #misses = 0;
  #loads = 0;
  #errors = 0;

  constructor(spec: LookupSpec, context: OperatorContext, inFlight: InFlight) {
    this.#loader = spec.loader;
    this.#context = context;
    this.#inFlight = inFlight;
    this.#cache = new LookupCache(spec.cache, context.clock);
    this.#calls = new CallPool<readonly Flight[]>(
      spec.policy,
      {
        invoke: (flights, attempt) => this.#load(flights, attempt),
        answered: (flights, answer) => this.#answered(flights, answer),
        failed: (flights, error) => this.#failed(flights, error),
      },
      context,
      spec.random,
    );
  }

  get entries(): number {
    return this.#cache.size;
  }

  /** Loads that wait for a place. */
  get waiting(): number {
    return this.#calls.waiting;
  }

  stats(): LookupStats {
    return { hits: this.#hits, misses: this.#misses, loads: this.#loads, errors: this.#errors };
  }

  /** Lets the cache's time go on. */
  tick(): void {
    this.#cache.tick();
  }

  /** The cached value; null when there is none; undefined when it must be loaded. */
  cached(key: LookupKey): unknown {
    const value = this.#cache.get(key);
    if (value === undefined) this.#misses++;
    else this.#hits++;
    return value;
  }

  /** The cached value and until when it may be used without another look; undefined when it must be loaded. Nothing is counted. */
  known(key: LookupKey | null): KnownValue | undefined {
    if (key === null) return { value: null, untilMs: Number.POSITIVE_INFINITY };
    return this.#cache.known(key);
  }

  /** The cache's time. */
  get nowMs(): number {
    return this.#cache.nowMs;
  }

  /** So many records were answered from the cache. */
  hits(count: number): void {
    this.#hits += count;
  }

  /** Settles `input` with the key's value, now or later. */
  request(key: LookupKey, input: PendingInput): void {
    const known = this.#flights.get(key);
    if (known !== undefined) {
      known.inputs.push(input);
      return;
    }
    const flight: Flight = { key, inputs: [input] };
    this.#flights.set(key, flight);
    if (this.#loader.kind === 'one') this.#calls.add([flight]);
    else this.#gather(flight, this.#loader.size, this.#loader.waitMs);
  }

  /** The records at hand have been asked for. */
  asked(): void {
    if (this.#loader.kind === 'many' && this.#loader.waitMs === 0) this.#send();
  }

  turn(): void {
    if (this.#isBatchDue) this.#send();
    this.#calls.turn();
  }

  close(): void {
    this.#cancelBatch();
    this.#calls.close();
  }

  #gather(flight: Flight, size: number, waitMs: number): void {
    this.#batch.push(flight);
    if (this.#batch.length >= size) this.#send();
    else if (this.#batch.length === 1 && waitMs > 0) {
      this.#cancelBatch = this.#context.clock.after(waitMs, () => {
        this.#isBatchDue = true;
        this.#context.wake();
      });
    }
  }

  #send(): void {
    this.#cancelBatch();
    this.#isBatchDue = false;
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#calls.add(batch);
  }

  #load(flights: readonly Flight[], call: CallAttempt): unknown {
    if (call.attempt === 1) this.#loads++;
    if (this.#loader.kind === 'one') return this.#loader.load((flights[0] as Flight).key, call);
    return this.#loader.load(
      flights.map(({ key }) => key),
      call,
    );
  }

  #answered(flights: readonly Flight[], answer: unknown): void {
    if (this.#loader.kind === 'many' && !(answer instanceof Map)) {
      this.#failed(flights, noMap(this.#context.operator));
      return;
    }
    this.#cache.tick();
    for (const { key, inputs } of flights) {
      const value =
        (answer instanceof Map && this.#loader.kind === 'many' ? answer.get(key) : answer) ?? null;
      this.#cache.set(key, value);
      this.#flights.delete(key);
      for (const input of inputs) this.#inFlight.done(input, value);
    }
  }

  #failed(flights: readonly Flight[], error: unknown): void {
    this.#errors++;
    for (const { key, inputs } of flights) {
      this.#flights.delete(key);
      for (const input of inputs) this.#inFlight.failed(input, error);
    }
  }
}

function noMap(operator: string): MillraceError {
  return new MillraceError(
    'MR_OPERATOR_FAILED',
    `loadMany of lookup join '${operator}' must resolve to a Map from key to value; keys it leaves out have none.`,
    { details: { operator } },
  );
}
