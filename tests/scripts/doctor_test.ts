import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { diagnose, type Examination, isHealthy } from "../../scripts/doctor/diagnose.ts";
import { main } from "../../scripts/doctor/main.ts";
import { startTestStack } from "../support/database.ts";
import { closedPort } from "../support/fake_data_api.ts";
import { VAULT } from "../support/vault.ts";

async function doctor(args: string[], env: Record<string, string> = {}) {
  const lines: string[] = [];
  const code = await main(args, { env: (name) => env[name], print: (line) => lines.push(line) });
  return { code, text: lines.join("\n") };
}

Deno.test("of a line that is well it says so, and ends with 0", async () => {
  const stack = await startTestStack();
  try {
    for (const worker of ["voice-reconcile", "alert-dispatch"]) {
      await stack.db.sql`select record_worker_run(${worker})`;
    }
    const { code, text } = await doctor(["--url", stack.url]);
    assertEquals(code, 0, text);
    for (
      const line of [
        "ok      The settings are complete",
        "ok      A request that Twilio did not sign gets 401",
        "warning E-mails are kept and not sent: RESEND_API_KEY, FROM_EMAIL, NOTIFY_TO not set",
        "warning No telephone rings for callers who hold or are called back: TWILIO_ACCOUNT_SID not set",
        "Calls are served: 0 faults, 2 warnings",
      ]
    ) assertStringIncludes(text, line);
    assertMatch(text, /ok {6}The database answers \(\d+ ms\)/);
    assertMatch(text, /ok {6}voice-reconcile last finished \d s ago/);

    assertStringIncludes(text, "ok      notify-worker has not run yet; no mail is overdue");

    await stack.db.sql`
      select enqueue_job('mail_contact_notification', 'contact_notification/1', '{}', now() - interval '10 minutes')`;
    assertStringIncludes(
      (await doctor(["--url", stack.url])).text,
      "warning notify-worker has not run yet; a mail was due 10 min ago",
    );
    await stack.db.sql`delete from jobs`;

    // A warning does not end a line that serves; a critical alert does.
    await stack.db.sql`
      insert into rate_limit_refusals values ('voice-frontdoor', 'caller', '+14165550123', date_trunc('minute', now()), 60, now())`;
    const warned = await doctor(["--url", stack.url]);
    assertEquals(warned.code, 0);
    assertStringIncludes(
      warned.text,
      "warning The rate limit refuses many calls: 60 refusals, should be at most 50 refusals\n        -> Look at rate_limit_violations",
    );
    await stack.db
      .sql`insert into health_checks (checked_at, healthy) values (now() - interval '6 minutes', false), (now(), false)`;
    const paged = await doctor(["--url", stack.url]);
    assertEquals(paged.code, 1);
    assertStringIncludes(
      paged.text,
      "FAULT   The health check fails: 6 minutes, should be less than 5 minutes",
    );
    assertEquals(paged.text.includes("+14165550123"), false);
  } finally {
    await stack.stop();
  }
});

Deno.test("of a deployed line it says what the schedule does not find in Vault", async () => {
  const stack = await startTestStack();
  const look = async (databaseUrl: string) =>
    (await doctor(["--url", stack.url], { SUPABASE_DB_URL: databaseUrl })).text;
  try {
    // A database without Vault is not held against it; its time zones are those of today.
    assertEquals(/Vault lacks|The schedule|time zones/.test(await look(stack.db.url)), false);
    const nowhere = closedPort().replace("http:", "postgresql:");
    assertStringIncludes(
      await look(nowhere),
      "warning The database cannot be examined: ",
    );

    await stack.db.sql.unsafe(VAULT);
    await stack.db.sql`select vault.create_secret('https://abcdefgh.supabase.co', 'functions_url')`;
    assertStringIncludes(
      await look(stack.db.url),
      "warning Vault lacks scheduler_token: the scheduled workers do not run\n        -> deno task deploy",
    );
    await stack.db.sql`select vault.create_secret('a-token-of-the-scheduler', 'scheduler_token')`;
    const text = await look(stack.db.url);
    assertStringIncludes(text, "ok      The schedule finds the functions");
    assertEquals(text.includes("sb_secret_x"), false);
  } finally {
    await stack.stop();
  }
});

