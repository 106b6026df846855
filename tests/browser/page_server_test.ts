import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { assertMatch } from "@std/assert/match.js";
import { LiveClock } from "../../scripts/console/clock.ts";
import { Recordings, sampleMessage } from "../../scripts/console/recordings.ts";
import { createConsole } from "../../scripts/console/server.ts";
import { recordedMedia } from "../../scripts/local/recording.ts";
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
    for (const path of ["/", "/api/lines", "/console/"]) {
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

Deno.test("another site's page cannot ring", async () => {
  const rings = (headers: Record<string, string>) =>
    status(ask("/api/phone", { headers: { upgrade: "websocket", ...headers } }));
  for (const origin of ["https://evil.example", "null", "http://127.0.0.1:9999"]) {
    // deno-lint-ignore no-await-in-loop -- few
    assertEquals(await rings({ origin }), 403, origin);
  }
});

Deno.test("every answer forbids scripts that are not the page's files", async () => {
  for (const path of ["/", "/phone.js", "/phone.css", "/nothing", "/api/lines", "/api/phone"]) {
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
      "/page/phone.js",
      "/recordings/../../db/postmaster.pid",
      `/recordings/${RECORDING_SID}`,
      "/api/other",
    ]
  ) {
    // deno-lint-ignore no-await-in-loop -- few
    assertEquals(await status(ask(path)), 404, path);
  }
  assertEquals(await status(ask("/phone.js", { method: "POST", headers: { origin: OWN } })), 405);
});

Deno.test("no answer holds a key", async () => {
  for (const file of ["/", "/phone.js", "/telephones.js", "/api/lines", "/console/config.json"]) {
    // deno-lint-ignore no-await-in-loop -- few
    const body = await (await ask(file)).text();
    assert(!/sb_secret|local-auth-token|apikey/i.test(body), file);
  }
});

Deno.test("a recording is kept whole, found again, and of no type that could be a page", async () => {
  const recordings = new Recordings(`${dataDir}/recordings`);
  const sample = sampleMessage(2);
  await recordings.keep(RECORDING_SID, sample);
  assertEquals(await recordings.find(RECORDING_SID), sample);
  const media = async (sid: string, range: string | null = null) => {
    const answer = await recordedMedia(
      `/2010-04-01/Accounts/AC/Recordings/${sid}.mp3`,
      range,
      recordings,
    );
    const bytes = new Uint8Array(await answer!.arrayBuffer());
    return [answer!.status, answer!.headers.get("content-range"), bytes.length];
  };
  // Without parts a player could not seek.
  const size = sample.bytes.length;
  assertEquals(await media(RECORDING_SID), [200, null, size]);
  assertEquals(await media(RECORDING_SID, "bytes=0-"), [206, `bytes 0-${size - 1}/${size}`, size]);
  assertEquals(await media(RECORDING_SID, "bytes=10-19"), [206, `bytes 10-19/${size}`, 10]);
  assertEquals(await media(RECORDING_SID, "bytes=-5"), [
    206,
    `bytes ${size - 5}-${size - 1}/${size}`,
    5,
  ]);
  assertEquals(await media(RECORDING_SID, `bytes=5-${size * 9}`), [
    206,
    `bytes 5-${size - 1}/${size}`,
    size - 5,
  ]);
  assertEquals(await media(RECORDING_SID, `bytes=${size}-`), [416, `bytes */${size}`, 0]);
  // Several parts at once, or other units: the whole, as RFC 9110 allows.
  assertEquals(await media(RECORDING_SID, "bytes=0-1,4-5"), [200, null, size]);
  // What is not on this machine is notes, for as long as a usual message.
  const [status, , length] = await media("RE" + "f".repeat(32));
  assertEquals(status, 200);
  assert(Number(length) > 60 * 16_000);
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
