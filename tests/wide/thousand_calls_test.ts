import { assertEquals } from "@std/assert/equals.js";
import type { TransactionSql } from "postgres";
import type { Script } from "../../scripts/phone/mod.ts";
import { startHotline } from "../support/hotline.ts";

// A thousand callers, rung through every function over HTTP, of whom it is known beforehand how each fares; and the
// numbers that an operator must then see, in every view and in what Prometheus gets. All of it once more when the
// hours are added up.

const hotline = await startHotline();
Deno.test.afterAll(() => hotline.stop());

const FLOOD = "+14165550000";
const KINDS: [count: number, script: Script][] = [
  // Sales: answered after 8 seconds.
  [300, { keys: ["1"], dial: { ringSeconds: 8, talkSeconds: 30 } }],
  // Support, spoken, and no recording.
  [150, { answers: [{ speech: "No recording." }, "2"], dial: { ringSeconds: 4, talkSeconds: 30 } }],
  // Nobody answers; a message instead.
  [120, { keys: ["1"], dial: "no-answer", voicemail: { seconds: 10, transcript: "Call me." } }],
  [130, { keys: ["9"], voicemail: { seconds: 10, end: "#", transcript: "Call me." } }],
  // Gone at the menu, while it rings, at the beep.
  [100, { hangupAt: "gather" }],
  [60, { keys: ["1"], hangupAt: "dial" }],
  [60, { keys: ["2"], dial: "busy", voicemail: { seconds: 0, end: "hangup" } }],
  // Presses nothing, says nothing, leaves a message.
  [66, { voicemail: { seconds: 10 } }],
];
/** Calls of one number within a minute: ten are let in. */
const FLOODED = 14;

for (let n = 0; n < FLOODED; n++) {
  // deno-lint-ignore no-await-in-loop -- One after the other, so that it is known who is refused.
  await hotline.ring({ keys: ["1"], dial: { ringSeconds: 8, talkSeconds: 30 } }, { from: FLOOD });
}
const waiting = KINDS.flatMap(([count, script]) => Array.from({ length: count }, () => script));
await Promise.all(Array.from({ length: 16 }, async () => {
  for (let script = waiting.pop(); script !== undefined; script = waiting.pop()) {
    // deno-lint-ignore no-await-in-loop -- Sixteen at a time.
    await hotline.ring(script);
  }
}));

/** As the service sees a view, counts as numbers. */
async function view(query: string, sql: TransactionSql): Promise<Record<string, unknown>[]> {
  await sql`set local role service_role`;
  const [row] = await sql.unsafe(
    `select coalesce(jsonb_agg(v), '[]') as rows from (${query}) as v`,
  );
  await sql`reset role`;
  return row!.rows;
}

class Undo extends Error {}

