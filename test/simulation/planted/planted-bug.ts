import type { CheckpointStore, PartitionLog, Sink } from '#engine';
import type { RedisLink } from '../../../engine/redis/redis-link.ts';
import type { Reading } from '../simulated-job.ts';

/**
 * A known bug put into a simulated run from outside, to show that the checks find it. Product code knows nothing of it: what a run is
 * given is wrapped, or a public method is replaced for as long as the run lasts.
 */
export interface PlantedBug {
  readonly name: string;
  readonly what: string;
  /** Replaces methods; the returned function puts them back. */
  readonly plant?: () => () => void;
  readonly link?: (link: RedisLink) => RedisLink;
  readonly log?: (log: PartitionLog) => PartitionLog;
  readonly store?: (store: CheckpointStore) => CheckpointStore;
  readonly ledger?: (sink: Sink<Reading, 'exactly-once'>) => Sink<Reading, 'exactly-once'>;
  /** Scripts that stand for the engine's. */
  readonly aliases?: ReadonlyMap<string, string>;
}

/** Replaces a public method of a class. */
export function replaceMethod<T extends object, Name extends keyof T>(
  prototype: T,
  name: Name,
  replacement: (original: T[Name]) => T[Name],
): () => void {
  const original = prototype[name];
  prototype[name] = replacement(original);
  return () => {
    prototype[name] = original;
  };
}
