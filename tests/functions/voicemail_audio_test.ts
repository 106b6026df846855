import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { serve, withLocalDefaults } from "../../scripts/local/stack.ts";
import { recordingLink } from "../../supabase/functions/_shared/mail/recording_link.ts";
import { readSettings } from "../../supabase/functions/_shared/settings.ts";
import { liveDeps as audioDeps } from "../../supabase/functions/voicemail-audio/deps.ts";
import { createHandler } from "../../supabase/functions/voicemail-audio/handler.ts";
import { startTestStack } from "../support/database.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";
import { userToken } from "../support/onboarding.ts";

const ACCOUNT = `AC${"1".repeat(32)}`;
const AUDIO = new Uint8Array(1000).map((_, i) => i % 251);

/** Twilio's media: WAV by default, MP3 by its suffix, ranges, and nothing without the account's credentials. */
const asked: { path: string; authorization: string | null; range: string | null }[] = [];
let twilioAnswers: (() => Response) | undefined;
const twilio = serve(0, () => {}, (request) => {
  const { pathname } = new URL(request.url);
  const authorization = request.headers.get("authorization");
  const range = request.headers.get("range");
  asked.push({ path: pathname, authorization, range });
  if (twilioAnswers !== undefined) return twilioAnswers();
  if (authorization !== `Basic ${btoa(`${ACCOUNT}:twilio-token`)}`) {
    return new Response("Authenticate", { status: 401 });
  }
  const headers = {
    "content-type": "audio/mpeg",
    "accept-ranges": "bytes",
    "x-secret": "internal",
  };
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? "") ?? [];
  if (from === undefined) return new Response(AUDIO, { headers });
  if (Number(from) >= AUDIO.length) {
    return new Response(null, {
      status: 416,
      headers: { "content-range": `bytes */${AUDIO.length}` },
    });
  }
  const end = to ? Math.min(Number(to), AUDIO.length - 1) : AUDIO.length - 1;
  return new Response(AUDIO.slice(Number(from), end + 1), {
    status: 206,
    headers: { ...headers, "content-range": `bytes ${from}-${end}/${AUDIO.length}` },
  });
});

const stack = await startTestStack({ functions: false });
const variables = withLocalDefaults(
  {
    TWILIO_AUTH_TOKEN: "twilio-token",
    TWILIO_ACCOUNT_SID: ACCOUNT,
    TWILIO_API_URL: twilio.url,
  },
  stack.url,
  "",
);
const settings = readSettings((name) => variables[name]);
const logged: string[] = [];
let now = new Date();
const audio = serve(
  0,
  () => {},
  createHandler({
    ...audioDeps(settings),
    log: (_level, fields) => void logged.push(JSON.stringify(fields)),
    now: () => now,
  }),
);
Deno.test.afterAll(async () => {
  await audio.drain();
  await twilio.drain();
  await stack.stop();
});
Deno.test.beforeEach(() => {
  now = new Date();
  twilioAnswers = undefined;
  asked.length = 0;
});

let recordings = 1;

/** A call that left a message, whose recording is said to be there. */
async function voicemail(
  url?: string,
  source: "voicemail" | "dial" = "voicemail",
): Promise<string> {
  const sid = newCallSid();
  const recording = recordingSid(recordings++);
  const { sql } = stack.db;
  const event = voiceEvent(sid, {
    recording_sid: recording,
    recording_source: source,
    recording_url: url ??
      `https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT}/Recordings/${recording}`,
  });
  await sql`select accept_voice_event(${sql.json(event as never)})`;
  return sid;
}

/** The recording of the call that was made last. */
const itsRecording = () => recordingSid(recordings - 1);

const inAWeek = () => Math.floor(now.getTime() / 1000) + 7 * 24 * 60 * 60;
const link = (sid: string, expires = inAWeek()) =>
  recordingLink("", settings.secretKey, sid, itsRecording(), expires).replace(
    "/voicemail-audio",
    "",
  );
const get = (query: string, init?: RequestInit) => fetch(`${audio.url}/${query}`, init);
const fault = async (response: Response) => [response.status, await response.text()];
const told = (code: string) => JSON.stringify({ error: code });

