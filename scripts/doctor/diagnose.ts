// Turns the findings about a line into advice. Pure: no I/O.

import type { TwilioAnswer } from "./twilio.ts";

export interface Finding {
  readonly level: "ok" | "warning" | "fault";
  readonly what: string;
  /** What to do; absent when nothing is wrong. */
  readonly advice?: string;
}

/** voice-health's answer; `undefined`: unreadable. */
export interface HealthAnswer {
  readonly status: number;
  readonly body: {
    readonly status?: string;
    readonly checks?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  } | undefined;
}

export interface AlertRow {
  readonly alert: string;
  readonly severity: string;
  /** Value, unit and direction. */
  readonly measured: string;
  readonly summary: string;
  readonly action: string;
}

/** Everything that doctor found out. */
export interface Examination {
  /** Without a trailing slash: `/functions/v1/...` is under it. */
  readonly url: string;
  readonly local: boolean;
  readonly now: Date;
  /** Undefined: no answer. */
  readonly health: HealthAnswer | undefined;
  /** The status for a webhook without a signature; undefined: no answer. */
  readonly unsigned: number | undefined;
  /** The alerts that fire; undefined: no secret key, or refused. */
  readonly alerts: readonly AlertRow[] | undefined;
  /** When the oldest waiting mail is or was due; null: none waits; undefined: as with alerts. */
  readonly mailDueSince: string | null | undefined;
  /** The state of the database; undefined: not asked. */
  readonly database: DatabaseAnswer | undefined;
  /** The state of Twilio's account; undefined: not asked. */
  readonly twilio: TwilioAnswer | undefined;
}

/** Findings from the database itself, or why there are none. */
export type DatabaseAnswer = { readonly unreachable: string } | {
  /** Secrets that the scheduled jobs look up and Vault lacks; undefined: there is no Vault. */
  readonly vaultLacks: readonly string[] | undefined;
  /** Differences from this release's schema; undefined: it has other migrations, which another finding reports. */
  readonly drift: readonly string[] | undefined;
  /** Whether its time zones are those of 2026. */
  readonly knowsZones: boolean;
};

/** The longest silence of a worker that should run, in minutes. */
const SILENT_MINUTES = 5;
const EACH_MINUTE = ["voice-reconcile", "alert-dispatch"] as const;

/** All findings, the worst first. */
export function diagnose(examination: Examination): Finding[] {
  const { health, url, local } = examination;
  const outside = [
    ...databaseFindings(examination.database),
    ...twilioFindings(examination.twilio),
  ];
  if (health === undefined) {
    return [{
      level: "fault",
      what: `Nobody answers at ${url}`,
      advice: local
        ? "Start the line: npx -y deno@2.9.6 task start. Does it run at other ports? Then name them: --url http://127.0.0.1:PORT"
        : "Is the address right, and the project not paused? Look at the project's dashboard.",
    }, ...outside];
  }
  // Without the secret key it has each check's status and no figures.
  const checks = health.body?.checks;
  if (checks === undefined) {
    return [{
      level: "fault",
      what: `voice-health at ${url} answered ${health.status} and no readable body`,
      advice: health.status === 404
        ? "The function is not there: deno task deploy"
        : health.status === 401
        ? "The gateway asks for a JWT: deno task deploy goes by supabase/config.toml, which turns that off."
        : "Look at the function's logs in the project's dashboard: it may not have started.",
    }, ...outside];
  }
  const findings = [
    ...Object.entries(checks).flatMap(([name, check]) => findingsOf(name, check, examination)),
    ...outside,
    signatureFinding(examination.unsigned),
    ...(examination.alerts ?? []).map(alertFinding),
  ];
  const rank = { fault: 0, warning: 1, ok: 2 };
  return findings.toSorted((a, b) => rank[a.level] - rank[b.level]);
}

/** Whether calls can be served: no fault was found. */
export function isHealthy(findings: readonly Finding[]): boolean {
  return findings.every(({ level }) => level !== "fault");
}

