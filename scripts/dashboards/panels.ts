/** Grafana's dashboard format, as far as we need it. */

export interface Query {
  expr: string;
  legend?: string;
}

export interface Panel {
  title: string;
  description: string;
  /** Grafana's unit, e.g. `s`, `bytes`, `Bps`, `short`. */
  unit: string;
  queries: Query[];
  kind?: 'timeseries' | 'stat' | 'table';
  stacked?: boolean;
}

export interface Variable {
  name: string;
  label: string;
  /** PromQL for `label_values`. */
  metric: string;
  of: string;
  many?: boolean;
}

export interface Dashboard {
  uid: string;
  title: string;
  description: string;
  variables: Variable[];
  rows: { title: string; panels: Panel[] }[];
}

const WIDTH = 24;
const HEIGHT = 8;
const SOURCE = { type: 'prometheus', uid: '${datasource}' };

/** @returns the JSON model that Grafana imports and provisions */
export function toGrafana({ uid, title, description, variables, rows }: Dashboard): object {
  let y = 0;
  let id = 0;
  const panels: object[] = [];
  for (const row of rows) {
    panels.push({
      id: ++id,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
      panels: [],
    });
    y += 1;
    const w = Math.floor(WIDTH / Math.min(row.panels.length, 3));
    row.panels.forEach((panel, at) => {
      const place = { x: (at % 3) * w, y: y + Math.floor(at / 3) * HEIGHT, w, h: HEIGHT };
      panels.push(toPanel(panel, ++id, place));
    });
    y += Math.ceil(row.panels.length / 3) * HEIGHT;
  }
  return {
    uid,
    title,
    description,
    tags: ['holdfast'],
    timezone: 'browser',
    schemaVersion: 38,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: '10s',
    time: { from: 'now-1h', to: 'now' },
    templating: { list: [dataSource(), ...variables.map(toVariable)] },
    panels,
  };
}

function toPanel(panel: Panel, id: number, gridPos: object): object {
  const kind = panel.kind ?? 'timeseries';
  const isTable = kind === 'table';
  return {
    id,
    type: kind,
    title: panel.title,
    description: panel.description,
    datasource: SOURCE,
    gridPos,
    targets: panel.queries.map(({ expr, legend }, at) => ({
      refId: String.fromCharCode(65 + at),
      datasource: SOURCE,
      expr,
      legendFormat: legend ?? '__auto',
      ...(isTable ? { instant: true, format: 'table' } : {}),
    })),
    fieldConfig: {
      defaults: {
        unit: panel.unit,
        min: 0,
        ...(kind === 'timeseries'
          ? {
              custom: {
                fillOpacity: 15,
                lineWidth: 1,
                showPoints: 'never',
                ...(panel.stacked === true ? { stacking: { mode: 'normal' } } : {}),
              },
            }
          : {}),
      },
      overrides: [],
    },
    options:
      kind === 'timeseries' ? { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } } : {},
  };
}

function dataSource(): object {
  return { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', current: {} };
}

function toVariable({ name, label, metric, of, many }: Variable): object {
  return {
    name,
    label,
    type: 'query',
    datasource: SOURCE,
    query: { query: `label_values(${metric}, ${of})`, refId: name },
    refresh: 2,
    sort: 1,
    multi: many === true,
    includeAll: many === true,
    ...(many === true ? { allValue: '.*' } : {}),
  };
}
