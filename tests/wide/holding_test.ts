import { assertEquals } from "@std/assert/equals.js";
import postgres, { type Sql } from "postgres";
import { seededRandom } from "../../scripts/phone/random.ts";
import type { VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import { databaseTests, type TestDatabase } from "../support/database.ts";
import {
  accept,
  type Attempt,
  attempts,
  Caller,
  type Facts,
  HASH,
  holdInOrder,
  newLeg,
  practice,
} from "../support/holding.ts";

const test = databaseTests("holding");

test("1,000 callers in one queue and 50 people: order is kept, no position rises, nobody is idle", (db) =>
  holdInOrder(db, { callers: 1000, people: 50 }));

const EVERY_DAY = Object.fromEntries(
  ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].map((day) => [day, [["00:00", "24:00"]]]),
);

/** Whatever callers, legs, workers and Twilio tell, in any order and from ten sessions at once. Nothing of it may fail. */
async function atRandom(db: TestDatabase, seed: number) {
  const random = seededRandom(seed);
  const pick = <T>(...of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const sql = await practice(db.sql, 6, { calendar: "day" }, {
    calendars: { day: { zone: "UTC", weekly: EVERY_DAY } },
  });
  const all: Caller[] = [];
  const holding = new Set<Caller>();
  const legs = new Map<string, string>();
  const told = new Map<string, number>();
  const tell = async (by: Sql, caller: Caller, changes: Partial<VoiceEvent>, ask?: object) => {
    const event = caller.event({ identity: crypto.randomUUID(), ...changes }, (ask ?? {}) as never);
    const { queue }: Facts = await accept(by, ask ? event : { ...event, ask: undefined });
    if (queue === undefined) return;
    assertEquals(queue.position <= (told.get(caller.sid) ?? Infinity), true, "a position rose");
    told.set(caller.sid, queue.position);
  };
  const ofFlow = { flow: HASH, callable: true };
  const left = (node: string, outcome: string): Partial<VoiceEvent> => ({
    event: "queue_left",
    meta: { node, outcome },
  });

  /** A leg tells of itself: to the call that it was dialled for, or to another that Twilio connected it with. */
  const tellOfLeg = async (by: Sql, { token, purpose, call_sid }: Attempt) => {
    const leg = legs.get(token) ?? newLeg();
    legs.set(token, leg);
    const what = pick(null, null, "pressed", "pressed", "connected", "declined", "mailbox", "end");
    const status = what === "end"
      ? pick("completed", "busy", "no-answer", "failed")
      : "in-progress";
    const word = what === "end" ? null : what;
    if (purpose !== "person") {
      return await by`select attempt_told(${token}, ${leg}, ${status}, ${word})`;
    }
    const other = what === "connected" && random() < 0.3 ? pick(...holding) : undefined;
    const caller = other ?? all.find(({ sid }) => sid === call_sid)!;
    await tell(by, caller, {
      operation: "voice-person",
      event: what === "connected" ? "leg_accepted" : what === "end" ? "leg_status" : "leg_asked",
      leg_sid: leg,
      parent_call_sid: caller.sid,
      call_status: undefined,
      status,
      leg_status: what === "end" ? "completed" : "in-progress",
      talk_sec: pick(undefined, 1, 2),
    }, { attempt: { token, ...word && { told: word } } });
  };

  const something = async (by: Sql) => {
    const [attempt] = await by<Attempt[]>`
      select * from dial_attempts where ended_at is null order by random() limit 1`;
    const caller = pick(...holding, undefined);
    const what = pick(
      "arrives",
      "leg",
      "leg",
      "leg",
      "waits",
      "waits",
      "leaves",
      "ends",
      "worker",
      "mend",
    );
    if (what === "arrives" && holding.size < 25) {
      const next = new Caller(by);
      all.push(next);
      await next.arrives();
      holding.add(next);
      const outcome = pick("options.0", "options.0", "options.1", "options.2");
      await tell(by, next, { event: "menu", meta: { node: "main", outcome } }, ofFlow);
    } else if (what === "leg" && attempt) await tellOfLeg(by, attempt);
    else if (what === "waits" && caller) {
      await tell(by, caller, { event: "queue_waited" }, { flow: HASH, queue: {} });
    } else if (what === "leaves" && caller) {
      const outcome = pick("answered", "offer", "gave_up", "unanswered");
      await tell(by, caller, left(pick("hold", "ring"), outcome), ofFlow);
    } else if (what === "ends" && caller) {
      holding.delete(caller);
      await tell(by, caller, { event: "status", call_status: "completed" });
    } else if (what === "worker" && attempt) {
      await pick(
        () => by`select begin_dial(${attempt.token})`,
        () => by`select dial_told(${attempt.token}, ${pick("refused", "intended")})`,
        () => by`select queue_told(${attempt.call_sid}, ${pick("waiting", "left", "ended")})`,
        () => by`select keep_promise(id) from callbacks where state = 'open'`,
      )();
    } else if (what === "mend") {
      await by`update people set available = ${random() < 0.8} where handle = ${pick("p1", "p2")}`;
      await by`
        update callbacks set due_at = now()
        where id = (select id from callbacks where state = 'open' order by random() limit 1)`;
      await by`select mend_dialling()`;
    }
  };

  const sessions = Array.from({ length: 10 }, () => postgres(db.url, { max: 1 }));
  try {
    await Promise.all(sessions.map(async (session) => {
      // deno-lint-ignore no-await-in-loop
      for (let n = 0; n < 200; n++) await something(session);
    }));
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
  // deno-lint-ignore no-await-in-loop
  for (const caller of holding) {
    await tell(sql, caller, { event: "status", call_status: "completed" });
  }
  for (const { token, purpose } of await attempts(sql)) {
    // deno-lint-ignore no-await-in-loop
    if (purpose === "person") {
      await sql`select attempt_told(${token}, ${legs.get(token) ?? newLeg()}, 'completed')`;
    }
  }
  const [left_over] = await sql`
    select
      (select count(*)::integer from queue_entries where left_at is null) as holding,
      (select count(*)::integer from dial_attempts where ended_at is null and purpose = 'person') as ringing,
      (select count(*)::integer from (
        select from dial_attempts where connected_at is not null group by callback_id having count(callback_id) > 1
      ) as k) as called_twice,
      (select count(*)::integer from (
        select from queue_entries where connected_at is not null group by taken_by having count(*) > 1
      ) as e) as with_two,
      (select count(*)::integer from queue_entries as e join dial_attempts as a on a.token = e.taken_by
        where e.connected_at is not null and a.call_sid <> e.call_sid) as with_another,
      (select count(*)::integer from callbacks as k where k.tries <> (
        select count(*) from dial_attempts as a where a.callback_id = k.id and (a.dialled_at is not null or a.ended_at is null)
      )) as miscounted`;
  assertEquals({ ...left_over }, {
    holding: 0,
    ringing: 0,
    called_twice: 0,
    with_two: 0,
    with_another: 0,
    miscounted: 0,
  });
}

for (const seed of [1, 2, 3]) {
  test(`what callers, legs, workers and Twilio tell in any order leaves nobody behind, seed ${seed}`, (db) =>
    atRandom(db, seed));
}
