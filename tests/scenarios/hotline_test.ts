import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { FUNCTIONS } from "../../supabase/functions/_shared/functions.ts";
import type { Script } from "../../scripts/phone/mod.ts";
import { type Rung, startHotline } from "../support/hotline.ts";

// Whole calls, through HTTP, on a real PostgreSQL: seed 004's manual test cases first.

const SALES = "+15550000001";
const SUPPORT = "+15550000002";
const hotline = await startHotline({
  env: { SALES_TARGET_E164: SALES, SUPPORT_TARGET_E164: SUPPORT },
});
Deno.test.afterAll(() => hotline.stop());

const said = (call: Rung) => call.record.spoken.join(" ");
const recordAttribute = (call: Rung) => call.record.all("dial").map((dial) => dial.record);

Deno.test("test 1: key 1 routes to sales", async () => {
  const call = await hotline.ring({ keys: ["1"], dial: "answered", talkSeconds: 30 });
  assertEquals(call.record.dialled, [SALES]);
  assertEquals(call.row.mode, "sales");
  assertEquals([call.row.status, call.row.disposition], ["completed", "connected"]);
  assertEquals(call.row.duration_sec, call.record.durationSeconds);
  assert(call.row.connected_at !== null);
});

Deno.test("test 2: key 2 routes to support", async () => {
  const call = await hotline.ring({ keys: ["2"], dial: "answered" });
  assertEquals(call.record.dialled, [SUPPORT]);
  assertEquals([call.row.mode, call.row.disposition], ["support", "connected"]);
});

Deno.test("test 3: key 9 takes a message, and the backlog shows it", async () => {
  const call = await hotline.ring({
    keys: ["9"],
    voicemail: { seconds: 12, transcript: "Please call me back." },
  });
  assertEquals(call.record.dialled, []);
  assertEquals([call.row.mode, call.row.disposition], ["voicemail", "voicemail"]);
  assertMatch(call.row.recording_url, /\/Recordings\/RE[0-9a-f]{32}$/);
  assertEquals(call.row.recording_duration_sec, 12);
  const [message] = await hotline.db.sql`
    select * from voicemail_backlog where call_sid = ${call.record.callSid}`;
  assertEquals(message!.transcript, "Please call me back.");
});

Deno.test("test 4: silence repeats the menu once, then leads to voicemail", async () => {
  const call = await hotline.ring({ voicemail: "silence" });
  assertEquals(call.record.all("gather").length, 2);
  assertEquals(call.record.all("record").length, 1);
  assertEquals([call.row.mode, call.row.status], ["voicemail", "completed"]);
});

Deno.test("a blocked number hears a short end, leaves no message and rings nobody, until it is unblocked", async () => {
  const from = "+14165559911";
  const { sql } = hotline.db;
  await hotline.ring({ hangupAt: "gather" }, { from });
  await sql`update contacts set blocked = true where phone = ${from}`;
  const refused = await hotline.ring({ keys: ["1"] }, { from });
  assertMatch(said(refused), /^We cannot take your call\. Goodbye\.$/);
  assertEquals(refused.record.all("gather").length, 0);
  assertEquals([refused.row.disposition, refused.record.applicationError], [
    "rate_limited",
    undefined,
  ]);
  const [arrival] = await sql`
    select meta -> 'blocked' as blocked from call_lifecycle
    where call_sid = ${refused.row.call_sid} and event = 'arrived'`;
  assertEquals(arrival!.blocked, true);
  assertEquals([...await sql`select from rate_limit_violations where identifier = ${from}`], []);
  await sql`update contacts set blocked = false where phone = ${from}`;
  const heard = await hotline.ring({ hangupAt: "gather" }, { from });
  assertEquals(heard.row.rate_limited, false);
});

