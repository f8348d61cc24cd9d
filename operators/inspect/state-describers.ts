import type { DescribeGroup } from '#engine';
import { describeGeneralWindows } from './describe-general-windows.ts';
import { describeIntervalJoin, describeJoinWindows, describeTemporalJoin } from './describe-joins.ts';
import { describePatterns } from './describe-patterns.ts';
import { describeSessions } from './describe-sessions.ts';
import { describeKeyed } from './describe-states.ts';
import { describeDistinct, describeReduce, describeTops } from './describe-values.ts';
import { describeWindows } from './describe-windows.ts';

/** How stored state looks by the kind of its operator, for checkpoints of jobs whose code is not at hand: without results and names of steps. */
export const STATE_DESCRIBERS: ReadonlyMap<string, DescribeGroup> = new Map([
  ['process', describeKeyed()],
  ['co-process', describeKeyed()],
  ['broadcast-process', describeKeyed()],
  ['window-aggregate', describeWindows(null)],
  ['session-aggregate', describeSessions(null)],
  ['window', describeGeneralWindows(null)],
  ['reduce', describeReduce],
  ['distinct', describeDistinct],
  ['top-n', describeTops],
  ['window-top-n', describeTops],
  ['interval-join', describeIntervalJoin],
  ['temporal-join', describeTemporalJoin],
  ['window-join', describeJoinWindows],
  ['co-group', describeJoinWindows],
  ['pattern-match', describePatterns(null)],
]);
