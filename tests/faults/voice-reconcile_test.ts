import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { type CallRecord, type Fetch, type Script, VirtualClock } from "../../scripts/phone/mod.ts";
import { LOCAL_SECRET_KEY, serve } from "../../scripts/local/stack.ts";
import { type Deps, depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { reconcileDeps } from "../../supabase/functions/voice-reconcile/deps.ts";
import { createHandler as voiceReconcile } from "../../supabase/functions/voice-reconcile/handler.ts";
import { closedPort } from "../support/fake_data_api.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { DISCLOSED } from "../support/expected.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";
import { switchboard, twilioFor } from "../support/faults.ts";
import { failure, type FakeTwilio, fakeTwilio } from "../support/twilio_rest.ts";
import { ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL, testSettings } from "../support/webhook.ts";

// voice-reconcile: what Twilio never delivered is fetched, as often and as gently as it takes.

const LINE = "+15875550100";
const HOUR_MS = 3600 * 1000;

/** A database, a Twilio and a line, all new. */
class World implements AsyncDisposable {
  readonly twilio: FakeTwilio = fakeTwilio(ACCOUNT_SID, AUTH_TOKEN);
  readonly #api: ReturnType<typeof serve>;
  #callers = 0;

  private constructor(readonly db: TestDatabase) {
    const api = db.api();
    this.#api = serve(0, () => {}, api.handle);
  }

  static async make(): Promise<World> {
    return new World(await createTestDatabase());
  }

  deps(changes: Partial<Deps> = {}, env: Record<string, string | undefined> = {}): Deps {
    const settings = testSettings({
      SUPABASE_URL: this.#api.url,
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: LOCAL_SECRET_KEY }),
      PUBLIC_FUNCTIONS_URL: PUBLIC_URL,
      TWILIO_ACCOUNT_SID: ACCOUNT_SID,
      TWILIO_API_URL: this.twilio.url,
      ...env,
    });
    return { ...depsFrom(settings), log: () => {}, ...changes };
  }

  /**
   * A call of two hours ago, at its end by now; webhooks for which `loses` is true never arrive, and the
   * caller hears what a hotline without a database says.
   */
  async ring(
    script: Script,
    loses: (path: string, params: URLSearchParams) => boolean = () => false,
  ): Promise<CallRecord> {
    const clock = new VirtualClock(new Date(Date.now() - 2 * HOUR_MS));
    const now = () => clock.now();
    const up = switchboard(this.deps({ now }));
    const down = switchboard(this.deps({
      now,
      accept: () => Promise.resolve({ kind: "unavailable", reason: "away" }),
    }));
    const route: Fetch = async (url, init) =>
      await (loses(url.slice(PUBLIC_URL.length + 1), new URLSearchParams(String(init.body)))
        ? down
        : up)(url, init);
    const simulator = twilioFor(route, { clock });
    const from = `+1604555${1000 + this.#callers++}`;
    const record = await simulator.call({ script, clock, from, to: LINE });
    await simulator.settle();
    this.twilio.calls.push(record);
    return record;
  }

  /** Nothing was heard of any call for so long, nor was any asked about. */
  async pass(interval: string): Promise<void> {
    await this.db.sql`update call_logs set updated_at = updated_at - ${interval}::interval`;
    await this.db.sql`update jobs set run_at = run_at - ${interval}::interval`;
    await this.db.sql`update job_kinds set held_until = held_until - ${interval}::interval`;
  }

  async run(deps = this.deps(), headers: HeadersInit = { apikey: LOCAL_SECRET_KEY }) {
    const request = new Request("http://edge-runtime.supabase.com/voice-reconcile", {
      method: "POST",
      headers,
    });
    const response = await voiceReconcile(reconcileDeps(deps))(request);
    return { status: response.status, body: await response.json() };
  }

  async row(callSid: string) {
    const [row] = await this.db.sql`select * from call_logs where call_sid = ${callSid}`;
    return row;
  }

  async [Symbol.asyncDispose]() {
    await this.twilio.stop();
    await this.#api.drain();
    await this.db.drop();
  }
}

/** Every callback; not what the caller waits for. */
const callbacks = (path: string) =>
  path.startsWith("voice-status") || /event=(recording|transcription)/.test(path);