Deno.test("test 5: the eleventh call in a minute hears why, and a minute later the line is open again", async () => {
  const from = "+14165559999";
  const calls: Rung[] = [];
  for (let i = 0; i < 12; i++) calls.push(await hotline.ring({ hangupAt: "gather" }, { from }));
  assertEquals(calls.map((call) => call.row.rate_limited), [...Array(10).fill(false), true, true]);
  for (const refused of calls.slice(10)) {
    assertMatch(said(refused), /too many calls/);
    assertEquals(refused.record.all("gather").length, 0);
    assertEquals([refused.row.disposition, refused.record.applicationError], [
      "rate_limited",
      undefined,
    ]);
  }
  const [violation] = await hotline.db.sql`
    select violation_count::int, endpoint from rate_limit_violations where identifier = ${from}`;
  assertEquals({ ...violation }, { violation_count: 2, endpoint: "voice-frontdoor" });

  await hotline.db.sql`
    update rate_limit_windows set admitted_at =
      array(select t - interval '60 seconds' from unnest(admitted_at) as t) where identifier = ${from}`;
  assertEquals((await hotline.ring({ hangupAt: "gather" }, { from })).row.rate_limited, false);
});

Deno.test("test 6: an unsigned request gets 401 and leaves nothing", async () => {
  const before = await hotline.db.sql`select count(*)::int as n from call_lifecycle`;
  for (const name of FUNCTIONS.twilio) {
    const response = await fetch(`${hotline.url}/functions/v1/${name}`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: "CallSid=CAtest&Digits=0",
    });
    assertEquals([response.status, await response.json()], [401, { error: "unauthorized" }], name);
  }
  const after = await hotline.db.sql`select count(*)::int as n from call_lifecycle`;
  assertEquals(after[0]!.n, before[0]!.n);
});

Deno.test("the disclosure is heard whole before anything listens, then recording is on", async () => {
  const call = await hotline.ring({ keys: ["1"], dial: "answered" });
  const disclosure = call.record.all("say").find(({ text }) => text.includes("recorded"))!;
  assertEquals([disclosure.gathering, disclosure.interrupted], [false, false]);
  assertEquals(call.row.consent_given, true);
  assertEquals(recordAttribute(call), ["record-from-answer-dual"]);
  assertEquals(call.row.recording_source, "dial");
});

Deno.test("a recorded conversation is one call, with the end of its leg and one recording", async () => {
  const before = await hotline.db.sql`select count(*)::int as n from call_logs`;
  const call = await hotline.ring({ keys: ["1"], dial: "answered" });
  const after = await hotline.db.sql`select count(*)::int as n from call_logs`;
  assertEquals(after[0]!.n - before[0]!.n, 1);
  const sid = call.record.callSid;
  const ended = await hotline.db.sql`
    select parent_call_sid from call_lifecycle
    where call_sid = ${sid} and event = 'leg_status' and status = 'completed'`;
  assertEquals([...ended], [{ parent_call_sid: sid }]);
  const recordings = await hotline.db.sql`
    select source, url, deleted_at from recordings where call_sid = ${sid}`;
  assertEquals([...recordings], [{
    source: "dial",
    url: call.row.recording_url,
    deleted_at: null,
  }]);
});

Deno.test("a caller who says no is not recorded, and is served all the same", async () => {
  for (const words of ["no recording", "please don't record this"]) {
    const call = await hotline.ring({ say: [words], keys: ["1"], dial: "answered" });
    assertMatch(said(call), /will not be recorded/);
    assertEquals(call.record.dialled, [SALES]);
    assertEquals(recordAttribute(call), ["do-not-record"]);
    assertEquals([call.row.consent_given, call.row.recording_sid], [false, null]);
  }
});

Deno.test("a caller can refuse by a key", async () => {
  const call = await hotline.ring({ keys: ["3", "2"], dial: "answered" });
  assertEquals([call.row.consent_given, recordAttribute(call)], [false, ["do-not-record"]]);
});

Deno.test("one sentence can refuse and choose", async () => {
  const call = await hotline.ring({ say: ["no recording, and sales please"], dial: "answered" });
  assertEquals(call.record.dialled, [SALES]);
  assertEquals([call.row.consent_given, recordAttribute(call)], [false, ["do-not-record"]]);
});

Deno.test("a choice can be spoken", async () => {
  const sales = await hotline.ring({ say: ["Sales, please."], dial: "answered" });
  assertEquals(sales.record.dialled, [SALES]);
  const message = await hotline.ring({ say: ["I'd like to leave a message"] });
  assertEquals([message.row.mode, message.row.disposition], ["voicemail", "voicemail"]);
});