Deno.test("a link plays the recording, with the account's credentials left behind", async () => {
  const response = await get(link(await voicemail()));
  assertEquals(response.status, 200);
  assertEquals(new Uint8Array(await response.arrayBuffer()), AUDIO);
  const { headers } = response;
  assertEquals(headers.get("content-type"), "audio/mpeg");
  assertEquals(headers.get("cache-control"), "private, no-store");
  assertEquals(headers.get("referrer-policy"), "no-referrer");
  assertEquals(headers.get("x-content-type-options"), "nosniff");
  assertEquals(headers.get("x-secret"), null);
  assertEquals(asked.length, 1);
  assert(asked[0]!.path.endsWith(".mp3"));
});

Deno.test("a player can ask for a part, or for the size", async () => {
  const query = link(await voicemail());
  const part = await get(query, { headers: { range: "bytes=10-19" } });
  assertEquals([part.status, part.headers.get("content-range")], [206, "bytes 10-19/1000"]);
  assertEquals(new Uint8Array(await part.arrayBuffer()), AUDIO.slice(10, 20));
  const beyond = await get(query, { headers: { range: "bytes=5000-" } });
  assertEquals([beyond.status, beyond.headers.get("content-range"), await beyond.text()], [
    416,
    "bytes */1000",
    "",
  ]);
  const odd = await get(query, { headers: { range: "bytes=0-1, 5-6" } });
  assertEquals([odd.status, asked.at(-1)!.range], [200, null]);
  await odd.body?.cancel();
  const head = await get(query, { method: "HEAD" });
  assertEquals([head.status, head.headers.get("content-type")], [200, "audio/mpeg"]);
});

Deno.test("a link that was changed in any part is no link", async () => {
  const sid = await voicemail();
  const other = await voicemail();
  const query = link(sid);
  const flipped = query.replace(/sig=(.)/, (_, first) => `sig=${first === "A" ? "B" : "A"}`);
  for (
    const forged of [
      query.replace(sid, other),
      query.replace(/expires=(\d)/, "expires=9"),
      query.replace(/expires=\d+/, "expires=1e99"),
      flipped,
      query.replace(/sig=.*/, "sig="),
      query.replace(/&sig=.*/, ""),
      query.replace(/sig=.*/, "sig=%00"),
      recordingLink("", "another key", sid, itsRecording(), inAWeek()).replace(
        "/voicemail-audio",
        "",
      ),
      `?call=${sid}&recording=${itsRecording()}`,
      "",
    ]
  ) assertEquals(await fault(await get(forged)), [401, told("unauthorized")], forged);
  assertEquals(asked.length, 0);
});

Deno.test("a link works for 7 days, and then says that it is over", async () => {
  const query = link(await voicemail());
  now = new Date(now.getTime() + 7 * 24 * 60 * 60 * 1000 - 2000);
  assertEquals((await get(query)).status, 200);
  now = new Date(now.getTime() + 3000);
  assertEquals(await fault(await get(query)), [410, told("expired")]);
});

Deno.test("the secret key plays any voicemail, another key none", async () => {
  const sid = await voicemail();
  const response = await get(`?call=${sid}&recording=${itsRecording()}`, {
    headers: { apikey: settings.secretKey },
  });
  assertEquals(response.status, 200);
  await response.body?.cancel();
  assertEquals(
    await fault(
      await get(`?call=${sid}&recording=${itsRecording()}`, {
        headers: { apikey: "sb_publishable_local" },
      }),
    ),
    [
      401,
      told("unauthorized"),
    ],
  );
});

Deno.test("a call without a message, one that is unknown, and a recorded conversation are not found", async () => {
  for (const sid of [newCallSid(), await voicemail(undefined, "dial"), "nonsense", "' or 1=1 --"]) {
    assertEquals(await fault(await get(link(sid))), [404, told("not_found")], sid);
  }
  assertEquals(asked.length, 0);
});

Deno.test("a recording that is said to be elsewhere is not fetched: the credentials go to Twilio only", async () => {
  const path = `/2010-04-01/Accounts/${ACCOUNT}/Recordings/${recordingSid(9)}`;
  for (
    const url of [
      `http://169.254.169.254${path}`,
      `https://api.twilio.com.evil.example${path}`,
      `https://api.twilio.com@evil.example${path}`,
      `https://x:y@api.twilio.com${path}`,
      `http://api.twilio.com${path}`,
      `https://api.twilio.com:8443${path}`,
      `https://api.twilio.com/2010-04-01/Accounts/${ACCOUNT}/Keys`,
      `https://api.twilio.com${path}/../../../AC${"2".repeat(32)}/Calls`,
      `${twilio.url}/admin`,
    ]
  ) {
    assertEquals(await fault(await get(link(await voicemail(url)))), [404, told("not_found")], url);
  }
  assertEquals(asked.length, 0);
});

