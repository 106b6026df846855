import { defaultDashboard } from "@grafana/schema";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { fromFileUrl } from "@std/path/from_file_url.js";
import { parse as parseYaml } from "@std/yaml/parse.js";
import postgres from "postgres";
import { createTestDatabase } from "../support/database.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";
import { parseExposition } from "../support/exposition.ts";
import type { GrafanaDashboard } from "../support/grafana.ts";
import { renderMetrics } from "../../supabase/functions/_shared/alerts/prometheus.ts";

// Dashboards and rules, held to the database that they read; and the role that they read it with.

const MONITORING = new URL("../../monitoring/", import.meta.url);
const db = await createTestDatabase();
Deno.test.afterAll(() => db.drop());

const CALLER = "+14165550123";
await db.sql`select accept_voice_event(e) from jsonb_array_elements(${
  db.sql.json([
    voiceEvent(newCallSid(), {
      from_e164: CALLER,
      call_status: "completed",
      duration_sec: 30,
      recording_sid: recordingSid(1),
      recording_source: "voicemail",
      recording_url: "https://api.twilio.com/secret-recording",
      transcript: "my secret is swordfish",
      meta: { speech: "swordfish" },
    }),
    voiceEvent(newCallSid(), { from_e164: CALLER }),
  ] as never)
}) as e`;
await db.sql`
  insert into rate_limit_refusals values ('voice-frontdoor', 'caller', ${CALLER}, date_trunc('minute', now()), 3, now())`;
const row = (name: string) => ({
  minute: new Date(Math.floor(Date.now() / 60_000) * 60_000).toISOString(),
  function: name,
  requests: 2,
  errors: 1,
  database_failures: 1,
  refused: 1,
  total_ms: 100,
  database_ms: 50,
  max_ms: 60,
  ...Object.fromEntries([50, 100, 250, 500, 1000, 2000, 5000].map((le) => [`le_${le}`, 2])),
});
await db.sql`select record_function_metrics(${
  db.sql.json([row("voice-status")] as never)
}, gen_random_uuid())`;
await db.sql`select run_alerts(true, '{}', '{}')`;
await db.sql`select record_worker_run('alert-dispatch')`;

/** Runs as role monitoring, and leaves nothing. */
async function asMonitoring(query: string): Promise<Record<string, unknown>[]> {
  const connection = await db.sql.reserve();
  try {
    await connection`begin`;
    await connection`set local role monitoring`;
    return [...await connection.unsafe(query)];
  } finally {
    await connection`rollback`;
    connection.release();
  }
}

/** The files of Grafana's provisioning: every dashboard of the folder, none by name. */
const dashboardFiles = [...Deno.readDirSync(new URL("grafana/dashboards", MONITORING))]
  .map(({ name }) => new URL(`grafana/dashboards/${name}`, MONITORING));
const dashboards = dashboardFiles.map((file) =>
  JSON.parse(Deno.readTextFileSync(file)) as GrafanaDashboard
);
const panels = dashboards.flatMap((dashboard) => dashboard.panels);
const sqlOf = ({ targets }: GrafanaDashboard["panels"][number]) =>
  targets.flatMap((target) => "rawSql" in target ? target : []);
const promqlOf = ({ targets }: GrafanaDashboard["panels"][number]) =>
  targets.flatMap((target) => "expr" in target ? target.expr : []);

for (const panel of panels.filter((panel) => sqlOf(panel).length > 0)) {
  Deno.test(`the panel "${panel.title}" can be drawn by role monitoring`, async () => {
    for (const { rawSql, format } of sqlOf(panel)) {
      const rows = await asMonitoring(rawSql);
      // Grafana draws a series over a column of this name.
      if (format === "time_series") assertEquals(rows[0]!["time"] instanceof Date, true);
    }
  });
}

/** What the compiler says of dashboards as values of Grafana's own types; each is one line of code. */
async function typeFaults(lines: readonly string[]): Promise<string> {
  const dir = await Deno.makeTempDir({ prefix: "tradeline-grafana-" });
  try {
    const types = new URL("../support/grafana.ts", import.meta.url);
    await Deno.writeTextFile(
      `${dir}/dashboards.ts`,
      `import type { GrafanaDashboard } from ${JSON.stringify(types)};\n${lines.join("\n")}\n`,
    );
    const config = fromFileUrl(new URL("../../deno.json", import.meta.url));
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", "--frozen", `--config=${config}`, `${dir}/dashboards.ts`],
      env: { NO_COLOR: "1" },
    }).output();
    return success ? "" : new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("each dashboard is one by the types that Grafana publishes, of its present schema", async () => {
  const values = dashboards.map((dashboard) =>
    `(${JSON.stringify(dashboard)}) satisfies GrafanaDashboard;`
  );
  assertEquals(await typeFaults(values), "");
  for (const { title, schemaVersion } of dashboards) {
    assertEquals(schemaVersion, defaultDashboard.schemaVersion, title);
  }
});

