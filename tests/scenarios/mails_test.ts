import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import * as fc from "fast-check";
import { seededRandom } from "../../scripts/phone/random.ts";
import { LOCAL_SECRET_KEY, serve } from "../../scripts/local/stack.ts";
import type { VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import { liveDeps as workerDeps } from "../../supabase/functions/notify-worker/deps.ts";
import { cases, deepTest } from "../support/cases.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";
import { startHotline } from "../support/hotline.ts";
import { contactMessage, type Fault, startMailSystem } from "../support/mail.ts";

// What is owed arrives, once: whole ways from a website or a telephone to a mailbox.

const system = await startMailSystem();
const { sql } = system.stack.db;
Deno.test.afterAll(() => system.stop());

deepTest(
  "300 messages while Resend fails half of the time: each of 600 mails is delivered once, after its retries",
  async () => {
    const flooded = await startMailSystem();
    const { resend, submit, work, impatient, stack: { db: { sql } } } = flooded;
    const random = seededRandom(20251102);
    const faults: Fault[] = [
      ...Array<Fault>(4).fill({ kind: "error", taken: false }),
      ...Array<Fault>(4).fill({ kind: "error", taken: true }),
      ...Array<Fault>(4).fill({ kind: "reset", taken: false }),
      ...Array<Fault>(4).fill({ kind: "reset", taken: true }),
      { kind: "hang", taken: false },
      { kind: "hang", taken: true },
    ];
    let failed = 0;
    resend.fault = (_key, time) => {
      // Below the number of tries: eight failures in a row are a dead letter, which another test is about.
      if (time > 6 || random() < 0.5) return undefined;
      failed++;
      return faults[Math.floor(random() * faults.length)];
    };

    const ids = new Set<string>();
    for (let i = 0; i < 12; i++) {
      const answers = await Promise.all(Array.from({ length: 25 }, async () => {
        const response = await submit(contactMessage());
        assertEquals(response.status, 202);
        return (await response.json()).id as string;
      }));
      for (const id of answers) ids.add(id);
    }
    assertEquals(ids.size, 300);

    let retried = 0;
    for (let left = 600; left > 0;) {
      const reports = await Promise.all([work({ send: impatient }), work({ send: impatient })]);
      for (const report of reports) {
        assertEquals([report.status, report.dead, report.stopped], [200, 0, null]);
        retried += Number(report.retried);
      }
      await sql`update jobs set run_at = now() where status = 'waiting'`;
      const [row] = await sql`select count(*)::int as n from jobs where status <> 'done'`;
      left = row!.n;
    }

    const share = failed / resend.requests.length;
    assert(share > 0.45 && share < 0.55, `${share} of the requests failed`);
    // Fewer than failed: of some resets fetch itself sends the request again, under the same key.
    assert(retried > 300, `${retried} retries`);
    const mails = await resend.mails();
    assertEquals(mails.length, 600);
    const operator = mails.filter(({ to }) => to[0] === "operator@example.com");
    const references = (list: typeof mails) =>
      list.map(({ text }) => /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(text)![0]).sort();
    assertEquals(references(operator), [...ids].sort());
    assertEquals(references(mails.filter((mail) => !operator.includes(mail))), [...ids].sort());
    assertEquals(new Set(mails.map(({ to }) => to[0])).size, 301);
    await flooded.stop();
  },
);

// --- voicemails: their events in any order, of which the mail depends on none ---------------------------------

const RECORDED = {
  recording_source: "voicemail" as const,
  recording_url: "https://api.twilio.com/x",
};

/** A call that leaves a message, event by event. */
function voicemailEvents(sid: string, transcript: boolean): VoiceEvent[] {
  const at = new Date().toISOString();
  const event = (identity: string, changes: Partial<VoiceEvent>) =>
    voiceEvent(sid, { identity, call_status: undefined, occurred_at: at, ...changes });
  const recording = { ...RECORDED, recording_sid: recordingSid(1), recording_duration_sec: 12 };
  return [
    event("arrived", { call_status: "ringing" }),
    // The silence at its end included, which Twilio trims.
    event("recorded", { ...recording, event: "voicemail_recorded", recording_duration_sec: 17 }),
    event("recording", { ...recording, event: "recording" }),
    event("completed", { call_status: "completed", duration_sec: 40 }),
    ...(transcript
      ? [event("transcript", { ...recording, transcript: "Please call me back." })]
      : []),
  ];
}

const accept = async (event: VoiceEvent) =>
  void await sql`select accept_voice_event(${sql.json(event as never)})`;

async function owed(sid: string) {
  return [
    ...await sql`
      select status, extract(epoch from run_at - now())::float8 as due_in from jobs
      where key like ${`voicemail/${sid}/%`}`,
  ];
}

Deno.test("however a voicemail's events come, twice and shuffled, one mail is owed, and when it is due depends on the transcript only", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.infiniteStream(fc.nat()),
      async (transcript, draws) => {
        const sid = newCallSid();
        const events = [...voicemailEvents(sid, transcript), ...voicemailEvents(sid, transcript)]
          .map((event) => ({ event, rank: draws.next().value as number }))
          .sort((a, b) => a.rank - b.rank);
        for (const { event } of events) await accept(event);
        const mails = await owed(sid);
        assertEquals(mails.length, 1);
        const due = mails[0]!.due_in as number;
        assert(transcript ? due <= 0 : due > 110 && due <= 120, `due in ${due} s`);
      },
    ),
    { numRuns: cases(60) },
  );
});