const ALLOWLIST_WARNING: Finding = {
  level: "warning",
  what: "TWILIO_IP_ALLOWLIST is set: a webhook from any other address gets 401",
  advice:
    "Right only where the account has Twilio's Static Proxy, and the list is that proxy's addresses. Otherwise Twilio's webhooks come from addresses that change: leave it blank, the signature decides.",
};

function findingsOf(
  name: string,
  check: Readonly<Record<string, unknown>>,
  examination: Examination,
): Finding[] {
  const { now, local, alerts } = examination;
  const healthy = check["status"] === "healthy";
  const latency = typeof check["latency_ms"] === "number" ? ` (${check["latency_ms"]} ms)` : "";
  const ok = (what: string): Finding => ({ level: "ok", what });
  const fault = (what: string, advice: string): Finding => ({ level: "fault", what, advice });
  switch (name) {
    case "env":
      return [
        ...(check["ip_allowlist"] === true ? [ALLOWLIST_WARNING] : []),
        healthy ? ok("The settings are complete") : fault(
          `The setting ${check["setting"]} is missing or malformed`,
          local
            ? `Correct ${check["setting"]} in .env (see .env.example) and start again.`
            : `Correct ${
              check["setting"]
            } in .env, which .env.example describes, and bring it there: deno task deploy`,
        ),
      ];
    case "database": {
      if (!healthy && examination.health?.body?.checks?.["env"]?.["status"] !== "healthy") {
        return [];
      }
      if (!healthy) {
        return [fault(
          "The database does not answer",
          "Callers are served, nothing is recorded or kept. Look at the database's state, load and connections. Is SUPABASE_SECRET_KEYS this project's?",
        )];
      }
      const connections = check["connections"] as { used: number; allowed: number } | undefined;
      if (connections !== undefined && connections.used > 0.8 * connections.allowed) {
        return [{
          level: "warning",
          what: `The database uses ${connections.used} of ${connections.allowed} connections`,
          advice: "End idle sessions, or raise the connection limit, before calls find none free.",
        }];
      }
      const slow = typeof check["latency_ms"] === "number" && check["latency_ms"] > 1000;
      return [
        slow
          ? {
            level: "warning",
            what: `The database answers slowly${latency}`,
            advice:
              "Callers wait for it at each step. Look at its load, and at webhook_performance.",
          }
          : ok(`The database answers${latency}`),
      ];
    }
    case "recent_activity":
      // The check of the database reports the cause.
      if (healthy && check["calls_last_hour"] === undefined) return [ok("Calls can be read")];
      return healthy
        ? [ok(
          `${check["calls_last_hour"]} calls in the last hour, ${
            check["active_calls"]
          } now; last event ${ago(check["last_event_at"], now)}`,
        )]
        : [];
    case "rate_limiter":
      return [
        healthy ? ok(`The rate limiter counts${latency}`) : fault(
          "The rate limiter cannot count",
          "The database is read-only, full or locked: look at its disk and at pg_locks.",
        ),
      ];
    case "migrations":
      if (healthy) {
        const version = check["version"] === undefined ? "" : ` (${check["version"] ?? "unknown"})`;
        return [ok(`The database has the migrations${version}`)];
      }
      return [
        check["version"] === undefined
          ? fault(
            "The database's migrations cannot be read, or are not those that the functions need",
            "See the fault of the database; SUPABASE_SECRET_KEYS shows which migration is missing.",
          )
          : fault(
            `The database is at migration ${check["version"]}, the functions need ${
              check["needed"]
            }`,
            local
              ? "Start again: task start applies the migrations."
              : "Apply them: deno task deploy, which does so before it brings the functions that need them.",
          ),
      ];
    case "mail": {
      const missing = check["missing"];
      if (missing === undefined) return [];
      return [
        Array.isArray(missing) && missing.length > 0
          ? {
            level: "warning",
            what: `E-mails are kept and not sent: ${missing.join(", ")} not set`,
            advice: "Set what is missing, as .env.example describes; what is kept is sent then.",
          }
          : ok("E-mails are sent"),
      ];
    }
    case "dialling": {
      const missing = check["missing"];
      if (missing === undefined) return [];
      return [
        Array.isArray(missing) && missing.length > 0
          ? {
            level: "warning",
            what: `No telephone rings for callers who hold or are called back: ${
              missing.join(", ")
            } not set`,
            advice:
              "Set it, as .env.example describes, before a flow with a queue, a call back or a ring of all with confirm answers.",
          }
          : ok("Telephones can be rung for callers who hold"),
      ];
    }
    case "workers":
      if (check["runs"] === undefined) return [];
      return workerFindings(check["runs"] as WorkerRuns, examination);
    case "alerts": {
      // With the secret key each alert is a finding of its own.
      const firing = check["firing"];
      if (alerts !== undefined || !Array.isArray(firing)) return [];
      if (firing.length === 0) return [ok("No alert fires")];
      return [{
        level: "warning",
        what: `Alerts fire: ${firing.join(", ")}`,
        advice: "docs/monitoring.md says what each means; SUPABASE_SECRET_KEYS shows each of them.",
      }];
    }
    default:
      return [
        healthy
          ? ok(`${name}${latency}`)
          : fault(`${name} is not healthy`, "Look at the functions' logs for its reason."),
      ];
  }
}