Deno.test("a call whose final callback never came is closed, as Twilio says that it ended", async () => {
  await using world = await World.make();
  const call = await world.ring(
    { keys: ["1"], dial: "answered", talkSeconds: 40 },
    (path, params) => path.startsWith("voice-status") && params.get("ParentCallSid") === null,
  );
  assertEquals((await world.row(call.callSid))!.ended_at, null);
  assertEquals((await world.run()).body.asked, 0, "what is heard of now is not asked about");

  await world.pass("6 minutes");
  const { status, body } = await world.run();
  assertEquals([status, body.asked, body.failed, body.backed_off], [200, 1, 0, false]);
  const row = (await world.row(call.callSid))!;
  assertEquals([row.status, row.disposition], ["completed", "connected"]);
  assertEquals(row.duration_sec, call.durationSeconds);
  assert(Math.abs(row.ended_at - row.started_at - call.durationSeconds * 1000) < 1500);
});

Deno.test("a call that goes on stays open, and is asked about again", async () => {
  await using world = await World.make();
  const call = await world.ring({ keys: ["1"] }, callbacks);
  Object.assign(call, { status: "in-progress", endedBy: undefined });
  await world.db.sql`update call_logs set status = 'in-progress'`;
  await world.pass("6 minutes");
  assertEquals((await world.run()).body.asked, 1);
  assertEquals((await world.row(call.callSid))!.status, "in-progress");
  assertEquals((await world.run()).body.asked, 0);
  await world.pass("6 minutes");
  assertEquals((await world.run()).body.asked, 1);
});

Deno.test("a lost voicemail is recovered, with its length and its transcript", async () => {
  await using world = await World.make();
  const call = await world.ring(
    { keys: ["9"], voicemail: { seconds: 11, transcript: "Call me back." } },
    (path) => path.includes("event="),
  );
  const before = (await world.row(call.callSid))!;
  assertEquals([before.disposition, before.recording_sid], ["abandoned", null]);

  assertEquals((await world.run()).body.asked, 1);
  const row = (await world.row(call.callSid))!;
  const { sid } = call.all("recorded")[0]!;
  assertEquals(
    [row.disposition, row.recording_sid, row.recording_duration_sec, row.transcript],
    ["voicemail", sid, 11, "Call me back."],
  );
  assertEquals(
    row.recording_url,
    `${world.twilio.url}/2010-04-01/Accounts/${ACCOUNT_SID}/Recordings/${sid}`,
  );
  await world.pass("2 hours");
  assertEquals((await world.run()).body.asked, 0, "settled");
});

Deno.test("a voicemail that held nothing is taken back, though the callback that said so was lost", async () => {
  await using world = await World.make();
  const call = await world.ring(
    { keys: ["9"], voicemail: { seconds: 1 } },
    (path) => path.includes("event=recording"),
  );
  assertEquals((await world.row(call.callSid))!.disposition, "voicemail");
  const { sid } = call.all("recorded")[0]!;
  world.twilio.fault = (path) =>
    path === `/Calls/${call.callSid}/Recordings.json`
      ? Response.json({
        recordings: [{ sid, status: "absent", source: "RecordVerb", duration: "-1" }],
      })
      : undefined;
  await world.run();
  const { disposition, recording_sid } = (await world.row(call.callSid))!;
  assertEquals([disposition, recording_sid], ["abandoned", null]);
  assertEquals((await world.db.sql`select from jobs where kind = 'mail_voicemail'`).length, 0);
});

Deno.test("a call that ended with nothing to show is asked about 20 minutes later, and not before", async () => {
  await using world = await World.make();
  await world.ring({ hangupAt: "gather" });
  const asked = [];
  for (const minutes of [19, 21]) {
    await world.db.sql`
      update call_logs set started_at = now() - interval '1 hour',
        ended_at = now() - make_interval(mins => ${minutes})`;
    asked.push((await world.run()).body.asked);
  }
  assertEquals(asked, [0, 1]);
});

Deno.test("a lost transcript is recovered, though the message itself came through", async () => {
  await using world = await World.make();
  const call = await world.ring(
    { keys: ["9"], voicemail: { seconds: 11, transcript: "Call me back." } },
    (path) => path.includes("event=transcription"),
  );
  assertEquals((await world.row(call.callSid))!.transcript, null);
  await world.run();
  assertEquals((await world.row(call.callSid))!.transcript, "Call me back.");
});

