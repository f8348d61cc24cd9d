import {
  type Duration,
  durationMs,
  MillraceError,
  type Operator,
  type OperatorContext,
  type OperatorCounters,
  type OperatorDefinition,
  type OperatorState,
  type Random,
  type Records,
  recordCount,
  type RowLoop,
  systemRandom,
  type Waiting,
} from '#engine';
import type { Schema } from '#wire';
import { recordLoop } from './record-loop.ts';
import { atLeastOne, type CallAttempt, type CallOptions, callPolicy } from './async/call-policy.ts';
import { ColumnJoin } from './async/column-join.ts';
import { type DerivedFields, derivedRow, type DerivedSpec } from './async/derived-fields.ts';
import { InFlight, type ResultOrder } from './async/in-flight.ts';
import { type LookupCacheOptions, lookupCacheSpec, type LookupKey } from './async/lookup-cache.ts';
import { type Loader, Lookups, type LookupSpec, type LookupStats } from './async/lookups.ts';
import type { PendingInput } from './async/result-queue.ts';

/** How a lookup join's values are loaded. */
export type LookupLoad<K extends LookupKey, V> =
  | {
      /** The value of one key; null when there is none. */
      readonly load: (key: K, call: CallAttempt) => V | null | undefined | Promise<V | null | undefined>;
    }
  | {
      /** The values of several distinct keys at once; keys left out have none. If it fails, it fails for all of them. */
      readonly loadMany: (
        keys: readonly K[],
        call: CallAttempt,
      ) => ReadonlyMap<K, V> | Promise<ReadonlyMap<K, V>>;
      readonly batch: {
        /** Keys of one load at most. */
        readonly size: number;
        /** How long a key waits for others. Default 0: until the records that came with it have been looked at. */
        readonly wait?: Duration;
      };
    };

/** What becomes of a record and its value. */
export type LookupMatch<T, V, Out> =
  | {
      /** Records without a value are dropped. The default. */
      readonly type?: 'inner';
      readonly join: (record: T, value: V) => Out;
    }
  | {
      /** Records without a value are joined with null. */
      readonly type: 'left';
      readonly join: (record: T, value: V | null) => Out;
    }
  | {
      readonly type?: 'inner';
      /** The result is a record of this schema: fields of the record, and those that {@link derive} computes of it and the value. */
      readonly schema: Schema<Out>;
      /**
       * One function for each field that the record does not have. Unlike after `join`, columns stay columns: no row is made, and a field that
       * depends on the value alone is computed once for many records. So functions must give the same for the same.
       */
      readonly derive: DerivedFields<NoInfer<T>, NoInfer<V>, NoInfer<Out>>;
    }
  | {
      readonly type: 'left';
      readonly schema: Schema<Out>;
      readonly derive: DerivedFields<NoInfer<T>, NoInfer<V> | null, NoInfer<Out>>;
    };

export type LookupJoinOptions<T, K extends LookupKey, V, Out> = CallOptions &
  LookupLoad<K, V> &
  LookupMatch<T, V, Out> & {
    /**
     * What to look up; null or undefined: the record has no value, nothing is loaded. With `derive`, a function of string fields is called
     * once for many records that have the same.
     */
    readonly key: (record: T) => K | null | undefined;
    /** Kept per subtask, empty after a restart. */
    readonly cache: LookupCacheOptions;
    /** Default `'ordered'`. Unordered, records found in the cache pass those that wait. */
    readonly order?: ResultOrder;
  };

/** One subtask of a lookup join. `counters().keys` are the cache's entries. */
export interface LookupJoinOperator extends Operator {
  readonly stats: () => LookupStats;
}