type WorkerRuns = Readonly<Record<string, { readonly last_ok_at: string | null }>>;

/**
 * Two workers run each minute. notify-worker runs while a mail is due and never on an idle line, so its silence is a fault
 * only when a mail has been due for as long.
 */
function workerFindings(
  runs: WorkerRuns,
  { now, local, mailDueSince }: Examination,
): Finding[] {
  const isOld = (time: string | null | undefined) =>
    !time || now.getTime() - new Date(time).getTime() > SILENT_MINUTES * 60_000;
  const heard = (worker: string) =>
    Object.hasOwn(runs, worker)
      ? `last finished ${ago(runs[worker]!.last_ok_at, now)}`
      : "has not run yet";
  const findings = EACH_MINUTE.map((worker): Finding =>
    isOld(runs[worker]?.last_ok_at)
      ? workerWarning(worker, heard(worker), local)
      : { level: "ok", what: `${worker} ${heard(worker)}` }
  );

  const notify = heard("notify-worker");
  const silent = isOld(runs["notify-worker"]?.last_ok_at);
  if (silent && mailDueSince && isOld(mailDueSince)) {
    const due = `a mail was due ${ago(mailDueSince, now)}`;
    return [...findings, workerWarning("notify-worker", `${notify}; ${due}`, local)];
  }
  const idle = mailDueSince === undefined
    ? "it runs while a mail is due, and SUPABASE_SECRET_KEYS shows whether one is"
    : "no mail is overdue";
  return [
    ...findings,
    { level: "ok", what: `notify-worker ${notify}${silent ? `; ${idle}` : ""}` },
  ];
}

function workerWarning(worker: string, what: string, local: boolean): Finding {
  return {
    level: "warning",
    what: `${worker} ${what}`,
    advice: local
      ? "task start runs it each minute: wait for one, then look at what it prints."
      : "pg_cron runs it with functions_url and scheduler_token from Vault, which deno task deploy stores. See: select * from cron.job_run_details order by start_time desc limit 5.",
  };
}

function databaseFindings(database: DatabaseAnswer | undefined): Finding[] {
  if (database === undefined) return [];
  if ("unreachable" in database) {
    return [{
      level: "warning",
      what: `The database cannot be examined: ${database.unreachable}`,
      advice: "Correct SUPABASE_DB_URL. Schema and schedule were not checked.",
    }];
  }
  return [
    ...driftFindings(database.drift),
    ...vaultFindings(database.vaultLacks),
    ...database.knowsZones ? [] : [STALE_ZONES],
  ];
}

const STALE_ZONES: Finding = {
  level: "warning",
  what:
    "The database's time zones are older than 2026: it opens calendars of British Columbia an hour late in winter",
  advice: "Upgrade the project's PostgreSQL: Project Settings, Infrastructure.",
};

