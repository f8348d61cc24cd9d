import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BOARD, type Row } from './board.ts';
import { grafanaPanel, PANEL_HEIGHT } from './panel.ts';

export const DASHBOARD_FILE = join(import.meta.dirname, 'millrace.json');

const COLUMNS = 24;

/** The text of millrace.json. The uid stays, so that links and bookmarks do. */
export function dashboardText(): string {
  const dashboard = {
    uid: 'millrace-job',
    title: 'Millrace',
    tags: ['millrace'],
    schemaVersion: 39,
    version: 1,
    editable: true,
    timezone: 'browser',
    refresh: '5s',
    time: { from: 'now-15m', to: 'now' },
    templating: { list: variables() },
    annotations: { list: [] },
    panels: place(BOARD),
  };
  return `${JSON.stringify(dashboard, null, 2)}\n`;
}

function variables(): readonly object[] {
  const datasource = { type: 'prometheus', uid: '${datasource}' };
  const label = (name: string, text: string, query: string) => ({
    name,
    label: text,
    type: 'query',
    datasource,
    query: { query, refId: name },
    definition: query,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
  });
  return [
    { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', current: {} },
    label('job_name', 'Job', 'label_values(millrace_job_state, job_name)'),
    label('operator', 'Operator', 'label_values(millrace_parallelism{job_name=~"$job_name"}, operator)'),
  ];
}

/** Panels left to right, a new line when the width is used up, each row under its title. */
function place(rows: readonly Row[]): readonly object[] {
  const placed: object[] = [];
  let y = 0;
  for (const { title, panels } of rows) {
    placed.push({
      id: placed.length + 1,
      title,
      type: 'row',
      collapsed: false,
      panels: [],
      gridPos: { h: 1, w: COLUMNS, x: 0, y },
    });
    y += 1;
    let [x, height] = [0, 0];
    for (const panel of panels) {
      if (x + panel.width > COLUMNS) [x, y, height] = [0, y + height, 0];
      placed.push(grafanaPanel(panel, { id: placed.length + 1, x, y }));
      x += panel.width;
      height = Math.max(height, PANEL_HEIGHT[panel.kind]);
    }
    y += height;
  }
  return placed;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(DASHBOARD_FILE, dashboardText());
}