/**
 * Enriches each record with a value looked up elsewhere, through a cache: the value as it is when it is looked up, up to
 * `ttl` old (a temporal join gives the value as of the record's time). Give it the same key partitioning as the values' key
 * where caches should not overlap. Inputs in flight are part of checkpoints and looked up again after a restore.
 *
 * @param random draws the waits between attempts
 * @throws MR_CONFIG_INVALID for options out of range
 * @example
 * lookupJoin<Reading, string, Device, Named>({
 *   key: (reading) => reading.deviceId,
 *   load: async (id, { signal }) => (await fetch(`${registry}/devices/${id}`, { signal })).json() as Promise<Device>,
 *   join: (reading, device) => ({ ...reading, name: device.name }),
 *   cache: { entries: 100_000, ttl: '10m', negativeTtl: '30s' },
 *   timeout: '2s',
 *   retry: { attempts: 3 },
 * });
 */
export function lookupJoin<T, K extends LookupKey, V, Out>(
  options: LookupJoinOptions<T, K, V, Out>,
  random: Random = systemRandom,
): OperatorDefinition<LookupJoinOperator> {
  const derived = derivedOf(options);
  const spec: JoinSpec = {
    key: options.key as JoinSpec['key'],
    join:
      'join' in options
        ? (options.join as JoinSpec['join'])
        : (row, value) => derivedRow(derived as DerivedSpec, row, value),
    derived,
    isLeft: options.type === 'left',
    order: options.order ?? 'ordered',
    lookups: {
      loader: loaderOf(options),
      policy: callPolicy(options, 'A lookup join'),
      cache: lookupCacheSpec(options.cache),
      random,
    },
  };
  return { kind: 'lookup-join', sides: [], create: (context) => new LookupJoin(spec, context) };
}

interface JoinSpec {
  readonly key: (row: unknown) => unknown;
  readonly join: (row: unknown, value: unknown) => unknown;
  /** Null where `join` is the user's. */
  readonly derived: DerivedSpec | null;
  readonly isLeft: boolean;
  readonly order: ResultOrder;
  readonly lookups: LookupSpec;
}

/**
 * Suspension points: the user's loads; results leave through `poll`, in a turn of the task.
 *
 * LJ1 results leave as AM1 and AM4 say; a record found in the cache keeps its place among those that wait.
 * LJ2 a record found in the cache while nothing is before it is joined and emitted at once: no promise, no queue.
 * LJ3 the cache is not part of the snapshot; inputs in flight are, and are looked up again, first (AM3).
 * LJ4 a batch whose values are all in the cache, while nothing is before it, is joined as columns where its fields are derived (CJ2).
 */
class LookupJoin implements LookupJoinOperator {
  readonly #spec: JoinSpec;
  readonly #context: OperatorContext;
  readonly #inFlight: InFlight;
  readonly #lookups: Lookups;
  readonly #loop: RowLoop;
  readonly #columns: ColumnJoin | null;
  /** Inputs of a snapshot that are not looked up yet. */
  #restored: PendingInput[] = [];