Deno.test("of a database that is not as it was made it says so, each kind of it", async () => {
  const stack = await startTestStack({ functions: false });
  const { sql, url } = stack.db;
  const look = async () => await doctor(["--url", stack.url], { SUPABASE_DB_URL: url });
  const broken = "The database differs from this release's migrations: ";
  try {
    assertStringIncludes(
      (await look()).text,
      "ok      The database has the tables, functions and rights of this release",
    );
    // What an operator may do.
    await sql`update retention_rules set days = 30 where subject = 'calls'`;
    await sql`create table theirs (id int)`;
    await sql`comment on table call_logs is 'Ours'`;
    // What the platform makes of "Enable automatic RLS", before the first migration and so open to PUBLIC.
    await sql.unsafe(`
      create function rls_auto_enable() returns event_trigger language plpgsql security definer as 'begin end';
      grant execute on function rls_auto_enable to public`);
    assertEquals((await look()).text.includes(broken), false);

    const breakages: [string, string, RegExp][] = [
      [
        "revoke execute on function accept_voice_event(jsonb) from service_role",
        "grant execute on function accept_voice_event(jsonb) to service_role",
        /lacks "grant execute on function accept_voice_event\(jsonb\) to service_role;"/,
      ],
      [
        "alter function purge_expired(integer) rename to purge_sometimes",
        "alter function purge_sometimes(integer) rename to purge_expired",
        /lacks "CREATE OR REPLACE FUNCTION public.purge_expired\(/,
      ],
      [
        "alter table call_logs disable trigger user",
        "alter table call_logs enable trigger user",
        /lacks "CREATE TRIGGER /,
      ],
      [
        "alter table call_logs disable row level security",
        "alter table call_logs enable row level security",
        /lacks "alter table public.call_logs enable row level security;"/,
      ],
      [
        "grant select on call_logs to anon",
        "revoke select on call_logs from anon",
        /has beyond it "grant select on public.call_logs to anon;"/,
      ],
      [
        "create policy everybody on call_logs for select to anon using (true)",
        "drop policy everybody on call_logs",
        /has beyond it "create policy everybody /,
      ],
      [
        "drop index call_logs_party_idx",
        "create index call_logs_party_idx on call_logs (from_e164)",
        /lacks "CREATE INDEX call_logs_party_idx/,
      ],
    ];
    for (const [breaks, mends, words] of breakages) {
      await sql.unsafe(breaks);
      const { code, text } = await look();
      assertEquals(code, 1, breaks);
      assertStringIncludes(text, `FAULT   ${broken}`, breaks);
      assertMatch(text, words);
      await sql.unsafe(mends);
    }
    // At another migration the difference is that, and told as that.
    await sql`insert into supabase_migrations.schema_migrations (version) values ('99991231235959')`;
    await sql`drop function current_org_id cascade`;
    assertEquals((await look()).text.includes(broken), false);
  } finally {
    await stack.stop();
  }
});

/** Twilio's main account and a sub-account, each with a recording. */
function fakeTwilio(account: { type: string; profiles: unknown[]; open: readonly string[] }) {
  const authorized = `Basic ${btoa(`${MAIN}:token`)}`;
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    const media = /Accounts\/(\w+)\/Recordings\/RE\w+\.wav$/.exec(pathname);
    if (request.headers.get("authorization") !== authorized) {
      // Nobody else is played anything, but where the account lets them.
      return new Response(null, { status: media && account.open.includes(media[1]!) ? 307 : 401 });
    }
    if (pathname === "/v1/CustomerProfiles") return Response.json({ results: account.profiles });
    if (pathname.endsWith("/Recordings.json")) {
      return Response.json({ recordings: [{ sid: `RE${"1".repeat(32)}` }] });
    }
    if (pathname.endsWith("/Accounts.json")) {
      return Response.json({ accounts: [MAIN, SUB].map((sid) => ({ sid, status: "active" })) });
    }
    return Response.json({ sid: MAIN, status: "active", type: account.type });
  });
}

const MAIN = `AC${"0".repeat(32)}`;
const SUB = `AC${"5".repeat(32)}`;

Deno.test("for a deployed line it reports the limits of Twilio's account, and unprotected recordings", async () => {
  const look = async (account: Parameters<typeof fakeTwilio>[0], token = "token") => {
    await using server = fakeTwilio(account);
    const { text } = await doctor(["--url", closedPort()], {
      TWILIO_ACCOUNT_SID: MAIN,
      TWILIO_AUTH_TOKEN: token,
      TWILIO_API_URL: `http://127.0.0.1:${server.addr.port}`,
    });
    return text;
  };
  const good = { type: "Full", profiles: [{}], open: [] };
  const text = await look(good);
  assertStringIncludes(text, "ok      Recordings need credentials");
  assertEquals(/trial|profile|Anybody/.test(text), false, text);

  assertStringIncludes(
    await look({ ...good, type: "Trial" }),
    "FAULT   Twilio's account is a trial\n        -> It takes calls of verified numbers only",
  );
  assertStringIncludes(
    await look({ ...good, profiles: [] }),
    "warning Twilio's account has no approved customer profile\n        -> It may have 2 calls at once",
  );
  // The sub-account's own switch counts too.
  assertStringIncludes(
    await look({ ...good, open: [SUB] }),
    `FAULT   Anybody who has a recording's address can hear it: ${SUB}\n`,
  );
  assertStringIncludes(
    await look(good, "wrong"),
    "warning Twilio's account cannot be examined: Twilio answered 401",
  );
});