Deno.test("what was chosen and decided while nothing could be written is read from Twilio's log", async () => {
  await using world = await World.make();
  const refused = await world.ring(
    { say: ["no recording"], keys: ["2"] },
    (path) => !path.startsWith("voice-frontdoor"),
  );
  const left = await world.ring(
    { say: ["no recording"], hangupAt: "gather:2" },
    (path) => path.startsWith("voice-consent-speech"),
  );
  await world.pass("6 minutes");
  await world.run();
  const rows = [await world.row(refused.callSid), await world.row(left.callSid)];
  assertEquals(
    rows.map((row) => [row!.mode, row!.consent_given, row!.disposition]),
    [["support", false, "connected"], ["menu", false, "abandoned"]],
  );
  const [evidence] = await world.db.sql`
    select meta from call_lifecycle where call_sid = ${left.callSid} and event = 'settled'`;
  assertEquals([evidence!.meta.consent.basis, evidence!.meta.consent.turn], ["no", 1]);
  assertEquals(evidence!.meta.consent.disclosure, DISCLOSED);
});

Deno.test("before Twilio has its log the call is closed, and what was decided follows later", async () => {
  await using world = await World.make();
  const call = await world.ring({ keys: ["2"] }, (path) => !path.startsWith("voice-frontdoor"));
  const end = call.startedAt.getTime() + call.all("hangup")[0]!.atMs;
  await world.pass("6 minutes");
  await world.run(world.deps({ now: () => new Date(end + 6 * 60 * 1000) }));
  const closed = (await world.row(call.callSid))!;
  assertEquals([closed.disposition, closed.mode], ["connected", "menu"]);
  assert(!world.twilio.asked.some((path) => path.includes("/Events.json")));

  await world.pass("20 minutes");
  await world.run();
  assertEquals((await world.row(call.callSid))!.mode, "support");
});

Deno.test("a call that came while everything was down is found", async () => {
  await using world = await World.make();
  await world.ring({ hangupAt: "gather" });
  const missed = await world.ring({ keys: ["1"], dial: "answered" }, () => true);
  assertEquals(await world.row(missed.callSid), undefined);
  const { body } = await world.run();
  assertEquals([body.found, body.failed], [1, 0]);
  const row = (await world.row(missed.callSid))!;
  assertEquals(
    [row.from_e164, row.to_e164, row.mode, row.consent_given, row.disposition],
    [missed.from, LINE, "sales", true, "connected"],
  );
  assertEquals((await world.run()).body.found, 0);
});

Deno.test("an account's calls to other numbers are ignored", async () => {
  await using world = await World.make();
  const foreign = await world.ring({ keys: ["1"] }, () => true);
  assertEquals((await world.run()).body.found, 0);
  assertEquals(await world.row(foreign.callSid), undefined);
});

Deno.test("after a long outage runs go further back than the newest hundred calls, the oldest first", async () => {
  await using world = await World.make();
  await world.ring({ hangupAt: "gather" });
  const [known] = world.twilio.calls;
  const missed = Array.from(
    { length: 130 },
    (_, n) =>
      Object.assign(Object.create(known!), { callSid: newCallSid(), from: `+1647555${1000 + n}` }),
  );
  world.twilio.calls.push(...missed);
  assertEquals((await world.run()).body.found, 130);
  const [count] = await world.db.sql`select count(*)::int as n from call_logs`;
  assertEquals(count!.n, 131);
});

Deno.test("a call that was missed is found, however many calls came since", async () => {
  await using world = await World.make();
  await world.ring({ hangupAt: "gather" });
  const [known] = world.twilio.calls;
  const minutesAgo = (minutes: number) =>
    Object.assign(Object.create(known!), {
      callSid: newCallSid(),
      startedAt: new Date(Date.now() - minutes * 60_000),
    });
  const missed = minutesAgo(8);
  const since = Array.from({ length: 120 }, (_, n) => minutesAgo(7.5 - n / 100));
  world.twilio.calls.push(missed, ...since, ...Array.from({ length: 120 }, () => minutesAgo(1)));
  for (const { callSid } of since) {
    await world.db.sql`insert into call_logs (call_sid, started_at) values (${callSid}, now())`;
  }
  assertEquals((await world.run()).body.found, 1);
  assertEquals((await world.row(missed.callSid))!.status, "completed");
});

