import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertThrows } from "@std/assert/throws.js";
import { withLocalDefaults } from "../../scripts/local/stack.ts";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import type { AlertNotice } from "../../supabase/functions/_shared/alerts/words.ts";
import { formatLogLine } from "../../supabase/functions/_shared/log.ts";
import { outcomeOf } from "../../supabase/functions/_shared/mail/resend.ts";
import { readSettings } from "../../supabase/functions/_shared/settings.ts";
import { liveDeps as workerDeps } from "../../supabase/functions/notify-worker/deps.ts";
import { createHandler } from "../../supabase/functions/notify-worker/handler.ts";
import { contactMessage, type MailSystem, startMailSystem } from "../support/mail.ts";

const system = await startMailSystem();
const { resend, work, impatient, later, stack: { db: { sql } }, logged } = system;
Deno.test.afterAll(() => system.stop());
Deno.test.beforeEach(async () => {
  resend.fault = () => undefined;
  await sql`delete from jobs`;
  await sql`update job_kinds set held_until = null`;
});

/** A message from the website; two mails are then owed. */
async function owe(from: MailSystem = system, changes: Record<string, unknown> = {}) {
  const response = await from.submit(contactMessage(changes));
  assertEquals(response.status, 202);
  return (await response.json()).id as string;
}

/** One mail only: the auto-reply to somebody new. */
async function oweOne(changes: Record<string, unknown> = {}): Promise<string> {
  const id = await owe(system, changes);
  await sql`delete from jobs where kind = 'mail_contact_notification'`;
  return `contact_auto_reply/${id}`;
}

async function states(): Promise<Record<string, unknown>[]> {
  return [...await sql`select kind, status, attempts, last_error from jobs order by id`];
}

async function taken(key: string) {
  const id = key.split("/")[1]!;
  return (await resend.mails()).filter(({ text, to }) =>
    text.includes(id) && (to[0] === "operator@example.com") === key.startsWith("contact_not")
  );
}

const refusal = (status: number, name: string, headers: Record<string, string> = {}) => () => ({
  kind: "answer" as const,
  status,
  body: { statusCode: status, name, message: "Invalid `to` field: visitor@example.com" },
  headers,
});

Deno.test("only an operator may run it", async () => {
  const handler = createHandler(workerDeps(system.settings));
  const ask = async (method: string, headers: Record<string, string>) => {
    const response = await handler(
      new Request("http://localhost/notify-worker", { method, headers }),
    );
    return [response.status, (await response.json()).error];
  };
  assertEquals(await ask("POST", {}), [401, "unauthorized"]);
  assertEquals(await ask("POST", { apikey: "sb_publishable_local" }), [401, "unauthorized"]);
  assertEquals(await ask("GET", { apikey: "sb_secret_local" }), [405, "method_not_allowed"]);
});

Deno.test("the operator gets a message that can be answered, and the sender a receipt", async () => {
  const id = await owe(system, {
    name: "Jane <b>Doe</b>",
    email: "jane@example.com",
    subject: '5 > 3 & "so"',
    message: "<script>alert('x')</script>\nsecond line",
    phone: "+15877428885",
  });
  const report = await work();
  assertEquals([report.status, report.sent, report.missing], [200, 2, []]);

  const [told] = await taken(`contact_notification/${id}`);
  assertEquals(told!.from, "TradeLine <hotline@example.com>");
  assertEquals(told!.reply_to, ["jane@example.com"]);
  assertEquals(told!.subject, 'Website message from Jane <b>Doe</b>: 5 > 3 & "so"');
  assertMatch(
    told!.text,
    /^From: Jane <b>Doe<\/b> <jane\[@\]example\[\.\]com>\nPhone: \+15877428885\n/,
  );
  assertMatch(told!.text, /> <script>alert\('x'\)<\/script>\n> second line/);
  assert(told!.html.includes("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\nsecond line"));
  assert(!/<script|<b>Doe|<a /.test(told!.html));

  const [receipt] = await taken(`contact_auto_reply/${id}`);
  assertEquals(receipt!.to, ["jane@example.com"]);
  assertEquals(receipt!.headers["Auto-Submitted"], "auto-replied");
  for (const own of ["Doe", "script", "5 > 3", "5877428885"]) {
    assert(!`${receipt!.subject}${receipt!.text}${receipt!.html}`.includes(own), own);
  }
  const rows = await sql`select status, content, result from jobs order by id`;
  assertEquals(rows.map(({ status, content }) => [status, content]), Array(2).fill(["done", null]));
  assertEquals(rows.map(({ result }) => result).sort(), [told!.id, receipt!.id].sort());
});

