import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { assertMatch } from "@std/assert/match.js";
import { LiveClock } from "../../scripts/console/clock.ts";
import { Recordings, sampleMessage } from "../../scripts/console/recordings.ts";
import { createConsole } from "../../scripts/console/server.ts";
import { prettyTwiml } from "../../scripts/console/twiml.ts";
import { refused } from "../../scripts/local/serve.ts";
import { withLocalDefaults } from "../../scripts/local/stack.ts";
import { wav } from "../support/audio.ts";
import { startTestStack } from "../support/database.ts";

// The server of the pages, asked without a browser.

const stack = await startTestStack();
const dataDir = await Deno.makeTempDir({ prefix: "tradeline-console-" });
const page = createConsole({
  apiUrl: stack.url,
  databaseUrl: stack.db.url,
  dataDir,
  env: withLocalDefaults({}, stack.url, stack.db.url),
});
Deno.test.afterAll(async () => {
  await page.close();
  await stack.stop();
  await Deno.remove(dataDir, { recursive: true });
});

const HOST = "127.0.0.1:54323";
const OWN = `http://${HOST}`;
const CALL_SID = "CA0123456789abcdef0123456789abcdef";
const RECORDING_SID = "RE0123456789abcdef0123456789abcdef";

function ask(
  path: string,
  { headers = {}, ...init }: RequestInit & { headers?: Record<string, string> } = {},
): Promise<Response> {
  const request = new Request(OWN + path, { ...init, headers: { host: HOST, ...headers } });
  return Promise.resolve(refused(request) ?? page.handle(request));
}

const status = async (response: Promise<Response>) => {
  const { status, body } = await response;
  await body?.cancel();
  return status;
};

Deno.test("a name that is made to lead here is refused, whatever it asks for", async () => {
  for (const host of ["evil.example", "evil.example:54323", "127.0.0.1.evil.example", ""]) {
    for (const path of ["/", "/api/live", "/api/calls"]) {
      // deno-lint-ignore no-await-in-loop -- few
      assertEquals(await status(ask(path, { headers: { host } })), 403, `${host}${path}`);
    }
  }
  assertEquals(await status(ask("/", { headers: { host: "localhost:8080" } })), 200);
});

Deno.test("the lines that follow a flow are offered, with the version that answers", async () => {
  await stack.db.sql`
    select publish_flow(null, 'dental', '{"zone": "UTC", "nodes": {}}', ${
    "a".repeat(64)
  }, array['+15874059001'])`;
  const lines = await (await ask("/api/lines")).json();
  assertEquals(lines, [{ number: "+15874059001", flow: "dental", version: 1 }]);
});

Deno.test("a prompt's audio comes from Storage, in parts too; nothing else does", async () => {
  const hash = "b".repeat(64);
  const storage = `${stack.url}/storage/v1`;
  const headers = { apikey: "sb_secret_local", "content-type": "audio/wav" };
  await storageOf("bucket", { headers, body: JSON.stringify({ id: "prompts", public: true }) });
  await storageOf(`object/prompts/${hash}`, { headers, body: wav() });
  assertEquals(await status(ask(`/prompts/${"c".repeat(64)}`)), 404);
  assertEquals(await status(ask("/prompts/../bucket")), 404);
  const part = await ask(`/prompts/${hash}`, { headers: { range: "bytes=8-11" } });
  assertEquals([part.status, part.headers.get("content-type"), await part.text()], [
    206,
    "audio/wav",
    "WAVE",
  ]);

  async function storageOf(path: string, init: RequestInit) {
    const response = await fetch(`${storage}/${path}`, { method: "POST", ...init });
    assertEquals(response.status, 200, await response.text());
  }
});

Deno.test("another site's page can neither change anything nor ring", async () => {
  const handled = (headers: Record<string, string>) =>
    status(ask(`/api/recordings/${RECORDING_SID}/handled`, {
      method: "POST",
      body: '{"handled":true}',
      headers,
    }));
  assertEquals(await handled({ origin: "https://evil.example" }), 403);
  assertEquals(await handled({ origin: "null" }), 403);
  assertEquals(await handled({ origin: "http://127.0.0.1:9999" }), 403);
  assertEquals(await handled({ origin: OWN }), 404);

  const rings = (headers: Record<string, string>) =>
    status(ask("/api/phone", { headers: { upgrade: "websocket", ...headers } }));
  assertEquals(await rings({ origin: "https://evil.example" }), 403);
});

