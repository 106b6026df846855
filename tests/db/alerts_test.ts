import { assertEquals } from "@std/assert/equals.js";
import postgres, { type TransactionSql } from "postgres";
import { attemptsOf } from "../../supabase/functions/_shared/campaigns/retry.ts";
import { createTestDatabase, databaseTests } from "../support/database.ts";
import { newCallSid, recordingSid } from "../support/events.ts";

// Each alert at its threshold, one past it, and back. Time is moved in the rows.

const db = await createTestDatabase();
Deno.test.afterAll(() => db.drop());

type Sql = TransactionSql;
class Undo extends Error {}

/** Runs in a transaction that leaves nothing. */
async function undone(run: (sql: Sql) => Promise<void>): Promise<void> {
  try {
    await db.sql.begin(async (sql) => {
      await run(sql);
      throw new Undo();
    });
  } catch (error) {
    if (!(error instanceof Undo)) throw error;
  }
}

async function status(sql: Sql, alert: string): Promise<{ value: number | null; firing: boolean }> {
  const [row] = await sql`select value, firing from alert_status where alert = ${alert}`;
  return { value: row!.value === null ? null : Number(row!.value), firing: row!.firing };
}

let recordings = 0;
async function calls(
  sql: Sql,
  count: number,
  kind: { connected?: boolean; voicemail?: boolean; seconds?: number } = {},
): Promise<void> {
  for (let i = 0; i < count; i++) {
    if (kind.voicemail) {
      await sql`insert into recordings (recording_sid, call_sid, leg_sid, source, recorded_at)
        values (${
        recordingSid(recordings + 1)
      }, ${newCallSid()}, ${newCallSid()}, 'voicemail', now())`;
    }
    await sql`
      insert into call_logs (call_sid, status, started_at, connected_at, ended_at, duration_sec, recording_sid,
        recording_source, recorded_at)
      values (${newCallSid()}, 'completed', now() - interval '20 minutes',
        ${kind.connected ? sql`now() - interval '20 minutes'` : null}, now(), ${kind.seconds ?? 60},
        ${kind.voicemail ? recordingSid(++recordings) : null}, ${
      kind.voicemail ? "voicemail" : null
    },
        ${kind.voicemail ? sql`now()` : null})`;
  }
}

/** A predictive campaign, begun an hour ago. */
const campaign = (sql: Sql, state: string) =>
  sql`
    insert into campaigns (name, mode, flow, state, calls_per_second, max_concurrent, attempts, machine, consent, running_since)
    values ('Offers', 'predictive', 'main', ${state}, 10, 100, ${
    sql.json(attemptsOf() as never)
  }, 'hang_up', 'express_written', now() - interval '1 hour')`;

/** How so many of its dials have ended, so many days ago. */
const answers = (sql: Sql, count: number, result: string, rules = "US", days = 0) =>
  sql`
    insert into campaign_dials (campaign_id, owner, number_hash, line, rules, region, zones, consent, dialled_at, ended_at, result)
    select c.id, c.owner, '', '+12125559999', ${rules}, 'NY', '{America/New_York}', c.consent, d.at, d.at, ${result}
    from campaigns as c, generate_series(1, ${count}), (select now() - make_interval(days => ${days}) as at) as d`;

interface Counts {
  requests: number;
  errors?: number;
  database_failures?: number;
  /** Requests of more than 2 s. */
  slow?: number;
}

/** What was measured in the minute before this one, and nothing else. */
async function measured(
  sql: Sql,
  { requests, errors = 0, database_failures = 0, slow = 0 }: Counts,
) {
  await sql`delete from function_metrics`;
  const quick = requests - slow;
  await sql`
    insert into function_metrics (minute, function, requests, errors, database_failures, refused, total_ms, database_ms,
      max_ms, le_50, le_100, le_250, le_500, le_1000, le_2000, le_5000)
    values (date_trunc('minute', now()) - interval '1 minute', 'voice-status', ${requests}, ${errors},
      ${database_failures}, 0, 0, 0, 0, 0, 0, 0, 0, ${0}, ${quick}, ${requests})`;
}

const later = (minutes: number) => (sql: Sql) =>
  sql`update function_metrics set minute = minute - make_interval(mins => ${minutes})`;

