declare const brand: unique symbol;

/** A `T` that only a validating constructor may mint, so that confusable ids and times cannot be swapped. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Dense id of one checkpoint of one job; rises by one and survives restarts. */
export type CheckpointId = Brand<number, 'CheckpointId'>;
/** One attempt of one job; whose output counts. Rises by one with every attempt. */
export type Generation = Brand<number, 'Generation'>;
/** Number of a key's group, 0 … maxParallelism − 1; the unit in which state moves between subtasks. */
export type KeyGroup = Brand<number, 'KeyGroup'>;
/** Offset of a record in a partition; dense from 0, in records (not frames, not bytes). */
export type Offset = Brand<number, 'Offset'>;

export const checkpointId = (n: number): CheckpointId => natural(n, 'checkpoint id') as CheckpointId;
export const generation = (n: number): Generation => natural(n, 'generation') as Generation;
export const keyGroup = (n: number): KeyGroup => natural(n, 'key group') as KeyGroup;
export const offset = (n: number): Offset => natural(n, 'offset') as Offset;

function natural(n: number, what: string): number {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`${what} must be a whole number ≥ 0, got ${n}`);
  return n;
}
