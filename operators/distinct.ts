import { type Duration, durationMs, MillraceError, type Operator, type OperatorDefinition } from '#engine';
import { describeDistinct } from './inspect/describe-values.ts';
import { DistinctOperator, type DistinctSpec } from './distinct/distinct-operator.ts';

/** How long a record is remembered. Only {@link DistinctForever} grows without end. */
export type DistinctOptions<T> = DistinctOf<T> & (DistinctFor | DistinctForever);

interface DistinctOf<T> {
  /** Also tells records of one key apart by this (a field or a function): a string, number, boolean or null. */
  readonly of?: (keyof T & string) | ((record: T) => unknown);
}

export interface DistinctFor {
  /** From the record that passes; repetitions do not prolong it. At least 1 ms. */
  readonly ttl: Duration;
  /**
   * `'event'`, the default: by the records' times and the watermark, the same in every replay of the same order.
   * `'processing'`: by the clock.
   */
  readonly time?: 'event' | 'processing';
  readonly forever?: never;
}

export interface DistinctForever {
  /** Remembers every key (and value) for ever; for sets of keys that are bounded by nature. */
  readonly forever: true;
  readonly ttl?: never;
  readonly time?: never;
}

/**
 * Passes each key's first record, in order of arrival, and drops its repetitions. A record that is more than `ttl` later than the
 * last that passed passes again, and so does any record that comes after the watermark has gone that far: give a `ttl` longer
 * than repetitions can be late.
 *
 * @throws MR_CONFIG_INVALID without a ttl of at least 1 ms, unless `forever`
 */
export function distinct<T>(options: DistinctOptions<T>): OperatorDefinition<Operator> {
  const spec: DistinctSpec = {
    time: options.forever === true ? 'forever' : (options.time ?? 'event'),
    ttlMs: options.forever === true ? 0 : durationMs(ttlOf(options), 'ttl of distinct'),
    of: options.of === undefined ? null : (options.of as NonNullable<DistinctSpec['of']>),
  };
  if (spec.time !== 'forever' && spec.ttlMs === 0)
    throw new MillraceError('MR_CONFIG_INVALID', 'The ttl of distinct must be at least 1 ms.');
  return {
    kind: 'distinct',
    sides: [],
    create: (context) => new DistinctOperator(spec, context),
    describeGroup: describeDistinct,
  };
}

function ttlOf({ ttl }: { readonly ttl?: Duration }): Duration {
  if (ttl !== undefined) return ttl;
  throw new MillraceError(
    'MR_CONFIG_INVALID',
    'distinct needs a ttl, or it would remember every key for ever. Give it one, or say `forever: true`.',
  );
}
