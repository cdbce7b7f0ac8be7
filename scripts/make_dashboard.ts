/**
 * Makes deploy/grafana_dashboard.json out of the table in dashboard/panels.ts: `deno run -A scripts/make_dashboard.ts`.
 *
 * @module
 */

import { type Panel, rows } from "./dashboard/panels.ts";

const SOURCE = { type: "prometheus", uid: "${datasource}" };

/** Three panels side by side, in Grafana's grid of 24. */
const WIDTH = 8, HEIGHT = 8;

function makePanel([title, unit, ...queries]: Panel, id: number, x: number, y: number) {
  return {
    id,
    type: "timeseries",
    title,
    datasource: SOURCE,
    gridPos: { x, y, w: WIDTH, h: HEIGHT },
    fieldConfig: {
      defaults: { unit, min: 0, custom: { fillOpacity: 8, showPoints: "never" } },
      overrides: [],
    },
    options: {
      legend: { displayMode: "list", placement: "bottom" },
      tooltip: { mode: "multi", sort: "desc" },
    },
    targets: queries.map(([expr, legendFormat], i) => ({
      refId: String.fromCharCode(65 + i),
      datasource: SOURCE,
      expr: expr.replaceAll(/\{I(?=[,}])/g, '{instance=~"$instance"'),
      legendFormat,
    })),
  };
}

/** The dashboard, as Grafana imports it. */
export function makeDashboard(): string {
  const panels: unknown[] = [];
  let y = 0;
  for (const [title, row] of Object.entries(rows)) {
    panels.push({
      id: panels.length + 1,
      type: "row",
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: 24, h: 1 },
    });
    y++;
    for (const [i, panel] of row.entries()) {
      const x = (i % 3) * WIDTH;
      panels.push(makePanel(panel, panels.length + 1, x, y + Math.floor(i / 3) * HEIGHT));
    }
    y += Math.ceil(row.length / 3) * HEIGHT;
  }
  const dashboard = {
    uid: "meridian",
    title: "Meridian",
    tags: ["dns"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus", label: "Data source" },
        {
          name: "instance",
          type: "query",
          label: "Server",
          datasource: SOURCE,
          query: { query: "label_values(coredns_build_info, instance)", refId: "instance" },
          refresh: 2,
          multi: true,
          includeAll: true,
          current: { text: "All", value: "$__all" },
        },
      ],
    },
    panels,
  };
  return JSON.stringify(dashboard, null, 2) + "\n";
}

/** Where it is kept. */
export const DASHBOARD = new URL("../deploy/grafana_dashboard.json", import.meta.url).pathname;

if (import.meta.main) await Deno.writeTextFile(DASHBOARD, makeDashboard());
