import t from 'tap';
import { checkpointStories, play, restoreStories } from '../../support/phase-story.ts';

t.setTimeout(120_000);

for (const [what, stories] of [
  ['takes a checkpoint', checkpointStories(['killed'])],
  ['begins', restoreStories(['killed'])],
] as const) {
  void t.test(
    `E7 E9 AT1 AT2 AT3 AT5 JR1 CP2 CP5: a coordinator that dies anywhere while it ${what} leaves that checkpoint or the one before, whole, its output there once, and nothing to collect (${stories.length} stories)`,
    async (test) => {
      for (const story of stories) {
        const told = await play(story).catch((error: unknown) => [String(error)]);
        if (told.length > 0) test.fail(JSON.stringify(story), { told });
      }
      test.pass();
    },
  );
}
