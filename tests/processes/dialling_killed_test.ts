import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import {
  LOCAL_AUTH_TOKEN,
  LOCAL_SECRET_KEY,
  serve,
  withLocalDefaults,
} from "../../scripts/local/stack.ts";
import { personAt } from "../../scripts/phone/mod.ts";
import { addressOf, runFunction } from "../support/function_process.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";
import { ACCOUNT, LINE, phoneOf, practiceFlow, startPractice } from "../support/practice.ts";

// The process of dial-worker, killed (SIGKILL) at each of its steps outside: before what it asks arrives, and after it has had
// its effect but before the answer. A telephone is rung once, whenever that was.

const practice = await startPractice({ people: 1 });
const { db: { sql }, twilio } = practice;
Deno.test.afterAll(() => practice.stop());
const HASH = "ab".repeat(32);
await sql`
  select publish_flow(null, 'practice', ${sql.json(practiceFlow(["p1"]))}, ${HASH}, ${[LINE]})`;

/** A run in a process of its own; `killAt` the nth request that it makes. @returns all that it made. */
async function run(killAt?: { nth: number; phase: "before" | "after" }): Promise<string[]> {
  const asked: string[] = [];
  const dead = Promise.withResolvers<never>();
  dead.promise.catch(() => {});
  const never = async () => {
    child.kill("SIGKILL");
    await child.status;
    dead.reject(new Error("killed"));
    return await dead.promise;
  };
  const front = serve(0, () => {}, async (request) => {
    const { pathname, search } = new URL(request.url);
    const nth = asked.push(pathname.split("/").at(-1)!);
    const body = request.method === "GET" ? undefined : await request.text();
    if (killAt?.nth === nth && killAt.phase === "before") return await never();
    const target = pathname.startsWith("/rest/") ? practice.url : twilio.url;
    const answer = await fetch(`${target}${pathname}${search}`, {
      method: request.method,
      headers: request.headers,
      ...(body !== undefined && { body }),
    });
    const copy = new Response(await answer.text() || null, answer);
    return killAt?.nth === nth && killAt.phase === "after" ? await never() : copy;
  }, { mayAsk: () => true });
  const env = withLocalDefaults(
    {
      TWILIO_ACCOUNT_SID: ACCOUNT,
      TWILIO_AUTH_TOKEN: LOCAL_AUTH_TOKEN,
      TWILIO_API_URL: front.url,
      METRICS_FLUSH_SECONDS: "0",
    },
    front.url,
    "",
  );
  const child = runFunction("dial-worker", env as Record<string, string>);
  try {
    const address = await addressOf(child);
    const response = await Promise.race([
      fetch(address, { method: "POST", headers: { apikey: LOCAL_SECRET_KEY } })
        .catch(() => undefined),
      dead.promise.catch(() => undefined),
    ]);
    await response?.body?.cancel();
    assertEquals(response === undefined, killAt !== undefined, "whether it was killed");
    return asked;
  } finally {
    // It may be dead already.
    try {
      child.kill("SIGKILL");
    } catch { /* It is. */ }
    await child.status;
    await front.drain();
  }
}

let callers = 0;

/** A caller, another each time, to whom a call back is promised, which is due. @returns the number of legs made before. */
async function promise(): Promise<number> {
  for (const call of practice.simulator.exchange.calls.values()) call.hangUp("app");
  await practice.simulator.settle();
  await sql`delete from jobs`;
  // Kept: Twilio still lists the legs of before, and a new attempt must not take one for its own.
  await sql`
    update dial_attempts set ended_at = now() - interval '1 minute', result = 'canceled' where ended_at is null`;
  await sql`update callbacks set state = 'failed', ended_at = now(), ready = false where state = 'open'`;
  practice.telephones = () => personAt({ outcome: "no-answer", ringSeconds: 600 });
  const sid = newCallSid();
  const from_e164 = `+1780555${1000 + callers++}` as never;
  const event = (changes: Record<string, unknown>) => ({
    ...voiceEvent(sid, { from_e164, to_e164: LINE, call_status: "in-progress" }),
    ...changes,
  });
  for (
    const each of [
      event({ ask: { line: LINE } }),
      event({
        operation: "voice-menu-handler",
        identity: "turn-1",
        event: "menu",
        meta: { node: "main", outcome: "options.1" },
        ask: { flow: HASH, callable: true },
      }),
    ]
  ) {
    // deno-lint-ignore no-await-in-loop
    await sql`select accept_voice_event(${sql.json(each as never)})`;
  }
  const weekly = Object.fromEntries(
    ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map((day) => [day, [["00:00", "24:00"]]]),
  );
  await sql`update callbacks set calendar = ${
    sql.json({ zone: "UTC", weekly })
  } where state = 'open'`;
  return made().length;
}

const made = () =>
  twilio.requests.filter(({ method, path, params }) =>
    method === "POST" && /\/Calls$/.test(path) && params.To === phoneOf(1)
  );

await promise();
const STEPS = await run();

Deno.test("a run is the steps at which it is killed below", () => {
  assertEquals(STEPS.filter((step) => step === "Calls.json").length, 1);
  assertEquals(STEPS.includes("begin_dial") && STEPS.includes("keep_promise"), true);
  assertEquals(STEPS.at(-1), "record_worker_run");
});

for (let nth = 1; nth <= STEPS.length; nth++) {
  for (const phase of ["before", "after"] as const) {
    Deno.test(`killed ${phase} step ${nth} of ${STEPS.length}: the person is rung for the promise, and once`, async () => {
      const before = await promise();
      await run({ nth, phase });
      // Two ticks at once, after the leases have ended, and once Twilio's list must show what was made.
      await practice.later(31);
      await Promise.all([practice.later(31), practice.work()]);
      await practice.later(31);
      assertEquals(made().length - before, 1);
      const attempts = await sql`
        select state, leg_sid from dial_attempts where callback_id in (select id from callbacks where state = 'open')`;
      assertEquals(attempts.map(({ state }) => state), ["created"]);
      assert(attempts[0]!.leg_sid !== null);
      const [row] = await sql`select tries from callbacks where state = 'open'`;
      assertEquals(row!.tries, 1);
    });
  }
}
