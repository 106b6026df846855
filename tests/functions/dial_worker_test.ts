import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_SECRET_KEY } from "../../scripts/local/stack.ts";
import { personAt } from "../../scripts/phone/mod.ts";
import { TwilioError } from "../../supabase/functions/_shared/twilio/client.ts";
import { createHandler } from "../../supabase/functions/dial-worker/handler.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";
import { LINE, phoneOf, type Practice, practiceFlow, startPractice } from "../support/practice.ts";

const HASH = "ab".repeat(32);

/** Each test's own practice, whose flow is published by SQL. */
function test(name: string, body: (practice: Practice) => Promise<void>, people = 1) {
  Deno.test(`dial-worker: ${name}`, async () => {
    const practice = await startPractice({ people });
    try {
      const { sql } = practice.db;
      const members = Array.from({ length: people }, (_, nth) => `p${nth + 1}`);
      await sql`
        select publish_flow(null, 'practice', ${sql.json(practiceFlow(members))}, ${HASH}, ${[
        LINE,
      ]})`;
      // Telephones ring until they are told otherwise.
      practice.telephones = () => personAt({ outcome: "no-answer", ringSeconds: 600 });
      await body(practice);
    } finally {
      for (const call of practice.simulator.exchange.calls.values()) call.hangUp("app");
      await practice.stop();
    }
  });
}

let callers = 0;

/** A caller who holds for the desk, or has everybody rung. */
async function calls({ db: { sql } }: Practice, option: "hold" | "back" | "any" = "hold") {
  const sid = newCallSid();
  let turn = 0;
  const from = `+1780555${2000 + callers++}`;
  const accept = async (changes: Record<string, unknown>) => {
    const event = voiceEvent(sid, {
      operation: "voice-menu-handler",
      identity: `turn-${turn++}`,
      call_status: "in-progress",
      from_e164: from,
      to_e164: LINE,
      ...changes,
    });
    await sql`select accept_voice_event(${sql.json(event as never)})`;
  };
  await accept({ event: "arrived", ask: { line: LINE } });
  const outcome = `options.${["hold", "back", "any"].indexOf(option)}`;
  await accept({
    event: "menu",
    meta: { node: "main", outcome },
    ask: { flow: HASH, callable: true },
  });
  return {
    sid,
    hangsUp: () => accept({ event: "status", call_status: "completed", identity: "end" }),
  };
}

const attempts = async ({ db: { sql } }: Practice) =>
  [
    ...await sql`select state, leg_sid, result, to_e164, token from dial_attempts order by id`,
  ] as { state: string; leg_sid: string | null; result: string | null; token: string }[];

const created = ({ twilio }: Practice) =>
  twilio.requests.filter(({ method, path }) => method === "POST" && /\/Calls$/.test(path));

const CREATE = { method: "POST", path: /\/Calls$/ };

test("only the scheduler and operators may run it", async () => {
  const handler = createHandler({
    settings: { secretKeys: [LOCAL_SECRET_KEY], schedulerTokens: ["a scheduler's token"] },
    log: () => {},
  } as never);
  const ask = async (headers: Record<string, string>) => {
    const response = await handler(
      new Request("http://localhost/dial-worker", { method: "POST", headers }),
    );
    return response.status;
  };
  assertEquals([await ask({}), await ask({ apikey: "sb_publishable_local" })], [401, 401]);
});

test("a telephone is rung by one create, with the token and the call in its addresses", async (practice) => {
  const caller = await calls(practice);
  await practice.work();
  await practice.work();
  const { params } = created(practice)[0]!;
  assertEquals(created(practice).length, 1);
  const [attempt] = await attempts(practice);
  assertEquals([params.To, params.From, params.Timeout, params.TimeLimit], [
    phoneOf(1),
    LINE,
    "20",
    "3600",
  ]);
  for (const [name, event] of [["Url", "answered"], ["StatusCallback", "status"]] as const) {
    const url = new URL(params[name]!);
    assertEquals(url.pathname, "/functions/v1/voice-person");
    assertEquals(
      ["event", "token", "call", "node"].map((each) => url.searchParams.get(each)),
      [event, attempt!.token, caller.sid, "hold"],
    );
  }
  assertEquals([attempt!.state, attempt!.leg_sid !== null], ["created", true]);
});

