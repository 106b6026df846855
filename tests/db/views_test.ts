import { assertEquals } from "@std/assert/equals.js";
import { createTestDatabase } from "../support/database.ts";
import { newCallSid, recordingSid } from "../support/events.ts";

// Calls of known outcome, written as the fold would leave them, and the numbers that every view must show.

const db = await createTestDatabase();
Deno.test.afterAll(() => db.drop());

interface Outcome {
  count: number;
  mode: string;
  status: string;
  consent: boolean | null;
  connected?: boolean;
  voicemail?: boolean;
  limited?: boolean;
  seconds: number | null;
}

const OUTCOMES: Outcome[] = [
  { count: 6, mode: "sales", status: "completed", consent: true, connected: true, seconds: 100 },
  { count: 3, mode: "support", status: "completed", consent: false, voicemail: true, seconds: 40 },
  { count: 2, mode: "voicemail", status: "completed", consent: true, voicemail: true, seconds: 30 },
  { count: 4, mode: "menu", status: "completed", consent: null, seconds: 5 },
  { count: 1, mode: "menu", status: "failed", consent: null, seconds: null },
  { count: 2, mode: "menu", status: "completed", consent: null, limited: true, seconds: 3 },
  { count: 2, mode: "sales", status: "in-progress", consent: true, seconds: null },
];

let recordings = 0;
for (const outcome of OUTCOMES) {
  for (let i = 0; i < outcome.count; i++) {
    const ended = outcome.status !== "in-progress";
    await db.sql`
      insert into call_logs (call_sid, from_e164, to_e164, mode, status, consent_given, consent_order,
        started_at, connected_at, ended_at, duration_sec, recording_sid, recording_source, recording_url, recorded_at, rate_limited)
      values (${newCallSid()}, '+15551234567', '+15877428885', ${outcome.mode}, ${outcome.status},
        ${outcome.consent}, ${outcome.consent === null ? 0 : 1}, now() - interval '10 minutes',
        ${outcome.connected ? db.sql`now() - interval '9 minutes'` : null},
        ${ended ? db.sql`now() - interval '5 minutes'` : null}, ${outcome.seconds},
        ${outcome.voicemail ? recordingSid(++recordings) : null}, ${
      outcome.voicemail ? "voicemail" : null
    },
        ${outcome.voicemail ? "https://api.twilio.com/r" : null},
        ${outcome.voicemail ? db.sql`now() - interval '90 minutes'` : null}, ${
      outcome.limited ?? false
    })`;
  }
}
await db.sql`
  insert into recordings (recording_sid, call_sid, leg_sid, source, url, recorded_at)
  select recording_sid, call_sid, call_sid, recording_source, recording_url, recorded_at from call_logs
  where recording_sid is not null`;
// An hour and more ago: in the views of 24 h only.
await db.sql`
  insert into call_logs (call_sid, status, started_at, ended_at, duration_sec, mode)
  values (${newCallSid()}, 'completed', now() - interval '3 hours', now() - interval '3 hours', 20, 'menu')`;

Deno.test("success is what the caller got: a person or a voicemail, out of the calls that ended", async () => {
  const [hour] = await db.sql`select * from call_success_metrics`;
  assertEquals({ ...hour }, {
    total_calls: "20",
    active_calls: "2",
    completed_calls: "11",
    failed_calls: "5",
    abandoned_calls: "4",
    rate_limited_calls: "2",
    success_rate_pct: "68.75",
    // (6 * 100 + 3 * 40 + 2 * 30 + 4 * 5) / 15
    avg_call_duration_sec: "53.3",
  });
  const [day] = await db.sql`select total_calls, failed_calls from call_success_metrics_24h`;
  assertEquals({ ...day }, { total_calls: "21", failed_calls: "6" });
});

Deno.test("a rate without calls is null, not a hundred or nought", async () => {
  const empty = await createTestDatabase();
  try {
    const [row] = await empty.sql`select total_calls, success_rate_pct from call_success_metrics`;
    assertEquals({ ...row }, { total_calls: "0", success_rate_pct: null });
    const [consent] = await empty.sql`select opt_out_rate_pct from consent_metrics`;
    assertEquals(consent!.opt_out_rate_pct, null);
  } finally {
    await empty.drop();
  }
});

Deno.test("active calls are those whose end has not been reported", async () => {
  const rows = await db
    .sql`select status, mode, duration_seconds >= 600 as ten_minutes from active_calls`;
  assertEquals(rows.map((row) => ({ ...row })), [
    { status: "in-progress", mode: "sales", ten_minutes: true },
    { status: "in-progress", mode: "sales", ten_minutes: true },
  ]);
});

Deno.test("the hourly volume splits calls by choice and by outcome", async () => {
  const [sum] = await db.sql`
    select sum(total_calls)::int as total, sum(sales_calls)::int as sales, sum(support_calls)::int as support,
      sum(voicemail_calls)::int as voicemail, sum(completed_calls)::int as completed, sum(failed_calls)::int as failed
    from call_volume_hourly`;
  assertEquals({ ...sum }, {
    total: 21,
    sales: 8,
    support: 3,
    voicemail: 2,
    completed: 11,
    failed: 6,
  });
});

Deno.test("the consent rate is out of the calls that decided", async () => {
  const [row] = await db.sql`select * from consent_metrics`;
  assertEquals({ ...row }, {
    total_calls: "21",
    consented_calls: "10",
    opted_out_calls: "3",
    opt_out_rate_pct: "23.08",
  });
});

Deno.test("a voicemail leaves the backlog once it is marked as handled", async () => {
  const before = await db.sql`select recording_sid, hours_old from voicemail_backlog`;
  assertEquals(before.length, 5);
  assertEquals(before[0]!.hours_old, "1.50");
  await db.sql`update recordings set handled_at = now() where recording_sid = ${
    before[0]!.recording_sid
  }`;
  assertEquals((await db.sql`select from voicemail_backlog`).length, 4);
});

Deno.test("recent errors are the errors of the last day, and nothing milder", async () => {
  for (const severity of ["info", "warning", "error", "critical"]) {
    await db.sql`select record_analytics_event(${
      "test_" + severity
    }, ${severity}, '{"function": "voice-status"}')`;
  }
  await db
    .sql`insert into analytics_events (event_type, severity, created_at) values ('old', 'error', now() - interval '2 days')`;
  const rows = await db.sql`select event_type from recent_errors`;
  assertEquals(rows.map(({ event_type }) => event_type), ["test_critical", "test_error"]);
});

Deno.test("onboarding that failed is shown with what had been done", async () => {
  await db.sql`
    insert into telephony_transactions (transaction_type, org_id, status, steps_completed, error_message, started_at, completed_at)
    values ('onboard', gen_random_uuid(), 'rolled_back', '["subaccount"]', 'no number in that area', now() - interval '5 seconds', now()),
           ('onboard', gen_random_uuid(), 'completed', '["subaccount", "number"]', null, now(), now())`;
  const rows = await db
    .sql`select error_message, steps_completed, duration_seconds from failed_transactions`;
  assertEquals(rows.map((row) => ({ ...row })), [
    {
      error_message: "no number in that area",
      steps_completed: ["subaccount"],
      duration_seconds: "5.000",
    },
  ]);
});
