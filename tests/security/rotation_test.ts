// Keys are replaced while the line serves. Twilio signs by the old token until the moment that it signs by the new;
// operators come with the old secret key until they are told the new one, the scheduler with the token of before.

import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import {
  checkRecordingLink,
  recordingLink,
} from "../../supabase/functions/_shared/mail/recording_link.ts";
import { sealBy } from "../../supabase/functions/_shared/onboarding/seal.ts";
import { createHandler } from "../../supabase/functions/voice-route/handler.ts";
import { startHotline } from "../support/hotline.ts";
import { AUTH_TOKEN, onTheLine, signedRequest, testDeps } from "../support/webhook.ts";

/** The Data API takes this one alone: what the functions ask of it, they ask with the default key. */
const DEFAULT = "sb_secret_local";
const OTHER = "sb_secret_that_comes_or_goes";
const LEGACY = "ey.disabled.once";
const system = await startHotline({
  env: {
    SUPABASE_SECRET_KEYS: JSON.stringify({ next: OTHER, default: DEFAULT, empty: "", id: 7 }),
    SUPABASE_SERVICE_ROLE_KEY: LEGACY,
    METRICS_TOKEN: "the-token-of-a-scraper",
    SCHEDULER_TOKEN: "the-token-of-the-scheduler",
    SCHEDULER_TOKEN_PREVIOUS: "the-scheduler-token-of-before",
  },
});
Deno.test.afterAll(() => system.stop());

// --- Twilio's auth token --------------------------------------------------------------------------------------

async function status(token: string, env: Record<string, string>): Promise<number> {
  const request = signedRequest("voice-route", onTheLine, { query: "?turn=1&attempt=1", token });
  const response = await createHandler(testDeps({ env }))(request);
  await response.body?.cancel();
  return response.status;
}

Deno.test("while a token is replaced, webhooks that the old or the new one signed are taken", async () => {
  const env = { TWILIO_AUTH_TOKEN: "the-new-one", TWILIO_AUTH_TOKEN_PREVIOUS: AUTH_TOKEN };
  assertEquals(await status("the-new-one", env), 200);
  assertEquals(await status(AUTH_TOKEN, env), 200);
  assertEquals(await status("some-other-one", env), 401);
});

Deno.test("once the old token is no longer set, what it signed is refused", async () => {
  for (const previous of ["", "  "]) {
    const env = { TWILIO_AUTH_TOKEN: "the-new-one", TWILIO_AUTH_TOKEN_PREVIOUS: previous };
    assertEquals(await status("the-new-one", env), 200);
    assertEquals(await status(AUTH_TOKEN, env), 401);
    assertEquals(await status("", env), 401);
  }
});

// --- the project's secret key ---------------------------------------------------------------------------------

/** What operators and scheduled jobs call, and what it answers to those whom it lets in. */
const OPERATOR_ENDPOINTS: Readonly<Record<string, readonly [method: string, letIn: number]>> = {
  "alert-dispatch": ["POST", 200],
  "call-flows": ["GET", 200],
  "campaign-dialler": ["POST", 200],
  "dial-worker": ["POST", 200],
  "call-search": ["POST", 200],
  "campaigns": ["GET", 200],
  "metrics": ["GET", 200],
  "notify-worker": ["POST", 200],
  // The request says nothing: whom it would be for is asked later.
  "telephony-onboard": ["POST", 400],
  "voice-reconcile": ["POST", 200],
  // There is no such call.
  "voicemail-audio": ["GET", 404],
};