/** As if it had been quiet so many minutes longer. */
const quietFor = (sql: Sql, minutes: number) =>
  sql`update alert_episodes set quiet_since = quiet_since - make_interval(mins => ${minutes})`;

interface Case {
  /** Up to the threshold, and not past it. */
  at(sql: Sql): Promise<unknown>;
  value: number;
  /** One more. */
  past(sql: Sql): Promise<unknown>;
  over: number;
  /** And over. */
  back(sql: Sql): Promise<unknown>;
}

const CASES: Record<string, Case> = {
  system_unhealthy: {
    at: (sql) =>
      sql`insert into health_checks (checked_at, healthy, failing)
        values (now() - interval '7 minutes', true, '{}'), (now() - interval '285 seconds', false, '{database}'),
          (now(), false, '{database}')`,
    value: 4.75,
    past: (sql) =>
      sql`update health_checks set checked_at = now() - interval '5 minutes' where checked_at = now() - interval '285 seconds'`,
    over: 5,
    back: (sql) => sql`insert into health_checks (healthy) values (true)`,
  },
  call_concurrency: {
    at: (sql) => sql`insert into health_checks (healthy, refused_calls) values (true, 0)`,
    value: 0,
    past: (sql) => sql`update health_checks set refused_calls = 3`,
    over: 3,
    // Twilio's next answer; and where it gives none, what was known stays true for a while.
    back: (sql) =>
      sql`insert into health_checks (checked_at, healthy, refused_calls)
        values (now() + interval '1 minute', true, 0), (now() + interval '2 minutes', true, null)`,
  },
  call_success_rate: {
    at: async (sql) => {
      await calls(sql, 18, { connected: true });
      await calls(sql, 2);
    },
    value: 90,
    past: (sql) => calls(sql, 1),
    over: 85.71,
    back: (sql) => sql`update call_logs set started_at = now() - interval '31 minutes'`,
  },
  function_errors: {
    at: (sql) => measured(sql, { requests: 1000, errors: 5 }),
    value: 5,
    past: (sql) => measured(sql, { requests: 1000, errors: 6 }),
    over: 6,
    back: later(3),
  },
  database_failures: {
    at: (sql) => measured(sql, { requests: 10 }),
    value: 0,
    past: (sql) => measured(sql, { requests: 10, errors: 1, database_failures: 1 }),
    over: 1,
    back: later(6),
  },
  tenant_lookups: {
    at: (sql) =>
      sql`select record_analytics_event('tenancy', 'error'), record_analytics_event('tenant_x', 'info')`,
    value: 0,
    past: (sql) => sql`select record_analytics_event('tenant_lookup_failed', 'error')`,
    over: 1,
    back: (sql) => sql`update analytics_events set created_at = now() - interval '11 minutes'`,
  },
  error_rate: {
    at: (sql) => measured(sql, { requests: 20, errors: 1 }),
    value: 5,
    past: (sql) => measured(sql, { requests: 20, errors: 2 }),
    over: 10,
    back: later(6),
  },
  response_time: {
    at: (sql) => measured(sql, { requests: 100, slow: 5 }),
    value: 2,
    past: (sql) => measured(sql, { requests: 100, slow: 10 }),
    over: 3.5,
    back: later(3),
  },
  voicemail_backlog: {
    at: (sql) => calls(sql, 10, { voicemail: true }),
    value: 10,
    past: (sql) => calls(sql, 1, { voicemail: true }),
    over: 11,
    back: (sql) => sql`update recordings set handled_at = now()`,
  },
  rate_limit_violations: {
    at: (sql) =>
      sql`insert into rate_limit_refusals values ('voice-frontdoor', 'caller', '+15550000001', date_trunc('minute', now()), 50, now())`,
    value: 50,
    past: (sql) => sql`update rate_limit_refusals set refusals = 51`,
    over: 51,
    back: (sql) => sql`update rate_limit_refusals set minute = minute - interval '1 hour'`,
  },
  mail_ceiling: {
    // What one visitor may send is no ceiling.
    at: (sql) =>
      sql`insert into rate_limit_refusals values ('contact-submit', 'network', 'hash', date_trunc('minute', now()), 50, now())`,
    value: 0,
    past: (sql) =>
      sql`select record_rate_limit_refusal(endpoint, 'everyone', 'all')
        from unnest(array['contact-submit', 'contact-auto-reply', 'notify-worker']) as endpoint`,
    over: 3,
    back: (sql) => sql`update rate_limit_refusals set minute = minute - interval '1 hour'`,
  },
  jobs_dead: {
    at: (sql) =>
      sql`insert into jobs (kind, key, status, ended_at)
        values ('mail_alert', 'long ago', 'dead', now() - interval '61 minutes')`,
    value: 0,
    past: (sql) =>
      sql`insert into jobs (kind, key, status, ended_at) values ('mail_alert', 'now', 'dead', now())`,
    over: 1,
    back: (sql) => sql`select retry_dead_jobs()`,
  },
  dialled_minutes: {
    at: (sql) =>
      sql`insert into dialled_time (line, day, seconds, open, ceiling_sec, leg_sec)
        select '+1587555010' || n, (now() at time zone 'UTC')::date - (n - 1), 700 * n, 2, 1000, 50 from generate_series(1, 2) as n`,
    value: 80,
    // A conversation more, though none has ended.
    past: (sql) => sql`update dialled_time set open = open + 1`,
    over: 85,
    back: (sql) => sql`update dialled_time set day = day - 1`,
  },
  onboarding_stuck: {
    at: (sql) =>
      sql`insert into telephony_transactions (transaction_type, org_id, status, started_at)
        values ('onboard', gen_random_uuid(), 'in_progress', now() - interval '1 hour')`,
    value: 0,
    past: (sql) =>
      sql`update telephony_transactions set started_at = started_at - interval '1 second'`,
    over: 1,
    back: (sql) =>
      sql`update telephony_transactions set status = 'completed', completed_at = now()`,
  },
  failed_transactions: {
    at: (sql) =>
      sql`insert into telephony_transactions (transaction_type, org_id, status, started_at, completed_at)
        select 'onboard', gen_random_uuid(), 'rolled_back', now() - interval '1 minute', now() from generate_series(1, 5)`,
    value: 5,
    past: (sql) =>
      sql`insert into telephony_transactions (transaction_type, org_id, status, started_at, completed_at)
        values ('onboard', gen_random_uuid(), 'failed', now() - interval '1 minute', now())`,
    over: 6,
    back: (sql) =>
      sql`update telephony_transactions set started_at = now() - interval '2 hours', completed_at = now() - interval '61 minutes'`,
  },
  agent_providers: {
    at: (sql) => sql`insert into agent_providers (provider, failures) values ('openai', 4)`,
    value: 0,
    past: (sql) => sql`update agent_providers set rests_until = now() + interval '1 minute'`,
    over: 1,
    back: (sql) => sql`update agent_providers set rests_until = now() - interval '1 second'`,
  },
  agent_talks: {
    at: (sql) =>
      sql`
        insert into agent_sessions (session_id, call_sid, node, language, ended_at, outcome)
        select 'VX' || lpad(n::text, 32, '0'), 'CA' || lpad(n::text, 32, '0'), 'desk', 'en-US', now(),
          (array['failed', 'failed', 'done', 'message', 'resume'])[n]
        from generate_series(1, 5) as n`,
    value: 50,
    past: (sql) => sql`update agent_sessions set outcome = 'failed' where outcome = 'message'`,
    over: 75,
    back: (sql) => sql`update agent_sessions set ended_at = now() - interval '61 minutes'`,
  },
  agent_handoffs: {
    at: async (sql) => {
      await calls(sql, 4);
      await calls(sql, 4, { connected: true });
      await sql`
        insert into agent_sessions (session_id, call_sid, node, language, ended_at, outcome)
        select 'VX' || lpad(row_number() over ()::text, 32, '0'), call_sid, 'desk', 'en-US', now(), 'departments.sales'
        from call_logs`;
    },
    value: 50,
    past: (sql) =>
      sql`delete from agent_sessions where session_id = (
        select s.session_id from agent_sessions as s join call_logs as c on c.call_sid = s.call_sid
        where c.connected_at is not null limit 1)`,
    over: 57.14,
    back: (sql) => sql`update agent_sessions set outcome = 'done'`,
  },
  campaign_paused: {
    at: (sql) => campaign(sql, "paused"),
    value: 0,
    past: (sql) => sql`update campaigns set paused_because = 'failures'`,
    over: 1,
    back: (sql) => sql`update campaigns set state = 'running', paused_because = null`,
  },
  campaign_abandonment: {
    at: async (sql) => {
      await campaign(sql, "running");
      await answers(sql, 97, "answered");
      await answers(sql, 3, "abandoned");
      // Rules with another bound, and more than 30 days ago.
      await answers(sql, 9, "abandoned", "CA");
      await answers(sql, 9, "abandoned", "US", 31);
    },
    value: 3,
    past: (sql) => answers(sql, 1, "abandoned", "UK"),
    over: 3.96,
    back: (sql) => sql`update campaigns set state = 'done'`,
  },
  campaign_dialler_late: {
    at: async (sql) => {
      await campaign(sql, "running");
      await sql`select record_worker_run('campaign-dialler')`;
      await sql`update worker_runs set last_ok_at = now() - interval '2 minutes'`;
    },
    value: 2,
    past: (sql) => sql`update worker_runs set last_ok_at = now() - interval '3 minutes'`,
    over: 3,
    back: (sql) => sql`select record_worker_run('campaign-dialler')`,
  },
  calls_unsettled: {
    at: async (sql) => {
      await calls(sql, 21);
      await sql`update call_logs set ended_at = now() - interval '61 minutes', started_at = now() - interval '3 hours'
        where call_sid in (select call_sid from call_logs where incomplete limit 20)`;
    },
    value: 20,
    past: (sql) =>
      sql`update call_logs set ended_at = now() - interval '61 minutes', started_at = now() - interval '3 hours'`,
    over: 21,
    back: (sql) => sql`update call_logs set settled = true`,
  },
  recordings_undeleted: {
    at: (sql) =>
      sql`insert into jobs (kind, key, created_at)
        values ('twilio_deletion', ${recordingSid(1)}, now() - interval '1 day')`,
    value: 0,
    past: (sql) =>
      sql`insert into jobs (kind, key, created_at)
        select 'twilio_deletion', 'RE' || lpad(n::text, 32, '0'), now() - interval '24 hours 1 second' from generate_series(2, 3) as n`,
    over: 2,
    back: (sql) => sql`delete from jobs where created_at < now() - interval '1 day'`,
  },
  average_call_duration: {
    at: (sql) => calls(sql, 20, { connected: true, seconds: 900 }),
    value: 15,
    past: (sql) => calls(sql, 20, { connected: true, seconds: 960 }),
    over: 15.5,
    back: (sql) => sql`update call_logs set started_at = now() - interval '61 minutes'`,
  },
};