Deno.test("of a message that Twilio has not confirmed the mail waits 15 minutes, and none is sent once it is retracted", async () => {
  const sid = newCallSid();
  const [arrived, recorded, recording, completed] = voicemailEvents(sid, false);
  for (const event of [arrived!, recorded!, completed!]) await accept(event);
  const due = (await owed(sid))[0]!.due_in as number;
  assert(due > 890 && due <= 900, `due in ${due} s`);
  await accept({ ...recording!, recording_duration_sec: undefined, recording_lost: true });
  assertEquals(await owed(sid), []);
  const [row] = await sql`select disposition from call_logs where call_sid = ${sid}`;
  assertEquals(row!.disposition, "abandoned");
});

Deno.test("a voicemail's length is the trimmed one, whichever comes first", async () => {
  for (const order of [[0, 1, 2, 3], [2, 0, 1, 3], [3, 2, 1, 0]]) {
    const sid = newCallSid();
    const events = voicemailEvents(sid, false);
    for (const n of order) await accept(events[n]!);
    const [row] = await sql`select recording_duration_sec from call_logs where call_sid = ${sid}`;
    assertEquals(row!.recording_duration_sec, 12);
  }
});

Deno.test("no mail before the call is over, nor for a call without a message", async () => {
  const sid = newCallSid();
  const [arrived, recorded, , completed] = voicemailEvents(sid, false);
  await accept(arrived!);
  await accept(recorded!);
  assertEquals(await owed(sid), []);
  await accept(completed!);
  assertEquals((await owed(sid)).length, 1);

  const talked = newCallSid();
  await accept(
    voiceEvent(talked, { recording_sid: recordingSid(2), ...RECORDED, recording_source: "dial" }),
  );
  await accept(voiceEvent(talked, { identity: "end", call_status: "completed" }));
  assertEquals(await owed(talked), []);
});

Deno.test("a mail of a transaction that rolls back is not enqueued", async () => {
  const sid = newCallSid();
  await sql.begin(async (transaction) => {
    for (const event of voicemailEvents(sid, true)) {
      await transaction`select accept_voice_event(${transaction.json(event as never)})`;
    }
    throw new Error("undone");
  }).catch(() => {});
  assertEquals(await owed(sid), []);
});

