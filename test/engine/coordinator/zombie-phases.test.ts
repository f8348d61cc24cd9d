import t from 'tap';
import { checkpointStories, play, restoreStories } from '../../support/phase-story.ts';

t.setTimeout(120_000);

for (const [what, stories] of [
  ['takes a checkpoint', checkpointStories(['wakes early', 'wakes late'])],
  ['begins', restoreStories(['wakes early', 'wakes late'])],
] as const) {
  void t.test(
    `E7 E9 AT6 CP1 CP2 JR1: a coordinator that wakes up anywhere while it ${what}, when another has taken over, changes nothing (${stories.length} stories)`,
    async (test) => {
      for (const story of stories) {
        const told = await play(story).catch((error: unknown) => [String(error)]);
        if (told.length > 0) test.fail(JSON.stringify(story), { told });
      }
      test.pass();
    },
  );
}
