// docs/openapi.yaml and the functions say the same: real handlers make each answer that it describes, and each answer
// that the test stack, the onboarding tests and every_webhook_test.ts get is held to it.

import { wav } from "../support/audio.ts";
import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { recordingLink } from "../../supabase/functions/_shared/mail/recording_link.ts";
import { DatabaseFailure } from "../../supabase/functions/_shared/db/client.ts";
import { Refused } from "../../supabase/functions/_shared/errors.ts";
import type { FlowDatabase } from "../../supabase/functions/_shared/db/flows.ts";
import { createHandler as callFlows } from "../../supabase/functions/call-flows/handler.ts";
import { createHandler as callSearch } from "../../supabase/functions/call-search/handler.ts";
import { createHandler as campaignsOf } from "../../supabase/functions/campaigns/handler.ts";
import type { CampaignNow } from "../../supabase/functions/_shared/db/campaigns.ts";
import { createHandler as alert } from "../../supabase/functions/alert-dispatch/handler.ts";
import { createHandler as metrics } from "../../supabase/functions/metrics/handler.ts";
import { createHandler as dialCampaigns } from "../../supabase/functions/campaign-dialler/handler.ts";
import { createHandler as dial } from "../../supabase/functions/dial-worker/handler.ts";
import { createHandler as notify } from "../../supabase/functions/notify-worker/handler.ts";
import { createHandler as reconcile } from "../../supabase/functions/voice-reconcile/handler.ts";
import { createHandler as contactSubmit } from "../../supabase/functions/contact-submit/handler.ts";
import { createHandler as voiceAgent } from "../../supabase/functions/voice-agent/handler.ts";
import type { AgentDeps } from "../../supabase/functions/voice-agent/deps.ts";
import { createHandler as voiceHealth } from "../../supabase/functions/voice-health/handler.ts";
import { createHandler as voicemailAudio } from "../../supabase/functions/voicemail-audio/handler.ts";
import { agentDeps, CLAIMS, handshake } from "../support/agent_socket.ts";
import { smallFlow } from "../support/call_flows.ts";
import { type Hotline, startHotline } from "../support/hotline.ts";
import { memberToken, openOffice, organisation } from "../support/onboarding.ts";
import {
  asDocumented,
  documentedAnswers,
  documentedFunctions,
  METHODS,
  seen,
  undocumented,
} from "../support/openapi.ts";
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  CALL_SID,
  CONFLICT,
  FOREIGN,
  NOW,
  RECORDING_SID,
  RECORDING_URL,
  type RequestOptions,
  signedRequest,
  testDeps,
  type TestDepsOptions,
  testSettings,
  UNAVAILABLE,
} from "../support/webhook.ts";
import { CALLBACKS, type WebhookCase, WEBHOOKS } from "./cases.ts";

/** What a browser sends before the request of a page of another site. */
const PREFLIGHT = { origin: "https://console.example", "access-control-request-method": "POST" };

const settings = testSettings();
const log = () => {};

/** Has a handler answer, and the answer be as described. */
async function answered(
  name: string,
  handler: (request: Request) => Response | Promise<Response>,
  request: Request,
): Promise<number> {
  const response = await handler(request);
  await asDocumented(name, request.method, response);
  await response.body?.cancel();
  return response.status;
}

Deno.test("docs/openapi.yaml describes each function, and no other", () => {
  const functions = [...Deno.readDirSync(new URL("../../supabase/functions/", import.meta.url))]
    .filter(({ name, isDirectory }) => isDirectory && name !== "_shared")
    .map(({ name }) => name).sort();
  assertEquals(documentedFunctions, functions);
});

Deno.test("an answer that docs/openapi.yaml does not describe is noticed", async () => {
  const kept = { id: crypto.randomUUID() };
  const faults = async (response: Response, name = "contact-submit", method = "POST") =>
    (await undocumented(name, method, response)).length;
  assertEquals(await faults(Response.json(kept, { status: 202 })), 0);
  for (
    const response of [
      Response.json(kept, { status: 200 }),
      Response.json({ ...kept, email: "jane@example.com" }, { status: 202 }),
      Response.json({ id: 1 }, { status: 202 }),
      new Response("kept", { status: 202 }),
      Response.json({ error: "rate_limited" }, { status: 429 }),
    ]
  ) assertEquals(await faults(response), 1, String(response.status));
  assertEquals(await faults(Response.json(kept, { status: 202 }), "contact-submit", "PUT"), 1);
  assertEquals(await faults(Response.json(kept, { status: 202 }), "contact"), 1);
});