for (const [alert, { at, value, past, over, back }] of Object.entries(CASES)) {
  Deno.test(`${alert} is silent at its threshold, fires past it, and recovers`, () =>
    undone(async (sql) => {
      const changes = async () =>
        (await sql`select alert, transition from evaluate_alerts()`)
          .filter((change) => change.alert === alert).map(({ transition }) => transition);
      await at(sql);
      assertEquals(await status(sql, alert), { value, firing: false });
      assertEquals(await changes(), []);
      await past(sql);
      assertEquals(await status(sql, alert), { value: over, firing: true });
      assertEquals(await changes(), ["fired"]);
      assertEquals(await changes(), []);
      await back(sql);
      assertEquals((await status(sql, alert)).firing, false);
      assertEquals(await changes(), []);
      await quietFor(sql, 10);
      assertEquals(await changes(), ["recovered"]);
      assertEquals(await changes(), []);
      const [episode] =
        await sql`select opened_value::float, closed_at from alert_episodes where alert = ${alert}`;
      assertEquals([episode!.opened_value, episode!.closed_at !== null], [over, true]);
    }));
}

Deno.test("database_connections fires above the share of connections that it is set to", () =>
  undone(async (sql) => {
    const set = (threshold: number) =>
      sql`update alert_rules set threshold = ${threshold} where alert = 'database_connections'`;
    await set(100);
    assertEquals((await status(sql, "database_connections")).firing, false);
    await set(0);
    const { value, firing } = await status(sql, "database_connections");
    assertEquals([value! > 0, firing], [true, true]);
  }));

