// The handshake of a talk's socket: who may open it, before anything is upgraded.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { agentWords } from "../../supabase/functions/_shared/agent/words.ts";
import { createLines } from "../../supabase/functions/_shared/tenancy/lines.ts";
import { createHandler } from "../../supabase/functions/voice-agent/handler.ts";
import { agentDeps, CLAIMS, type Handshake, handshake } from "../support/agent_socket.ts";
import { AUTH_TOKEN, NOW, type TestDepsOptions } from "../support/webhook.ts";

async function answer(request: Request, options: TestDepsOptions = {}) {
  const { deps, upgraded, talks, lines } = agentDeps(options);
  const response = await createHandler(deps)(request);
  return { status: response.status, body: await response.text(), upgraded, talks, lines };
}

Deno.test("a signed handshake with a token of the call is upgraded, and its isolate kept until it ends", async () => {
  const { body, upgraded, talks } = await answer(handshake());
  assertEquals([body, upgraded.length, talks.length], ["upgraded", 1, 1]);
});

const lastLetter = (text: string) =>
  `${text.slice(0, -2)}${text.at(-2) === "A" ? "B" : "A"}${text.at(-1)}`;
for (
  const [what, request] of [
    ["no signature", { signature: "" }],
    ["a wrong signature", { signature: `${"A".repeat(27)}=` }],
    ["a signature by another token", { token: "0".repeat(32) }],
    ["a signature over https in place of wss", {
      signedUrl: (url) => url.replace("wss:", "https:"),
    }],
    ["a token by another key", { secret: "sb_secret_of_somebody" }],
    ["a token that was changed", { change: lastLetter, signedUrl: lastLetter }],
    ["a token of another account", {
      change: (url) => url.replace("/main/", `/AC${"0".repeat(31)}2/`),
      signedUrl: (url) => url.replace("/main/", `/AC${"0".repeat(31)}2/`),
    }],
    ["no token", {
      change: (url) => url.slice(0, url.lastIndexOf("/")),
      signedUrl: (url) => url.slice(0, url.lastIndexOf("/")),
    }],
    ["a token that has expired", { claims: { expires: NOW.getTime() / 1000 } }],
    ["a query", { change: (url) => `${url}?a=b`, signedUrl: (url) => `${url}?a=b` }],
  ] as readonly [string, Handshake][]
) {
  Deno.test(`a handshake is 401, and not upgraded: ${what}`, async () => {
    const { status, body, upgraded, lines } = await answer(handshake(request));
    assertEquals([status, body, upgraded.length], [401, '{"error":"unauthorized"}', 0]);
    assert(!lines.join().includes(AUTH_TOKEN));
  });
}

Deno.test("a signed request without an upgrade is told so", async () => {
  const { status, upgraded } = await answer(handshake({ headers: { upgrade: "h2c" } }));
  assertEquals([status, upgraded.length], [426, 0]);
});

Deno.test("a POST is refused before anything is looked at", async () => {
  assertEquals((await answer(handshake({ method: "POST" }))).status, 405);
});

Deno.test("a node that is no agent has no socket", async () => {
  const { status, upgraded } = await answer(
    handshake({ claims: { state: { ...CLAIMS.state, node: "bye" } } }),
  );
  assertEquals([status, upgraded.length], [404, 0]);
});

Deno.test("an address that is not Twilio's is refused where a list says so", async () => {
  const request = handshake({ headers: { "x-forwarded-for": "198.51.100.7" } });
  const { status } = await answer(request, { env: { TWILIO_IP_ALLOWLIST: "203.0.113.0/24" } });
  assertEquals(status, 401);
});

for (
  const [what, read] of [
    ["answers with an error", () => Promise.reject(new Error("away"))],
    ["does not answer", () => new Promise<never>(() => {})],
  ] as const
) {
  Deno.test(`fault: a socket whose flow this isolate lacks opens all the same while the database ${what}, with fixed words and the failed end`, async () => {
    // deno-lint-ignore no-explicit-any
    const sent: any[] = [];
    const socket = {
      readyState: WebSocket.OPEN,
      send: (text: string) => sent.push(JSON.parse(text)),
    };
    const frame = (frame: unknown) =>
      (socket as unknown as WebSocket).onmessage!({ data: JSON.stringify(frame) } as never);
    const { deps } = agentDeps({
      flows: () =>
        Promise.resolve(createLines({
          read,
          shipped: () => Promise.resolve({ ofHash: () => undefined, ofLine: () => undefined }),
          log: () => {},
        })),
      upgrade: () => ({ socket: socket as never, response: new Response("upgraded") }),
    });
    // Of the wait for the flow, and for the last rows.
    const talk = { ...deps.talk, wait: () => new Promise((done) => setTimeout(done, 5)) };
    const response = await createHandler({ ...deps, talk })(handshake());
    assertEquals(await response.text(), "upgraded");
    frame({ type: "setup", sessionId: `VX${"0".repeat(32)}`, callSid: CLAIMS.callSid });
    assertEquals(sent.map(({ type, token }) => token ?? type), [agentWords("en").words.says.sorry]);
    // The greeting has been heard, then the apology.
    for (let end = 0; end < 2; end++) frame({ type: "info", name: "agentSpeaking", value: "off" });
    while (sent.at(-1).handoffData === undefined) {
      // deno-lint-ignore no-await-in-loop -- Until the session has ended.
      await new Promise((done) => setTimeout(done));
    }
    const { outcome, reason } = JSON.parse(sent.at(-1).handoffData);
    assertEquals([outcome, reason], ["failed", "flow_not_read"]);
    (socket as unknown as WebSocket).onclose?.({} as never);
  });
}