async function webhooks() {
  const unavailable = {
    isMain: () => false,
    find: () => Promise.resolve({ kind: "unavailable" } as const),
  };
  const ask = (
    { name, createHandler, params, query }: WebhookCase,
    options: RequestOptions & TestDepsOptions & { params?: Record<string, string> } = {},
    more = {},
  ) =>
    answered(
      name,
      createHandler({ ...testDeps(options), ...more }),
      signedRequest(name, options.params ?? params, { query, ...options }),
    );
  for (const webhook of WEBHOOKS) {
    const isCallback = CALLBACKS.includes(webhook);
    const { CallSid, AccountSid } = webhook.params;
    const broken = new ReadableStream({ start: (stream) => stream.error(new Error("broke off")) });
    assertEquals(
      [
        await ask(webhook),
        await ask(webhook, { headers: { "x-twilio-signature": undefined } }),
        await ask(webhook, { outcome: FOREIGN }),
        await ask(webhook, { method: "GET" }),
        await ask(webhook, { params: { ...webhook.params, Body: "x".repeat(65_536) } }),
        await ask(webhook, { query: `?x=${"x".repeat(4000)}` }),
        await ask(webhook, { headers: { "content-type": "application/json" } }),
        await ask(webhook, { token: `${AUTH_TOKEN}0` }, { tenants: unavailable }),
        await answered(
          webhook.name,
          webhook.createHandler(testDeps()),
          new Request(signedRequest(webhook.name, webhook.params), { body: broken }),
        ),
      ],
      [isCallback ? 204 : 200, 401, 403, 405, 413, 414, 415, 503, 400],
      webhook.title,
    );
    if (webhook.name === "voice-queue") {
      const url = "http://edge-runtime.supabase.com/voice-queue?event=ringing";
      const tone = await answered(
        webhook.name,
        webhook.createHandler(testDeps()),
        new Request(url),
      );
      assertEquals(tone, 200);
    }
    if (!isCallback) continue;
    assertEquals(
      [
        await ask(webhook, { params: { CallSid: CallSid!, AccountSid: AccountSid! } }),
        await ask(webhook, { outcome: CONFLICT }),
        await ask(webhook, { outcome: new Error("anything") }),
        await ask(webhook, { outcome: UNAVAILABLE }),
      ],
      [400, 409, 500, 503],
      webhook.title,
    );
  }
}

async function contact() {
  const message = { name: "Jane", email: "jane@example.com", message: "Hello" };
  type Submit = Parameters<typeof contactSubmit>[0]["submit"];
  const ask = (submit: Submit, body: unknown = message, init: RequestInit = {}) =>
    answered(
      "contact-submit",
      contactSubmit({ settings, submit, wake: () => {}, log }),
      new Request("http://edge-runtime.supabase.com/contact-submit", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        ...init,
      }),
    );
  const accept: Submit = () =>
    Promise.resolve({ kind: "accepted", id: crypto.randomUUID(), duplicate: false });
  assertEquals(
    [
      await ask(accept),
      await ask(accept, { ...message, website: "x" }),
      await ask(accept, { name: 1 }),
      await ask(accept, message, { method: "PUT" }),
      await ask(accept, message, { method: "OPTIONS", body: null }),
      await ask(accept, message, { headers: { "content-type": "text/plain" } }),
      await ask(accept, "x".repeat(70_000)),
      await ask(() => Promise.resolve({ kind: "conflict" })),
      await ask(() => Promise.resolve({ kind: "rate_limited", retryAfterSec: 60 })),
      await ask(() => Promise.resolve({ kind: "unavailable", reason: "TimeoutError" })),
      await ask(() => Promise.reject(new Error("anything"))),
    ],
    [202, 202, 400, 405, 204, 415, 413, 409, 429, 503, 500],
  );
}

