import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { exportedNames, namesIn } from '../support/metric-names.ts';
import { promtool } from '../support/promtool.ts';

const FOLDER = join(import.meta.dirname, '..', '..', '..', 'ops', 'prometheus');
const rules = readFileSync(join(FOLDER, 'rules.yml'), 'utf8');

await t.test('promtool accepts the configuration and its rules (O4)', async (t) => {
  t.match(promtool(['check', 'config', join(FOLDER, 'prometheus.yml')]), /rules found/);
});

await t.test('each alert fires in its situation and stays quiet in the calm one (O4)', async (t) => {
  const situations = join(import.meta.dirname, 'rules.yml');
  t.match(promtool(['test', 'rules', situations]), 'SUCCESS');
  const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name as string);
  t.ok(alerts.length > 10);
  const tested = readFileSync(situations, 'utf8');
  const untested = alerts.filter((name) => !new RegExp(`alertname: ${name}\n +exp_alerts`).test(tested));
  t.strictSame(untested, []);
});

await t.test('rules name only what the engine exports or they themselves record', async (t) => {
  const recorded = [...rules.matchAll(/- record: (\S+)/g)].map(([, name]) => name as string);
  const known = new Set([...exportedNames(), ...recorded]);
  t.strictSame(
    namesIn(rules.replaceAll(/^ *- name: .*$/gm, '')).filter((name) => !known.has(name)),
    [],
  );
});
