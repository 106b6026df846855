import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import * as z from "zod/mini";
import { startTwilioApi } from "../../scripts/local/twilio_api.ts";
import {
  ifThere,
  type TwilioClient,
  twilioClient,
  TwilioError,
} from "../../supabase/functions/_shared/twilio/client.ts";
import { twilioLegs } from "../../supabase/functions/_shared/twilio/legs.ts";
import { provisioning } from "../../supabase/functions/_shared/twilio/provisioning.ts";
import { twilioRest } from "../../supabase/functions/_shared/twilio/rest.ts";

const ACCOUNT = { accountSid: `AC${"1".repeat(32)}`, authToken: "a token" };
const THING = z.object({ sid: z.string() });

/** A client of a Twilio that answers one after the other, the last one again and again. */
async function withTwilio(
  answers: readonly (() => Response | Promise<Response>)[],
  body: (client: TwilioClient, seen: { asked: string[]; waits: number[] }) => Promise<void>,
  deadlineMs = 60_000,
) {
  const seen = { asked: [] as string[], waits: [] as number[] };
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname, search } = new URL(request.url);
    seen.asked.push(`${request.method} ${pathname}${search}`);
    return answers[Math.min(seen.asked.length, answers.length) - 1]!();
  });
  const client = twilioClient({
    baseUrl: `http://127.0.0.1:${server.addr.port}`,
    ...ACCOUNT,
    deadlineMs,
    wait: (ms) => Promise.resolve(seen.waits.push(ms)),
  });
  await body(client, seen);
}

const fault = (status: number, code = 0, headers = {}) => () =>
  Response.json({ code, status }, { status, headers });
const fine = () => Response.json({ sid: "ok" });

/** What a client's request fails with. */
async function failed(asked: Promise<unknown>) {
  const { kind, status, code } = await assertRejects(() => asked, TwilioError);
  return [kind, status, code];
}

for (
  const [name, answer, expected, attempts] of [
    ["a refusal is final", fault(400, 21422), ["refused", 400, "21422"], 1],
    ["a refusal without a number too", fault(401), ["refused", 401, ""], 1],
    ["429 says that nothing was done", fault(429, 20429), ["busy", 429, "20429"], 4],
    ["a call's record that may not go yet is asked about later", fault(409, 20009), [
      "busy",
      409,
      "20009",
    ], 1],
    ["after 5xx nothing is known", fault(503), ["unknown", 503, ""], 4],
    ["nor after a gateway's time-out", fault(408), ["unknown", 408, ""], 4],
  ] as const
) {
  Deno.test(`${name}, and is asked ${attempts} times`, () =>
    withTwilio([answer], async (client, { asked }) => {
      assertEquals(await failed(client.get("/Things/1", THING)), [...expected]);
      assertEquals(asked, Array(attempts).fill("GET /2010-04-01/Things/1.json"));
    }));
}

Deno.test("what makes something new is repeated after 429, and never where it may have been made", async () => {
  await withTwilio([fault(429), fine], async (client, { asked }) => {
    assertEquals(await client.create("/Things", THING, { Name: "x" }), { sid: "ok" });
    assertEquals(asked.length, 2);
  });
  await withTwilio([fault(500), fine], async (client, { asked }) => {
    assertEquals(await failed(client.create("/Things", THING, { Name: "x" })), [
      "unknown",
      500,
      "",
    ]);
    assertEquals(asked.length, 1);
  });
});

Deno.test("a wait grows, is at least what Twilio asks for, and ends at 10 s", () =>
  withTwilio(
    [fault(429, 0, { "retry-after": "2" }), fault(503), fault(429, 0, { "retry-after": "99" })],
    async (client, { waits }) => {
      await failed(client.get("/Things", THING));
      const [first, second, third] = waits;
      assert(first! >= 2000 && first! <= 2500, String(first));
      assert(second! >= 0 && second! <= 1000, String(second));
      assert(third! >= 5000 && third! <= 7000, String(third));
    },
  ));

Deno.test("no answer in time is no answer, and nothing is known", async () => {
  const { promise, resolve } = Promise.withResolvers<Response>();
  await withTwilio([() => promise], async (client, { asked }) => {
    assertEquals(await failed(client.create("/Things", THING, {})), ["unknown", 0, ""]);
    assert(asked.length <= 1);
    resolve(fine());
  }, 100);
});

Deno.test("an answer that is not as documented is as good as none", async () => {
  for (
    const answer of [
      () => new Response("<html>"),
      () => Response.json({ sid: 7 }),
      () => Response.json({ things: "none" }),
    ]
  ) {
    await withTwilio([answer], async (client) => {
      assertEquals((await failed(client.get("/Things", THING)))[0], "unknown");
      assertEquals((await failed(client.list("/Things", "things", THING)))[0], "unknown");
    });
  }
});

Deno.test("a missing resource is recognised, and deleting it succeeds", () =>
  withTwilio([fault(404, 20404)], async (client) => {
    assertEquals(await ifThere(client.get("/Things/1", THING)), undefined);
    await client.delete("/Things/1");
    const signal = AbortSignal.timeout(60_000);
    assertEquals(await client.media("/Recordings/RE1", signal), undefined);
  }));

Deno.test("another product is asked at its own host", () => {
  const client = twilioClient({ baseUrl: "https://api.twilio.com", ...ACCOUNT });
  assertEquals(client.url("monitor/v1/Alerts"), "https://monitor.twilio.com/v1/Alerts");
  assertEquals(client.url("/Accounts"), "https://api.twilio.com/2010-04-01/Accounts");
});

Deno.test("this machine's stand-in answers for the other products too", async () => {
  const twilio = startTwilioApi(ACCOUNT);
  try {
    const client = twilioClient({ baseUrl: twilio.url, ...ACCOUNT, attempts: 1 });
    assertEquals(await twilioRest(client, ACCOUNT.accountSid).refusedCalls(new Date()), 0);
    assertEquals(await provisioning(client, ACCOUNT.accountSid).hasProfile(), true);
  } finally {
    await twilio.stop();
  }
});

Deno.test("a call that waits for its turn is found, though its record has no time yet", async () => {
  const calls = [
    ["CA1", "queued", null],
    ["CA2", "completed", "Mon, 02 Mar 2026 10:00:00 +0000"],
  ].map(([sid, status, date_created]) => ({
    sid,
    status,
    date_created,
    direction: "outbound-api",
    duration: null,
  }));
  await withTwilio([() => Response.json({ calls })], async (client) => {
    const legs = twilioLegs(client, ACCOUNT.accountSid);
    const since = new Date("2026-03-02T11:00:00Z");
    assertEquals((await legs.made("+12125550123", since, "+12125559999"))?.sid, "CA1");
  });
});