test("a create whose answer is lost is asked about, and never repeated while the leg exists", async (practice) => {
  await calls(practice);
  practice.twilio.inject({ ...CREATE, effect: true, listedAfter: 2, answer: "hang" });
  const { deadlineMs } = practice;
  practice.deadlineMs = 500;
  await practice.work();
  practice.deadlineMs = deadlineMs;
  assertEquals((await attempts(practice))[0]!.state, "unknown");
  // Two lists do not show it yet.
  await practice.later(5);
  await practice.later(5);
  assertEquals((await attempts(practice))[0]!.state, "unknown");
  await practice.later(5);
  assertEquals(created(practice).length, 1);
  const [attempt] = await attempts(practice);
  assertEquals([attempt!.state, attempt!.leg_sid !== null], ["created", true]);
});

test("a create that was never made is repeated, once Twilio's list should show it", async (practice) => {
  await calls(practice);
  practice.twilio.inject({ ...CREATE, answer: { status: 503 } });
  await practice.work();
  await practice.later(5);
  assertEquals(created(practice).length, 1, "the list may not show it yet");
  await practice.later(25);
  assertEquals(created(practice).length, 2);
  assertEquals((await attempts(practice)).map(({ state }) => state), ["created"]);
});

test("429 made no leg: it is asked again later", async (practice) => {
  await calls(practice);
  practice.twilio.inject({ ...CREATE, answer: { status: 429, code: 20429 } });
  const report = await practice.work();
  assertEquals([report.held, (await attempts(practice))[0]!.state], [1, "intended"]);
  await practice.db.sql`update job_kinds set held_until = null`;
  await practice.later(5);
  assertEquals((await attempts(practice))[0]!.state, "created");
});

test(
  "a number that Twilio refuses ends the attempt, and the caller is rung for elsewhere",
  async (practice) => {
    await calls(practice);
    practice.twilio.inject({ ...CREATE, answer: { status: 400, code: 21211 } });
    await practice.work();
    assertEquals(
      (await attempts(practice)).map(({ state, result }) => [state, result]),
      [["refused", "unreachable"], ["created", null]],
    );
  },
  2,
);

test("a telephone whose caller's number Twilio does not let show is rung by the line's", async (practice) => {
  await calls(practice, "any");
  await practice.db.sql`
    insert into call_tokens (call_sid, token) select call_sid, 'of a call that is too old' from queue_entries`;
  practice.twilio.inject({ ...CREATE, answer: { status: 400, code: 21210 } });
  await practice.work();
  const [first, second, ...others] = created(practice).map(({ params }) => params);
  assertEquals([first!.CallToken, second!.CallToken, second!.From], [
    "of a call that is too old",
    undefined,
    LINE,
  ]);
  assertEquals(others, []);
  assertEquals((await attempts(practice)).map(({ state }) => state), ["created"]);
});

test("wrong credentials ring nobody, and cost nobody their turn", async (practice) => {
  await calls(practice);
  practice.twilio.inject({ ...CREATE, answer: { status: 401, code: 20003 } });
  const report = await practice.work();
  const [attempt] = await attempts(practice);
  assertEquals([report.held, attempt!.state, attempt!.result], [1, "intended", null]);
});

test("nothing is dialled that ALLOWED_DESTINATIONS forbids, nor the line itself", async (practice) => {
  const { sql } = practice.db;
  await sql`update people set phone = '+18765550100'`;
  await sql`update people set verified_at = now()`;
  await calls(practice);
  await practice.work();
  assertEquals(created(practice), []);
  assertEquals((await attempts(practice)).map(({ result }) => result), ["unreachable"]);
});

