import t from 'tap';
import { FORMS, shortForm } from './crash-forms.ts';
import { runCrash } from './crash-run.ts';
import type { PlantedBug } from './planted-bug.ts';
import { SEED } from './seed.ts';

t.setTimeout(600_000);

/** What the schedule that the real code passes (crash.test.ts) must find out about each planted bug. */
const SYMPTOMS: Readonly<Record<PlantedBug, readonly RegExp[]>> = {
  'no-fence': [/^(PostgreSQL|Redis): 0 windows lost, 0 surplus, [1-9]\d* wrong/],
  'watermark-lost': [
    /^PostgreSQL: 0 windows lost, 0 surplus, [1-9]\d* wrong/,
    /^Redis: 0 windows lost, 0 surplus, [1-9]\d* wrong/,
  ],
  // The sinks notice themselves that they are ahead of the checkpoint, and refuse to write the same rows twice.
  'commit-first': [/^the job ended as failed by itself: MR_SINK_AHEAD/],
};

for (const [bug, symptoms] of Object.entries(SYMPTOMS) as [PlantedBug, readonly RegExp[]][]) {
  await t.test(`the crash test finds the planted bug '${bug}'`, async (t) => {
    const report = await runCrash({ ...shortForm({ seed: SEED, ...FORMS.short }), plantedBug: bug });
    for (const problem of report.problems) t.comment(problem);
    for (const symptom of symptoms)
      t.ok(
        report.problems.some((problem) => symptom.test(problem)),
        `seed ${SEED}: ${symptom.source}`,
      );
  });
}
