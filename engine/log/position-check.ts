import type { MillraceError } from '../base/errors.ts';
import { rolledBack, trimmed } from './log-error.ts';
import type { Position } from './partition-log.ts';

/** Where a partition starts and ends, each with its chain digest. */
export interface ChainedEnds {
  readonly start: number;
  readonly startChain: string;
  readonly end: number;
  readonly chain: string;
}

/** Why a reader cannot stand at `at` in a partition with these ends (null: the partition is gone), or null when it can. */
export function positionFailure(
  topic: string,
  partition: number,
  at: Position,
  ends: ChainedEnds | null,
): MillraceError | null {
  const fail = (found: string) => rolledBack(topic, partition, at, found);
  if (ends === null) return fail('the partition is gone');
  if (ends.start > at.offset) return trimmed(topic, partition, at, ends.start);
  if (ends.end < at.offset) return fail(`it ends at offset ${ends.end}`);
  if (ends.end === at.offset && ends.chain !== at.chain)
    return fail(`it ends there with chain '${ends.chain}'`);
  if (ends.start === at.offset && ends.startChain !== at.chain)
    return fail(`it starts there with chain '${ends.startChain}'`);
  return null;
}