test(
  "a leg for a caller who has gone is ended, and one that was not made yet is never made",
  async (practice) => {
    const caller = await calls(practice, "any");
    practice.change = (deps) => ({
      ...deps,
      // The second telephone's turn comes only after the caller has gone.
      async wait() {
        await practice.twilio.seen(({ method, path }) =>
          method === "POST" && /\/Calls$/.test(path)
        );
        await caller.hangsUp();
      },
    });
    await practice.work();
    await practice.simulator.clock.sleep(2000);
    const made = created(practice).length;
    assertEquals(made, 1);
    await practice.work();
    const ended = practice.twilio.requests.filter(({ params }) => params.Status === "completed");
    assertEquals(ended.length, 1);
    assertEquals(practice.simulator.exchange.calls.size, 0, "no telephone rings");
  },
  2,
);

test("a leg that waits for its turn to ring is canceled, as it is not in progress yet", async (practice) => {
  const caller = await calls(practice);
  await practice.work();
  await caller.hangsUp();
  practice.twilio.inject({
    method: "POST",
    path: /\/Calls\/CA/,
    answer: { status: 400, code: 21220 },
  });
  await practice.work();
  const ends = practice.twilio.requests.flatMap(({ params }) => params.Status ?? []);
  assertEquals(ends, ["completed", "canceled"]);
  assertEquals(practice.simulator.exchange.calls.size, 0, "no telephone rings");
});

test("a leg that ended unheard is found out when it is to be ended", async (practice) => {
  await calls(practice);
  practice.telephones = () => personAt({ outcome: "busy" });
  await practice.work();
  // Its callbacks go to nowhere: this stack serves no functions.
  await practice.simulator.settle();
  const { sql } = practice.db;
  assertEquals((await attempts(practice))[0]!.result, null);
  await sql`update dial_attempts set dialled_at = now() - interval '5 minutes'`;
  await sql`select mend_dialling()`;
  await practice.work();
  assertEquals((await attempts(practice))[0]!.result, "busy");
});

test("workers at once make one leg a person", async (practice) => {
  await calls(practice, "any");
  await Promise.all(Array.from({ length: 5 }, () => practice.work()));
  const to = created(practice).map(({ params }) => params.To);
  assertEquals(to.toSorted(), [1, 2, 3, 4].map(phoneOf));
  assertEquals(new Set((await attempts(practice)).map(({ leg_sid }) => leg_sid)).size, 4);
}, 4);

test("legs of an account are made one a second", async (practice) => {
  await calls(practice, "any");
  const { sql } = practice.db;
  await practice.work();
  assertEquals(created(practice).length, 4);
  const slots = await sql<{ slot: string }[]>`select slot from dial_attempts order by slot`;
  const [first] = slots;
  assertEquals(slots.map(({ slot }) => Number(slot) - Number(first!.slot)), [0, 1, 2, 3]);
}, 4);

test("a promise that is due is dialled in the same run", async (practice) => {
  await calls(practice, "back");
  await practice.db.sql`
    update callbacks set calendar = ${
    practice.db.sql.json({
      zone: "UTC",
      weekly: Object.fromEntries(
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map((day) => [day, [["00:00", "24:00"]]]),
      ),
    })
  }`;
  await practice.later(1);
  assertEquals(
    created(practice).map(({ params }) => new URL(params.Url!).searchParams.get("call")),
    [
      null,
    ],
  );
});

test("without TWILIO_ACCOUNT_SID the jobs wait", async (practice) => {
  await calls(practice);
  practice.change = (deps) => ({ ...deps, twilio: undefined });
  assertEquals((await practice.work()).missing, ["TWILIO_ACCOUNT_SID"]);
  assertEquals((await attempts(practice))[0]!.state, "intended");
});

