import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { type CallRecord, type Script, VirtualClock } from "../../scripts/phone/mod.ts";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { reconcileDeps } from "../../supabase/functions/voice-reconcile/deps.ts";
import { createHandler as voiceReconcile } from "../../supabase/functions/voice-reconcile/handler.ts";
import { startRig, switchboard, twilioFor } from "../support/faults.ts";
import type { CallLog } from "../support/hotline.ts";
import { fakeTwilio } from "../support/twilio_rest.ts";
import { ACCOUNT_SID, AUTH_TOKEN } from "../support/webhook.ts";

// Whole calls, with PostgreSQL killed before each of their webhooks in turn: the caller is served, and the row at
// the end is the one of a call on which nothing failed.

const rig = await startRig();
const twilio = fakeTwilio(ACCOUNT_SID, AUTH_TOKEN);
Deno.test.afterAll(async () => {
  await twilio.stop();
  await rig.stop();
});

const LINE = "+15874059000";

const SCRIPTS: Readonly<Record<string, Script>> = {
  "connected": { keys: ["1"], dial: "answered", talkSeconds: 40 },
  "refused recording, connected": { say: ["no recording"], keys: ["2"], dial: "answered" },
  "left a message": { keys: ["9"], voicemail: { seconds: 10, transcript: "Call me back." } },
  "unanswered, left a message": {
    keys: ["7", "1"],
    dial: "no-answer",
    voicemail: { seconds: 12, end: "#", transcript: "It is urgent." },
  },
  // Twilio keeps silence too.
  "silent": { voicemail: "silence" },
  "refused recording, then left": { say: ["no recording"], hangupAt: "gather:2" },
};

/** Two hours ago: by now Twilio has its log of these calls. */
const longAgo = () => new VirtualClock(new Date(Date.now() - 2 * 3600 * 1000));

let callers = 0;

/** One call; each of its webhooks waits at `gate`, which is told how many there were, this one included. */
async function ring(script: Script, gate: (nth: number) => Promise<void>): Promise<CallRecord> {
  const clock = longAgo();
  // The call's own timeline is the functions' time too.
  const call = switchboard(rig.deps({ clock }));
  let nth = 0;
  const simulator = twilioFor(async (url, init) => {
    await gate(++nth);
    return await call(url, init);
  }, { clock });
  const record = await simulator.call({
    script,
    clock,
    from: `+1604555${1000 + callers++}`,
    to: LINE,
  });
  await simulator.settle();
  twilio.calls.push(record);
  return record;
}

async function row(callSid: string): Promise<CallLog | undefined> {
  const [found] = await rig.sql`select * from call_logs where call_sid = ${callSid}`;
  return found;
}

/** What a row says of the call, without what differs between any two calls. */
function essence(row: CallLog | undefined) {
  if (row === undefined) return undefined;
  const { mode, status, consent_given, disposition, duration_sec, transcript } = row;
  return {
    ...{ mode, status, consent_given, disposition, duration_sec, transcript },
    message: row.recording_source === "voicemail" ? row.recording_duration_sec : null,
    known: row.from_e164 !== null && row.to_e164 === LINE,
    connected: row.connected_at !== null,
    ended: row.ended_at !== null,
  };
}

/** As on a call on which nothing fails; rung once. */
const expected = new Map<string, ReturnType<typeof essence>>();
let longest = 0;
for (const [name, script] of Object.entries(SCRIPTS)) {
  // deno-lint-ignore no-await-in-loop -- One after the other, as the clock of each is its own.
  const record = await ring(script, () => Promise.resolve());
  // deno-lint-ignore no-await-in-loop
  expected.set(name, essence(await row(record.callSid)));
  longest = Math.max(longest, record.webhooks.length);
}

/** A barrier: all wait until all have arrived; a participant may leave instead. */
class Barrier {
  #missing: number;
  readonly #open = Promise.withResolvers<void>();
  readonly #then: () => Promise<void>;