Deno.test("without an answer it says how to start, and ends with 1", async () => {
  const { code, text } = await doctor([], { TRADELINE_API_PORT: closedPort().split(":").at(-1)! });
  assertEquals(code, 1);
  assertMatch(text, /FAULT {3}Nobody answers at http:\/\/127\.0\.0\.1:\d+\n {8}-> Start the line/);
});

Deno.test("wrong usage is reported with the command for help, and ends with 2", async () => {
  for (const args of [["--colour"], ["--url", "tradeline"]]) {
    const { code, text } = await doctor(args);
    assertEquals(code, 2);
    assertStringIncludes(text, "task doctor --help");
  }
  assertStringIncludes((await doctor(["--help"])).text, "--url");
});

const HEALTHY: Examination = {
  url: "https://abcdefgh.supabase.co",
  local: false,
  now: new Date("2026-03-04T05:06:07Z"),
  health: {
    status: 200,
    body: {
      status: "healthy",
      checks: {
        env: { status: "healthy" },
        database: { status: "healthy", latency_ms: 12, connections: { used: 10, allowed: 60 } },
        migrations: { status: "healthy", version: "2", needed: "2" },
        workers: {
          status: "healthy",
          runs: {
            "voice-reconcile": { last_ok_at: "2026-03-04T05:06:00Z" },
            "alert-dispatch": { last_ok_at: "2026-03-04T05:06:00Z" },
            // Nothing was to be sent since.
            "notify-worker": { last_ok_at: "2026-03-03T22:00:00Z" },
          },
        },
      },
    },
  },
  unsigned: 401,
  alerts: [],
  mailDueSince: null,
  database: undefined,
  twilio: undefined,
};

/** The examination with some checks replaced. */
function examined(
  checks: Record<string, Record<string, unknown>>,
  changes: Partial<Examination> = {},
): Examination {
  const { health } = HEALTHY;
  return {
    ...HEALTHY,
    health: { status: 503, body: { checks: { ...health!.body!.checks, ...checks } } },
    ...changes,
  };
}

Deno.test("doctor without the key goes by each check's status, and claims nothing beyond it", () => {
  const statuses = Object.fromEntries(
    [
      "env",
      "database",
      "recent_activity",
      "rate_limiter",
      "migrations",
      "mail",
      "dialling",
      "workers",
      "alerts",
    ]
      .map((name) => [name, { status: "healthy" }]),
  );
  const findings = diagnose({
    ...HEALTHY,
    health: { status: 200, body: { status: "healthy", checks: statuses } },
    alerts: undefined,
    mailDueSince: undefined,
  });
  assertEquals(new Set(findings.map(({ level }) => level)), new Set(["ok"]));
  const words = findings.map(({ what }) => what).join("\n");
  assertEquals(/undefined|unknown|never|E-mails|has not run/.test(words), false, words);
});