async function audio(method: string) {
  const link = (expires: number) =>
    recordingLink("http://x", settings.secretKey, CALL_SID, RECORDING_SID, expires);
  const valid = link(NOW.getTime() / 1000 + 60);
  const media = (status: number, type = "audio/mpeg") => () =>
    Promise.resolve(
      new Response(status === 416 ? null : "audio", {
        status,
        headers: { "content-type": type },
      }),
    );
  const ask = (
    fetch: () => Promise<Response>,
    { url = valid, recording = RECORDING_URL as string | null | Error, as = method, headers = {} } =
      {},
  ) =>
    answered(
      "voicemail-audio",
      voicemailAudio({
        readUserToken: () => Promise.resolve(undefined),
        settings: testSettings({ TWILIO_ACCOUNT_SID: ACCOUNT_SID }),
        recordingUrl: () =>
          recording instanceof Error ? Promise.reject(recording) : Promise.resolve(recording),
        fetch,
        log,
        now: () => NOW,
      }),
      new Request(url, { method: as, headers }),
    );
  assertEquals(await ask(media(200), { as: "OPTIONS", headers: PREFLIGHT }), 204);
  assertEquals(await ask(media(200), { as: "OPTIONS" }), 405);
  assertEquals(
    [
      await ask(media(200)),
      await ask(media(206)),
      await ask(media(416)),
      await ask(media(500)),
      await ask(() => Promise.reject(new Error("away"))),
      await ask(media(200), { recording: null }),
      await ask(media(200), { url: `${valid}x` }),
      await ask(media(200), { url: link(NOW.getTime() / 1000 - 1) }),
      await ask(media(200), { as: "DELETE" }),
      await ask(media(200), { recording: new Error("anything") }),
    ],
    [200, 206, 416, 502, 503, 404, 401, 410, 405, 500],
  );
}

async function onboarding(hotline: Hotline) {
  const office = openOffice(hotline);
  try {
    const { org_id, body } = organisation();
    const other = organisation({ area_code: "368" });
    const third = organisation();
    const operator = { "content-type": "application/json", apikey: LOCAL_SECRET_KEY };
    const admin = { apikey: undefined, authorization: `Bearer ${memberToken(other.org_id)}` };
    const broken = () => Promise.reject(new Error("anything"));
    const { database } = office.saga;
    const failing = {
      ...office.saga,
      database: { ...database, begin: broken, beginRelease: broken },
    };
    const refuse = (method: string) => office.twilio.inject({ method, answer: { status: 400 } });
    // In order: an organisation is released once it has something, and onboarded where it has nothing.
    const asks: [number, () => Promise<{ status: number }>][] = [
      [404, () => office.release(org_id)],
      [200, () => office.ask(body)],
      [200, () => office.ask(body)],
      [400, () => office.ask({ ...body, country: "FR" })],
      [401, () => office.ask(body, { headers: { apikey: "no" } })],
      [403, () => office.ask(body, { headers: admin })],
      [405, () => office.ask(body, { method: "PUT" })],
      [409, () => office.ask({ ...body, business_name: "Another" })],
      [413, () => office.ask("x".repeat(70_000))],
      [415, () => office.ask(body, { headers: { "content-type": "text/plain" } })],
      [422, () => office.ask(other.body)],
      [500, () => office.askWith(failing, other.body)],
      [502, () => {
        refuse("GET");
        return office.ask(organisation().body);
      }],
      [503, () => office.askWith(undefined, other.body)],
      [400, () => office.release("none")],
      [401, () => office.release(org_id, { headers: { ...operator, apikey: "no" } })],
      [403, () => office.release(org_id, { headers: admin })],
      [500, () => office.release(org_id, {}, failing)],
      [503, () => office.askWith(undefined, "", { method: "DELETE", query: `?org_id=${org_id}` })],
      [502, () => {
        refuse("DELETE");
        return office.release(org_id);
      }],
      [409, () => office.release(org_id)],
      [200, () => office.ask(third.body)],
      [200, () => office.release(third.org_id)],
    ];
    for (const [at, [expected, ask]] of asks.entries()) {
      // deno-lint-ignore no-await-in-loop -- Each builds on those before.
      assertEquals((await ask()).status, expected, `request ${at}`);
    }
  } finally {
    await office.stop();
  }
}

