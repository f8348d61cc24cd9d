import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { BOARD } from '../../../ops/grafana/board.ts';
import { DASHBOARD_FILE, dashboardText } from '../../../ops/grafana/build.ts';
import { exportedNames, namesIn } from '../support/metric-names.ts';
import { promtool } from '../support/promtool.ts';

const expressions = BOARD.flatMap(({ panels }) => panels).flatMap(({ queries }) =>
  queries.map(({ expression }) => expression),
);
const rules = readFileSync(
  join(import.meta.dirname, '..', '..', '..', 'ops', 'prometheus', 'rules.yml'),
  'utf8',
);

await t.test(
  'the committed dashboard is the one that the board makes; if not: node ops/grafana/build.ts (O4)',
  async (t) => {
    t.equal(readFileSync(DASHBOARD_FILE, 'utf8'), dashboardText());
  },
);

await t.test('every panel has an expression that Prometheus accepts (O4)', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mr-board-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const plain = expressions.map((text) =>
    text.replaceAll('$__rate_interval', '1m').replaceAll('$__range', '15m').replaceAll(/\$\w+/g, '.*'),
  );
  const asRules = plain.map((expr, index) => ({ record: `board:panel_${index}`, expr }));
  const file = join(folder, 'board.json'); // JSON is YAML
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'board', rules: asRules }] }));
  t.match(promtool(['check', 'rules', file]), `${expressions.length} rules found`);
});

await t.test('panels name only what the engine exports or the rules record', async (t) => {
  const recorded = [...rules.matchAll(/- record: (\S+)/g)].map(([, name]) => name as string);
  const known = new Set([...exportedNames(), ...recorded]);
  const named = expressions.map((text) => namesIn(text));
  t.ok(named.every((names) => names.length > 0));
  t.strictSame(
    named.flat().filter((name) => !known.has(name)),
    [],
  );
});

await t.test('panels lie side by side, none over another, each with an id of its own', async (t) => {
  const { panels } = JSON.parse(dashboardText()) as {
    panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[];
  };
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  );
  t.equal(new Set(cells).size, cells.length);
  t.ok(panels.every(({ gridPos: { x, w } }) => x + w <= 24));
});
