import t from 'tap';
import { describeReport, FORMS, shortForm } from './crash-forms.ts';
import { runCrash } from './crash-run.ts';
import { SEED } from './seed.ts';

t.setTimeout(240_000);

await t.test(
  'an engine, a forwarder and a Redis that die again and again lose, double and change nothing',
  async (t) => {
    const report = await runCrash({ ...shortForm({ seed: SEED, ...FORMS.short }), plantedBug: null });
    for (const line of describeReport(report).split('\n')) t.comment(line);
    t.strictSame(report.problems, [], `seed ${SEED}`);
    for (const point of [
      'checkpoint:before-publish',
      'checkpoint:after-publish',
      'iceberg:after-swap',
      'log:mid-commit',
      'restore:before-commit',
      'frozen at rows:before-write',
      'thawed, fenced',
    ])
      t.ok((report.deaths.get(point) ?? 0) > 0, point);
    t.ok(
      (report.findings?.recount.relevant ?? 0) > 0.98 * FORMS.short.events,
      'of nearly all records, a few being filtered',
    );
    t.ok((report.findings?.recount.late ?? 0) > 500, 'some of them late');
  },
);