async function flows() {
  const answering = { flow: "dental", version: 2, hash: "a".repeat(64), lines: ["+15877428885"] };
  const known = { zone_known: true, audio: {}, people: [], own_lines: [], flows: {} };
  const rejects = (error: Error) => () => Promise.reject(error);
  const database = (error?: Error) => ({
    checkFacts: error ? rejects(error) : () => Promise.resolve(known),
    publish: error ? rejects(error) : () => Promise.resolve(answering),
    rollback: error ? rejects(error) : () => Promise.resolve(answering),
    override: error ? rejects(error) : () => Promise.resolve(),
    saveDraft: error ? rejects(error) : () => Promise.resolve(until),
    storePrompt: error ? rejects(error) : () => Promise.resolve(),
    versions: error ? rejects(error) : () => Promise.resolve([]),
    definition: () => Promise.resolve(null),
  });
  const name = "dental";
  const until = "2099-01-01T00:00:00Z";
  const operator = { apikey: settings.secretKey };
  const ORG = crypto.randomUUID();
  const bodies: Record<string, Record<string, unknown>> = {
    "call-flows/check": { definition: smallFlow() },
    "call-flows/publish": { definition: smallFlow(), name },
    "call-flows/draft": { name, definition: {} },
    "call-flows/rollback": { name },
    "call-flows/override": { name, calendar: "practice", state: "open", until },
  };
  const ask = (
    path: string,
    init: { headers?: Record<string, string>; body?: BodyInit; method?: string },
    { error, wait }: { error?: Error; wait?: number } = {},
  ) =>
    answered(
      path.split("?")[0]!,
      callFlows({
        settings,
        log,
        now: () => new Date(),
        database: database(error) as unknown as FlowDatabase,
        storeAudio: () => Promise.resolve(),
        takeRoom: () => Promise.resolve(wait),
        readUserToken: () =>
          Promise.resolve({ userId: crypto.randomUUID(), appMetadata: {}, aal: "aal1" }),
        membershipOf: () => Promise.resolve({ org_id: ORG, role: "admin" }),
      }),
      new Request(`http://edge-runtime.supabase.com/${path}`, init),
    );
  const signedIn = { authorization: "Bearer token" };
  for (const path of ["call-flows", ...Object.keys(bodies)]) {
    assertEquals(await ask(path, { method: "OPTIONS", headers: PREFLIGHT }), 204);
    assertEquals(await ask(path, { method: "OPTIONS", headers: operator }), 405);
  }
  const unavailable = new DatabaseFailure("publish_flow", "");
  const noSuch = new Refused(404, "name", "no such flow");
  for (const [path, body] of Object.entries(bodies)) {
    const post = (headers: Record<string, string> = operator, changes = {}) => ({
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ ...body, ...changes }),
    });
    const hasName = /rollback|override/.test(path);
    assertEquals(
      [
        await ask(path, post()),
        await ask(path, post(operator, { colour: "red" })),
        await ask(path, post({})),
        await ask(path, post(signedIn, { org_id: crypto.randomUUID() })),
        await ask(path, post(), { error: hasName ? noSuch : new Refused(400, "x", "wrong") }),
        await ask(path, { method: "PUT", headers: operator }),
        await ask(path, post(operator, { x: "x".repeat(256 * 1024) })),
        await ask(path, { ...post(), headers: operator }),
        await ask(path, post(signedIn), { wait: 7 }),
        await ask(path, post(), { error: new Error("anything") }),
        await ask(path, post(), { error: unavailable }),
      ],
      [200, 400, 401, 403, hasName ? 404 : 400, 405, 413, 415, 429, 500, 503],
      path,
    );
  }
  const file = (headers: Record<string, string>, body = wav({ seconds: 1 })) => ({
    method: "POST",
    headers,
    body,
  });
  assertEquals(
    [
      await ask("call-flows/prompt", { method: "OPTIONS", headers: PREFLIGHT }),
      await ask("call-flows/prompt", file(operator)),
      await ask("call-flows/prompt", file(operator, new Uint8Array(4))),
      await ask("call-flows/prompt", file({})),
      await ask(`call-flows/prompt?org_id=${crypto.randomUUID()}`, file(signedIn)),
      await ask("call-flows/prompt", { method: "PUT", headers: operator }),
      await ask("call-flows/prompt", file(operator, new Uint8Array(2 * 1024 * 1024 + 1))),
      await ask("call-flows/prompt", file(signedIn), { wait: 7 }),
      await ask("call-flows/prompt", file(operator), { error: new Error("anything") }),
      await ask("call-flows/prompt", file(operator), { error: unavailable }),
    ],
    [204, 200, 400, 401, 403, 405, 413, 429, 500, 503],
  );
  const get = { headers: operator };
  assertEquals(
    [
      await ask("call-flows", get),
      await ask("call-flows?org_id=x", get),
      await ask("call-flows", {}),
      await ask("call-flows?name=dental&version=1", get),
      await ask("call-flows", { method: "POST", headers: operator }),
      await ask("call-flows", { headers: signedIn }, { wait: 7 }),
      await ask("call-flows", get, { error: new Error("anything") }),
      await ask("call-flows", get, { error: unavailable }),
    ],
    [200, 400, 401, 404, 405, 429, 500, 503],
  );
  const viewer = callFlows({
    settings,
    log,
    now: () => new Date(),
    database: database() as unknown as FlowDatabase,
    storeAudio: () => Promise.resolve(),
    takeRoom: () => Promise.resolve(undefined),
    readUserToken: () => Promise.resolve({ userId: "x", appMetadata: {}, aal: "aal1" }),
    membershipOf: () => Promise.resolve({ org_id: ORG, role: "viewer" }),
  });
  const request = new Request("http://edge-runtime.supabase.com/call-flows", { headers: signedIn });
  assertEquals(await answered("call-flows", viewer, request), 403);
}

