import { MillraceError } from '../base/errors.ts';
import { describeKey, type KeyScalar } from '../key/key.ts';

/** First and last key group of a subtask, both included. */
export type GroupRange = readonly [first: number, last: number];

/** That a record lies in a partition that its key does not belong to. */
export function keyMisplaced(
  fields: readonly string[],
  key: readonly KeyScalar[],
  group: number,
  [first, last]: GroupRange,
): MillraceError {
  const text = fields.map((field, i) => `${field} ${describeKey(key[i])}`).join(', ');
  return new MillraceError(
    'MR_KEY_MISPLACED',
    `The key ${text} is of key group ${group}, and this subtask reads the partitions of groups ${first} to ${last}: a producer of the ` +
      `topic partitions otherwise than it says. Correct the producer, or leave partitionBy out of the source.`,
    { details: { keyGroup: group, firstGroup: first, lastGroup: last } },
  );
}