Deno.test("every alert of the list has a test", async () => {
  const rules = await db.sql`select alert from alert_rules`;
  const tested = new Set([...Object.keys(CASES), "database_connections"]);
  assertEquals(rules.map(({ alert }) => alert).filter((alert) => !tested.has(alert)), []);
  assertEquals(rules.length, tested.size);
});

Deno.test("with too little to judge by, a rate is null and does not fire", () =>
  undone(async (sql) => {
    // A newcomer's trial calls: each hung up, and each long.
    await calls(sql, 19, { seconds: 3600 });
    await measured(sql, { requests: 19, errors: 5, slow: 19 });
    const rates = ["average_call_duration", "call_success_rate", "error_rate", "response_time"];
    for (const alert of rates) {
      assertEquals(await status(sql, alert), { value: null, firing: false }, alert);
    }
    assertEquals([...await sql`select alert from alert_status where firing`], []);
    await calls(sql, 1, { seconds: 3600 });
    await measured(sql, { requests: 20, errors: 5, slow: 20 });
    const firing = await sql`select alert from alert_status where firing order by 1`;
    assertEquals(firing.map(({ alert }) => alert), rates);
  }));

Deno.test("each alert says its value, its unit and what it should be", () =>
  undone(async (sql) => {
    const words = async (...args: [number | null, string, string, number]) => {
      const [value, unit, comparison, threshold] = args;
      const [row] = await sql`
        select alert_measured(${value}::numeric, ${unit}, ${comparison}, ${threshold}) as it`;
      return row!.it;
    };
    assertEquals(await words(81.25, "%", "below", 90), "81.25 %, should be at least 90 %");
    assertEquals(await words(81, "%", "below", 90), "81 %, should be at least 90 %");
    assertEquals(
      await words(11, "messages", "above", 10),
      "11 messages, should be at most 10 messages",
    );
    assertEquals(
      await words(1, "errors a minute", "above", 0),
      "1 error a minute, should be at most 0 errors a minute",
    );
    assertEquals(
      await words(6.5, "minutes", "at_least", 5),
      "6.5 minutes, should be less than 5 minutes",
    );
    assertEquals(
      await words(null, "%", "below", 90),
      "too little to judge by, should be at least 90 %",
    );
    await calls(sql, 17, { connected: true });
    await calls(sql, 3);
    const [row] = await sql`
      select summary, measured from alert_status where alert = 'call_success_rate'`;
    assertEquals(
      `${row!.summary}: ${row!.measured}`,
      "Too few callers reach a person or voicemail: 85 %, should be at least 90 %",
    );
  }));