const operatorRequest = (name: string, method: string) =>
  new Request(`http://edge-runtime.supabase.com/${name}`, {
    method,
    headers: { apikey: settings.secretKey },
  });

async function operators(hotline: Hotline) {
  const ask = async (name: string, method: string, headers: Record<string, string> = {}) => {
    const url = `${hotline.url}/functions/v1/${name}`;
    const response = await fetch(url, { method, headers });
    await asDocumented(name, method, response);
    await response.body?.cancel();
    return response.status;
  };
  const operator = { apikey: LOCAL_SECRET_KEY };
  const workers = [
    "voice-reconcile",
    "notify-worker",
    "dial-worker",
    "campaign-dialler",
    "alert-dispatch",
  ];
  for (const name of workers) {
    assertEquals(
      [
        await ask(name, "POST", operator),
        await ask(name, "POST", { ...operator, prefer: "respond-async" }),
        await ask(name, "POST"),
        await ask(name, "GET"),
      ],
      [200, 202, 401, 405],
    );
  }
  assertEquals(
    [
      await ask("metrics", "GET", operator),
      await ask("metrics", "GET"),
      await ask("metrics", "POST"),
      await ask("voice-health", "GET", operator),
      await ask("voice-health", "HEAD"),
      await ask("voice-health", "POST"),
    ],
    [200, 401, 405, 200, 200, 405],
  );
  const unset = voiceHealth({
    env: () => undefined,
    connect: () => {
      throw new Error("no settings");
    },
    log: () => log,
    now: Date.now,
  });
  for (const method of ["GET", "HEAD"]) {
    const request = new Request("http://edge-runtime.supabase.com/voice-health", { method });
    assertEquals(await answered("voice-health", unset, request), 503);
  }
  // Without their dependencies they throw a TypeError.
  const broken = { settings, log } as never;
  const handlers = {
    "voice-reconcile": reconcile,
    "notify-worker": notify,
    "dial-worker": dial,
    "campaign-dialler": dialCampaigns,
    "alert-dispatch": alert,
  };
  for (const [name, createHandler] of Object.entries(handlers)) {
    assertEquals(await answered(name, createHandler(broken), operatorRequest(name, "POST")), 500);
  }
  assertEquals(await answered("metrics", metrics(broken), operatorRequest("metrics", "GET")), 500);
  // Whatever they ask the database, it is not there.
  await hotline.db.asAdmin("alter schema public rename to away");
  for (const [name, method] of [...workers.map((worker) => [worker, "POST"]), ["metrics", "GET"]]) {
    assertEquals(await ask(name!, method!, operator), 503, name);
  }
}