Deno.test("consent stays undecided for a caller who hangs up during the disclosure", async () => {
  const call = await hotline.ring({ hangupAt: "say:2" });
  assertEquals([call.row.consent_given, call.row.disposition], [null, "abandoned"]);
});

Deno.test("the decision and the words it rests on are kept as evidence", async () => {
  const call = await hotline.ring({ say: ["no recording"], hangupAt: "gather:2" });
  const [evidence] = await hotline.db.sql`
    select meta from call_lifecycle where call_sid = ${call.record.callSid} and event = 'consent'`;
  assertEquals(evidence!.meta.speech, "no recording");
  assertEquals([evidence!.meta.consent.basis, evidence!.meta.consent.turn], ["no", 1]);
  const [heard] = await hotline.db.sql`
    select words from disclosures where name = ${evidence!.meta.consent.disclosure}`;
  assertEquals(heard!.words, call.record.spoken[1]);
});

Deno.test("* repeats the menu without the disclosure, as often as wanted", async () => {
  const call = await hotline.ring({ keys: ["*", "*", "*", "1"], dial: "answered" });
  assertEquals(call.record.all("gather").length, 4);
  assertEquals(call.record.spoken.filter((text) => text.includes("may be recorded")).length, 1);
  assertEquals(call.record.dialled, [SALES]);
});

Deno.test("a menu that is only ever repeated, or talked about, ends in voicemail too", async () => {
  for (const script of [{ keys: Array(99).fill("*") }, { say: Array(99).fill("record?") }]) {
    const call = await hotline.ring(script);
    // Two tries, and five hearings that cost none.
    assertEquals([call.row.disposition, call.record.all("gather").length], ["voicemail", 7]);
  }
});

Deno.test("a wrong key is announced once, then leads to voicemail", async () => {
  const once = await hotline.ring({ keys: ["7", "2"], dial: "answered" });
  assertMatch(said(once), /not one of the choices/);
  assertEquals(once.record.dialled, [SUPPORT]);
  const twice = await hotline.ring({ keys: ["7", "8"] });
  assertEquals([twice.record.all("gather").length, twice.row.disposition], [2, "voicemail"]);
});

for (const outcome of ["busy", "no-answer", "failed"] as const) {
  Deno.test(`nobody answers (${outcome}): the caller can leave a message`, async () => {
    const call = await hotline.ring({ keys: ["1"], dial: outcome });
    assertMatch(said(call), /Nobody can take your call/);
    assertEquals([call.row.mode, call.row.disposition], ["sales", "voicemail"]);
    assertEquals(call.row.connected_at, null);
  });
}

Deno.test("a message is kept though its transcription fails, is empty or never comes", async () => {
  for (const transcript of ["failed", "", "none"]) {
    const call = await hotline.ring({ keys: ["9"], voicemail: { seconds: 9, transcript } });
    assertEquals(
      [call.row.disposition, call.row.recording_duration_sec],
      ["voicemail", 9],
      transcript,
    );
  }
});

const moments = ["say:1", "say:2", "gather", "gather:2", "dial", "talk", "record"] as const;
for (const moment of moments) {
  Deno.test(`a caller who hangs up at ${moment} leaves no call open`, async () => {
    const keys = moment === "record" ? ["9"] : moment === "gather:2" ? ["*"] : ["1"];
    const call = await hotline.ring({ keys, hangupAt: moment, dial: "answered" });
    assertEquals(call.row.status, "completed");
    assert(call.row.disposition !== null);
    const active = await hotline.db.sql`
      select from active_calls where call_sid = ${call.record.callSid}`;
    assertEquals(active.length, 0);
  });
}

Deno.test("two webhooks stand between ringing and a person's phone", async () => {
  const call = await hotline.ring({ keys: ["1"], dial: "answered" });
  const steps = call.record.webhooks.filter(({ kind }) => kind === "twiml");
  const dialled = steps.findIndex(({ body }) => body.includes("<Dial"));
  assertEquals(dialled, 1);
});