Deno.test("nothing that a visitor writes is a link in the operator's mail, not even what looks like one of ours", async () => {
  const own = `${system.settings.publicFunctionsUrl}/voicemail-audio?call=CA1&expires=9&sig=x`;
  for (
    const link of [
      own,
      "https://evil.example/voicemail-audio?call=x",
      "www.evil.example",
      "a@evil.example",
    ]
  ) {
    const name = link.slice(0, 100);
    const id = await owe(system, {
      name,
      subject: link.slice(0, 150),
      message: `${link}\n${link}`,
    });
    await work();
    const [told] = await taken(`contact_notification/${id}`);
    assertEquals(/<a |href/.test(told!.html), false, link);
    for (const part of [told!.subject, told!.text, told!.html]) {
      assertEquals(part.includes(link.slice(0, 40)), false, link);
      assertEquals(/:\/\/|evil\.|www\.|\w@/.test(part), false, part);
    }
  }
});

for (
  const [env, missing, kept] of [
    [{ RESEND_API_KEY: "" }, ["RESEND_API_KEY"], 2],
    [{ RESEND_API_KEY: "", FROM_EMAIL: "", NOTIFY_TO: "" }, [
      "RESEND_API_KEY",
      "FROM_EMAIL",
      "NOTIFY_TO",
    ], 2],
    [{ FROM_EMAIL: "" }, ["FROM_EMAIL"], 2],
    [{ NOTIFY_TO: "" }, ["NOTIFY_TO"], 1],
  ] as const
) {
  Deno.test(`without ${missing.join(", ")}: ${kept} of 2 mails are kept, said so, and sent once it is set`, async () => {
    const variables = withLocalDefaults(
      {
        RESEND_API_KEY: "re_test",
        RESEND_BASE_URL: resend.url,
        FROM_EMAIL: "hotline@example.com",
        NOTIFY_TO: "operator@example.com",
        ...env,
      },
      system.stack.url,
      "",
    );
    const settings = readSettings((name) => variables[name]);
    const { send } = workerDeps(settings);
    await owe();
    const report = await work({ settings, send });
    assertEquals([report.status, report.missing, report.sent], [200, [...missing], 2 - kept]);
    const waiting = (await states()).filter(({ status, attempts }) =>
      status === "waiting" && attempts === 0
    );
    assertEquals(waiting.length, kept);
    assertEquals((await work()).sent, kept);
  });
}

Deno.test("a failure is tried again after a random part of each of Svix's delays, and the eighth is the last", async () => {
  const delays = [5, 300, 1800, 7200, 18_000, 36_000, 36_000];
  await oweOne();
  resend.fault = () => ({ kind: "error", taken: false });
  for (const [attempt] of delays.entries()) {
    assertEquals((await work()).retried, 1);
    assertEquals((await states())[0]!.last_error, "500 application_error");
    assertEquals((await states())[0]!.attempts, attempt + 1);
    await sql`update jobs set run_at = now()`;
  }
  const events =
    await sql`select count(*)::int as n from recent_errors where event_type = 'job_dead'`;
  const report = await work();
  assertEquals([report.dead, report.retried], [1, 0]);
  assertEquals((await sql`select from jobs_dead where attempts = 8`).length, 1);
  const after = await sql`
    select event_data, severity from recent_errors where event_type = 'job_dead' order by created_at desc`;
  assertEquals(after.length, events[0]!.n + 1);
  assertEquals(
    [after[0]!.severity, after[0]!.event_data.kind, after[0]!.event_data.reason],
    ["error", "mail_contact_auto_reply", "500 application_error"],
  );
  assertEquals((await work()).dead, 0);

  resend.fault = () => undefined;
  assertEquals((await sql`select retry_dead_jobs() as n`)[0]!.n, 1);
  assertEquals((await work()).sent, 1);
});

