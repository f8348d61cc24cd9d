import t from 'tap';
import { killStories, playAll, redisStages } from '../../support/phase-stages.ts';
import type { Story } from '../../support/phase-story.ts';

t.setTimeout(120_000);

const { killing } = await redisStages(t);
const { passed, takes, begins, commits } = await killStories(killing, 1);

await t.test(
  'E7 E9: there is a story of each passing of each kill point, up to the first checkpoint',
  async (test) => {
    const told = (start: Story['start']) =>
      [...takes, ...begins, ...commits].filter((story) => story.start === start);
    for (const start of ['fresh', 'restored'] as const)
      test.same(
        told(start)
          .map(({ place }) => place)
          .sort(),
        [...passed[start]].sort(),
        start,
      );
  },
);

for (const [what, stories] of [
  ['takes its first checkpoint', takes],
  ['begins', begins],
  ['commits the output of a sink', commits],
] as const) {
  await t.test(
    `E7 E9 AT1 AT2 AT3 AT5 JR1 CP2 CP5: a process that is killed anywhere while it ${what} leaves that checkpoint or the one before in Redis, whole, its output there once, and nothing to collect`,
    (test) => playAll(test, stories, killing),
  );
}