Deno.test("every webhook of a call is one request to the database", async () => {
  for (const script of [{ keys: ["1"], dial: "answered" as const }, { keys: ["9"] }, {}]) {
    const before = hotline.dataApiRequests.length;
    const call = await hotline.ring(script);
    const requests = hotline.dataApiRequests.slice(before);
    assertEquals(requests.length, call.record.webhooks.length);
    assertEquals(new Set(requests), new Set(["POST /rest/v1/rpc/accept_voice_event"]));
  }
});

Deno.test("callers who withhold their number are served, and share no limit", async () => {
  for (
    const from of ["anonymous", "+266696687", "Restricted", "sip:someone@example.com", "client:web"]
  ) {
    const calls = await Promise.all(
      Array.from({ length: 11 }, () => hotline.ring({ hangupAt: "gather" }, { from })),
    );
    for (const call of calls) {
      assertEquals([call.row.rate_limited, call.row.from_e164], [false, null], from);
    }
  }
});

Deno.test("a caller without a number that a network takes reaches a person, who sees the line's number", async () => {
  for (const from of ["anonymous", "Restricted", "+266696687", "+1587555", "client:web"]) {
    const { record, row } = await hotline.ring({ keys: ["1"], dial: "answered" }, { from });
    assertEquals([row.disposition, record.all("dial")[0]?.callerId], ["connected", record.to]);
  }
  const { record } = await hotline.ring({ keys: ["1"], dial: "answered" });
  assertEquals(record.all("dial")[0]?.callerId, record.from);
});

Deno.test("a hang-up at the beep leaves no message and owes no mail; silence is kept as one", async () => {
  const kept = async (voicemail: Script["voicemail"]) => {
    const { row, record } = await hotline.ring({ keys: ["9"], ...(voicemail && { voicemail }) });
    const [mail] = await hotline.db.sql`
      select from jobs where kind = 'mail_voicemail' and payload::text like ${`%${
      record.all("recorded")[0]!.sid
    }%`}`;
    const [message] = await hotline.db.sql`
      select from voicemail_backlog where call_sid = ${row["call_sid"]}`;
    return [row["disposition"], row["recording_duration_sec"], message !== undefined, !!mail];
  };
  assertEquals(await kept({ seconds: 0, end: "hangup" }), ["abandoned", null, false, false]);
  assertEquals(await kept("silence"), ["voicemail", 1, true, true]);
});

Deno.test("a call in compressed time has its times in order, on the call's own timeline", async () => {
  const { row, record } = await hotline.ring(
    { keys: ["1"], dial: "answered", talkSeconds: 90 },
    { simulator: { timestamps: true } },
  );
  assertEquals(record.webhooks.filter(({ params }) => !params["Timestamp"]), []);
  const { started_at, answered_at, rang_at, connected_at, ended_at } = row;
  const times: Date[] = [started_at, answered_at, rang_at, connected_at, ended_at];
  assertEquals(times, times.toSorted((one, other) => one.getTime() - other.getTime()));
  assertEquals(Math.round((ended_at.getTime() - connected_at.getTime()) / 1000), 90);
});

Deno.test("no caller of any of these hears Twilio's own error message", async () => {
  const scripts = [{}, { keys: ["1"] }, { keys: ["*", "9"] }, { say: ["what?"] }, {
    say: ["record what?"],
  }];
  for (const script of scripts) {
    assertEquals((await hotline.ring(script)).record.applicationError, undefined);
  }
});

Deno.test("no log line of these calls holds a phone number, a secret or what was said", async () => {
  await hotline.ring({
    say: ["my secret is swordfish", "sales"],
    dial: "busy",
    voicemail: { seconds: 9, transcript: "Reach me at jane@example.com, swordfish." },
  }, { from: "+16045550199" });
  const log = [...hotline.console, ...hotline.log].join("\n");
  assert(log.includes('"function":"voice-frontdoor"'));
  for (const secret of ["local-auth-token", "sb_secret_local", "swordfish", "jane@example.com"]) {
    assert(!log.includes(secret), secret);
  }
  assertEquals(/\+\d{7,}/.exec(log), null);
});