for (
  const [status, name] of [[422, "validation_error"], [400, "validation_error"]] as const
) {
  Deno.test(`what Resend will never take (${status}) is given up at once, and seen`, async () => {
    const key = await oweOne();
    resend.fault = refusal(status, name);
    assertEquals((await work()).dead, 1);
    const [dead] = await sql`select * from jobs_dead where key = ${key}`;
    assertEquals([dead!.attempts, dead!.last_error], [1, `${status} ${name}`]);
    assertEquals((await work()).dead, 0);
    const [backlog] = await sql`
      select waiting::int, dead::int from jobs_waiting where kind = 'mail_contact_auto_reply'`;
    assertEquals({ ...backlog }, { waiting: 0, dead: 1 });
  });
}

// --- who goes first --------------------------------------------------------------------------------------------

/** A mail about an alert: more urgent than any other. */
async function oweUrgent(key: string): Promise<void> {
  const notice: AlertNotice = {
    episode_id: 1,
    transition: "fired",
    alert: "error_rate",
    severity: "critical",
    summary: "Too many requests fail",
    action: "Look at the logs.",
    unit: "%",
    value: 9,
    threshold: 5,
    measured: "9 %, above 5 %",
    opened_at: "2026-01-01T00:00:00Z",
    closed_at: null,
  };
  await sql`select enqueue_job('mail_alert', ${key}, ${sql.json(notice)})`;
}

/** The kinds of the mails that were sent or tried, in order. */
const triedSince = async (from: number) => {
  const kinds = new Map((await sql`select key, kind from jobs`).map((row) => [row.key, row.kind]));
  return resend.requests.slice(from).map((key) => kinds.get(key));
};

Deno.test("alerts and voicemails are sent before website messages, and these before receipts", async () => {
  for (let i = 0; i < 6; i++) await owe();
  for (let i = 0; i < 6; i++) await oweUrgent(`first/${i}`);
  const from = resend.requests.length;
  assertEquals((await work()).sent, 18);
  const tried = await triedSince(from);
  // Four are under way at once.
  assertEquals(new Set(tried.slice(0, 6)), new Set(["mail_alert"]));
  assertEquals(tried.slice(14).includes("mail_contact_notification"), false);
});

Deno.test("of what may be sent in an hour website messages get half, receipts a quarter, and the rest is kept for voicemails and alerts", async () => {
  const settings = { ...system.settings, mail: { ...system.settings.mail, maxPerHour: 16 } };
  for (let i = 0; i < 12; i++) await owe();
  await sql`delete from rate_limit_refusals where identifier_type = 'everyone'`;
  assertEquals((await work({ settings })).sent, 8);
  for (let i = 0; i < 10; i++) await oweUrgent(`reserve/${i}`);
  assertEquals([(await work({ settings })).sent, (await work({ settings })).sent], [8, 0]);
  const sent =
    await sql`select kind, count(*)::int as n from jobs where status = 'done' group by kind order by kind`;
  assertEquals(sent.map(({ kind, n }) => [kind, n]), [["mail_alert", 8], [
    "mail_contact_notification",
    8,
  ]]);
  // It can be seen, and goes on as the hour does.
  const [told] = await sql`
    select count(*)::int as n from rate_limit_refusals
    where endpoint = 'notify-worker' and identifier_type = 'everyone'`;
  assert(told!.n > 0);
  await later("1 hour");
  assertEquals((await work({ settings })).sent, 2 + 4);
  assertEquals(
    (await states()).filter(({ kind, status }) => kind === "mail_alert" && status === "done")
      .length,
    10,
  );

  await sql`delete from jobs where kind <> 'mail_contact_auto_reply'`;
  await later("1 hour");
  assertEquals((await work({ settings })).sent, 4);
});

Deno.test("a flood of voicemails leaves a tenth of the hour's mails to alerts, which go first", async () => {
  const { jobs } = workerDeps(system.settings);
  const claim = (perHour: number) => jobs.claim(["mail_alert", "mail_voicemail"], 100, perHour);
  await sql`
    select enqueue_job('mail_voicemail', 'flood/' || i, '{"call_sid": "none"}') from generate_series(1, 30) as i`;
  assertEquals((await claim(20)).length, 18);
  for (let i = 0; i < 3; i++) await oweUrgent(`of the flood/${i}`);
  const kinds = (await claim(20)).map(({ kind }) => kind);
  assertEquals(kinds, ["mail_alert", "mail_alert"]);
  // The smallest of ceilings is no one's alone.
  await sql`delete from jobs where status = 'running' or kind = 'mail_alert'`;
  assertEquals((await claim(1)).length, 1);
});

