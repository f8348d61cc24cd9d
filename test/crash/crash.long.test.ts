import t from 'tap';
import { COMMIT_POINTS, isRestorePoint } from './incident.ts';
import { describeReport, FORMS, longForm } from './crash-forms.ts';
import { runCrash } from './crash-run.ts';

t.setTimeout(900_000);

/** Another one each time, unless MILLRACE_SEED is set. */
const SEED = Number(process.env['MILLRACE_SEED'] ?? Date.now() % 1_000_000);

await t.test(
  'half a million records through at least twenty deaths of the engine, five of the forwarder and three of Redis',
  async (t) => {
    t.comment(`seed ${SEED}`);
    const report = await runCrash({ ...longForm({ seed: SEED, ...FORMS.long }), plantedBug: null });
    for (const line of describeReport(report).split('\n')) t.comment(line);
    t.strictSame(report.problems, [], `seed ${SEED}`);
    const deaths = (which: (how: string) => boolean) =>
      [...report.deaths].reduce((sum, [how, times]) => sum + (which(how) ? times : 0), 0);
    const others = ['forwarder', 'redis'];
    t.ok(deaths((how) => how === 'checkpoint:before-publish') >= 3, 'before publishing');
    t.ok(deaths((how) => how === 'checkpoint:after-publish') >= 3, 'after publishing');
    t.ok(deaths((how) => (COMMIT_POINTS as readonly string[]).includes(how)) >= 3, 'in a sink’s commit');
    t.ok(deaths(isRestorePoint) >= 3, 'in restoring');
    t.ok(deaths((how) => !others.includes(how) && !/frozen|thawed/.test(how)) >= 20, 'of the engine');
    t.equal(
      deaths((how) => how.startsWith('frozen')),
      2,
      'frozen',
    );
    t.equal(
      deaths((how) => how.startsWith('thawed')),
      2,
      'and thawed',
    );
    t.ok(deaths((how) => how === 'forwarder') >= 5, 'of the forwarder');
    t.ok(deaths((how) => how === 'redis') >= 3, 'of Redis');
  },
);