Deno.test("a call that was missed is found behind more calls than Twilio lists at once", async () => {
  await using world = await World.make();
  const missed = await world.ring({ keys: ["1"], dial: "answered" }, () => true);
  const since = Array.from(
    { length: 1500 },
    () => Object.assign(Object.create(missed), { callSid: newCallSid() }),
  );
  world.twilio.calls.push(...since);
  await world.db.sql`
    insert into call_logs (call_sid, to_e164, started_at, ended_at, status, settled)
    select sid, ${LINE}, now() - interval '2 hours', now() - interval '2 hours', 'completed', true
    from unnest(${since.map(({ callSid }) => callSid)}::text[]) as sid`;
  await world.run();
  assertEquals((await world.row(missed.callSid))?.status, undefined, "older than a run looks back");
  const pages = () =>
    world.twilio.asked.filter((path) => path.startsWith("/Calls.json?PageSize=1")).length;
  assertEquals(pages(), 1);
  // The newest of them are news too, as after an outage.
  await world.db.sql`delete from call_logs where call_sid = any (${
    since.slice(-1).map(({ callSid }) => callSid)
  }::text[])`;
  assertEquals((await world.run()).body.found, 2);
  assertEquals(
    pages(),
    1 + 3,
    "the newest hundred, a thousand, and the rest by Twilio's own address of it",
  );
  assertEquals((await world.row(missed.callSid))!.status, "completed");
});

Deno.test("two runs at once have the effect of one", async () => {
  await using world = await World.make();
  await world.ring({ hangupAt: "gather" });
  await world.run();
  for (let n = 0; n < 8; n++) {
    await world.ring(
      { keys: ["9"], voicemail: { seconds: 5 + n, transcript: "Hello." } },
      (path) => n % 2 === 0 || callbacks(path),
    );
  }
  await world.pass("6 minutes");
  const runs = await Promise.all([world.run(), world.run(), world.run()]);
  assertEquals(runs.map(({ status, body }) => [status, body.failed]), Array(3).fill([200, 0]));
  const events = await world.db.sql`
    select call_sid, event, leg_sid, status, count(*)::int as n from call_lifecycle
    where event in ('reconciled', 'settled', 'recording_reconciled')
    group by call_sid, event, leg_sid, status`;
  assertEquals(events.length, 8 * 3 + 2, "each call its end, its message, and that it is settled");
  assertEquals(events.filter(({ n }) => n > 1), []);
  assertEquals([...await world.db.sql`select kind, key from jobs where attempts > 1`], []);
  const rows = await world.db
    .sql`select disposition from call_logs where disposition = 'voicemail'`;
  assertEquals(rows.length, 8);
});

Deno.test("of two runs at once one enqueues a call, and of two claims at once one gets it", async () => {
  await using world = await World.make();
  await world.ring({ hangupAt: "gather" });
  const { sql } = world.db;
  await Promise.all([sql`select enqueue_calls()`, sql`select enqueue_calls()`]);
  const claim = async (by = sql) =>
    (await by`select * from claim_jobs('{incomplete_call}', 20)`).length;
  await sql.begin(async (first) => {
    assertEquals(await claim(first as never), 1);
    await sql.begin(async (second) => {
      // Else it would wait for the first for ever.
      await second`set local lock_timeout = '10s'`;
      assertEquals(await claim(second as never), 0);
    });
  });
  assertEquals(await claim(), 0);
});

Deno.test("a call is asked about from 20 minutes after its end on, and once Twilio was asked anyway at once", async () => {
  await using world = await World.make();
  const { callSid } = await world.ring({ hangupAt: "gather" });
  const enqueued = async (minutes: number, calls: string[]) => {
    await world.db.sql`delete from jobs`;
    await world.db.sql`
      update call_logs set started_at = now() - interval '1 hour', ended_at = now() - make_interval(mins => ${minutes})`;
    await world.db.sql`select enqueue_calls(${calls}::text[])`;
    return (await world.db.sql`select kind from jobs`).map(({ kind }) => kind);
  };
  assertEquals(await enqueued(0, []), []);
  assertEquals(await enqueued(19, []), []);
  assertEquals(await enqueued(21, []), ["incomplete_call"]);
  assertEquals(await enqueued(6, [callSid]), ["incomplete_call"]);
});