Deno.test("a refused receipt holds no other kind up; a refused website message no voicemail", async () => {
  await owe();
  const daily = refusal(429, "daily_quota_exceeded");
  resend.fault = (key) => key.startsWith("contact_auto_reply") ? daily() : undefined;
  assertEquals((await work()).sent, 1);
  await owe();
  assertEquals((await work()).sent, 1);
  resend.fault = (key) => key.startsWith("contact_") ? daily() : undefined;
  await owe();
  await work();
  await oweUrgent("held/1");
  assertEquals((await work()).sent, 1);
});

Deno.test("while Resend takes nothing, urgent mails ask again within a minute, website messages within 15", async () => {
  await owe();
  await oweUrgent("quota/1");
  resend.fault = refusal(429, "daily_quota_exceeded");
  assertEquals((await work()).stopped, "busy");
  const waits = await sql`
    select kind, round(extract(epoch from held_until - now()))::int as wait, held_for from jobs_waiting
    where waiting > 0`;
  assertEquals(waits.map(({ kind, wait }) => [kind, Math.ceil(wait / 10) * 10]), [
    ["mail_alert", 60],
    ["mail_contact_notification", 900],
    ["mail_contact_auto_reply", 3600],
  ]);
  assertEquals(waits.map(({ held_for }) => held_for), Array(3).fill("429 daily_quota_exceeded"));
});

Deno.test("a mail that is being sent keeps its lease, whatever becomes of others", async () => {
  const { jobs } = workerDeps(system.settings);
  await owe();
  const lease = async () =>
    (await sql`
      select extract(epoch from run_at - attempted_at)::int as lease, status from jobs
      where kind = 'mail_contact_notification'`)[0]!;
  const [sending] = await jobs.claim(["mail_contact_notification"], 1);
  await oweUrgent("lease/1");
  resend.fault = refusal(429, "daily_quota_exceeded");
  assertEquals((await work()).stopped, "busy");
  assertEquals({ ...await lease() }, { lease: 120, status: "running" });
  assertEquals(await jobs.done(sending!, "id"), true);
});

Deno.test("too much for Resend: the run stops, nothing counts as a try, and all waits as long as it said", async () => {
  for (let i = 0; i < 15; i++) await owe();
  const before = resend.requests.length;
  resend.fault = refusal(429, "rate_limit_exceeded", { "retry-after": "90" });
  const report = await work();
  assertEquals([report.stopped, report.held, report.sent], ["busy", 10, 0]);
  // As many as were under way at once.
  assert(resend.requests.length - before <= 4);
  const [row] = await sql`
    select sum(waiting)::int as mails, max(most_attempts) as attempts, min(extract(epoch from held_until - now()))::int as wait
    from jobs_waiting where waiting > 0`;
  assertEquals([row!.mails, row!.attempts], [30, 0]);
  assert(row!.wait >= 85 && row!.wait <= 90, row!.wait);
  resend.fault = () => undefined;
  assertEquals((await work()).sent, 0);
  await later("90 seconds");
  assertEquals((await work()).sent, 30);
});

for (
  const [status, name] of [[401, "missing_api_key"], [403, "invalid_api_key"], [
    404,
    "not_found",
  ]] as const
) {
  Deno.test(`a wrong setting (${name}) costs no mail: all wait, and it is an error in the log`, async () => {
    await owe();
    resend.fault = refusal(status, name);
    const from = logged.length;
    const report = await work();
    assertEquals([report.stopped, report.held, report.dead], ["misconfigured", 2, 0]);
    assertMatch(logged.slice(from).join(), /"level":"error".*"stopped":"misconfigured"/);
    assertEquals(
      (await states()).map((row) => [row.status, row.attempts]),
      Array(2).fill(["waiting", 0]),
    );
    resend.fault = () => undefined;
    await later("5 minutes");
    assertEquals((await work()).sent, 2);
  });
}