Deno.test("a field, an option or a value that Grafana does not have is a fault", async () => {
  const operations = JSON.stringify(dashboards.find(({ uid }) => uid === "tradeline-operations"));
  const faults: [string, string][] = [
    ['"editable"', '"editible"'],
    ['"graphTooltip":1', '"graphTooltip":7'],
    ['"type":"bargauge"', '"type":"graph"'],
    ['"colorMode"', '"colourMode"'],
    ['"colorMode":"value"', '"colorMode":"values"'],
    ['"colorMode"', '"xField"'],
    ['"unit":"percent"', '"units":"percent"'],
    ['"drawStyle":"bars"', '"drawStyle":"bar"'],
    ['"stacking"', '"stacked"'],
    ['"mode":"absolute"', '"mode":"relative"'],
    ['"rawSql"', '"sql"'],
    ['"gridPos"', '"grid"'],
  ];
  const lines = faults.flatMap(([right, wrong]) => {
    assertEquals(operations.includes(right), true, right);
    return [
      // The compiler complains of a directive that nothing is wrong below.
      `// @ts-expect-error ${wrong}`,
      `(${operations.replace(right, wrong)}) satisfies GrafanaDashboard;`,
    ];
  });
  assertEquals(await typeFaults(lines), "");
});

Deno.test("each panel has a data source that is provisioned, and a number and a place of its own", () => {
  const provisioning = parseYaml(
    Deno.readTextFileSync(new URL("grafana/provisioning/datasources/tradeline.yml", MONITORING)),
  ) as { datasources: { uid: string; type: string }[] };
  const provisioned = provisioning.datasources.map(({ uid, type }) => ({ type, uid }));
  for (const { uid, panels } of dashboards) {
    const taken = new Set<string>();
    assertEquals(new Set(panels.map(({ id }) => id)).size, panels.length, uid);
    for (const { title, datasource, gridPos, targets } of panels) {
      const source = provisioned.find((each) => each.uid === datasource?.uid);
      assertEquals(datasource, source, title);
      for (const target of targets) {
        assertEquals(target.datasource, source, title);
        assertEquals("expr" in target, source?.type === "prometheus", title);
      }
      const { x, y, w, h } = gridPos!;
      assertEquals(x + w <= 24, true, title);
      for (let column = x; column < x + w; column++) {
        for (let line = y; line < y + h; line++) {
          assertEquals(taken.has(`${column} ${line}`), false, `${uid}: ${title}`);
          taken.add(`${column} ${line}`);
        }
      }
    }
  }
});

const rulesFile = Deno.readTextFileSync(new URL("prometheus/rules.yml", MONITORING));

Deno.test("every series that a rule or a panel names is one that metrics tells, with the labels that it has", async () => {
  const [snapshot] = await db.sql`select metrics_snapshot() as it`;
  const families = parseExposition(renderMetrics(snapshot!.it));
  const told = new Map<string, string>();
  for (const { samples } of families.values()) {
    for (const { name, labels } of samples) told.set(name, labels);
  }
  const expressions = [
    ...rulesFile.matchAll(/expr: ([^]+?)(?=\n +(?:for|labels):)/g),
  ].map(([, expression]) => expression!)
    .concat(panels.flatMap(promqlOf));
  assertEquals(expressions.length > 10, true);
  for (const expression of expressions) {
    const series = [...expression.matchAll(/(tradeline_\w+|\bup\b)(?:\{([^}]*)\})?/g)];
    assertEquals(series.length > 0, true, `${expression} names no series`);
    for (const [, name, selector = ""] of series) {
      // Prometheus's own, of every target.
      if (name === "up") continue;
      assertEquals(told.has(name!), true, `${name} in ${expression}`);
      for (const [, label] of selector.matchAll(/(\w+)=/g)) {
        assertEquals(told.get(name!)!.includes(`${label}="`), true, `${label} of ${name}`);
      }
    }
  }
});

Deno.test("Prometheus gets each alert of the database, so that one rule covers all", async () => {
  const [snapshot] = await db.sql`select metrics_snapshot() as it`;
  const firing = parseExposition(renderMetrics(snapshot!.it)).get("tradeline_alert_firing")!;
  const rules = await db.sql`select alert, severity from alert_rules order by severity, alert`;
  assertEquals(
    firing.samples.map(({ labels }) => labels),
    rules.map(({ alert, severity }) => `alert="${alert}",severity="${severity}"`),
  );
  assertEquals(/expr: tradeline_alert_firing == 1$/m.test(rulesFile), true);
});