  constructor(parties: number, then: () => Promise<void>) {
    this.#missing = parties;
    this.#then = then;
  }

  async come(): Promise<void> {
    this.leave();
    await this.#open.promise;
  }

  get opened(): Promise<void> {
    return this.#open.promise;
  }

  leave(): void {
    if (--this.#missing === 0) this.#then().then(this.#open.resolve, this.#open.reject);
  }
}

/** All scripts at once, with PostgreSQL dead from the `dies`-th webhook of each until its `returns`-th. */
async function ringThrough(dies: number, returns: number): Promise<Map<string, CallRecord>> {
  const parties = Object.keys(SCRIPTS).length;
  const killed = new Barrier(parties, () => rig.killDatabase());
  const revived = new Barrier(parties, async () => {
    await rig.reviveDatabase();
    await rig.recovered();
  });
  const calls = Object.entries(SCRIPTS).map(async ([name, script]) => {
    let sent = 0;
    const record = await ring(script, async (nth) => {
      sent = nth;
      if (nth === dies) await killed.come();
      if (nth === returns) await revived.come();
    });
    if (sent < dies) killed.leave();
    if (sent < returns) revived.leave();
    return [name, record] as const;
  });
  const records = new Map(await Promise.all(calls));
  await revived.opened;
  return records;
}

async function reconcile(): Promise<void> {
  const deps = rig.deps({ env: { TWILIO_API_URL: twilio.url } });
  const handler = voiceReconcile(reconcileDeps(deps));
  // Nothing was heard of these calls for an hour.
  await rig.sql`update call_logs set updated_at = updated_at - interval '1 hour'`;
  for (let asked = 1; asked > 0;) {
    const request = new Request("http://edge-runtime.supabase.com/voice-reconcile", {
      method: "POST",
      headers: { apikey: LOCAL_SECRET_KEY },
    });
    // deno-lint-ignore no-await-in-loop -- A run follows from the one before.
    const report = await (await handler(request)).json();
    assertEquals([report.failed, report.backed_off], [0, false]);
    asked = report.asked;
  }
}

function assertServed(name: string, record: CallRecord, dies: number, returns: number): void {
  assertEquals(record.applicationError, undefined, name);
  const reached = record.dialled.length > 0 || record.all("record").length > 0;
  assert(reached || record.endedBy === "caller", `${name}: neither a person nor voicemail`);
  for (const [index, { body }] of record.webhooks.entries()) {
    const known = index + 1 < dies || index + 1 >= returns;
    assert(known || !/<Dial[^>]* record=/.test(body), `${name}: recorded without known consent`);
  }
}

const AWAY = [
  { lasts: 1, words: "for one webhook" },
  // A callback and its four retries.
  { lasts: 6, words: "for six webhooks" },
  { lasts: Infinity, words: "until the call and every retry is over" },
];

for (let dies = 1; dies <= longest; dies++) {
  for (const { lasts, words } of AWAY) {
    Deno.test(`PostgreSQL is killed before webhook ${dies} of each call, and away ${words}: callers are served, nothing is lost`, async () => {
      const records = await ringThrough(dies, dies + lasts);
      await reconcile();
      for (const [name, record] of records) {
        assertServed(name, record, dies, dies + lasts);
        // deno-lint-ignore no-await-in-loop -- In their order, so that the first to differ is told.
        assertEquals(essence(await row(record.callSid)), expected.get(name), name);
      }
    });
  }
}

Deno.test("the calls that these are measured by came to what their callers did", () => {
  const dispositions = [...expected].map(([name, row]) => [name, row?.disposition]);
  assertEquals(dispositions, [
    ["connected", "connected"],
    ["refused recording, connected", "connected"],
    ["left a message", "voicemail"],
    ["unanswered, left a message", "voicemail"],
    ["silent", "voicemail"],
    ["refused recording, then left", "abandoned"],
  ]);
});