Deno.test("five workers at once send each of 40 mails once", async () => {
  const before = (await resend.mails()).length;
  const requests = resend.requests.length;
  for (let i = 0; i < 20; i++) await owe();
  const reports = await Promise.all(Array.from({ length: 5 }, () => work()));
  assertEquals(reports.reduce((sum, { sent }) => sum + Number(sent), 0), 40);
  assertEquals((await resend.mails()).length, before + 40);
  // Not by Resend's mercy: no key was sent twice.
  assertEquals(new Set(resend.requests.slice(requests)).size, resend.requests.length - requests);
});

Deno.test("a worker that is killed between sending and marking: the lease ends, and nothing is sent again", async () => {
  const key = await oweOne();
  const own = workerDeps(system.settings).jobs;
  const report = await work({
    jobs: { ...own, done: () => Promise.reject(new Error("killed")) },
  });
  assertEquals([report.sent, report.unmarked], [0, 1]);
  assertEquals((await states())[0]!.status, "running");
  // Nobody else touches it while the lease lasts.
  await later("119 seconds");
  assertEquals([(await work()).sent, resend.requests.filter((k) => k === key).length], [0, 1]);
  await later("1 second");
  assertEquals([(await work()).sent, resend.requests.filter((k) => k === key).length], [1, 2]);
  assertEquals((await taken(key)).length, 1);
});

Deno.test("a worker whose lease was taken over marks nothing", async () => {
  await oweOne();
  const { jobs } = workerDeps(system.settings);
  const [slow] = await jobs.claim(["mail_contact_auto_reply"], 1);
  await later("2 minutes");
  const [quick] = await jobs.claim(["mail_contact_auto_reply"], 1);
  assertEquals(quick!.id, slow!.id);
  const failure = { error: "x", permanent: true, uncertain: false };
  assertEquals([await jobs.done(slow!, "x"), await jobs.failed(slow!, failure)], [false, null]);
  assertEquals(await jobs.done(quick!, "y"), true);
});

Deno.test("what may have been sent is not sent again once Resend has forgotten its key", async () => {
  const key = await oweOne();
  resend.fault = () => ({ kind: "hang", taken: true });
  await work({ send: impatient });
  // Every later try is within the life of the key.
  for (let i = 0; i < 3; i++) {
    await sql`update jobs set attempts = 6, run_at = now()`;
    await work({ send: impatient });
    const [row] =
      await sql`select run_at <= uncertain_since + interval '23 hours' as soon from jobs`;
    assertEquals(row!.soon, true);
  }
  await later("23 hours 31 minutes");
  const requests = resend.requests.length;
  await work();
  assertEquals(resend.requests.length, requests);
  const [dead] = await sql`select last_error from jobs_dead where key = ${key}`;
  assertEquals(dead!.last_error, "outcome_unknown");
  assertEquals((await taken(key)).length, 1);
});

Deno.test("what certainly was not sent may be tried for longer than a day", async () => {
  await oweOne();
  resend.fault = refusal(429, "daily_quota_exceeded");
  assertEquals((await work()).stopped, "busy");
  await later("48 hours");
  resend.fault = () => undefined;
  assertEquals((await work()).sent, 1);
});

Deno.test("other words under a key that was taken: the mail has been sent, and counts as such", async () => {
  const key = await oweOne();
  resend.fault = () => ({ kind: "reset", taken: true });
  assertEquals((await work()).retried, 1);
  resend.fault = () => undefined;
  await later("5 seconds");
  const from = { ...system.settings.mail, from: "Other <other@example.com>" };
  assertEquals((await work({ settings: { ...system.settings, mail: from } })).sent, 1);
  assertEquals((await taken(key)).length, 1);
});

Deno.test("one try ends in its time, whatever hangs", async () => {
  const started = performance.now();
  await oweOne();
  resend.fault = () => ({ kind: "hang", taken: false });
  assertEquals((await work({ send: impatient })).retried, 1);
  assert(performance.now() - started < 30_000);
});