Deno.test("every answer forbids scripts that are not the page's files", async () => {
  for (const path of ["/", "/app.js", "/style.css", "/nothing", "/api/calls", "/api/phone"]) {
    // deno-lint-ignore no-await-in-loop -- few
    const response = await ask(path);
    // deno-lint-ignore no-await-in-loop
    await response.body?.cancel();
    const policy = response.headers.get("content-security-policy") ?? "";
    assertMatch(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
    assertMatch(policy, /require-trusted-types-for 'script'/);
    assert(!policy.includes("unsafe"), path);
    assertEquals(response.headers.get("x-content-type-options"), "nosniff");
  }
});

Deno.test("only the page's own files are served", async () => {
  for (
    const path of [
      "/../server.ts",
      "/%2e%2e/server.ts",
      "/..%2fserver.ts",
      "/.env",
      "/server.ts",
      "/page/app.js",
      "/recordings/../../db/postmaster.pid",
      `/recordings/${RECORDING_SID}`,
      "/api/calls/1",
      "/api/other",
    ]
  ) {
    // deno-lint-ignore no-await-in-loop -- few
    assertEquals(await status(ask(path)), 404, path);
  }
  assertEquals(await status(ask("/app.js", { method: "POST", headers: { origin: OWN } })), 405);
});

Deno.test("no answer holds a key", async () => {
  for (const file of ["/", "/app.js", "/operator.js", "/phone.js", "/api/calls"]) {
    // deno-lint-ignore no-await-in-loop -- few
    const body = await (await ask(file)).text();
    assert(!/sb_secret|local-auth-token|apikey/i.test(body), file);
  }
});

Deno.test("handled must be said as true or false", async () => {
  for (const body of ["", "[]", "null", '{"handled":"yes"}']) {
    const init = { method: "POST", body, headers: { origin: OWN } };
    // deno-lint-ignore no-await-in-loop -- few
    assertEquals(await status(ask(`/api/recordings/${RECORDING_SID}/handled`, init)), 400, body);
  }
});

Deno.test("a reloaded page gets the current state at once, without any event", async () => {
  const firstNews = async () => {
    const reader = (await ask("/api/live")).body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const start = performance.now();
    while (!text.includes("data: ")) {
      // deno-lint-ignore no-await-in-loop -- piece by piece
      text += (await reader.read()).value;
    }
    await reader.cancel();
    return performance.now() - start;
  };
  await firstNews();
  // Until nobody is looked for any more.
  await new Promise((resolve) => setTimeout(resolve, 600));
  const again = await firstNews();
  assert(again < 30_000, `told after ${again} ms`);
});

Deno.test("a search is digits, however they are written, and nothing else", async () => {
  const { sql } = stack.db;
  await sql`insert into call_logs (call_sid, from_e164, to_e164, started_at)
    values (${CALL_SID}, '+14165550123', '+15875550100', now())`;
  const found = async (search: string) => {
    const response = await ask(`/api/calls?search=${encodeURIComponent(search)}`);
    const { calls, total } = await response.json();
    assertEquals(calls.length, total);
    return total;
  };
  assertEquals(await found(""), 1);
  assertEquals(await found("416-555 01"), 1);
  assertEquals(await found("5875550"), 1);
  assertEquals(await found("CA0123"), 1);
  assertEquals(await found("999"), 0);
  assertEquals(await found("%"), 0);
  assertEquals(await found("' or true --"), 0);
});

Deno.test("a recording is kept whole, found again, and of no type that could be a page", async () => {
  const recordings = new Recordings(`${dataDir}/recordings`);
  assertEquals(await recordings.sids(), new Set());
  const sample = sampleMessage(2);
  await recordings.keep(RECORDING_SID, sample);
  assertEquals(await recordings.find(RECORDING_SID), sample);
  assertEquals(await recordings.sids(), new Set([RECORDING_SID]));
  const response = await ask(`/recordings/${RECORDING_SID}`);
  assertEquals(response.headers.get("content-type"), "audio/wav");
  assertEquals(new Uint8Array(await response.arrayBuffer()), sample.bytes);
  // Without parts a player could not seek.
  const part = async (range: string) => {
    const { status, headers, body } = await ask(`/recordings/${RECORDING_SID}`, {
      headers: { range },
    });
    return [status, headers.get("content-range"), (await new Response(body).bytes()).length];
  };
  const size = sample.bytes.length;
  assertEquals(response.headers.get("accept-ranges"), "bytes");
  assertEquals(await part("bytes=0-"), [206, `bytes 0-${size - 1}/${size}`, size]);
  assertEquals(await part("bytes=10-19"), [206, `bytes 10-19/${size}`, 10]);
  assertEquals(await part("bytes=-5"), [206, `bytes ${size - 5}-${size - 1}/${size}`, 5]);
  assertEquals(await part(`bytes=5-${size * 9}`), [206, `bytes 5-${size - 1}/${size}`, size - 5]);
  assertEquals(await part(`bytes=${size}-`), [416, `bytes */${size}`, 0]);
  // Several parts at once, or other units: the whole, as RFC 9110 allows.
  assertEquals(await part("bytes=0-1,4-5"), [200, null, size]);
  await assertRejects(
    () => recordings.keep(RECORDING_SID, { ...sample, type: "text/html" }),
    TypeError,
  );
});

Deno.test("what was waited for has passed: a ring of a minute takes no second one", async () => {
  const clock = new LiveClock();
  const line = new AbortController().signal;
  const before = Date.now();
  clock.waited(60_000);
  // When the ring began.
  assert(clock.now().getTime() <= before - 59_000);
  await clock.sleep(20_000, line);
  await clock.sleep(40_000, line);
  assert(Math.abs(clock.now().getTime() - Date.now()) < 10_000);
  assert(Date.now() - before < 30_000);
});

Deno.test("a conversation ends when one side hangs up, and only then", async () => {
  const clock = new LiveClock();
  const hungUp = new AbortController();
  const talk = clock.sleep(3_600_000, hungUp.signal);
  clock.skip();
  await talk;
  const another = clock.sleep(3_600_000, hungUp.signal);
  hungUp.abort(new Error("hung up"));
  await assertRejects(() => another, Error, "hung up");
});

Deno.test("TwiML is shown with an element a line, and what is no XML as it came", () => {
  const xml =
    `<?xml version="1.0" encoding="UTF-8"?><Response><Say voice="a&quot;b">1 &lt; 2 &amp; 3` +
    `</Say><Gather action="/x?a=1&amp;b=2"><Pause/></Gather><Dial>+1<Number>+2</Number></Dial></Response>`;
  assertEquals(
    prettyTwiml(xml),
    `<Response>
  <Say voice="a&quot;b">1 &lt; 2 &amp; 3</Say>
  <Gather action="/x?a=1&amp;b=2">
    <Pause/>
  </Gather>
  <Dial>
    +1
    <Number>+2</Number>
  </Dial>
</Response>`,
  );
  assertEquals(prettyTwiml("<Response><Say>"), "<Response><Say>");
});