/** How many differences are listed; the others are counted. */
const TOLD = 5;

function driftFindings(drift: readonly string[] | undefined): Finding[] {
  if (drift === undefined) return [];
  if (drift.length === 0) {
    return [{
      level: "ok",
      what: "The database has the tables, functions and rights of this release",
    }];
  }
  const more = drift.length > TOLD ? ` and ${drift.length - TOLD} more` : "";
  return [{
    level: "fault",
    what: `The database differs from this release's migrations: ${
      drift.slice(0, TOLD).join("; ")
    }${more}`,
    advice:
      "It was changed by hand. supabase/schemas has the right definition of each: run that statement in the project's SQL editor.",
  }];
}

function twilioFindings(twilio: TwilioAnswer | undefined): Finding[] {
  if (twilio === undefined) return [];
  const warning = (what: string, advice: string): Finding => ({ level: "warning", what, advice });
  if ("unreachable" in twilio) {
    return [warning(
      `Twilio's account cannot be examined: ${twilio.unreachable}`,
      "Are TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN of the same account?",
    )];
  }
  const findings: Finding[] = [];
  if (twilio.type === "Trial") {
    findings.push({
      level: "fault",
      what: "Twilio's account is a trial",
      advice:
        "It takes calls of verified numbers only, plays its own message first, and ends after 30 days: upgrade it in Twilio's console.",
    });
  }
  if (twilio.approvedProfile === false) {
    findings.push(warning(
      "Twilio's account has no approved customer profile",
      "It may have 2 calls at once, in and out together, and one forwarded caller uses both: create a business profile in Twilio's console (Trust Hub), and wait until it is approved.",
    ));
  }
  const open = twilio.recordings.filter((each) => each.open).map(({ accountSid }) => accountSid);
  if (open.length > 0) {
    findings.push({
      level: "fault",
      what: `Anybody who has a recording's address can hear it: ${open.join(", ")}`,
      advice:
        "In Twilio's console of each account: Voice, Settings, General, Enforce HTTP Auth on Media URLs.",
    });
  } else if (twilio.recordings.length > 0) {
    findings.push({ level: "ok", what: "Recordings need credentials" });
  } else {
    findings.push({
      level: "ok",
      what: "Twilio has no recording yet to check the protection of recordings with",
    });
  }
  return findings;
}

function vaultFindings(lacks: readonly string[] | undefined): Finding[] {
  if (lacks === undefined) return [];
  if (lacks.length === 0) return [{ level: "ok", what: "The schedule finds the functions" }];
  return [{
    level: "warning",
    what: `Vault lacks ${lacks.join(" and ")}: the scheduled workers do not run`,
    advice: "deno task deploy sets what is missing.",
  }];
}

function signatureFinding(unsigned: number | undefined): Finding {
  if (unsigned === 401) return { level: "ok", what: "A request that Twilio did not sign gets 401" };
  if (unsigned === undefined || unsigned >= 500) {
    return {
      level: "fault",
      what: `voice-action ${unsigned === undefined ? "does not answer" : `answers ${unsigned}`}`,
      advice:
        "Webhooks are not served. Look at the function's logs: a setting that it needs may be missing.",
    };
  }
  return {
    level: "fault",
    what: `A request that Twilio did not sign gets ${unsigned}, not 401`,
    advice: unsigned === 404
      ? "The webhooks are not there: deno task deploy"
      : "Anybody can play Twilio: set ALLOW_INSECURE_TWILIO_WEBHOOKS=false and NODE_ENV=production.",
  };
}

function alertFinding({ alert, severity, summary, measured, action }: AlertRow): Finding {
  return {
    level: severity === "critical" ? "fault" : "warning",
    what: `${summary}: ${measured}`,
    advice: `${action} See docs/runbook.md#${alert}.`,
  };
}

function ago(time: unknown, now: Date): string {
  if (typeof time !== "string") return "never";
  const seconds = Math.max(0, Math.round((now.getTime() - new Date(time).getTime()) / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}