const promtool = await (async () => {
  try {
    return (await new Deno.Command("promtool", { args: ["--version"] }).output()).success;
  } catch {
    return false;
  }
})();

for (
  const [what, ...args] of [
    ["the rules are rules", "check", "rules", "rules.yml"],
    ["each rule fires past its threshold and not at it", "test", "rules", "rules_test.yml"],
    ["prometheus.yml is a configuration", "check", "config", "--syntax-only", "prometheus.yml"],
  ] as const
) {
  Deno.test({
    name: `promtool: ${what}`,
    ignore: !promtool,
    async fn() {
      const cwd = fromFileUrl(new URL("prometheus/", MONITORING));
      const { success, stdout, stderr } = await new Deno.Command("promtool", { args, cwd })
        .output();
      const text = new TextDecoder();
      assertEquals(success, true, text.decode(stdout) + text.decode(stderr));
    },
  });
}

Deno.test({
  name: "promtool: each panel's expression is PromQL",
  ignore: !promtool,
  async fn() {
    const rules = panels.flatMap(promqlOf)
      .map((expr, index) => ({ record: `panel:${index}`, expr }));
    const file = await Deno.makeTempFile({ suffix: ".yml" });
    try {
      // JSON is YAML.
      await Deno.writeTextFile(file, JSON.stringify({ groups: [{ name: "panels", rules }] }));
      const { success, stdout, stderr } = await new Deno.Command("promtool", {
        args: ["check", "rules", file],
      }).output();
      const text = new TextDecoder();
      assertEquals(success, true, text.decode(stdout) + text.decode(stderr));
    } finally {
      await Deno.remove(file);
    }
  },
});

Deno.test("role monitoring counts the calls of every organisation", async () => {
  assertEquals((await asMonitoring("select calls from call_funnel where stage = 'arrived'"))[0], {
    calls: "2",
  });
  assertEquals((await asMonitoring("select voicemail_backlog as n from operations_now"))[0], {
    n: "1",
  });
});

Deno.test("role monitoring reads no number, no recording, no words and no address, whatever it asks", async () => {
  const personal = [
    "select from_e164 from call_logs",
    "select to_e164 from call_logs",
    "select transcript from call_logs",
    "select recording_url from call_logs",
    "select * from call_logs",
    "select meta from call_lifecycle",
    "select leg_sid from call_lifecycle",
    "select identifier from rate_limit_refusals",
    "select event_data from analytics_events",
    "select error_message from telephony_transactions",
    "select payload from jobs",
    "select content from jobs",
    "table jobs_dead",
    "table active_calls",
    "table voicemail_backlog",
    "table rate_limit_violations",
    "table recent_errors",
    "table number_provisioning_status",
    "table contact_messages",
    "table idempotency_keys",
    "table telephony_numbers",
    "table rate_limit_windows",
  ];
  for (const query of personal) {
    const error = await assertRejects(
      () => asMonitoring(query),
      postgres.PostgresError,
      undefined,
      query,
    );
    assertEquals(error.code, "42501", query);
  }
  const readable = await db.sql<{ name: string }[]>`
    select c.relname as name from pg_class as c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
      and has_table_privilege('monitoring', c.oid, 'select')`;
  const seen = JSON.stringify(
    await Promise.all(readable.map(({ name }) => asMonitoring(`table ${name}`))),
  );
  for (const secret of [CALLER, "+15877428885", "swordfish", "secret-recording"]) {
    assertEquals(seen.includes(secret), false, secret);
  }
});

Deno.test("role monitoring writes nothing, runs nothing that writes, and cannot log in before it is let", async () => {
  const writable = await db.sql`
    select c.relname from pg_class as c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
      and (has_table_privilege('monitoring', c.oid, 'insert, update, delete, truncate, references, trigger')
        or (c.relkind in ('r', 'p', 'v') and has_any_column_privilege('monitoring', c.oid, 'insert, update')))`;
  assertEquals([...writable], []);
  const callable = await db.sql`
    select p.proname from pg_proc as p
    where p.pronamespace = 'public'::regnamespace and has_function_privilege('monitoring', p.oid, 'execute')
    order by 1`;
  assertEquals(callable.map(({ proname }) => proname), [
    "alert_measured",
    "call_counts",
    "call_success",
    "count_calls",
    "current_org_id",
    "current_owner",
    "database_connections",
    "latency_quantile",
  ]);
  const [role] = await db
    .sql`select rolcanlogin, rolsuper, rolbypassrls, rolcreaterole from pg_roles where rolname = 'monitoring'`;
  assertEquals({ ...role }, {
    rolcanlogin: false,
    rolsuper: false,
    rolbypassrls: false,
    rolcreaterole: false,
  });
  assertEquals(
    (await db.sql`
    select from pg_auth_members where member = 'monitoring'::regrole`).length,
    0,
  );
});
