import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { withLocalDefaults } from "../../scripts/local/stack.ts";
import { seededRandom } from "../../scripts/phone/random.ts";
import { attemptsOf } from "../../supabase/functions/_shared/campaigns/retry.ts";
import { campaignDialling } from "../../supabase/functions/_shared/db/campaigns.ts";
import { dialling } from "../../supabase/functions/_shared/db/dialling.ts";
import { jobs } from "../../supabase/functions/_shared/db/jobs.ts";
import { readSettings } from "../../supabase/functions/_shared/settings.ts";
import { createHandler as createDialler } from "../../supabase/functions/campaign-dialler/handler.ts";
import { createHandler as createDialWorker } from "../../supabase/functions/dial-worker/handler.ts";
import { LOCAL_SECRET_KEY } from "../../scripts/defaults.ts";
import { Isolate, open, ownClock, phones, running, TrueTwilio } from "../support/campaigns.ts";
import { noticeFlow } from "../support/calling.ts";
import { createTestDatabase } from "../support/database.ts";

// The code of the dialler and of dial-worker over a real database, in processes that are killed at any step, with a Twilio that
// makes calls whose answer is lost, lists them late, and loses and doubles its webhooks. What really happened is kept apart
// from what the database knows, and each call is judged by it when it is made.

const CONTACTS = Number(Deno.env.get("CHAOS_CONTACTS") ?? 200);
const RULES = { max: 4, per_day: 4, per_week: 20, busy_minutes: 15, no_answer_minutes: 240 };
const MINUTE = 60_000;
/** Requests to the database in one run of a dialler, about. */
const STEPS = 20 + CONTACTS / 100;

/** Work goes on at once: time is put forward between runs. */
const soon = (ms: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, ms < 1000 ? 2 : 20));
const scheduled = () =>
  new Request("http://localhost/", { method: "POST", headers: { apikey: LOCAL_SECRET_KEY } });

