import t from 'tap';
import { killStories, playAll, redisStages } from '../support/phase-stages.ts';
import { CHECKPOINTS } from '../support/phase-story.ts';

t.setTimeout(900_000);

const { killing } = await redisStages(t);
const { takes, begins, commits } = await killStories(killing, CHECKPOINTS);

for (const [what, stories] of [
  [`takes one of its first ${CHECKPOINTS} checkpoints`, takes],
  ['begins', begins],
  ['commits the output of a sink', commits],
] as const) {
  await t.test(
    `E7 E9: a process that is killed anywhere while it ${what} leaves that checkpoint or the one before in Redis, whole, its output there once, and nothing to collect`,
    (test) => playAll(test, stories, killing),
  );
}