Deno.test("each refusal of Resend's means what its list says", () => {
  const kind = (statusCode: number | null, name: string, message = "", headers = {}) =>
    outcomeOf({ statusCode, name, message }, headers);
  assertEquals(kind(null, "application_error"), { kind: "failed", error: "no_answer" });
  assertEquals(kind(500, "application_error").kind, "failed");
  assertEquals(kind(409, "concurrent_idempotent_requests").kind, "failed");
  assertEquals(
    kind(403, "validation_error", "The example.com domain is not verified.").kind,
    "misconfigured",
  );
  // An account without a domain, whose mails then wait for one: https://resend.com/docs/api-reference/errors
  assertEquals(
    kind(403, "validation_error", "You can only send testing emails to your own email address.")
      .kind,
    "failed",
  );
  assertEquals(kind(422, "not a name: jane@example.com"), {
    kind: "refused",
    error: "422 unknown",
  });
  const wait = (name: string, headers = {}) => {
    const outcome = kind(429, name, "", headers);
    return outcome.kind === "busy" ? outcome.retryAfterSec : undefined;
  };
  assertEquals(wait("rate_limit_exceeded"), 1);
  assertEquals(wait("daily_quota_exceeded"), 3600);
  assertEquals(wait("rate_limit_exceeded", { "retry-after": "0" }), 1);
  assertEquals(wait("rate_limit_exceeded", { "retry-after": "999999999" }), 86_400);
  assertEquals(wait("rate_limit_exceeded", { "retry-after": "soon" }), 1);
  const inAMinute = wait("rate_limit_exceeded", {
    "retry-after": new Date(Date.now() + 60_000).toUTCString(),
  });
  assert(inAMinute! > 1 && inAMinute! <= 60);
});

Deno.test("a database that is away: 503, and nothing is sent", async () => {
  const requests = resend.requests.length;
  const settings = { ...system.settings, supabaseUrl: "http://127.0.0.1:9" };
  const report = await work(workerDeps(settings));
  assertEquals([report.status, report.error], [503, "unavailable"]);
  assertEquals(resend.requests.length, requests);
});

Deno.test("a dead mail says what is known when it is tried again", async () => {
  const id = await owe();
  resend.fault = refusal(422, "validation_error");
  assertEquals((await work()).dead, 2);
  assertEquals((await sql`select from jobs where content is not null`).length, 0);
  await sql`update contact_messages set name = 'Jane' where id = ${id}`;
  resend.fault = () => undefined;
  assertEquals(
    (await sql`select retry_dead_jobs(null, 'mail_contact_notification') as n`)[0]!.n,
    1,
  );
  assertEquals((await work()).sent, 1);
  assertMatch((await taken(`contact_notification/${id}`))[0]!.subject, /from Jane/);
});

Deno.test("each run that comes to its end is noted", async () => {
  const runs = async () =>
    (await sql`select runs::int from worker_runs where worker = 'notify-worker'`)[0]!.runs;
  await work();
  const before = await runs();
  await work();
  assertEquals(await runs(), before + 1);
});

for (
  const [name, value] of [
    ["FROM_EMAIL", "TradeLine"],
    ["FROM_EMAIL", "a@example.com, b@example.com"],
    ["FROM_EMAIL", "TradeLine <a@example.com"],
    ["FROM_EMAIL", "Trade\r\nBcc: x@example.com <a@example.com>"],
    ["NOTIFY_TO", "Office <office@example.com>"],
    ["RESEND_API_KEY", "re_ with spaces"],
    ["RESEND_BASE_URL", "api.resend.com"],
    ["CONTACT_ALLOWED_ORIGINS", "*"],
    ["CONTACT_ALLOWED_ORIGINS", "https://www.example.com/"],
  ] as const
) {
  Deno.test(`${name} of ${JSON.stringify(value)} stops the start by its name`, () => {
    const variables = withLocalDefaults({ [name]: value }, "http://127.0.0.1", "");
    const error = assertThrows(() => readSettings((key) => variables[key]), SettingError);
    assertEquals(error.setting, name);
  });
}

Deno.test("no line of the log, no error and no event holds an address or a name", async () => {
  const events = await sql`select event_data::text as text from analytics_events`;
  const text = [...logged, ...events.map((row) => row.text)].join("\n");
  assert(text.includes('"function":"notify-worker"'));
  for (const secret of ["example.com", "Visitor", "Doe", "re_test", "sb_secret"]) {
    assert(!text.includes(secret), secret);
  }
  assertEquals(
    formatLogLine(new Date(), "info", { reason: "to jane@example.com" }).includes("jane"),
    false,
  );
});