Deno.test("with faults at each step no contact is called twice, none that was reached is called again, and none is left behind", async () => {
  const random = seededRandom(20_26);
  const db = await createTestDatabase();
  const { sql } = db;
  const { handle } = db.api();
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const forward = await ownClock(sql);
  const pass = async (ms: number) => {
    ahead += ms;
    await forward(ms);
  };
  const twilio = new TrueTwilio(
    random,
    { busy: 0.03, unanswered: 0.06, lost: 0.1, doubled: 0.1, late: 0.05 },
    now,
  );
  const settings = readSettings((name) =>
    withLocalDefaults({ TWILIO_ACCOUNT_SID: `AC${"1".repeat(32)}` }, "http://localhost", "")[name]
  );
  const attempts = attemptsOf(RULES);
  /** When each number's stop was answered, and when each token was begun. */
  const stopped = new Map<string, number>();
  const begun = new Map<string, number>();
  const tokens = new Set<string>();
  twilio.onMake = (leg) => {
    const before = twilio.of(leg.to);
    const last = before.at(-1);
    if (tokens.has(leg.token)) twilio.wrong.push(`the same dial twice: ${leg.to}`);
    tokens.add(leg.token);
    if (before.length >= RULES.max) twilio.wrong.push(`too often: ${leg.to}`);
    const stop = stopped.get(leg.to);
    if (stop !== undefined && begun.get(leg.token)! > stop) {
      twilio.wrong.push(`after a stop: ${leg.to}`);
    }
    if (last === undefined) return;
    if (last.endAt > leg.madeAt) twilio.wrong.push(`two at once: ${leg.to}`);
    if (last.answeredAt !== undefined && !last.isMachine) {
      twilio.wrong.push(`reached before: ${leg.to}`);
    }
    const why = last.isMachine
      ? "machine"
      : last.end === "busy"
      ? "busy"
      : last.end === "failed"
      ? "failed"
      : "no_answer";
    const least = attempts.after[why].minutes * MINUTE;
    if (leg.madeAt < last.endAt + least - 1000) {
      twilio.wrong.push(`too soon after ${why}: ${leg.to}`);
    }
  };
  const faults = { killed: 0.004, answerLost: 0.01 };
  const asked = (name: string, args: Record<string, unknown>) => {
    if (name !== "begin_campaign_dials") return;
    for (const token of args["p_tokens"] as string[]) begun.set(token, now());
  };

  await sql`
    select publish_flow(null, 'main', ${sql.json(noticeFlow() as never)}, ${
    "ab".repeat(32)
  }, null)`;
  const id = await running(sql, CONTACTS, {
    account: 1000,
    rate: 200,
    concurrent: 100_000,
    attempts: RULES,
  });
  await open(sql, id, 24 * 365);

  let deaths = 0;
  /** One process of the dialler. */
  const dial = async () => {
    const isolate = new Isolate(random, faults);
    let steps = 0;
    const api = isolate.api(handle, (name, args) => {
      if (name !== "running_campaigns") steps++;
      asked(name, args);
    });
    const dialler = createDialler({
      settings,
      jobs: jobs(api),
      campaigns: campaignDialling(api),
      twilio: () => isolate.legs(twilio),
      log: () => {},
      // A run has its time.
      now: () => new Date(now() + (steps > STEPS ? MINUTE : 0)),
      wait: soon,
    });
    if (await isolate.run(() => dialler(scheduled()))) deaths++;
  };
  /** One process of dial-worker. */
  const work = async () => {
    const isolate = new Isolate(random, faults);
    const api = isolate.api(handle);
    const worker = createDialWorker({
      settings,
      jobs: jobs(api),
      dialling: dialling(api),
      twilio: () => isolate.legs(twilio),
      log: () => {},
      now: () => new Date(now()),
      wait: soon,
    });
    if (await isolate.run(() => worker(scheduled()))) deaths++;
  };
  const webhooks = dialling(new Isolate(random, { killed: 0, answerLost: 0 }).api(handle));
  const deliver = async () => {
    const due = twilio.due();
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (let told = due.pop(); told !== undefined; told = due.pop()) {
        const { leg, status, told: what } = told;
        // deno-lint-ignore no-await-in-loop -- Eight at a time.
        await webhooks.legTold(null, leg.token, leg.sid, status, what as never);
      }
    }));
  };
  const stop = async (to: string) => {
    await sql`select suppress(null, ${to}, 'sms')`;
    stopped.set(to, now());
  };
  const openAttempts = async () =>
    (await sql`select from dial_attempts where ended_at is null`).length;

  try {
    const numbers = phones(CONTACTS);
    let idle = 0;
    for (let round = 0; idle < 3; round++) {
      const made = twilio.legs.length;
      // Ticks come twice, and people say stop meanwhile.
      // deno-lint-ignore no-await-in-loop -- Round by round.
      await Promise.all([
        dial(),
        dial(),
        ...(random() < 0.5 ? [dial()] : []),
        deliver(),
        work(),
        work(),
        ...Array.from(
          { length: Math.ceil(CONTACTS / 2000) },
          () => stop(numbers[Math.floor(random() * CONTACTS)]!),
        ),
      ]);
      const seconds = twilio.legs.length > made ? 20 : 900;
      // deno-lint-ignore no-await-in-loop
      await pass(seconds * 1000);
      // deno-lint-ignore no-await-in-loop
      if (random() < 0.3) await sql`select mend_dialling()`;
      // The breaker may have paused it, and a person looks.
      // deno-lint-ignore no-await-in-loop
      await sql`select command_campaign(${id}, 'resume')`;
      if (twilio.legs.length > made) idle = 0;
      // deno-lint-ignore no-await-in-loop
      else if (twilio.isQuiet && await openAttempts() === 0) {
        idle++;
        // deno-lint-ignore no-await-in-loop
        await pass(24 * 60 * MINUTE);
      }
    }
    const states = await sql<{ state: string; count: number }[]>`
      select state, count(*)::integer as count from campaign_contacts group by 1 order by 1`;
    assertEquals(twilio.wrong.slice(0, 20), []);
    assert(deaths > CONTACTS / 50, `${deaths} processes died`);
    assert(twilio.legs.length > 1.8 * CONTACTS, `${twilio.legs.length} calls`);
    assertEquals(
      states.filter(({ state }) => ["waiting", "unknown", "ringing"].includes(state)),
      [],
    );
    const missed = numbers.filter((to) =>
      twilio.of(to).length === 0 && !stopped.has(to) && !to.endsWith("77")
    );
    assertEquals(missed, []);
  } finally {
    await db.drop();
  }
});