Deno.test("a run asks about every call that is due, and about each once", async () => {
  await using world = await World.make();
  for (let n = 0; n < 30; n++) {
    await world.db.sql`select accept_voice_event(${
      world.db.sql.json(JSON.parse(JSON.stringify(voiceEvent(newCallSid()))))
    })`;
  }
  await world.pass("6 minutes");
  const asked = [await world.run(), await world.run()];
  assertEquals(asked.map(({ body }) => body.asked), [30, 0]);
});

Deno.test("however many calls are long, a lost voicemail has its turn; a run that is out of time owes nothing less", async () => {
  await using world = await World.make();
  for (let n = 0; n < 60; n++) {
    await world.db.sql`select accept_voice_event(${
      world.db.sql.json(JSON.parse(JSON.stringify(voiceEvent(newCallSid()))))
    })`;
  }
  const lost = await world.ring(
    { keys: ["9"], voicemail: { seconds: 9, transcript: "Hello." } },
    (path) => path.includes("event="),
  );
  await world.pass("6 minutes");
  // Its time is up after the first claim.
  let looks = 0;
  const late = () => new Date(Date.now() + (looks++ < 8 ? 0 : 60_000));
  const { body } = await world.run(world.deps({ now: late }));
  assert(body.asked < 61, JSON.stringify(body));
  await world.run();
  assertEquals((await world.row(lost.callSid))!.disposition, "voicemail");
  await world.pass("6 minutes");
  const due = await world.db.sql`select from claim_jobs('{open_call}', 1000)`;
  assertEquals(due.length, 60, "the calls that are open, those among them that had no turn");
});

Deno.test("the end of a call of many hours that was lost is found within 10 minutes", async () => {
  await using world = await World.make();
  const sid = newCallSid();
  await world.db.sql`select accept_voice_event(${
    world.db.sql.json(JSON.parse(JSON.stringify(voiceEvent(sid))))
  })`;
  await world.pass("6 minutes");
  for (let minutes = 0; minutes < 120; minutes += 5) {
    const { body } = await world.run();
    assertEquals(body.asked, 1, `after ${minutes} minutes`);
    await world.pass("5 minutes");
  }
});

Deno.test("a purge that runs out of the role's time goes on with half as many rows", async () => {
  await using world = await World.make();
  await world.db.sql`alter function purge_expired(integer) rename to purge_at_most`;
  await world.db.sql.unsafe(`
    create table asked (batch integer);
    grant insert on asked to service_role;
    create function purge_expired(p_batch integer default 10000) returns jsonb language plpgsql as $$
    begin
      if p_batch > 2500 then raise sqlstate '57014'; end if;
      insert into asked values (p_batch);
      return '{"call_logs": 1}';
    end $$;
    grant execute on function purge_expired(integer) to service_role`);
  const { status, body } = await world.run();
  assertEquals([status, body.purged], [200, { call_logs: 1 }]);
  assertEquals([...await world.db.sql`select batch from asked`], [{ batch: 2500 }]);
});

Deno.test("a run stops at Twilio's 429 and continues later", async () => {
  await using world = await World.make();
  const calls = [];
  for (let n = 0; n < 3; n++) {
    calls.push(
      await world.ring(
        { keys: ["9"], voicemail: { seconds: 9 } },
        (path) => path.includes("event="),
      ),
    );
  }
  let answered = 0;
  world.twilio.fault = (path) =>
    path.startsWith("/Calls/") && ++answered > 1
      ? failure(429, 20429, "Too Many Requests")
      : undefined;
  const busy = await world.run();
  assertEquals([busy.status, busy.body.backed_off, busy.body.recovered], [200, true, 0]);
  const asked = world.twilio.asked.filter((path) => path.startsWith("/Calls/"));
  assert(asked.length <= 12, `the questions that were under way, and no other's: ${asked}`);

  world.twilio.fault = undefined;
  assertEquals((await world.run()).body.asked, 0, "not before its time");
  await world.pass("6 minutes");
  await world.run();
  for (const call of calls) {
    assertEquals((await world.row(call.callSid))!.disposition, "voicemail");
  }
});

