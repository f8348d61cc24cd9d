import t from 'tap';
import { playAll, redisStages } from '../../support/phase-stages.ts';
import { checkpointStories, restoreStories } from '../../support/phase-story.ts';

t.setTimeout(120_000);

const { holding } = await redisStages(t);

for (const [what, stories] of [
  ['takes its first checkpoint', checkpointStories(['wakes early', 'wakes late'], 1)],
  ['begins', restoreStories(['wakes early', 'wakes late'])],
] as const) {
  await t.test(
    `E7 E9 AT6 CP1 CP2 JR1: a coordinator that wakes up anywhere while it ${what}, when another has taken over, changes nothing in Redis`,
    (test) => playAll(test, stories, holding),
  );
}