const VIEWS: Record<string, Record<string, unknown>[]> = {
  "select stage, calls from call_funnel": [
    { stage: "arrived", calls: 1000 },
    // Everybody but those who were refused and those who hung up before they had heard it out.
    { stage: "consent_decided", calls: 896 },
    // Silence chooses voicemail.
    { stage: "chose", calls: 896 },
    { stage: "dialled", calls: 700 },
    { stage: "answered", calls: 460 },
    { stage: "voicemail", calls: 316 },
    { stage: "abandoned", calls: 220 },
    { stage: "failed", calls: 0 },
    { stage: "rate_limited", calls: 4 },
  ],
  "select * from call_hangups order by stage": [
    { stage: "greeting", calls: 100 },
    { stage: "ringing", calls: 60 },
    { stage: "voicemail", calls: 60 },
  ],
  "select total_calls, active_calls, completed_calls, failed_calls, abandoned_calls, rate_limited_calls, success_rate_pct from call_success_metrics":
    [{
      total_calls: 1000,
      active_calls: 0,
      completed_calls: 776,
      failed_calls: 220,
      abandoned_calls: 220,
      rate_limited_calls: 4,
      success_rate_pct: 77.91,
    }],
  "select total_calls, completed_calls, failed_calls, success_rate_pct from call_success_metrics_24h":
    [{ total_calls: 1000, completed_calls: 776, failed_calls: 220, success_rate_pct: 77.91 }],
  "select sum(total_calls) as total, sum(sales_calls) as sales, sum(support_calls) as support, sum(voicemail_calls) as voicemail, sum(completed_calls) as completed, sum(failed_calls) as failed from call_volume_hourly":
    [{ total: 1000, sales: 490, support: 210, voicemail: 196, completed: 776, failed: 220 }],
  "select * from consent_metrics": [
    { total_calls: 1000, consented_calls: 746, opted_out_calls: 150, opt_out_rate_pct: 16.74 },
  ],
  "select mode, dialled_calls, answered_calls, answer_rate_pct from destination_performance": [
    { mode: "sales", dialled_calls: 490, answered_calls: 310, answer_rate_pct: 63.27 },
    { mode: "support", dialled_calls: 210, answered_calls: 150, answer_rate_pct: 71.43 },
  ],
  "select sum(total_calls) as total, sum(connected_calls) as connected, sum(voicemail_calls) as voicemail, sum(failed_calls) as failed from calls_by_hour_of_day":
    [{ total: 1000, connected: 460, voicemail: 316, failed: 220 }],
  "select sum(total_calls) as total, sum(connected_calls) as connected, sum(voicemail_calls) as voicemail, sum(failed_calls) as failed, sum(rate_limited_calls) as refused from calls_by_day":
    [{ total: 1000, connected: 460, voicemail: 316, failed: 220, refused: 4 }],
  "select count(*) as messages, count(transcript) as transcribed from voicemail_backlog": [
    { messages: 316, transcribed: 250 },
  ],
  "select identifier_type, endpoint, violation_count from rate_limit_violations": [
    { identifier_type: "caller", endpoint: "voice-frontdoor", violation_count: 4 },
  ],
  "select count(*) as calls from active_calls": [{ calls: 0 }],
  "select active_calls, voicemail_backlog, rate_limit_refusals_last_hour from operations_now": [
    { active_calls: 0, voicemail_backlog: 316, rate_limit_refusals_last_hour: 4 },
  ],
  "select alert, value from alert_status where firing order by alert": [
    { alert: "call_success_rate", value: 77.91 },
    { alert: "voicemail_backlog", value: 316 },
  ],
};

for (const [query, expected] of Object.entries(VIEWS)) {
  const name = /from (\w+)/.exec(query)![1];
  Deno.test(`of a thousand calls, ${name} shows what became of them`, () =>
    hotline.db.sql.begin(async (sql) => assertEquals(await view(query, sql), expected)));
}

Deno.test("hours later, added up, the same thousand show the same", async () => {
  await hotline.db.sql.begin(async (sql) => {
    await threeHoursAgo(sql);
    throw new Undo();
  }).catch((error) => {
    if (!(error instanceof Undo)) throw error;
  });
});

/** As if they had all been three hours ago. */
async function threeHoursAgo(sql: TransactionSql): Promise<void> {
  await sql`
    update call_logs set started_at = started_at - interval '3 hours', answered_at = answered_at - interval '3 hours',
      connected_at = connected_at - interval '3 hours', ended_at = ended_at - interval '3 hours',
      rang_at = rang_at - interval '3 hours'`;
  await sql`select roll_up_calls(1000)`;
  const [sums] = await sql`
    select sum(calls)::int as calls from call_hours where scope = 'all'`;
  assertEquals(sums!.calls, 1000);
  for (const [query, expected] of Object.entries(VIEWS)) {
    if (/call_success_metrics$|alert_status/.test(query)) continue; // They are about the last hour.
    // deno-lint-ignore no-await-in-loop -- One at a time.
    assertEquals(await view(query, sql), expected, query);
  }
}