for (
  const [what, fault] of [
    ["answers 500", () => failure(500, 20500, "Internal Server Error")],
    ["answers nonsense", () => new Response("<html>", { status: 200 })],
    ["answers JSON of another kind", () => Response.json({ sid: 7, status: "well" })],
    [
      "answers no list of recordings",
      (path: string) => path.endsWith("/Recordings.json") ? Response.json({ ok: true }) : undefined,
    ],
    ["refuses the credentials", () => failure(401, 20003, "Authenticate")],
  ] as const
) {
  Deno.test(`Twilio ${what}: that is reported, nothing is lost, and it is asked again later`, async () => {
    await using world = await World.make();
    const open = await world.ring({ keys: ["1"], dial: "answered" }, callbacks);
    const lost = await world.ring(
      { keys: ["9"], voicemail: { seconds: 9, transcript: "Hello." } },
      (path) => path.includes("event="),
    );
    await world.pass("6 minutes");
    const before = [await world.row(open.callSid), await world.row(lost.callSid)];
    world.twilio.fault = fault;
    const { status, body } = await world.run();
    assertEquals([status, body.recovered, body.found], [200, 0, 0]);
    assert(body.failed >= 2, JSON.stringify(body));
    assertEquals([await world.row(open.callSid), await world.row(lost.callSid)], before);

    world.twilio.fault = undefined;
    await world.pass("6 minutes");
    assertEquals((await world.run()).body.failed, 0);
    const rows = [await world.row(open.callSid), await world.row(lost.callSid)];
    assertEquals(rows.map((row) => row!.disposition), ["connected", "voicemail"]);
  });
}

Deno.test("a database that goes away in the middle leaves the call to a later run", async () => {
  await using world = await World.make();
  const call = await world.ring(
    { keys: ["9"], voicemail: { seconds: 9, transcript: "Hello." } },
    (path) => path.includes("event="),
  );
  const deps = world.deps();
  let accepted = 0;
  const { status, body } = await world.run({
    ...deps,
    accept: async (event) =>
      ++accepted === 1 ? { kind: "unavailable", reason: "away" } : await deps.accept(event),
  });
  assertEquals([status, body.failed, accepted], [200, 1, 1]);
  await world.pass("6 minutes");
  await world.run();
  assertEquals((await world.row(call.callSid))!.disposition, "voicemail");
});

Deno.test("without the database a run is refused with 503 and when to come again", async () => {
  await using world = await World.make();
  const { status, body } = await world.run(world.deps({}, { SUPABASE_URL: closedPort() }));
  assertEquals([status, body], [503, { error: "unavailable" }]);
});

/** A call that began so long ago, and of which nothing more was ever heard. */
async function forgotten(world: World, hours: number): Promise<string> {
  const callSid = newCallSid();
  const event = voiceEvent(callSid, {
    occurred_at: new Date(Date.now() - hours * HOUR_MS).toISOString(),
  });
  await world.db.sql`select accept_voice_event(${
    world.db.sql.json(JSON.parse(JSON.stringify(event)))
  })`;
  await world.pass("6 minutes");
  return callSid;
}

for (
  const [who, env] of [
    ["that Twilio does not know", {}],
    ["that nobody can ask about, without TWILIO_ACCOUNT_SID,", { TWILIO_ACCOUNT_SID: undefined }],
  ] as const
) {
  Deno.test(`a call ${who} is closed after 24 hours, and not before`, async () => {
    await using world = await World.make();
    const young = await forgotten(world, 23);
    const old = await forgotten(world, 25);
    const { status, body } = await world.run(world.deps({}, env));
    assertEquals([status, body.asked, body.failed], [200, 2, 0]);
    assertEquals((await world.row(young))!.ended_at, null);
    const row = (await world.row(old))!;
    assertEquals([row.status, row.disposition], ["lost", "abandoned"]);
    assertEquals(row.ended_at, row.started_at, "as late as the last that was heard of it");
    assertEquals(world.twilio.asked.length > 0, !("TWILIO_ACCOUNT_SID" in env));
    // Ended, it is asked about once more, and then no longer.
    await world.db.sql`
      update call_logs set started_at = started_at - interval '1 hour', ended_at = ended_at - interval '1 hour'
      where call_sid = ${old}`;
    await world.pass("6 minutes");
    await world.run(world.deps({}, env));
    assertEquals((await world.row(old))!.incomplete, false);
  });
}