test("a database that goes away after Twilio made the leg costs no second one", async (practice) => {
  await calls(practice);
  practice.change = (deps) => ({
    ...deps,
    dialling: {
      ...deps.dialling,
      told: () => Promise.reject(new TwilioError("unknown", "the database is away")),
    },
  });
  await practice.work();
  practice.change = (deps) => deps;
  await practice.later(5);
  assertEquals(created(practice).length, 1);
  assertEquals((await attempts(practice))[0]!.state, "created");
});

test("a caller of whom nothing was heard holds on where Twilio has them waiting, and leaves where it has not", async (practice) => {
  const { sql } = practice.db;
  const [waiting, gone] = [await calls(practice), await calls(practice)];
  const queues: string[] = [];
  practice.change = (deps) => ({
    ...deps,
    twilio: (account) => ({
      ...deps.twilio!(account),
      waiting: (name) => Promise.resolve((queues.push(name), [waiting.sid])),
    }),
  });
  await sql`update queue_entries set seen_at = now() - interval '5 minutes'`;
  await sql`select mend_dialling()`;
  await practice.work();
  const rows = await sql`select call_sid, result from queue_entries order by id`;
  assertEquals(rows.map(({ call_sid, result }) => [call_sid, result]), [
    [waiting.sid, null],
    [gone.sid, "hung_up"],
  ]);
  assertEquals(queues, ["desk", "desk"]);
});

/** A call that nobody answered, whose flow texts back. */
async function missed(practice: Practice) {
  const { sql } = practice.db;
  await sql`update call_flow_versions set missed_call = '{"sms": "Sorry that we missed you."}'`;
  const caller = await calls(practice);
  await caller.hangsUp();
  await practice.later(61);
  const texts = practice.twilio.requests.filter(({ path }) => /\/Messages$/.test(path));
  return { caller, texts };
}

test("a caller whom nobody answered gets one text a day", async (practice) => {
  const { caller, texts } = await missed(practice);
  assertEquals(texts.map(({ params }) => [params.From, params.Body]), [[
    LINE,
    "Sorry that we missed you.",
  ]]);
  await caller.hangsUp();
  assertEquals((await missed(practice)).texts.length, 2, "another caller");
});

test("who has said stop gets no text, and is on the list from then on", async (practice) => {
  practice.twilio.inject({
    method: "POST",
    path: /\/Messages$/,
    answer: { status: 400, code: 21610 },
  });
  await missed(practice);
  const [row] = await practice.db.sql`select e164, source from suppressions`;
  assertEquals(row!.source, "sms");
  const [{ dead }] = await practice.db.sql`
    select count(*)::int as dead from jobs where status = 'dead'` as unknown as [{ dead: number }];
  assertEquals(dead, 0);
});

test("a text whose answer is lost is not sent again", async (practice) => {
  practice.twilio.inject({
    method: "POST",
    path: /\/Messages$/,
    effect: true,
    answer: { status: 503 },
  });
  await missed(practice);
  await practice.later(600);
  const texts = practice.twilio.requests.filter(({ path }) => /\/Messages$/.test(path));
  assertEquals(texts.length, 1);
});

test("the leg of a person who may be talking is asked about, never ended", async (practice) => {
  const { db: { sql }, twilio } = practice;
  const caller = await calls(practice);
  await practice.work();
  const { token, leg_sid } = (await attempts(practice))[0]!;
  await sql`select attempt_told(${token}, ${leg_sid}, 'in-progress', 'pressed')`;
  await sql`
    select enqueue_job('dial_end', ${token}, jsonb_build_object('call_sid', ${caller.sid}::text))`;
  await practice.work();
  const ofLeg = twilio.requests.filter(({ path }) => path.endsWith(`/Calls/${leg_sid}`));
  assertEquals(ofLeg.map(({ method }) => method), ["GET"]);
  // Here it was over: its telephone is free.
  assertEquals((await attempts(practice))[0]!.result, "caller_left");
});