Deno.test("refusals, redirects and bad answers of Twilio are answered without its words", async () => {
  const query = link(await voicemail());
  for (
    const [answer, status, code] of [
      [() => new Response("gone, account AC1", { status: 404 }), 404, "not_found"],
      [
        () => new Response("wrong token twilio-token", { status: 401 }),
        502,
        "recording_unavailable",
      ],
      [() => new Response("oops", { status: 500 }), 502, "recording_unavailable"],
      [() => Response.redirect("http://169.254.169.254/"), 502, "recording_unavailable"],
      [() => Response.json({ secret: 1 }), 502, "recording_unavailable"],
    ] as const
  ) {
    twilioAnswers = answer;
    assertEquals(await fault(await get(query)), [status, told(code)]);
  }
});

Deno.test("where Twilio sends for the audio, it is fetched once, by HTTPS and without the credentials", async () => {
  const query = link(await voicemail());
  const sent: [url: string, authorized: boolean, range: string | null][] = [];
  const redirecting = (...locations: string[]) =>
    createHandler({
      ...audioDeps(settings),
      log: () => {},
      fetch: (input, init) => {
        const headers = new Headers(init?.headers);
        sent.push([String(input), headers.has("authorization"), headers.get("range")]);
        const location = locations.shift();
        return Promise.resolve(
          location === undefined
            ? new Response(AUDIO, { headers: { "content-type": "audio/mpeg" } })
            : new Response(null, { status: 307, headers: { location } }),
        );
      },
    });
  const listen = (handler: ReturnType<typeof redirecting>) =>
    handler(new Request(`http://localhost/${query}`, { headers: { range: "bytes=0-9" } }));

  const media = "https://media.example/recording?signature=1";
  const played = await listen(redirecting(media));
  assertEquals(played.status, 200);
  assertEquals(new Uint8Array(await played.arrayBuffer()), AUDIO);
  assertEquals(sent.map(([, ...rest]) => rest), [[true, "bytes=0-9"], [false, "bytes=0-9"]]);
  assertEquals(sent[1]![0], media);
  // Not by plain HTTP, and not on and on.
  for (const locations of [["http://media.example/"], [media, media], ["/elsewhere"]]) {
    assertEquals((await listen(redirecting(...locations))).status, 502);
  }
});

Deno.test("another method gets 405, and a database that is away 503", async () => {
  const query = link(await voicemail());
  assertEquals(await fault(await get(query, { method: "POST" })), [
    405,
    told("method_not_allowed"),
  ]);
  const away = createHandler({
    ...audioDeps({ ...settings, supabaseUrl: "http://127.0.0.1:9" }),
    log: () => {},
  });
  assertEquals(await fault(await away(new Request(`http://localhost/${query}`))), [
    503,
    told("unavailable"),
  ]);
});

Deno.test("no line of the log holds the credentials or a link", () => {
  const log = logged.join("\n");
  assert(logged.length > 0);
  for (const secret of ["twilio-token", settings.secretKey, "sig=", "api.twilio.com"]) {
    assert(!log.includes(secret), secret);
  }
});

Deno.test("a signed-in member plays each recording of the own calls, and no other's", async () => {
  const of = async (source: "voicemail" | "dial", claims: Record<string, unknown>) => {
    const query = `?call=${await voicemail(undefined, source)}&recording=${itsRecording()}`;
    const response = await get(query, {
      headers: { authorization: `Bearer ${userToken(claims)}` },
    });
    await response.body?.cancel();
    return response.status;
  };
  const sub = crypto.randomUUID();
  await stack.db.sql`insert into members (user_id, email, role, joined_at)
    values (${sub}, 'viewer@example.com', 'viewer', now())`;
  const elsewhere = {
    sub: crypto.randomUUID(),
    app_metadata: { org_id: crypto.randomUUID(), role: "owner" },
  };
  for (const source of ["voicemail", "dial"] as const) {
    // deno-lint-ignore no-await-in-loop
    assertEquals([await of(source, { sub }), await of(source, elsewhere)], [200, 404]);
  }
  assertEquals(await of("voicemail", { sub: crypto.randomUUID() }), 404);
  assertEquals(await of("voicemail", { sub, role: "anon" }), 401);
});
