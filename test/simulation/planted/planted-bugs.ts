import { lostDirtyGroup, lostTimer, unalignedBarrier, watermarkRegress } from './host-bugs.ts';
import { noFencing, reusedExchange } from './link-bugs.ts';
import type { PlantedBug } from './planted-bug.ts';
import { ackBeforeDurable, commitBeforePublish, doubleCommit, trimTooFar } from './store-bugs.ts';

/** The bugs that the simulation must find, each within a thousand seeds. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  noFencing,
  ackBeforeDurable,
  commitBeforePublish,
  unalignedBarrier,
  lostDirtyGroup,
  reusedExchange,
  doubleCommit,
  watermarkRegress,
  lostTimer,
  trimTooFar,
];