Deno.test("an empty database fires nothing", () =>
  undone(async (sql) => {
    assertEquals([...await sql`select alert from alert_status where firing`], []);
  }));

Deno.test("an old health check has no value", () =>
  undone(async (sql) => {
    await sql`insert into health_checks (checked_at, healthy) values (now() - interval '9 minutes', false)`;
    assertEquals(await status(sql, "system_unhealthy"), { value: null, firing: false });
  }));

/** Evaluates, as alert-dispatch does each minute. @returns the transitions. */
async function evaluate(sql: Sql, errors: number): Promise<string[]> {
  await measured(sql, { requests: 1000, errors });
  return (await sql`select transition from evaluate_alerts('{alert_slack,mail_alert}')`)
    .map(({ transition }) => transition);
}

const told = async (sql: Sql, kind: string) =>
  (await sql`select payload ->> 'transition' as it from jobs where kind = ${kind} order by id`)
    .map(({ it }) => it as string);

const messages = async (sql: Sql) => ({
  slack: await told(sql, "alert_slack"),
  mails: await told(sql, "mail_alert"),
});

Deno.test("an alert that fires again after its dwell is another episode", () =>
  undone(async (sql) => {
    const transitions: string[] = [];
    for (const errors of [9, 0, 9, 0]) {
      transitions.push(...await evaluate(sql, errors));
      if (errors === 0) {
        await quietFor(sql, 10);
        transitions.push(...await evaluate(sql, errors));
      }
    }
    const expected = ["fired", "recovered", "fired", "recovered"];
    assertEquals(transitions, expected);
    assertEquals(await messages(sql), { slack: expected, mails: expected });
    assertEquals((await sql`select from alert_history`).length, 2);
  }));