Deno.test("what has expired is purged, and reported; what has not stays", async () => {
  await using world = await World.make();
  await world.ring({ hangupAt: "gather" });
  await world.db.sql`
    insert into idempotency_keys (key, operation, request_hash, status, result, expires_at)
    select 'contact-submit:' || i, 'contact-submit', sha256('x'), 'completed', '{}', now() + i * interval '1 minute'
    from generate_series(-1, 1, 2) as i`;
  await world.db.sql`update rate_limit_windows set admitted_at = array[now() - interval '2 hours']`;
  const { body } = await world.run();
  assertEquals([body.purged.idempotency_keys, body.purged.rate_limit_windows], [1, 2]);
  const [after] = await world.db.sql`
    select count(*)::int as n from idempotency_keys`;
  assertEquals(after!.n, 1);
});

const deletions = (world: World) =>
  world.db.sql`select key, attempts, status from jobs where kind = 'twilio_deletion'`;

/** A voicemail whose call is erased here, as its days are over. */
async function erasedVoicemail(world: World): Promise<string> {
  const call = await world.ring({ keys: ["9"], voicemail: { seconds: 5, transcript: "call me" } });
  const sid = (await world.row(call.callSid))!.recording_sid;
  await world.db.sql`
    update call_logs set started_at = started_at - interval '91 days', ended_at = ended_at - interval '91 days'
    where call_sid = ${call.callSid}`;
  await world.db.sql`select purge_expired()`;
  assertEquals(await world.row(call.callSid), undefined);
  return sid;
}

Deno.test("the recording of an erased call is deleted at Twilio, once", async () => {
  await using world = await World.make();
  const sid = await erasedVoicemail(world);
  assertEquals((await world.run()).body.recordings_deleted, 1);
  assertEquals(world.twilio.deleted, [{ account: ACCOUNT_SID, sid }]);
  assertEquals((await deletions(world)).length, 0);
  assertEquals((await world.run()).body.recordings_deleted, 0);
});

Deno.test("the record of a call that Twilio does not delete yet waits, and is no failure", async () => {
  await using world = await World.make();
  const sid = newCallSid();
  await world.db.sql`select enqueue_job('twilio_deletion', ${sid})`;
  world.twilio.fault = (path) =>
    path === `/Calls/${sid}.json` ? failure(409, 20009, "Cannot delete") : undefined;
  const { body } = await world.run();
  assertEquals([body.failed, body.backed_off], [0, false]);
  assertEquals((await deletions(world)).length, 1);
  world.twilio.fault = undefined;
  await world.db.sql`select hurry_jobs('twilio_deletion')`;
  await world.run();
  assertEquals((await deletions(world)).length, 0);
});

Deno.test("a recording that Twilio does not delete is tried again later, and does not stop the others", async () => {
  await using world = await World.make();
  const sids = [await erasedVoicemail(world), await erasedVoicemail(world)];
  world.twilio.fault = (path) =>
    path.includes(sids[0]!) ? failure(500, 20500, "Internal Server Error") : undefined;
  const { body } = await world.run();
  assertEquals([body.recordings_deleted, body.failed], [1, 1]);
  const [left] = await deletions(world);
  assertEquals({ ...left }, { key: sids[0], attempts: 1, status: "waiting" });
  world.twilio.fault = undefined;
  await world.db.sql`select hurry_jobs('twilio_deletion')`;
  assertEquals((await world.run()).body.recordings_deleted, 1);
  assertEquals(world.twilio.deleted.map(({ sid }) => sid).sort(), sids.sort());
});

Deno.test("a recording that is gone already counts as deleted; one of a sub-account is deleted there", async () => {
  await using world = await World.make();
  const sub = "AC" + "5".repeat(32);
  const sid = await erasedVoicemail(world);
  world.twilio.subaccounts[sub] = world.twilio.calls.splice(0);
  await world.db.sql`
    update jobs set payload = jsonb_build_object('account', ${sub}::text) where kind = 'twilio_deletion'`;
  await world.db.sql`select enqueue_job('twilio_deletion', ${"RE" + "1".repeat(32)})`;
  assertEquals((await world.run()).body.recordings_deleted, 2);
  assertEquals(world.twilio.deleted, [{ account: sub, sid }]);
  assertEquals((await deletions(world)).length, 0);
});