async function searches() {
  const empty = {
    results: [],
    facets: {},
    correction: null,
    next_cursor: null,
    partial: false,
    meaning: false,
  };
  const operator = { apikey: settings.secretKey };
  const signedIn = { authorization: "Bearer token" };
  /** @param answer What the database gives, or how it fails. */
  const ask = (
    path: string,
    headers: Record<string, string>,
    { method = "POST", type = "application/json", body = "{}", answer, wait, isMember = true }: {
      method?: string;
      type?: string;
      body?: string;
      answer?: Error;
      wait?: number;
      isMember?: boolean;
    } = {},
  ) => {
    const failing = <T>(value: T) =>
      answer === undefined ? Promise.resolve(value) : Promise.reject(answer);
    const handler = callSearch({
      settings,
      log,
      now: () => NOW,
      readUserToken: () =>
        Promise.resolve({ userId: crypto.randomUUID(), appMetadata: {}, aal: "aal1" }),
      membershipOf: () =>
        Promise.resolve(isMember ? { org_id: crypto.randomUUID(), role: "admin" } : null),
      takeRoom: () => Promise.resolve(wait),
      takeExport: () => Promise.resolve(wait),
      meaningOf: () => Promise.resolve(undefined),
      search: () => failing(empty),
      importContacts: () => failing({ added: 0, changed: 0 }),
    });
    return answered(
      path.split("?")[0]!,
      handler,
      new Request(`http://edge-runtime.supabase.com/${path}`, {
        method,
        headers: { ...headers, ...(method === "POST" && { "content-type": type }) },
        ...(method === "POST" && { body }),
      }),
    );
  };
  const stranger = new DatabaseFailure("search_calls_of_member", "42501");
  const away = new DatabaseFailure("search_calls", "");
  const fault = new Error("anything");
  const get = { method: "GET" };
  const csv = { type: "text/csv", body: "phone\n+14165550123" };
  for (const path of ["call-search", "call-search/export", "call-search/contacts"]) {
    // deno-lint-ignore no-await-in-loop
    assertEquals(await ask(path, PREFLIGHT, { method: "OPTIONS" }), 204);
    // deno-lint-ignore no-await-in-loop
    assertEquals(await ask(path, operator, { method: "OPTIONS" }), 405);
  }
  assertEquals(
    [
      await ask("call-search", operator),
      await ask("call-search", operator, { body: '{"limit": 0}' }),
      await ask("call-search", {}),
      await ask("call-search", signedIn, { answer: stranger }),
      await ask("call-search", operator, { method: "PUT" }),
      await ask("call-search", operator, { body: "x".repeat(70_000) }),
      await ask("call-search", operator, { type: "text/plain" }),
      await ask("call-search", signedIn, { wait: 7 }),
      await ask("call-search", operator, { answer: fault }),
      await ask("call-search", operator, { answer: away }),
    ],
    [200, 400, 401, 403, 405, 413, 415, 429, 500, 503],
  );
  assertEquals(
    [
      await ask("call-search/export?q=x", operator, get),
      await ask("call-search/export?x=1", operator, get),
      await ask("call-search/export", {}, get),
      await ask("call-search/export", signedIn, { ...get, answer: stranger }),
      await ask("call-search/export", operator),
      await ask("call-search/export", signedIn, { ...get, wait: 7 }),
      await ask("call-search/export", operator, { ...get, answer: fault }),
      await ask("call-search/export", operator, { ...get, answer: away }),
    ],
    [200, 400, 401, 403, 405, 429, 500, 503],
  );
  assertEquals(
    [
      await ask("call-search/contacts", operator, csv),
      await ask("call-search/contacts", operator, { ...csv, body: "name" }),
      await ask("call-search/contacts", {}, csv),
      await ask("call-search/contacts", signedIn, { ...csv, isMember: false }),
      await ask("call-search/contacts", operator, get),
      await ask("call-search/contacts", operator, { ...csv, body: "x".repeat(1_100_000) }),
      await ask("call-search/contacts", operator),
      await ask("call-search/contacts", signedIn, { ...csv, wait: 7 }),
      await ask("call-search/contacts", operator, { ...csv, answer: fault }),
      await ask("call-search/contacts", operator, { ...csv, answer: away }),
    ],
    [200, 400, 401, 403, 405, 413, 415, 429, 500, 503],
  );
}