Deno.test("a transcript that comes after two minutes, or never, holds no mail up; one that comes later sends no second", async () => {
  const { resend, work, later } = system;
  resend.fault = () => undefined;
  const sid = newCallSid();
  const events = voicemailEvents(sid, true);
  for (const event of events.slice(0, 4)) await accept(event);
  const about = async () =>
    (await resend.mails()).filter(({ text }) => text.includes(`call=${sid}`));
  await work();
  assertEquals((await about()).length, 0);
  await later("2 minutes");
  await work();
  await accept(events[4]!);
  await later("1 day");
  await work();
  const [mail, ...others] = await about();
  assertEquals(others, []);
  assertMatch(mail!.text, /There is no transcript/);
  const [row] = await sql`select transcript from call_logs where call_sid = ${sid}`;
  assertEquals(row!.transcript, "Please call me back.");
});

Deno.test("a transcript that comes while the mail is being sent leaves the sender its whole lease", async () => {
  const { jobs } = workerDeps(system.settings);
  // Of other tests, so that the next one is this test's.
  await sql`delete from jobs`;
  const sid = newCallSid();
  const events = voicemailEvents(sid, true);
  for (const event of events.slice(0, 4)) await accept(event);
  await system.later("2 minutes");
  const [sending] = await jobs.claim(["mail_voicemail"], 1);
  await accept(events[4]!);
  const [mail] = await sql`
    select status, extract(epoch from run_at - attempted_at)::int as lease from jobs
    where id = ${sending!.id} and key like ${`voicemail/${sid}%`}`;
  assertEquals({ ...mail }, { status: "running", lease: 120 });
  assertEquals((await jobs.claim(["mail_voicemail"], 1)).length, 0);
  assertEquals(await jobs.done(sending!, "id"), true);
});

Deno.test("a transcript between two tries changes nothing of a mail that may have been sent", async () => {
  const { resend, work, later } = system;
  const sid = newCallSid();
  const events = voicemailEvents(sid, true);
  for (const event of events.slice(0, 4)) await accept(event);
  await later("2 minutes");
  resend.fault = () => ({ kind: "reset", taken: true });
  await work();
  await accept(events[4]!);
  resend.fault = () => undefined;
  await later("5 seconds");
  await work();
  assertEquals((await owed(sid))[0]!.status, "done");
  const mails = (await resend.mails()).filter(({ text }) => text.includes(`call=${sid}`));
  assertEquals(mails.length, 1);
});

deepTest(
  "a mail bomb from 120 addresses: 60 messages are kept, 63 mails sent, and a voicemail's mail does not wait for them",
  async () => {
    const bombed = await startMailSystem({
      MAX_CONTACT_MESSAGES_PER_HOUR: "",
      MAX_MAILS_PER_HOUR: "",
    });
    const { submit, work, later, resend, stack: { db: { sql } } } = bombed;
    /** Lets the worker run every `step` seconds until `done`; how many seconds passed. */
    const runUntil = async (done: () => Promise<boolean>, step = 10) => {
      for (let seconds = 0; seconds <= 7200; seconds += step) {
        await work();
        if (await done()) return seconds;
        await later(`${step} seconds`);
      }
      throw new Error("not within 2 hours");
    };
    const voicemail = async () => {
      const sid = newCallSid();
      for (const event of voicemailEvents(sid, true)) {
        await sql`select accept_voice_event(${sql.json(event as never)})`;
      }
      return async () =>
        (await sql`select from jobs where key like ${`voicemail/${sid}%`} and status = 'done'`)
          .length === 1;
    };
    const mailsTo = async (pattern: RegExp) =>
      (await resend.mails()).filter(({ to }) => pattern.test(to[0]!)).length;
    try {
      let n = 0;
      const bomb = async () => {
        const answers = [];
        for (let address = 0; address < 120; address++) {
          answers.push(
            ...await Promise.all(Array.from({ length: 4 }, async () => {
              const message = contactMessage({ email: `victim+${n++}@example.com` });
              const response = await submit(message, { address: `198.51.100.${address}` });
              await response.body?.cancel();
              return response.status;
            })),
          );
        }
        return answers.filter((status) => status === 202).length;
      };
      assertEquals(await bomb(), 60);
      assertEquals(await runUntil(await voicemail()), 0);
      await runUntil(async () => (await work()).sent === 0);
      // Receipts wait for an hour with room; one mailbox gets three of them, however it is written.
      assertEquals([await mailsTo(/^victim/), await mailsTo(/^operator/)], [0, 61]);
      await later("1 hour");
      await work();
      assertEquals([await mailsTo(/^victim/), await mailsTo(/^operator/)], [3, 61]);

      // Resend refuses the next hour's for its quota, and does not say for how long.
      await later("1 hour");
      let refusing = false;
      const body = { statusCode: 429, name: "daily_quota_exceeded", message: "" };
      const refused: Fault = { kind: "answer", status: 429, body };
      resend.fault = (key) => refusing || key.startsWith("contact_") ? refused : undefined;
      assertEquals(await bomb(), 60);
      assertEquals(await runUntil(await voicemail()), 0);
      // And when it takes nothing at all, what is urgent asks once a minute.
      refusing = true;
      const sent = await voicemail();
      for (let waited = 0; waited < 600; waited += 10) {
        await work();
        await later("10 seconds");
      }
      refusing = false;
      assert(await runUntil(sent) <= 60);
      resend.fault = () => undefined;
      const owed = () => sql`select from jobs where status = 'waiting'`;
      await runUntil(async () => (await owed()).length === 0, 300);
      const [dead] = await sql`select count(*)::int as n from jobs_dead`;
      assertEquals([dead!.n, await mailsTo(/^victim/), await mailsTo(/^operator/)], [0, 6, 123]);
    } finally {
      await bombed.stop();
    }
  },
);

