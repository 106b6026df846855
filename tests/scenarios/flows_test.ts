import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { encodeHex } from "@std/encoding/hex.js";
import { shipment } from "../../scripts/deploy/snapshot.ts";
import { storeAudio } from "../../supabase/functions/_shared/storage.ts";
import { LOCAL_AUTH_TOKEN, LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import type { CallRecord } from "../../scripts/phone/mod.ts";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { flowDatabase, type StoredPrompt } from "../../supabase/functions/_shared/db/flows.ts";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { unpack } from "../../supabase/functions/_shared/flows/shipped.ts";
import { FUNCTIONS } from "../../supabase/functions/_shared/functions.ts";
import { createLines } from "../../supabase/functions/_shared/tenancy/lines.ts";
import { wav } from "../support/audio.ts";
import { callFlowsAt, smallFlow } from "../support/call_flows.ts";
import { closedPort } from "../support/fake_data_api.ts";
import { startHotline } from "../support/hotline.ts";
import { testSettings } from "../support/webhook.ts";

// A company writes how its line answers, and callers hear it: from call-flows to the end of a call, over HTTP.

const hotline = await startHotline();
Deno.test.afterAll(() => hotline.stop());
const ask = callFlowsAt(hotline.url);

let lines = 0;
let calls = 0;
/** A line and a flow that no other test has. */
function fresh() {
  lines++;
  return { name: `flow ${lines}`, line: `+1587405${7000 + lines}` };
}

/** A flow without hours, so that no test depends on the time of day; its words tell versions apart. */
function flowSaying(words: string) {
  const flow = smallFlow(`${words}: thank you for calling.`);
  delete flow.calendars;
  delete flow.nodes.open;
  flow.nodes.hello.next = "menu";
  flow.prompts.leave["en-US"] = `${words}: please leave a message.`;
  flow.prompts.bye["en-US"] = `${words}: goodbye.`;
  return flow;
}

async function publish(name: string, words: string, ...lines: string[]) {
  const answer = await ask("/publish", { definition: flowSaying(words), name, lines });
  assertEquals(answer.status, 200, JSON.stringify(answer.body));
  return answer.body as { version: number; hash: string };
}

/** Calls a line, leaves a message, and does something before the nth request for what comes next. */
async function leaveMessage(
  line: string,
  meanwhile?: { before: number; does: () => Promise<unknown> },
) {
  let asked = 0;
  const twilio = hotline.simulator({
    fetch: async (url, init) => {
      if (!url.includes("voice-status") && ++asked === meanwhile?.before) await meanwhile.does();
      return await fetch(url, init);
    },
  });
  const record = await twilio.call({
    from: `+1604555${2000 + calls++}`,
    to: line,
    script: { keys: ["9"], voicemail: { seconds: 4, end: "#" } },
  });
  await twilio.settle();
  assertEquals(record.applicationError, undefined);
  return { record, row: await hotline.row(record.callSid) };
}

/** Which versions' words a caller heard. */
const heard = (
  spoken: readonly string[],
) => [...new Set(spoken.flatMap((text) => /^(\w+): /.exec(text)?.[1] ?? []))];

Deno.test("a line answers by its flow from the next call on, by each version in turn", async () => {
  const { name, line } = fresh();
  await publish(name, "One", line);
  const first = await leaveMessage(line);
  assertEquals(heard(first.record.spoken), ["One"]);
  assertEquals([first.row.mode, first.row.disposition], ["voicemail", "voicemail"]);
  await publish(name, "Two");
  assertEquals(heard((await leaveMessage(line)).record.spoken), ["Two"]);
  assertEquals((await ask("/rollback", { name })).body.version, 1);
  assertEquals(heard((await leaveMessage(line)).record.spoken), ["One"]);
});

for (const before of [2, 3]) {
  Deno.test(`a call keeps its version, whatever is published before its request ${before}`, async () => {
    const { name, line } = fresh();
    await publish(name, "One", line);
    const { record } = await leaveMessage(line, { before, does: () => publish(name, "Two") });
    assertEquals(heard(record.spoken), ["One"]);
    assert(record.spoken.includes("One: goodbye."));
    assertEquals(heard((await leaveMessage(line)).record.spoken), ["Two"]);
  });

  Deno.test(`a call keeps its version through a rollback before its request ${before}`, async () => {
    const { name, line } = fresh();
    await publish(name, "One", line);
    await publish(name, "Two");
    const { record } = await leaveMessage(line, {
      before,
      does: () => ask("/rollback", { name }),
    });
    assertEquals(heard(record.spoken), ["Two"]);
    assertEquals(heard((await leaveMessage(line)).record.spoken), ["One"]);
  });
}

Deno.test("of many calls at once none changes course, however often is published meanwhile", async () => {
  const { name, line } = fresh();
  await publish(name, "One", line);
  const twilio = hotline.simulator();
  const going: Promise<CallRecord>[] = [];
  for (const words of ["Two", "Three", "Four", "Five", "Six", "Seven", "Eight"]) {
    for (let nth = 0; nth < 10; nth++) {
      going.push(twilio.call({
        from: `+1604555${2000 + calls++}`,
        to: line,
        script: { keys: ["9"], voicemail: { seconds: 4, end: "#" } },
      }));
    }
    // deno-lint-ignore no-await-in-loop -- In the midst of these calls; a slow machine serves no more of them in time.
    await Promise.all([publish(name, words), ...going.slice(0, -10)]);
  }
  const records = await Promise.all(going);
  await twilio.settle();
  const versions = records.map(({ spoken }) => heard(spoken));
  assertEquals(versions.filter(({ length }) => length !== 1), []);
  assert(new Set(versions.flat()).size > 1, "calls began by several versions");
  assertEquals(records.filter(({ spoken }) => !/: goodbye\.$/.test(spoken.at(-1)!)), []);
});

Deno.test("a flow whose own tests fail changes nothing for callers", async () => {
  const { name, line } = fresh();
  await publish(name, "One", line);
  const tests = [{ name: "9 rings", keys: ["9"], expect: { ends_in: "desk" } }];
  const refused = await ask("/publish", { definition: { ...flowSaying("Two"), tests }, name });
  assertEquals(refused.status, 400);
  assertEquals(heard((await leaveMessage(line)).record.spoken), ["One"]);
});

Deno.test("an override closes the line for the next call, and ends by itself", async () => {
  const { name, line } = fresh();
  const always = [["00:00", "24:00"]];
  const flow = smallFlow("One: thank you for calling.");
  flow.calendars.practice.weekly = Object.fromEntries(
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map((day) => [day, always]),
  );
  assertEquals((await ask("/publish", { definition: flow, name, lines: [line] })).status, 200);
  const askedForAKey = async () => {
    const { record } = await leaveMessage(line);
    return record.all("gather").length > 0;
  };
  assertEquals(await askedForAKey(), true);
  const until = new Date(Date.now() + 3_600_000).toISOString();
  const closed = { name, calendar: "practice", state: "closed", until };
  assertEquals((await ask("/override", closed)).status, 200);
  assertEquals(await askedForAKey(), false);
  await hotline.db.sql`
    update calendar_overrides set set_at = now() - interval '2 hours', until = now() - interval '1 second'`;
  assertEquals(await askedForAKey(), true);
});

Deno.test("a stored file is played, and where there is none its text is spoken", async () => {
  const bytes = wav({ seconds: 3 });
  const [stored, missing] = await Promise.all(
    [bytes, new Uint8Array()].map(async (each) =>
      encodeHex(new Uint8Array(await crypto.subtle.digest("SHA-256", each)))
    ),
  );
  const project = { url: hotline.url, key: LOCAL_SECRET_KEY };
  await storeAudio(project, stored!, "audio/wav", bytes);
  const prompt = { owner: null, hash: stored!, mime: "audio/wav", seconds: 3, bytes: bytes.length };
  await flowDatabase(dataApi(hotline.url, LOCAL_SECRET_KEY)).storePrompt(prompt as StoredPrompt);

  const { name, line } = fresh();
  const flow = flowSaying("One");
  flow.prompts.hello = { "en-US": { audio: stored, text: "One: the file's words." } };
  flow.prompts.leave = { audio: missing, text: "One: words without a file." };
  assertEquals((await ask("/publish", { definition: flow, name, lines: [line] })).status, 200);
  const { record } = await leaveMessage(line);
  assertEquals(record.all("play").map(({ url }) => new URL(url).pathname.split("/").at(-1)), [
    stored,
  ]);
  assertEquals(record.all("error"), []);
  assertEquals(record.spoken.includes("One: words without a file."), true);
  assertEquals(record.spoken.includes("One: the file's words."), false);
});

Deno.test("a publish stores the disclosures of recording", async () => {
  const { name, line } = fresh();
  const flow = flowSaying("One");
  flow.prompts.notice = { "en-US": `Calls of ${name} are recorded.` };
  flow.nodes.hello.next = "agree";
  flow.nodes.agree = { type: "consent", policy: "opt_out", prompt: "notice", next: "menu" };
  assertEquals((await ask("/publish", { definition: flow, name, lines: [line] })).status, 200);
  const rows = await hotline.db.sql`
    select policy, key, language from disclosures where words like ${`Calls of ${name} are%`}`;
  assertEquals(rows.map((row) => ({ ...row })), [
    { policy: "opt_out", key: "3", language: "en-US" },
  ]);
});

// --- without the database -------------------------------------------------------------------------------------

/** A new isolate of what was deployed now, and the database is away: answers requests as the functions do. */
async function coldIsolate(): Promise<typeof fetch> {
  const published = await flowDatabase(dataApi(hotline.url, LOCAL_SECRET_KEY)).published();
  const { packed } = await shipment(published);
  const settings = testSettings({
    SUPABASE_URL: closedPort(),
    PUBLIC_FUNCTIONS_URL: `${hotline.url}/functions/v1`,
    TWILIO_AUTH_TOKEN: LOCAL_AUTH_TOKEN,
  });
  const read = () => Promise.reject(new Error("no database"));
  const lines = createLines({ read, shipped: () => unpack(packed), log: () => {} });
  const deps = { ...depsFrom(settings), flows: () => Promise.resolve(lines), log: () => {} };
  const handlers = new Map(
    await Promise.all(
      FUNCTIONS.twilio.map(async (name) => {
        const { createHandler } = await import(
          `../../supabase/functions/${name}/handler.ts`
        );
        return [name, createHandler(deps)] as const;
      }),
    ),
  );
  return async (url, init) => {
    const { pathname, search } = new URL(String(url));
    const name = pathname.split("/").at(-1)!;
    return await handlers.get(name as never)(
      new Request(`http://edge-runtime.supabase.com/${name}${search}`, init),
    );
  };
}

/** Calls a line and leaves a message, while requests from the nth on go to another isolate. */
async function callAcross(line: string, other: typeof fetch, from = 1) {
  let asked = 0;
  const twilio = hotline.simulator({
    fetch: async (url, init) => {
      const isStep = !url.includes("voice-status");
      if (isStep) asked++;
      return await (asked >= from ? other : fetch)(url, init);
    },
  });
  const record = await twilio.call({
    from: `+1604555${2000 + calls++}`,
    to: line,
    script: { keys: ["9"], voicemail: { seconds: 4, end: "#" } },
  });
  await twilio.settle();
  assertEquals(record.applicationError, undefined);
  assertEquals(record.all("recorded").length, 1, "the caller could leave a message");
  return record.spoken;
}

Deno.test("without the database a cold isolate answers by the version that the deploy took along", async () => {
  const { name, line } = fresh();
  await publish(name, "One", line);
  const cold = await coldIsolate();
  await publish(name, "Two");
  assertEquals(heard(await callAcross(line, cold)), ["One"]);
});

Deno.test("a line that the deploy did not know takes a message while the database is away", async () => {
  const { name, line } = fresh();
  const cold = await coldIsolate();
  await publish(name, "One", line);
  assertEquals(heard(await callAcross(line, cold)), []);
});

for (const from of [2, 3]) {
  Deno.test(`a call goes on by its version when the database goes before request ${from}`, async () => {
    const { name, line } = fresh();
    await publish(name, "One", line);
    const cold = await coldIsolate();
    const spoken = await callAcross(line, cold, from);
    assertEquals(heard(spoken), ["One"]);
    assertEquals(spoken.at(-1), "One: goodbye.");
  });

  Deno.test(`a call whose version the deploy did not know takes a message from request ${from} on`, async () => {
    const { name, line } = fresh();
    await publish(name, "One", line);
    const cold = await coldIsolate();
    await publish(name, "Two");
    // Not by version one, which this caller has heard nothing of.
    assertEquals(heard(await callAcross(line, cold, from)), ["Two"]);
  });
}

Deno.test("the same number of another account, and a line without a flow, answer as before", async () => {
  const { record } = await hotline.ring({ keys: ["1"] });
  assertEquals(record.spoken[0]?.startsWith("Thank you for calling TradeLine"), true);
});