async function campaigns(): Promise<void> {
  const id = crypto.randomUUID();
  const campaign = {
    id,
    org_id: null,
    name: "Reminders",
    mode: "broadcast",
    state: "draft",
    paused_because: null,
    starts_at: null,
    created_at: NOW.toISOString(),
    started_at: null,
    ended_at: null,
    next_opening: null,
    account_calls_per_second: 1,
    dials_left_today: 0,
    ...Object.fromEntries(CAMPAIGN_FIGURES.map((each) => [each, 0])),
    by_flow: null,
    settings: {
      flow: "main",
      flows: null,
      caller_numbers: [],
      calls_per_second: 1,
      max_concurrent: 1,
      window: null,
      attempts: {},
      machine: "hang_up",
      consent: "none_needed",
      ring_seconds: 25,
      max_minutes: null,
      caller_name: null,
    },
  } as unknown as CampaignNow;
  const operator = { apikey: settings.secretKey };
  const signedIn = { authorization: "Bearer token" };
  const wanted = {
    name: "Reminders",
    mode: "broadcast",
    flow: "main",
    caller_numbers: ["+15874050001"],
    calls_per_second: 1,
    max_concurrent: 1,
    machine: "hang_up",
    consent: "none_needed",
  };
  interface Asked {
    readonly headers?: Record<string, string>;
    readonly method?: string;
    readonly type?: string;
    readonly body?: string;
    readonly answer?: Error;
    readonly wait?: number;
    readonly found?: CampaignNow | null;
  }
  const statusOf = (
    path: string,
    { headers = operator, method, type, body, answer, wait, found = campaign }: Asked,
  ) => {
    const failing = <T>(value: T) =>
      answer === undefined ? Promise.resolve(value) : Promise.reject(answer);
    const handler = campaignsOf({
      settings,
      log,
      now: () => NOW,
      readUserToken: () =>
        Promise.resolve({ userId: crypto.randomUUID(), appMetadata: {}, aal: "aal1" }),
      membershipOf: () => Promise.resolve({ org_id: crypto.randomUUID(), role: "admin" }),
      takeRoom: () => Promise.resolve(wait),
      database: {
        create: () => failing(id),
        now: () => failing(found),
        list: () => failing([campaign]),
        importContacts: () => failing({ added: 1, duplicates: 0, suppressed: 0, lines: [] }),
        command: () => failing("running" as const),
        results: () => failing([]),
      },
    });
    const [name, query = ""] = path.split("?");
    const url = `http://edge-runtime.supabase.com/${name!.replace("{id}", id)}?${query}`;
    return answered(
      name!.replace("{id}", id),
      handler,
      new Request(url, {
        method: method!,
        headers: { ...headers, ...(method === "POST" && { "content-type": type! }) },
        ...(method === "POST" && { body: body! }),
      }),
    );
  };
  const get = { method: "GET" };
  const post = { method: "POST", type: "application/json", body: JSON.stringify(wanted) };
  const csv = { method: "POST", type: "text/csv", body: "phone\n+14165550123" };
  const foreign = { headers: signedIn };
  const usual = [
    [{ headers: {} }, 401],
    [foreign, 403],
    [{ found: null }, 404],
    [{ method: "PUT" }, 405],
    [{ headers: signedIn, wait: 7 }, 429],
    [{ answer: new Error("anything") }, 500],
    [{ answer: new DatabaseFailure("campaign_now", "") }, 503],
  ] as const;
  const ended = new Refused(409, undefined, "the campaign has ended");
  const paths: readonly (readonly [string, Asked, readonly (readonly [Asked, number])[]])[] = [
    ["campaigns", get, [[{}, 200]]],
    ["campaigns?org_id=x", get, [[{}, 400]]],
    [`campaigns?org_id=${crypto.randomUUID()}`, get, [...usual.filter(([, code]) => code !== 404)]],
    ["campaigns", post, [
      [{}, 201],
      [{ body: "{}" }, 400],
      [{ headers: {} }, 401],
      [{ ...foreign, body: JSON.stringify({ ...wanted, org_id: id }) }, 403],
      [{ body: "x".repeat(70_000) }, 413],
      [{ type: "text/plain" }, 415],
      [{ headers: signedIn, wait: 7 }, 429],
      [{ answer: new Error("anything") }, 500],
      [{ answer: new DatabaseFailure("create_campaign", "") }, 503],
    ]],
    ["campaigns/{id}", get, [[{}, 200], ...usual]],
    ["campaigns/{id}/results", get, [[{}, 200], ...usual]],
    ["campaigns/{id}/pause", { ...post, body: "" }, [[{}, 200], ...usual, [
      { answer: ended },
      409,
    ]]],
    ["campaigns/{id}/resume", { ...post, body: "{}" }, [
      [{}, 200],
      [{ body: '{"max_minutes": -1}' }, 400],
      [{ body: "x".repeat(70_000) }, 413],
      [{ type: "text/plain" }, 415],
    ]],
    ["campaigns/{id}/contacts", csv, [
      [{}, 200],
      [{ body: "name" }, 400],
      ...usual,
      [{ answer: ended }, 409],
      [{ body: "x".repeat(5_000_000) }, 413],
      [{ type: "text/plain" }, 415],
    ]],
  ];
  for (const [path, how, expected] of paths) {
    // deno-lint-ignore no-await-in-loop -- One request after the other.
    assertEquals(await statusOf(path, { headers: PREFLIGHT, method: "OPTIONS" }), 204);
    // deno-lint-ignore no-await-in-loop
    assertEquals(await statusOf(path, { method: "OPTIONS" }), 405);
    for (const [changes, status] of expected) {
      // deno-lint-ignore no-await-in-loop
      assertEquals(await statusOf(path, { ...how, ...changes }), status, `${path} ${status}`);
    }
  }
}