Deno.test("rung, recorded, mailed and heard: the operator's mail has all of it, and its link plays the message", async () => {
  const { resend } = system;
  const twilio = serve(
    0,
    () => {},
    () => new Response("the caller's voice", { headers: { "content-type": "audio/mpeg" } }),
  );
  const hotline = await startHotline({
    env: {
      RESEND_API_KEY: "re_test",
      RESEND_BASE_URL: resend.url,
      FROM_EMAIL: "hotline@example.com",
      NOTIFY_TO: "operator@example.com",
      TWILIO_API_URL: twilio.url,
    },
  });
  try {
    const { record } = await hotline.ring({
      keys: ["9"],
      voicemail: { seconds: 75, transcript: "It's <urgent>. Call me & hurry." },
    }, { from: "+16045550177" });
    const run = async () => {
      const response = await fetch(`${hotline.url}/functions/v1/notify-worker`, {
        method: "POST",
        headers: { apikey: LOCAL_SECRET_KEY },
      });
      return (await response.json()).sent;
    };
    assertEquals([await run(), await run()], [1, 0]);
    const [mail] = (await resend.mails()).filter(({ text }) => text.includes(record.callSid));
    assertEquals([mail!.to, mail!.subject], [
      ["operator@example.com"],
      "Voicemail from +16045550177",
    ]);
    assertMatch(
      mail!.text,
      /^Caller: \+16045550177\nCalled: \+15874059000\nTime: .* UTC\nLength: 1:15\nListen: http/,
    );
    assertMatch(mail!.text, /\n> It's <urgent>\. Call me & hurry\.\n/);
    assert(mail!.html.includes("It&#39;s &lt;urgent&gt;. Call me &amp; hurry."));

    const link = /href="([^"]+)"/.exec(mail!.html)![1]!.replaceAll("&amp;", "&");
    assertEquals(link, /Listen: (\S+)/.exec(mail!.text)![1]);
    const heard = await fetch(link);
    assertEquals([heard.status, await heard.text()], [200, "the caller's voice"]);
    const forged = await fetch(link.replace(/expires=1/, "expires=2"));
    assertEquals([forged.status, await forged.text()], [401, '{"error":"unauthorized"}']);
    const [job] = await hotline.db.sql`select kind, status, attempts from jobs`;
    assertEquals({ ...job }, { kind: "mail_voicemail", status: "done", attempts: 1 });
    const log = [...hotline.console, ...hotline.log].join("\n");
    for (const secret of ["urgent", "sig=", "+16045550177", "operator@"]) {
      assert(!log.includes(secret), secret);
    }
  } finally {
    await hotline.stop();
    await twilio.drain();
  }
});
