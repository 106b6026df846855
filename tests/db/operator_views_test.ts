import { assertEquals } from "@std/assert/equals.js";
import type { VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import type { CallStatus } from "../../supabase/functions/_shared/calls/webhook_form.ts";
import { cases } from "../support/cases.ts";
import { createTestDatabase } from "../support/database.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";

// A thousand calls of known outcome, told event by event as the functions tell them, and the numbers that every
// view must show of them.

const db = await createTestDatabase();
Deno.test.afterAll(() => db.drop());

const BASE = Date.now() - 10 * 60_000;
const at = (seconds: number) => new Date(BASE + seconds * 1000).toISOString();
let recordings = 0;

type Told = Partial<VoiceEvent> & Pick<VoiceEvent, "event">;

const arrived: Told = { event: "arrived", occurred_at: at(0) };
const consent = (given: boolean, mode?: string): Told => ({
  operation: "voice-consent-speech",
  event: "consent",
  occurred_at: at(4),
  call_status: "in-progress",
  consent_given: given,
  consent_order: given ? 1 : 5,
  ...(mode !== undefined && { mode, mode_turn: 1 }),
});
const LEG = {
  leg_sid: "CA" + "f".repeat(32),
  parent_call_sid: "CA" + "0".repeat(32),
  leg_node: "sales",
};
/** A leg that the call dialled: it rings from second 5 on. */
const leg = (leg_status: CallStatus, seconds: number, talk_sec?: number): Told => ({
  operation: "voice-status",
  event: "leg_status",
  ...LEG,
  leg_status,
  occurred_at: at(seconds),
  call_status: undefined,
  from_e164: undefined,
  to_e164: undefined,
  talk_sec,
});
const dialEnded = (leg_status: CallStatus, seconds: number): Told => ({
  operation: "voice-route-action",
  event: "dial_ended",
  ...LEG,
  leg_status,
  occurred_at: at(seconds),
  call_status: "in-progress",
});
const message = (seconds: number): Told => ({
  operation: "voice-voicemail",
  event: "voicemail_recorded",
  occurred_at: at(seconds),
  call_status: "in-progress",
  recording_sid: recordingSid(++recordings),
  recording_source: "voicemail",
  recording_url: "https://api.twilio.com/r",
});
const silence: Told = {
  event: "voicemail_recorded",
  occurred_at: at(20),
  call_status: "in-progress",
};
const ended = (duration_sec: number): Told => ({
  operation: "voice-status",
  event: "status",
  occurred_at: at(duration_sec),
  call_status: "completed",
  duration_sec,
});

const KINDS: [count: number, () => Told[]][] = [
  // Reaches sales after 10 s of ringing.
  [400, () => [
    arrived,
    consent(true, "sales"),
    leg("initiated", 5),
    leg("ringing", 6),
    leg("in-progress", 15, 0),
    dialEnded("completed", 75),
    ended(80),
  ]],
  // Support does not answer; leaves a message.
  [150, () => [
    arrived,
    consent(false, "support"),
    leg("initiated", 5),
    leg("no-answer", 35),
    dialEnded("no-answer", 36),
    message(55),
    ended(60),
  ]],
  [100, () => [arrived, consent(true, "voicemail"), message(35), ended(40)]],
  // Gone while greeted, in the menu, while it rings, at the beep.
  [120, () => [arrived, ended(5)]],
  [60, () => [arrived, consent(true), ended(20)]],
  [50, () => [
    arrived,
    consent(true, "sales"),
    leg("initiated", 5),
    dialEnded("canceled", 24),
    ended(25),
  ]],
  [40, () => [arrived, consent(true, "voicemail"), silence, ended(30)]],
  [30, () => [
    arrived,
    { ...ended(0), call_status: "failed", duration_sec: undefined, occurred_at: at(1) },
  ]],
  [20, () => [
    {
      ...arrived,
      rate_limited: true,
      limits: [{
        identifier_type: "caller" as const,
        identifier: "+15550009999",
        max: 10,
        window_sec: 60,
      }],
    },
    ended(3),
  ]],
  [30, () => [arrived, consent(true, "support")]],
];

const events = KINDS.flatMap(([count, tell]) =>
  Array.from({ length: count }, () => {
    const sid = newCallSid();
    return tell().map((told, i) =>
      voiceEvent(sid, {
        ...told,
        identity: `event-${i}`,
        ...(told.parent_call_sid !== undefined && { parent_call_sid: sid }),
      })
    );
  })
).flat();
for (let from = 0; from < events.length; from += 500) {
  await db.sql`
    select public.accept_voice_event(e)
    from jsonb_array_elements(${db.sql.json(events.slice(from, from + 500) as never)}) as e`;
}

/** Every row, with counts as numbers. */
async function rows(query: string): Promise<Record<string, unknown>[]> {
  const [row] = await db.sql.unsafe(
    `select coalesce(jsonb_agg(q), '[]') as rows from (${query}) as q`,
  );
  return row!.rows;
}

Deno.test("the funnel counts how far each of a thousand calls came", async () => {
  assertEquals(await rows("select stage, calls, pct_of_arrived from call_funnel"), [
    { stage: "arrived", calls: 1000, pct_of_arrived: 100 },
    { stage: "consent_decided", calls: 830, pct_of_arrived: 83 },
    { stage: "chose", calls: 770, pct_of_arrived: 77 },
    { stage: "dialled", calls: 600, pct_of_arrived: 60 },
    { stage: "answered", calls: 400, pct_of_arrived: 40 },
    { stage: "voicemail", calls: 250, pct_of_arrived: 25 },
    { stage: "abandoned", calls: 270, pct_of_arrived: 27 },
    { stage: "failed", calls: 30, pct_of_arrived: 3 },
    { stage: "rate_limited", calls: 20, pct_of_arrived: 2 },
  ]);
});

Deno.test("what became of each telephone that was dialled", async () => {
  assertEquals(await rows("select * from leg_results"), [{
    node: "sales",
    legs: 600,
    accepted: 400,
    declined: 0,
    mailbox: 0,
    taken: 0,
    caller_left: 0,
    busy: 0,
    no_answer: 150,
    unreachable: 0,
    canceled: 50,
    avg_seconds_to_answer: 10,
  }]);
});

Deno.test("where callers hang up is the last step that was taken with them", async () => {
  assertEquals(await rows("select * from call_hangups"), [
    { stage: "greeting", calls: 120 },
    { stage: "menu", calls: 60 },
    { stage: "ringing", calls: 50 },
    { stage: "voicemail", calls: 40 },
  ]);
});

Deno.test("each line's calls add up to all of them, with how long callers waited for a person", async () => {
  const [[line, ...others], [all]] = await Promise.all([
    rows("select * from calls_by_line"),
    rows(`select count(*)::int as total_calls,
      count(*) filter (where disposition in ('connected', 'voicemail'))::int as completed_calls,
      count(*) filter (where disposition = 'voicemail')::int as voicemail_calls,
      count(*) filter (where disposition = 'abandoned')::int as abandoned_calls,
      count(connected_at)::int as connected_calls from call_logs`),
  ]);
  assertEquals(others, []);
  const { line: number, flow, avg_wait_sec, ...counts } = line!;
  assertEquals(counts, all);
  // A person answers 15 s after the call came in.
  assertEquals([number, flow, avg_wait_sec], ["+15877428885", null, 15]);
});

Deno.test("a destination's answer rate is out of the calls put through to it", async () => {
  assertEquals(await rows("select * from destination_performance"), [
    {
      mode: "sales",
      dialled_calls: 450,
      answered_calls: 400,
      answer_rate_pct: 88.89,
      avg_seconds_to_answer: 10,
      max_seconds_to_answer: 10,
    },
    {
      mode: "support",
      dialled_calls: 150,
      answered_calls: 0,
      answer_rate_pct: 0,
      avg_seconds_to_answer: null,
      max_seconds_to_answer: null,
    },
  ]);
});

Deno.test("the views by hour and by day add up to the same calls", async () => {
  const sums = `sum(total_calls) as total, sum(connected_calls) as connected,
    sum(voicemail_calls) as voicemail, sum(failed_calls) as failed`;
  const expected = [{ total: 1000, connected: 400, voicemail: 250, failed: 300 }];
  assertEquals(await rows(`select ${sums} from calls_by_hour_of_day`), expected);
  assertEquals(await rows(`select ${sums} from calls_by_day`), expected);
  assertEquals(await rows("select sum(rate_limited_calls) as n from calls_by_day"), [{ n: 20 }]);
  assertEquals(
    await rows(`
      select sum(total_calls) as total, sum(sales_calls) as sales, sum(support_calls) as support,
        sum(voicemail_calls) as voicemail, sum(completed_calls) as completed, sum(failed_calls) as failed
      from call_volume_hourly`),
    [{ total: 1000, sales: 450, support: 180, voicemail: 140, completed: 650, failed: 300 }],
  );
});

Deno.test("success, consent, backlog and refusals show the same thousand", async () => {
  const success = {
    total_calls: 1000,
    active_calls: 30,
    completed_calls: 650,
    failed_calls: 300,
    abandoned_calls: 270,
    rate_limited_calls: 20,
    success_rate_pct: 68.42,
    avg_call_duration_sec: 53.5,
  };
  assertEquals(await rows("select * from call_success_metrics"), [success]);
  assertEquals(await rows("select * from call_success_metrics_24h"), [success]);
  assertEquals(await rows("select * from consent_metrics"), [
    { total_calls: 1000, consented_calls: 680, opted_out_calls: 150, opt_out_rate_pct: 18.07 },
  ]);
  assertEquals(await rows("select count(*) from active_calls"), [{ count: 30 }]);
  assertEquals(await rows("select count(*) from voicemail_backlog"), [{ count: 250 }]);
  assertEquals(
    await rows("select kind, waiting, running, dead from jobs_waiting where waiting > 0"),
    [
      { kind: "mail_voicemail", waiting: 250, running: 0, dead: 0 },
    ],
  );
  assertEquals(await rows("select identifier, violation_count from rate_limit_violations"), [
    { identifier: "+15550009999", violation_count: 20 },
  ]);
});

Deno.test("this moment in one row", async () => {
  const [now] = await rows("select * from operations_now");
  const {
    oldest_active_seconds,
    oldest_voicemail_hours,
    oldest_due_job_seconds,
    jobs_due,
    ...rest
  } = now as Record<string, number>;
  assertEquals(oldest_active_seconds! >= 600, true);
  assertEquals([oldest_voicemail_hours! > 0, (oldest_due_job_seconds ?? 0) >= 0], [true, true]);
  assertEquals(jobs_due! <= 250, true);
  const { connections_used, connections_allowed, ...counts } = rest;
  assertEquals(connections_used! > 0 && connections_used! < connections_allowed!, true);
  assertEquals(counts, {
    active_calls: 30,
    voicemail_backlog: 250,
    rate_limit_refusals_last_hour: 20,
    failed_transactions_last_hour: 0,
    jobs_dead: 0,
  });
});

const metrics = (changes: Record<string, unknown>) => ({
  minute: new Date(Math.floor(Date.now() / 60_000) * 60_000).toISOString(),
  function: "voice-status",
  requests: 100,
  errors: 0,
  database_failures: 0,
  refused: 0,
  total_ms: 10_000,
  database_ms: 4000,
  max_ms: 900,
  le_50: 0,
  le_100: 50,
  le_250: 90,
  le_500: 90,
  le_1000: 100,
  le_2000: 100,
  le_5000: 100,
  ...changes,
});

Deno.test("requests are added up by function and minute, and since the beginning", async () => {
  const batch = [
    metrics({ errors: 3, database_failures: 2, refused: 7 }),
    metrics({ function: "voice-frontdoor", max_ms: 100 }),
  ];
  const [first, second] = [crypto.randomUUID(), crypto.randomUUID()];
  // Who heard no answer sends the same again.
  for (const key of [first, second, first]) {
    await db.sql`select record_function_metrics(${db.sql.json(batch as never)}, ${key})`;
  }
  assertEquals((await rows("select * from webhook_performance"))[1], {
    function: "voice-status",
    requests: 200,
    errors: 6,
    error_rate_pct: 3,
    database_failures: 4,
    refused: 14,
    avg_ms: 100,
    p50_ms: 100,
    // The 95th of 100 is half-way into the bucket from 500 to 1000 ms.
    p95_ms: 750,
    max_ms: 900,
    avg_database_ms: 40,
  });
  await db.sql`update function_metrics set minute = minute - interval '40 days'`;
  await db.sql`select purge_monitoring()`;
  assertEquals(await rows("select count(*) from function_metrics"), [{ count: 0 }]);
  assertEquals(await rows("select function, requests, errors from function_totals order by 1"), [
    { function: "voice-frontdoor", requests: 200, errors: 0 },
    { function: "voice-status", requests: 200, errors: 6 },
  ]);
});

Deno.test("every view says what it shows", async () => {
  const silent = await db.sql`
    select relname from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'v' and obj_description(oid, 'pg_class') is null`;
  assertEquals([...silent], []);
});

/** Evenly over two years. */
const MANY = cases(100_000);

Deno.test("among the calls of two years, no view reads the calls from end to end", async () => {
  const big = await createTestDatabase();
  const aDay = MANY / (2 * 365);
  try {
    // As the fold would leave them.
    await big.sql`
      insert into call_logs (call_sid, from_e164, to_e164, mode, status, started_at, connected_at, ended_at, duration_sec)
      select 'CA' || lpad(to_hex(i), 32, '0'), '+15551234567', '+15877428885', 'sales', 'completed',
        t, case when i % 3 > 0 then t end, t + interval '1 minute', 60
      from generate_series(1, ${MANY}::int) as i,
        lateral (select now() - i * interval '2 years' / ${MANY}::int) as at(t)`;
    await big.sql`
      insert into call_lifecycle (call_sid, leg_sid, parent_call_sid, event, status, occurred_at)
      select call_sid, call_sid, call_sid, 'leg_status', 'ringing', started_at from call_logs`;
    await big
      .sql`insert into call_legs (call_sid, leg_sid, dialled_at) select call_sid, call_sid, started_at from call_logs`;
    await big.sql`analyze call_logs, call_lifecycle, call_legs`;

    const views = await big.sql<{ name: string }[]>`
      select relname as name from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'v' order by 1`;
    const connection = await big.sql.reserve();
    const scans = async () => {
      await connection`select pg_stat_force_next_flush()`;
      return [
        ...await connection`
        select relname, seq_scan::int from pg_stat_user_tables
        where relname in ('call_logs', 'call_lifecycle', 'call_legs') order by 1`,
      ].map((row) => ({ ...row }));
    };
    // What was really done, also inside of functions, where no plan shows.
    const read: string[] = [];
    for (
      const query of [
        // One row a call: who asks for it says of when.
        ...views.map(({ name }) =>
          name === "ivr_sessions"
            ? "select * from ivr_sessions where created_at > now() - interval '1 day'"
            : `table ${name}`
        ),
        "select metrics_snapshot()",
        // Which does, and shows that this is seen.
        "select count(duration_sec) from call_logs",
      ]
    ) {
      const before = await scans();
      await connection.unsafe(query);
      if (JSON.stringify(await scans()) !== JSON.stringify(before)) read.push(query);
    }
    assertEquals(read, ["select count(duration_sec) from call_logs"]);
    // Nor does any of the hours that are added up, once they are.
    const counted = async () => {
      await connection`select pg_stat_force_next_flush()`;
      const [row] = await connection<{ fetched: number }[]>`
        select idx_tup_fetch::int as fetched from pg_stat_user_tables where relname = 'call_logs'`;
      return row!.fetched;
    };
    const fetchedBy = async (query: string) => {
      const before = await counted();
      await connection.unsafe(query);
      return await counted() - before;
    };
    // Of 30 days (of 29, as an hour may pass meanwhile), and, added up, of the two hours at most that are not.
    assertEquals(await fetchedBy("table calls_by_day") >= Math.floor(29 * aDay), true);
    await connection`select roll_up_calls(1000)`;
    assertEquals(await fetchedBy("table calls_by_day") <= Math.ceil(3 * aDay / 24), true);
    connection.release();
  } finally {
    await big.drop();
  }
});
