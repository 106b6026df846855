import type { Dashboard, DataQuery, FieldConfigSource, Panel } from "@grafana/schema";
import type * as BarChart from "@grafana/schema/dist/esm/raw/composable/barchart/panelcfg/x/BarChartPanelCfg_types.gen";
import type * as BarGauge from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type * as Stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as Table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as TimeSeries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** A published type as JSON has it: an enumeration of strings is one of those strings. */
type Json<T> = T extends string ? `${T}`
  : T extends readonly (infer Item)[] ? Json<Item>[]
  : T extends object ? { [Key in keyof T]: Json<T[Key]> }
  : T;

/** A query; Grafana publishes what all data sources have in common, its SQL and Prometheus do not. */
type Query =
  & DataQuery
  & { editorMode: "builder" | "code" }
  & (
    | { format: "table" | "time_series"; rawQuery: true; rawSql: string }
    | { expr: string; legendFormat: string; range: true }
  );

/** A panel whose options and field settings are those of its plugin, and no others. */
type PanelOf<Type extends string, Options, Custom> =
  & Omit<Panel, "type" | "options" | "fieldConfig" | "targets">
  & {
    type: Type;
    title: string;
    options: Partial<Options>;
    fieldConfig: Omit<FieldConfigSource, "defaults"> & {
      defaults: Omit<FieldConfigSource["defaults"], "custom"> & { custom?: Partial<Custom> };
    };
    targets: Query[];
  };

/** What a file of `monitoring/grafana/dashboards` may hold, by Grafana's own published types. */
export type GrafanaDashboard = Json<
  Omit<Dashboard, "panels"> & {
    panels: (
      | PanelOf<"barchart", BarChart.Options, BarChart.FieldConfig>
      | PanelOf<"bargauge", BarGauge.Options, Record<never, never>>
      | PanelOf<"stat", Stat.Options, Record<never, never>>
      | PanelOf<"table", Table.Options, Table.FieldConfig>
      | PanelOf<"timeseries", TimeSeries.Options, TimeSeries.FieldConfig>
    )[];
  }
>;