Deno.test("a value that goes to and fro around its threshold for 20 runs is one message, and one for its end", () =>
  undone(async (sql) => {
    for (let run = 0; run < 20; run++) {
      await evaluate(sql, run % 2 === 0 ? 9 : 0);
      await quietFor(sql, 1);
    }
    assertEquals(await messages(sql), { slack: ["fired"], mails: ["fired"] });
    for (let run = 0; run < 10; run++) {
      await evaluate(sql, 0);
      await quietFor(sql, 1);
    }
    const told = ["fired", "recovered"];
    assertEquals(await messages(sql), { slack: told, mails: told });
  }));

Deno.test("at most three firings of an alert are sent in an hour, with their recoveries; a fourth waits", () =>
  undone(async (sql) => {
    const again = async () => {
      await evaluate(sql, 9);
      await evaluate(sql, 0);
      await quietFor(sql, 10);
      await evaluate(sql, 0);
    };
    for (let episode = 0; episode < 5; episode++) await again();
    const told = Array(3).fill(["fired", "recovered"]).flat();
    assertEquals(await messages(sql), { slack: told, mails: told });
    assertEquals((await sql`select from alert_history`).length, 5);
    // It fires on, untold; an hour after the first, somebody hears of it, and of its end.
    await evaluate(sql, 9);
    assertEquals((await messages(sql)).slack, told);
    await sql`update alert_episodes set told_at = told_at - interval '1 hour'`;
    await evaluate(sql, 9);
    assertEquals((await messages(sql)).slack, [...told, "fired"]);
    await evaluate(sql, 0);
    await quietFor(sql, 10);
    await evaluate(sql, 0);
    assertEquals((await messages(sql)).slack, [...told, "fired", "recovered"]);
    // Another alert has an hour of its own.
    await calls(sql, 11, { voicemail: true });
    assertEquals(await evaluate(sql, 0), ["fired"]);
    assertEquals((await messages(sql)).slack.length, told.length + 3);
  }));

Deno.test("an operator may set how long an alert has to be quiet", () =>
  undone(async (sql) => {
    await sql`set local role service_role`;
    await sql`update alert_rules set close_after_minutes = 0 where alert = 'function_errors'`;
    await sql`reset role`;
    assertEquals(await evaluate(sql, 9), ["fired"]);
    assertEquals(await evaluate(sql, 0), ["recovered"]);
  }));

databaseTests("alerts")(
  "ten evaluations at once open one episode, and enqueue one message for each channel",
  async (db) => {
    await db.sql`
    insert into rate_limit_refusals values ('voice-frontdoor', 'caller', '+15550000002', date_trunc('minute', now()), 60, now())`;
    const connections = Array.from({ length: 10 }, () => postgres(db.url, { max: 1 }));
    const runs = await Promise.all(connections.map(async (sql) => {
      const [row] = await sql`
      select run_alerts(true, '{}', '{alert_slack,alert_pagerduty,mail_alert}') as run`;
      return row!.run as { changed: unknown[] };
    }));
    await Promise.all(connections.map((sql) => sql.end()));
    assertEquals(runs.flatMap(({ changed }) => changed).length, 1);
    const owed = await db.sql`select kind, payload ->> 'alert' as alert from jobs order by 1`;
    // A warning: no pager.
    assertEquals(owed.map(({ kind, alert }) => [kind, alert]), [
      ["alert_slack", "rate_limit_violations"],
      ["mail_alert", "rate_limit_violations"],
    ]);
    const undelivered = async () =>
      (await db.sql`select undelivered::int from alert_history`).map((row) => row.undelivered);
    assertEquals(await undelivered(), [2]);
    await db.sql`select job_done(id, lease) from claim_jobs('{alert_slack}', 1)`;
    assertEquals(await undelivered(), [1]);
  },
);