const CAMPAIGN_FIGURES =
  "contacts waiting dialled ringing answered machine busy no_answer failed opted_out suppressed abandoned unknown minutes"
    .split(" ");

/** The handshakes that are not upgraded. */
async function sockets(): Promise<void> {
  const ask = async (request: Request, changes: Partial<AgentDeps> = {}) =>
    await answered("voice-agent", voiceAgent({ ...agentDeps().deps, ...changes }), request);
  const away = {
    isMain: () => false,
    find: () => Promise.resolve({ kind: "unavailable" as const }),
  };
  const account = `AC${"0".repeat(31)}2`;
  assertEquals(
    [
      await ask(handshake({ signature: "" })),
      await ask(handshake({ claims: { state: { ...CLAIMS.state, node: "bye" } } })),
      await ask(handshake({ method: "POST" })),
      await ask(handshake({ headers: { upgrade: "h2c" } })),
      await ask(handshake({ claims: { account }, token: "0".repeat(32) }), { tenants: away }),
    ],
    [401, 404, 405, 426, 503],
  );
}

Deno.test("the functions give each answer that docs/openapi.yaml describes", async (t) => {
  const hotline = await startHotline();
  try {
    await t.step("webhooks", webhooks);
    await t.step("voice-agent", sockets);
    await t.step("contact-submit", contact);
    await t.step("voicemail-audio, GET", () => audio("GET"));
    await t.step("voicemail-audio, HEAD", () => audio("HEAD"));
    await t.step("telephony-onboard", () => onboarding(hotline));
    await t.step("call-flows", flows);
    await t.step("call-search", searches);
    await t.step("campaigns", campaigns);
    await t.step("voice-health, metrics and the workers", () => operators(hotline));
  } finally {
    await hotline.stop();
  }
  // A method that is not described is answered with the path's 405.
  const made = new Set([...seen].flatMap((answer) => {
    const [name, , status] = answer.split(" ");
    return status === "405"
      ? METHODS.map((method) => `${name} ${method.toUpperCase()} 405`)
      : [answer];
  }));
  assertEquals(documentedAnswers.filter((answer) => !made.has(answer)), []);
});
