import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { LOCAL_ACCOUNT_SID, LOCAL_AUTH_TOKEN } from "../../scripts/defaults.ts";
import { startLocalTwilio } from "../../scripts/local/twilio_api.ts";
import { main } from "../../scripts/privacy/main.ts";
import { startTestStack } from "../support/database.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";

const ACCOUNT = `AC${"0".repeat(32)}`;
/** Each recording has one, and it goes before its recording. */
const TRANSCRIPTION = `Transcriptions/TR${"1".repeat(32)}`;

/** Twilio's recordings and calls, and what was deleted of them. `asked`: before each answer. */
function fakeTwilio(
  recordings: Record<string, string[]>,
  fault: {
    readonly failing?: boolean;
    asked?(): Promise<void>;
    /** The legs that a call dialled. */
    legs?: Record<string, string>;
    /** Calls that Twilio does not delete yet. */
    refused?: Set<string>;
  } = {},
) {
  const { asked = () => Promise.resolve(), legs = {}, refused } = fault;
  const deleted: string[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      await asked();
      const { pathname, searchParams } = new URL(request.url);
      const path = pathname.replace(`/2010-04-01/Accounts/${ACCOUNT}/`, "")
        .replace("/2010-04-01/Accounts/", "");
      if (fault.failing) return Response.json({ code: 20500 }, { status: 500 });
      if (request.method === "DELETE") {
        // For up to 14 days: "the call has not completed".
        if (refused?.has(/CA\w+/.exec(path)?.[0] ?? "")) {
          return Response.json({ code: 20009, status: 409 }, { status: 409 });
        }
        deleted.push(path.replace(".json", ""));
        return new Response(null, { status: 204 });
      }
      if (path.endsWith("Calls.json")) {
        const leg = legs[searchParams.get("ParentCallSid")!];
        return Response.json({
          calls: leg ? [{ sid: leg, status: "completed", duration: "9" }] : [],
        });
      }
      const told = /Recordings\/(RE\w+)\/Transcriptions\.json$/.exec(path)?.[1];
      if (told !== undefined) {
        const words = { sid: `TR${"1".repeat(32)}`, transcription_text: `words of ${told}` };
        return Response.json({ transcriptions: [{ ...words, status: "completed" }] });
      }
      const call = /(?:^|\/)Calls\/(CA\w+)\/Recordings\.json$/.exec(path)?.[1];
      const sids = recordings[call ?? ""] ?? [];
      return Response.json({
        recordings: sids.map((sid) => ({ sid, status: "completed", source: "DialVerb" })),
      });
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    deleted,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function forget(args: string[], env: Record<string, string>) {
  const lines: string[] = [];
  const code = await main(args, { env: (name) => env[name], print: (line) => lines.push(line) });
  return { code, text: lines.join("\n") };
}

Deno.test("forget erases a person here and at Twilio, and prints the receipt", async () => {
  const stack = await startTestStack({ functions: false });
  const sid = newCallSid();
  const leg = newCallSid();
  const [kept, second] = [recordingSid(1), recordingSid(2)];
  await using twilio = fakeTwilio({ [sid]: [kept, second] }, { legs: { [sid]: leg } });
  const env = {
    SUPABASE_URL: stack.url,
    TWILIO_API_URL: twilio.url,
    TWILIO_ACCOUNT_SID: ACCOUNT,
    TWILIO_AUTH_TOKEN: "token",
  };
  try {
    const event = voiceEvent(sid, {
      from_e164: "+14165550123" as never,
      call_status: "completed",
      recording_sid: kept,
      recording_source: "voicemail",
      transcript: "It is Jane",
    });
    await stack.db.sql`select accept_voice_event(${stack.db.sql.json(event as never)})`;

    const exported = await forget(["+14165550123", "--export", "-"], env);
    assertEquals(exported.code, 0, exported.text);
    assertStringIncludes(exported.text, "It is Jane");
    // Of the second one no row of ours knows.
    assertStringIncludes(exported.text, `words of ${second}`);
    assertStringIncludes(exported.text, "recordings_at_twilio: 2");
    assertEquals(twilio.deleted, []);

    const { code, text } = await forget(["+14165550123", "--yes"], env);
    assertEquals(code, 0, text);
    assertStringIncludes(text, "Receipt ");
    assertStringIncludes(text, "call_logs: 1");
    assertEquals(
      new Set(twilio.deleted),
      new Set([
        TRANSCRIPTION,
        `Recordings/${kept}`,
        `Recordings/${second}`,
        `Calls/${leg}`,
        `Calls/${sid}`,
      ]),
    );
    assertEquals((await stack.db.sql`select from call_logs`).length, 0);
    assertEquals((await stack.db.sql`select from jobs`).length, 0);
    assertEquals(text.includes("Nothing was known"), false, text);
    const again = await forget(["+14165550123", "--yes"], env);
    assertEquals(again.code, 0, again.text);
    assertStringIncludes(again.text, "Nothing is known of this person");
  } finally {
    await stack.stop();
  }
});

Deno.test("forget deletes a sub-account's call and recordings in that sub-account", async () => {
  const stack = await startTestStack({ functions: false });
  const [sid, org, sub] = [newCallSid(), crypto.randomUUID(), `AC${"5".repeat(32)}`];
  await using twilio = fakeTwilio({ [sid]: [recordingSid(3)] });
  try {
    await stack.db.sql`
      insert into telephony_subaccounts (org_id, subaccount_sid, business_name) values (${org}, ${sub}, 'Acme')`;
    await stack.db.sql`
      insert into call_logs (call_sid, org_id, from_e164, status, started_at, ended_at)
      values (${sid}, ${org}, '+14165550123', 'completed', now(), now())`;
    const { code, text } = await forget(["+14165550123", "--yes"], {
      SUPABASE_URL: stack.url,
      TWILIO_API_URL: twilio.url,
      TWILIO_ACCOUNT_SID: ACCOUNT,
      TWILIO_AUTH_TOKEN: "token",
    });
    assertEquals(code, 0, text);
    assertEquals(twilio.deleted, [
      `${sub}/${TRANSCRIPTION}`,
      `${sub}/Recordings/${recordingSid(3)}`,
      `${sub}/Calls/${sid}`,
    ]);
  } finally {
    await stack.stop();
  }
});

Deno.test("forget erases nothing while Twilio cannot be asked, and says to run it again", async () => {
  const stack = await startTestStack({ functions: false });
  await using twilio = fakeTwilio({}, { failing: true });
  try {
    const event = voiceEvent(newCallSid(), {
      from_e164: "+14165550123" as never,
      call_status: "completed",
    });
    await stack.db.sql`select accept_voice_event(${stack.db.sql.json(event as never)})`;
    const { code, text } = await forget(["+14165550123", "--yes"], {
      SUPABASE_URL: stack.url,
      TWILIO_API_URL: twilio.url,
      TWILIO_ACCOUNT_SID: ACCOUNT,
      TWILIO_AUTH_TOKEN: "token",
    });
    assertEquals(code, 1);
    assertStringIncludes(text, "Run it again");
    assertEquals((await stack.db.sql`select from call_logs`).length, 1);
  } finally {
    await stack.stop();
  }
});

Deno.test("forget says what was deleted at Twilio until it went away, and that nothing was erased here", async () => {
  const stack = await startTestStack({ functions: false });
  let questions = 0;
  const fault = { failing: false };
  const sids = [newCallSid(), newCallSid()];
  await using twilio = fakeTwilio({}, {
    get failing() {
      return fault.failing;
    },
    asked() {
      // Both are asked about, the first is deleted, and then it is away.
      fault.failing = ++questions > 5;
      return Promise.resolve();
    },
  });
  const env = {
    SUPABASE_URL: stack.url,
    TWILIO_API_URL: twilio.url,
    TWILIO_ACCOUNT_SID: ACCOUNT,
    TWILIO_AUTH_TOKEN: "token",
  };
  try {
    for (const sid of sids) {
      const event = voiceEvent(sid, {
        from_e164: "+14165550123" as never,
        call_status: "completed",
      });
      await stack.db.sql`select accept_voice_event(${stack.db.sql.json(event as never)})`;
    }
    const { code, text } = await forget(["+14165550123", "--yes"], env);
    assertEquals(code, 1);
    assertMatch(text, /^NOT ERASED: .*Already deleted there: 1 of 2 calls, 0 recordings\./);
    assertStringIncludes(text, "Nothing was erased here");
    assertEquals((await stack.db.sql`select from call_logs`).length, 2);

    questions = -100;
    const again = await forget(["+14165550123", "--yes"], env);
    assertEquals(again.code, 0, again.text);
    assertEquals((await stack.db.sql`select from call_logs`).length, 0);
  } finally {
    await stack.stop();
  }
});

Deno.test("forget uses the stand-in for Twilio that runs with the local line, and for no other line", async () => {
  const stack = await startTestStack({ functions: false });
  const dir = await Deno.makeTempDir();
  const twilio = startLocalTwilio(LOCAL_ACCOUNT_SID, LOCAL_AUTH_TOKEN, dir);
  const env = { TRADELINE_DATA_DIR: dir, TRADELINE_API_PORT: new URL(stack.url).port };
  try {
    for (const from of ["+14165550123", "+14165550124"]) {
      const event = voiceEvent(newCallSid(), {
        from_e164: from as never,
        call_status: "completed",
        recording_sid: recordingSid(1),
        recording_source: "voicemail",
      });
      await stack.db.sql`select accept_voice_event(${stack.db.sql.json(event as never)})`;
    }
    const there = await forget(["+14165550123", "--yes"], env);
    assertEquals(there.code, 0, there.text);
    assertStringIncludes(there.text, "at Twilio: 1 calls");

    // Another line than this machine's has another Twilio.
    const elsewhere = await forget(["+14165550124", "--yes"], {
      ...env,
      SUPABASE_URL: stack.url.replace("127.0.0.1", "localhost"),
    });
    assertStringIncludes(elsewhere.text, "Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN");

    await twilio.stop();
    const gone = await forget(["+14165550124", "--yes"], env);
    assertEquals(gone.code, 1);
    assertStringIncludes(gone.text, "Nothing was erased.");
    assertEquals((await stack.db.sql`select from call_logs`).length, 1);
  } finally {
    await stack.stop();
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("no command takes a key to another machine by plain http", async () => {
  const { code, text } = await forget(["+14165550123", "--yes", "--url", "http://example.com"], {});
  assertEquals(code, 2);
  assertStringIncludes(text, "http:// on this machine only");
});

Deno.test("forget without an account refuses to erase callers, and erases a person who only wrote", async () => {
  const stack = await startTestStack({ functions: false });
  const sql = stack.db.sql;
  try {
    const event = voiceEvent(newCallSid(), {
      from_e164: "+14165550123" as never,
      call_status: "completed",
    });
    await sql`select accept_voice_event(${sql.json(event as never)})`;
    for (const phone of ["+14165550123", "+14165550199"]) {
      await sql`
        insert into contact_messages (name, email, phone, message) values ('Jane', 'jane@example.com', ${phone}, 'Hello')`;
    }
    const { code, text } = await forget(["+14165550123", "--yes"], { SUPABASE_URL: stack.url });
    assertEquals(code, 1);
    assertStringIncludes(text, "Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN");
    assertEquals((await sql`select from call_logs`).length, 1);
    assertEquals((await sql`select from contact_messages`).length, 2);

    // From another person's erased call.
    await sql`select enqueue_job('twilio_deletion', ${recordingSid(9)})`;
    const wrote = await forget(["+14165550199", "--yes"], { SUPABASE_URL: stack.url });
    assertEquals(wrote.code, 0, wrote.text);
    assertStringIncludes(wrote.text, "contact_messages: 1");
    const left = await sql`select phone from contact_messages`;
    assertEquals(left.map(({ phone }) => phone), ["+14165550123"]);
  } finally {
    await stack.stop();
  }
});

Deno.test("a call that ends while Twilio is asked is said to be still at Twilio", async () => {
  const stack = await startTestStack({ functions: false });
  const sql = stack.db.sql;
  const [over, open] = [newCallSid(), newCallSid()];
  const call = (sid: string, status: string, ended: Date | null) =>
    sql`
      insert into call_logs (call_sid, from_e164, status, started_at, ended_at)
      values (${sid}, '+14165550123', ${status}, now(), ${ended})`;
  await call(over, "completed", new Date(Date.now() + 60_000));
  await call(open, "in-progress", null);
  await using twilio = fakeTwilio({}, {
    async asked() {
      await sql`update call_logs set status = 'completed', ended_at = started_at where call_sid = ${open}`;
    },
  });
  try {
    const { code, text } = await forget(["+14165550123", "--yes"], {
      SUPABASE_URL: stack.url,
      TWILIO_API_URL: twilio.url,
      TWILIO_ACCOUNT_SID: ACCOUNT,
      TWILIO_AUTH_TOKEN: "token",
    });
    assertEquals([code, twilio.deleted], [1, [`Calls/${over}`]], text);
    assertStringIncludes(text, "call_logs: 2");
    assertStringIncludes(text, "STILL AT TWILIO: the records of 1 calls");
  } finally {
    await stack.stop();
  }
});

Deno.test("the record of a call that Twilio does not delete yet is kept as work until it is gone", async () => {
  const stack = await startTestStack({ functions: false });
  const { sql } = stack.db;
  const sid = newCallSid();
  const refused = new Set([sid]);
  await using twilio = fakeTwilio({ [sid]: [] }, { refused });
  const env = {
    SUPABASE_URL: stack.url,
    TWILIO_API_URL: twilio.url,
    TWILIO_ACCOUNT_SID: ACCOUNT,
    TWILIO_AUTH_TOKEN: "token",
  };
  try {
    await sql`
      insert into call_logs (call_sid, from_e164, status, started_at, ended_at)
      values (${sid}, '+14165550123', 'completed', now(), now())`;
    const { code, text } = await forget(["+14165550123", "--yes"], env);
    assertEquals(code, 1, text);
    assertStringIncludes(text, "call_logs: 1");
    assertStringIncludes(text, "STILL AT TWILIO: the records of 1 calls or legs");
    assertEquals([...await sql`select key from jobs where kind = 'twilio_deletion'`], [{
      key: sid,
    }]);

    refused.clear();
    const later = await forget(["--pending"], env);
    assertEquals(later.code, 0, later.text);
    assertEquals(twilio.deleted, [`Calls/${sid}`]);
    assertEquals((await sql`select from jobs`).length, 0);
  } finally {
    await stack.stop();
  }
});

Deno.test("the recordings that wait are listed without an account, and deleted with one", async () => {
  const stack = await startTestStack({ functions: false });
  const sql = stack.db.sql;
  await using twilio = fakeTwilio({});
  try {
    await sql`select enqueue_job('twilio_deletion', ${recordingSid(7)})`;
    const { code, text } = await forget(["--pending"], { SUPABASE_URL: stack.url });
    assertEquals(code, 1);
    assertStringIncludes(text, "STILL AT TWILIO");
    assertStringIncludes(text, recordingSid(7));

    const later = await forget(["--pending"], {
      SUPABASE_URL: stack.url,
      TWILIO_API_URL: twilio.url,
      TWILIO_ACCOUNT_SID: ACCOUNT,
      TWILIO_AUTH_TOKEN: "token",
    });
    assertEquals([later.code, twilio.deleted], [0, [
      TRANSCRIPTION,
      `Recordings/${recordingSid(7)}`,
    ]]);
    assertEquals((await sql`select from jobs`).length, 0);
  } finally {
    await stack.stop();
  }
});

Deno.test("an export without an account says that Twilio was not asked, where there are calls", async () => {
  const stack = await startTestStack({ functions: false });
  try {
    const without = { SUPABASE_URL: stack.url };
    const nobody = await forget(["+14165550123", "--export", "-"], without);
    assertEquals(nobody.code, 0, nobody.text);

    const event = voiceEvent(newCallSid(), { from_e164: "+14165550123" as never });
    await stack.db.sql`select accept_voice_event(${stack.db.sql.json(event as never)})`;
    const { code, text } = await forget(["+14165550123", "--export", "-"], without);
    assertEquals(code, 1);
    assertStringIncludes(text, "calls: 1");
    assertStringIncludes(text, "NOT ASKED: Twilio, for recordings of 1 calls");
    assertStringIncludes(text, "TWILIO_ACCOUNT_SID");
  } finally {
    await stack.stop();
  }
});

Deno.test("forget asks for a person and for what to do, before it does anything", async () => {
  for (
    const args of [[], ["4165550123", "--yes"], ["+14165550123"], [
      "+14165550123",
      "--yes",
      "--export",
      "-",
    ]]
  ) {
    assertEquals((await forget(args, {})).code, 2, args.join(" "));
  }
});