for (
  const [what, examination, level, words, advice] of [
    [
      "a setting that is missing",
      examined({
        env: { status: "unhealthy", setting: "TWILIO_AUTH_TOKEN" },
        database: { status: "unhealthy" },
      }),
      "fault",
      /The setting TWILIO_AUTH_TOKEN is missing/,
      /TWILIO_AUTH_TOKEN in \.env.*deno task deploy/,
    ],
    [
      "an allow-list, which few accounts can have",
      examined({ env: { status: "healthy", ip_allowlist: true } }),
      "warning",
      /TWILIO_IP_ALLOWLIST is set/,
      /Static Proxy/,
    ],
    [
      "a database that is away",
      examined({ database: { status: "unhealthy", latency_ms: 2000 } }),
      "fault",
      /database does not answer/,
      /SUPABASE_SECRET_KEYS/,
    ],
    [
      "a database short of connections",
      examined({
        database: { status: "healthy", latency_ms: 2, connections: { used: 55, allowed: 60 } },
      }),
      "warning",
      /55 of 60 connections/,
      /idle sessions/,
    ],
    [
      "a slow database",
      examined({ database: { status: "healthy", latency_ms: 1500 } }),
      "warning",
      /slowly \(1500 ms\)/,
      /webhook_performance/,
    ],
    [
      "migrations that were not applied",
      examined({ migrations: { status: "unhealthy", version: "1", needed: "2" } }),
      "fault",
      /at migration 1, the functions need 2/,
      /deno task deploy/,
    ],
    [
      "a limiter that cannot count",
      examined({ rate_limiter: { status: "unhealthy" } }),
      "fault",
      /cannot count/,
      /pg_locks/,
    ],
    [
      "a worker that has stopped",
      examined({
        workers: {
          status: "healthy",
          runs: {
            "voice-reconcile": { last_ok_at: "2026-03-04T04:50:00Z" },
            "alert-dispatch": { last_ok_at: "2026-03-04T05:06:00Z" },
          },
        },
      }),
      "warning",
      /voice-reconcile last finished 16 min ago/,
      /cron\.job_run_details/,
    ],
    [
      "a mail that nobody comes for",
      { ...HEALTHY, mailDueSince: "2026-03-04T02:00:00Z" },
      "warning",
      /notify-worker last finished 7 h ago; a mail was due 3 h ago/,
      /cron\.job_run_details/,
    ],
    [
      "an account without which no telephone is rung for a caller who holds",
      examined({ dialling: { status: "healthy", missing: ["TWILIO_ACCOUNT_SID"] } }),
      "warning",
      /No telephone rings.*TWILIO_ACCOUNT_SID not set/,
      /before a flow with a queue/,
    ],
    [
      "workers that were never scheduled",
      examined({ workers: { status: "healthy", runs: {} } }),
      "warning",
      /voice-reconcile has not run yet/,
      /Vault/,
    ],
    [
      "time zones of before British Columbia kept its summer time",
      { ...HEALTHY, database: { vaultLacks: undefined, drift: [], knowsZones: false } },
      "warning",
      /time zones are older than 2026/,
      /Upgrade the project's PostgreSQL/,
    ],
    [
      "signatures that are not checked",
      examined({}, { unsigned: 200 }),
      "fault",
      /did not sign gets 200/,
      /ALLOW_INSECURE_TWILIO_WEBHOOKS=false/,
    ],
    [
      "functions that do not start",
      examined({}, { unsigned: 503 }),
      "fault",
      /voice-action answers 503/,
      /logs/,
    ],
    [
      "alerts, without a key",
      examined({ alerts: { status: "healthy", firing: ["error_rate"] } }, { alerts: undefined }),
      "warning",
      /Alerts fire: error_rate/,
      /docs\/monitoring\.md/,
    ],
    [
      "functions that were not deployed",
      { ...HEALTHY, health: { status: 404, body: undefined } },
      "fault",
      /answered 404/,
      /deno task deploy/,
    ],
    [
      "a gateway that asks for a JWT",
      { ...HEALTHY, health: { status: 401, body: {} } },
      "fault",
      /answered 401/,
      /config\.toml/,
    ],
  ] as const
) {
  Deno.test(`${what}: reported first, with advice`, () => {
    const [worst] = diagnose(examination);
    assertEquals(worst!.level, level);
    assertMatch(worst!.what, words);
    assertMatch(worst!.advice!, advice);
    assertEquals(isHealthy(diagnose(examination)), level !== "fault");
  });
}

for (
  const [what, mailDueSince, words] of [
    ["no mail waits", null, "7 h ago; no mail is overdue"],
    ["a mail has only just become due", "2026-03-04T05:06:00Z", "7 h ago; no mail is overdue"],
    ["a mail waits for its next attempt", "2026-03-04T06:00:00Z", "7 h ago; no mail is overdue"],
    [
      "nobody may look",
      undefined,
      "7 h ago; it runs while a mail is due, and SUPABASE_SECRET_KEYS shows whether",
    ],
  ] as const
) {
  Deno.test(`that notify-worker is silent where ${what} is no fault`, () => {
    const findings = diagnose({ ...HEALTHY, mailDueSince });
    assertEquals(findings.every(({ level }) => level === "ok"), true);
    assertStringIncludes(findings.map((finding) => finding.what).join("\n"), words);
  });
}

Deno.test("where all is well there is no advice", () => {
  const findings = diagnose(HEALTHY);
  assertEquals(findings.filter(({ level, advice }) => level !== "ok" || advice !== undefined), []);
});