  constructor(spec: JoinSpec, context: OperatorContext) {
    this.#spec = spec;
    this.#context = context;
    this.#inFlight = new InFlight(context, spec.order, (value, { row, time }) =>
      this.#give(row, value, time),
    );
    this.#lookups = new Lookups(spec.lookups, context, this.#inFlight);
    this.#loop = recordLoop(context, this);
    const { derived, key, isLeft } = spec;
    const valueOf = (row: unknown) => {
      const wanted = this.#keyOf(row);
      return this.#lookups.known(wanted);
    };
    const nowMs = () => this.#lookups.nowMs;
    this.#columns =
      derived === null ? null : new ColumnJoin({ derived, key, isLeft, valueOf, nowMs }, context);
  }

  records(records: Records): void {
    this.#inFlight.active();
    this.#lookups.tick();
    this.#lookUpRestored();
    if (this.#columns !== null && this.#inFlight.size === 0 && this.#columns.run(records)) {
      this.#lookups.hits(recordCount(records));
      return;
    }
    this.#loop.run(records);
    this.#lookups.asked();
    this.#lookups.turn();
    this.#inFlight.leave(this.#lookups.waiting > 0);
  }

  accept(row: unknown, time: number): void {
    const key = this.#keyOf(row);
    const value = key === null ? null : this.#lookups.cached(key);
    if (value !== undefined && this.#inFlight.open) {
      this.#give(row, value, time);
      return;
    }
    const input = this.#inFlight.add(row, time);
    if (value !== undefined) this.#inFlight.done(input, value);
    else this.#lookups.request(key as LookupKey, input);
  }

  watermark(time: number): void {
    this.#inFlight.watermark(time);
  }

  idle(): void {
    this.#inFlight.idle();
  }

  blocked(): Promise<void> | null {
    return this.#inFlight.blocked(this.#lookups.waiting > 0);
  }

  pending(): boolean {
    return this.#inFlight.size > 0;
  }

  poll(): void {
    if (this.#inFlight.size === 0) return;
    this.#lookups.tick();
    this.#lookUpRestored();
    this.#lookups.turn();
    this.#inFlight.leave(this.#lookups.waiting > 0);
  }

  waiting(): Waiting | null {
    return this.#inFlight.waiting();
  }

  counters(): OperatorCounters {
    return { keys: this.#lookups.entries, timers: 0, lateRecords: 0 };
  }

  stats(): LookupStats {
    return this.#lookups.stats();
  }

  snapshot(): OperatorState {
    return this.#inFlight.snapshot();
  }

  restore(parts: readonly OperatorState[]): void {
    this.#restored = this.#inFlight.restore(parts);
  }

  async close(): Promise<void> {
    this.#lookups.close();
  }

  #lookUpRestored(): void {
    if (this.#restored.length === 0) return;
    for (const input of this.#restored.splice(0)) {
      let key: LookupKey | null;
      try {
        key = this.#keyOf(input.row);
      } catch (error) {
        this.#inFlight.failed(input, error);
        continue;
      }
      const value = key === null ? null : this.#lookups.cached(key);
      if (value !== undefined) this.#inFlight.done(input, value);
      else this.#lookups.request(key as LookupKey, input);
    }
    this.#lookups.asked();
  }

  #give(row: unknown, value: unknown, time: number): void {
    if (value === null && !this.#spec.isLeft) return;
    this.#inFlight.emitter.emit(this.#spec.join(row, value), time);
  }

  #keyOf(row: unknown): LookupKey | null {
    const key = this.#spec.key(row);
    if (typeof key === 'string' || typeof key === 'number') return key;
    if (key === null || key === undefined) return null;
    throw new MillraceError(
      'MR_KEY_INVALID',
      `Lookup join '${this.#context.operator}' needs a string or a number to look up, its key function gave a value of type ${typeof key}. Correct it, or give null for "no value".`,
      { details: { operator: this.#context.operator } },
    );
  }
}

function derivedOf<T, K extends LookupKey, V, Out>(
  options: LookupJoinOptions<T, K, V, Out>,
): DerivedSpec | null {
  if (!('derive' in options)) return null;
  const derive = new Map(Object.entries(options.derive)) as DerivedSpec['derive'];
  for (const name of derive.keys()) {
    if (options.schema.fields.some((field) => field.name === name)) continue;
    throw new MillraceError(
      'MR_CONFIG_INVALID',
      `A lookup join derives '${name}', which schema '${options.schema.name}' does not have. Add the field to the schema, or leave it out.`,
    );
  }
  return { schema: options.schema, derive };
}

/** @throws MR_CONFIG_INVALID */
function loaderOf<K extends LookupKey, V>(options: LookupLoad<K, V>): Loader {
  if ('load' in options)
    return { kind: 'one', load: options.load as (key: LookupKey, call: CallAttempt) => unknown };
  const { size, wait } = options.batch;
  atLeastOne(size, 'A lookup join needs a batch size');
  return {
    kind: 'many',
    load: options.loadMany as (keys: readonly LookupKey[], call: CallAttempt) => unknown,
    size,
    waitMs: durationMs(wait ?? 0, 'wait of a lookup join'),
  };
}