for (const [name, [method, letIn]] of Object.entries(OPERATOR_ENDPOINTS)) {
  const ask = async (headers: Record<string, string>) => {
    const response = await fetch(`${system.url}/functions/v1/${name}`, {
      method,
      headers: { ...headers, "content-type": "application/json" },
      ...(method === "POST" && { body: "{}" }),
    });
    await response.body?.cancel();
    return response.status;
  };

  Deno.test(`${name} lets in by each of the project's secret keys`, async () => {
    for (const key of [DEFAULT, OTHER]) {
      assertEquals(await ask({ apikey: key }), letIn, key);
      assertEquals(await ask({ authorization: `Bearer ${key}` }), letIn, key);
    }
  });

  Deno.test(`${name} lets in by nothing else, nor by a legacy key beside the newer ones`, async () => {
    for (const key of [LEGACY, OTHER.slice(0, -1), `${OTHER}x`, "next", "7", "", "undefined"]) {
      assertEquals(await ask({ apikey: key }), 401, key);
    }
    assertEquals(await ask({}), 401);
  });
}

const WORKERS = [
  "alert-dispatch",
  "campaign-dialler",
  "dial-worker",
  "notify-worker",
  "voice-reconcile",
];

Deno.test("the scheduler's token, and the one before it, open the workers and nothing else", async () => {
  for (const key of ["the-token-of-the-scheduler", "the-scheduler-token-of-before"]) {
    const opened: string[] = [];
    for (const [name, [method, letIn]] of Object.entries(OPERATOR_ENDPOINTS)) {
      // deno-lint-ignore no-await-in-loop -- few
      const response = await fetch(`${system.url}/functions/v1/${name}`, {
        method,
        headers: { apikey: key, "content-type": "application/json" },
        ...(method === "POST" && { body: "{}" }),
      });
      // deno-lint-ignore no-await-in-loop
      await response.body?.cancel();
      if (response.status === letIn) opened.push(name);
      else assertEquals(response.status, 401, name);
    }
    assertEquals(opened, WORKERS);
    // deno-lint-ignore no-await-in-loop
    const rows = await fetch(`${system.url}/rest/v1/alert_status`, { headers: { apikey: key } });
    // deno-lint-ignore no-await-in-loop
    await rows.body?.cancel();
    assertEquals(rows.status, 401);
  }
});

Deno.test("the functions that ask who operates are these", () => {
  const functions = new URL("../../supabase/functions/", import.meta.url);
  const asking = [...Deno.readDirSync(functions)].map(({ name }) => name).filter((name) =>
    name !== "_shared" &&
    /\/(access|operator|worker)\.ts"/.test(
      Deno.readTextFileSync(new URL(`${name}/handler.ts`, functions)),
    )
  );
  // voice-health answers everybody, and operators more.
  assertEquals(asking.sort(), [...Object.keys(OPERATOR_ENDPOINTS), "voice-health"].sort());
});

Deno.test("voice-health shows its figures for each of the project's secret keys, and for nothing else", async () => {
  const figures = async (key: string) => {
    const response = await fetch(`${system.url}/functions/v1/voice-health`, {
      headers: { apikey: key },
    });
    return Object.keys((await response.json()).checks.recent_activity).length > 1;
  };
  for (const key of [DEFAULT, OTHER]) assertEquals(await figures(key), true, key);
  for (const key of [LEGACY, "the-token-of-the-scheduler", "x"]) {
    assertEquals(await figures(key), false, key);
  }
});

Deno.test("a link to a voicemail works while the key that it was made with is one of the project's", () => {
  const query = new URL(recordingLink("http://127.0.0.1", "old", "CA1", "RE1", 1000)).searchParams;
  const now = new Date(999_000);
  assertEquals(checkRecordingLink(["new", "old"], query, now), "valid");
  assertEquals(checkRecordingLink(["new", "old"], query, new Date(1_000_000)), "expired");
  assertEquals(checkRecordingLink(["new"], query, now), "forged");
});

Deno.test("a seal is closed by the default key, and opens while its key is one of the project's", async () => {
  const sealed = await sealBy("old").close("a token", "AC1");
  assertEquals(await sealBy("new", "old").open(sealed, "AC1"), "a token");
  await assertRejects(() => sealBy("new", "old").open(sealed, "AC2"));
  await assertRejects(() => sealBy("new").open(sealed, "AC1"));
  const resealed = await sealBy("new", "old").close("a token", "AC1");
  assertEquals(await sealBy("new").open(resealed, "AC1"), "a token");
});