Deno.test("a run stops deleting at Twilio's 429; two runs at once delete each recording once", async () => {
  await using world = await World.make();
  const sids = [await erasedVoicemail(world), await erasedVoicemail(world)];
  world.twilio.fault = (path) =>
    path.startsWith("/Recordings") ? failure(429, 20429, "Too Many Requests") : undefined;
  const { body } = await world.run();
  assertEquals([body.backed_off, body.recordings_deleted], [true, 0]);
  world.twilio.fault = undefined;
  await world.db.sql`select hurry_jobs('twilio_deletion')`;
  world.twilio.asked.length = 0;
  await Promise.all([world.run(), world.run()]);
  assertEquals(world.twilio.deleted.map(({ sid }) => sid).sort(), sids.sort());
  assertEquals(
    world.twilio.asked.filter((path) => /^\/Recordings\/RE\w+\.json/.test(path)).length,
    2,
  );
});

Deno.test("a run purges what a busy minute leaves behind", async () => {
  await using world = await World.make();
  await world.db.sql`
    insert into idempotency_keys (key, operation, request_hash, status, result, expires_at)
    select 'voice-status:old-' || i, 'voice-status', sha256('x'), 'completed', '{}', now() - interval '1 minute'
    from generate_series(1, 9000) as i`;
  assertEquals((await world.run()).body.purged.idempotency_keys, 9000);
});

Deno.test("without the secret key the answer is 401, and nothing is asked or done", async () => {
  await using world = await World.make();
  await world.ring({ keys: ["9"] }, (path) => path.includes("event="));
  const anonymous: Record<string, string>[] = [
    {},
    { apikey: "" },
    { apikey: `${LOCAL_SECRET_KEY}0` },
    { authorization: "Bearer sb_publishable_local" },
    { authorization: LOCAL_SECRET_KEY },
  ];
  for (const headers of anonymous) {
    const { status, body } = await world.run(world.deps(), headers);
    assertEquals([status, body], [401, { error: "unauthorized" }], JSON.stringify(headers));
  }
  assertEquals(world.twilio.asked, []);
  assertEquals((await world.db.sql`select from jobs where kind like '%_call'`).length, 0);
  const bearer = { authorization: `Bearer ${LOCAL_SECRET_KEY}` };
  assertEquals((await world.run(world.deps(), bearer)).status, 200);
});

Deno.test("GET is answered 405 with what is allowed", async () => {
  await using world = await World.make();
  const handler = voiceReconcile(reconcileDeps(world.deps()));
  const response = await handler(
    new Request("http://edge-runtime.supabase.com/voice-reconcile", {
      headers: { apikey: LOCAL_SECRET_KEY },
    }),
  );
  assertEquals([response.status, response.headers.get("allow")], [405, "POST"]);
  await response.body?.cancel();
});

Deno.test("a sub-account's calls are asked about, and missed ones looked for, in that sub-account", async () => {
  await using world = await World.make();
  const subaccount = `AC${"5".repeat(32)}`;
  const org = crypto.randomUUID();
  await world.db.sql`
    insert into telephony_subaccounts (org_id, subaccount_sid, business_name) values (${org}, ${subaccount}, 'A shop')`;
  await world.db.sql`
    insert into telephony_numbers (e164_number, org_id, number_sid, country)
    values (${LINE}, ${org}, ${"PN" + "5".repeat(32)}, 'CA')`;
  const open = await world.ring({ keys: ["1"], dial: "answered", talkSeconds: 40 }, callbacks);
  const missed = await world.ring({ keys: ["9"], voicemail: { seconds: 9 } }, () => true);
  world.twilio.subaccounts[subaccount] = world.twilio.calls.splice(0);
  await world.pass("1 hour");

  assertEquals((await world.run()).status, 200);

  const closed = await world.row(open.callSid);
  assertEquals([closed!.status, closed!.org_id], ["completed", org]);
  const found = await world.row(missed.callSid);
  assertEquals([found!.disposition, found!.org_id], ["voicemail", org]);
});
