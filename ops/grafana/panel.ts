/** A panel as the board describes it; Grafana's form comes from {@link grafanaPanel}. */
export interface Panel {
  readonly title: string;
  /** What a reader learns from it. */
  readonly description: string;
  /** Grafana's name of the unit, e.g. `short`, `s`, `percentunit`, `bytes`. */
  readonly unit: string;
  readonly kind: 'timeseries' | 'stat' | 'heatmap';
  /** Of the 24 columns. */
  readonly width: number;
  readonly queries: readonly Query[];
  /** Value from which the line is drawn as a warning. */
  readonly warnAbove?: number;
}

export interface Query {
  readonly expression: string;
  /** Grafana's template, e.g. `{{operator}}`. */
  readonly legend: string;
}

export interface Place {
  readonly id: number;
  readonly x: number;
  readonly y: number;
}

export const PANEL_HEIGHT = { timeseries: 8, heatmap: 8, stat: 4 } as const;

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

/** The panel in Grafana's schema, at its place. */
export function grafanaPanel(panel: Panel, { id, x, y }: Place): object {
  const { title, description, kind, unit, width, queries, warnAbove } = panel;
  const steps = [{ color: 'green', value: null }];
  return {
    id,
    title,
    description,
    type: kind,
    datasource: DATASOURCE,
    gridPos: { h: PANEL_HEIGHT[kind], w: width, x, y },
    targets: queries.map(({ expression, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      expr: expression,
      legendFormat: legend,
      ...(kind === 'heatmap' ? { format: 'heatmap' } : {}),
    })),
    fieldConfig: {
      defaults: {
        unit,
        ...(kind === 'timeseries' ? { custom: { fillOpacity: 8, lineWidth: 1, showPoints: 'never' } } : {}),
        thresholds: {
          mode: 'absolute',
          steps: warnAbove === undefined ? steps : [...steps, { color: 'orange', value: warnAbove }],
        },
      },
      overrides: [],
    },
    options: OPTIONS[kind],
  };
}

const OPTIONS: Readonly<Record<Panel['kind'], object>> = {
  timeseries: {
    legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
    tooltip: { mode: 'multi', sort: 'desc' },
  },
  stat: { colorMode: 'value', graphMode: 'area', reduceOptions: { calcs: ['lastNotNull'] } },
  heatmap: { calculate: false, yAxis: { unit: 's' }, tooltip: { mode: 'single' } },
};
