import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import * as fc from "fast-check";
import postgres, { type Sql } from "postgres";
import {
  type AcceptedCall,
  CALL_EVENTS,
  type VoiceEvent,
} from "../../supabase/functions/_shared/calls/events.ts";
import { cases } from "../support/cases.ts";
import { createTestDatabase } from "../support/database.ts";
import { anyEvent, newCallSid, recordingSid, voiceEvent } from "../support/events.ts";

const db = await createTestDatabase();

interface Answer {
  duplicate: boolean;
  admitted: boolean;
  call: Pick<AcceptedCall, "mode" | "consent_given" | "facts"> & { status: string };
}

async function accept(event: VoiceEvent, sql: Sql = db.sql): Promise<Answer> {
  const [row] = await sql<{ answer: Answer }[]>`
    select public.accept_voice_event(${sql.json(event as never)}) as answer`;
  return row!.answer;
}

// deno-lint-ignore no-explicit-any
async function call(sid: string): Promise<any> {
  const [row] = await db.sql`select * from public.call_logs where call_sid = ${sid}`;
  return row;
}

/** All rows of a call, without its SID and the current time. */
async function keptOf(sid: string): Promise<unknown> {
  const [row] = await db.sql`
    select
      to_jsonb(c) - array['call_sid', 'created_at', 'updated_at'] as call,
      array(select to_jsonb(l) - 'call_sid' from public.call_legs as l where l.call_sid = c.call_sid order by l.leg_sid) as legs,
      array(
        select to_jsonb(r) - 'call_sid' from public.recordings as r where r.call_sid = c.call_sid order by r.recording_sid
      ) as recordings
    from public.call_logs as c where c.call_sid = ${sid}`;
  return row;
}

async function lifecycleOf(sid: string) {
  return await db.sql`
    select event, status, leg_sid, meta from public.call_lifecycle where call_sid = ${sid} order by id`;
}

Deno.test("ten copies at once, over ten connections: one event, one count, one answer", async () => {
  const sid = newCallSid();
  const event = voiceEvent(sid, {
    from_e164: "+15550000010",
    limits: [{ identifier_type: "caller", identifier: "+15550000010", max: 10, window_sec: 60 }],
  });
  const connections = Array.from({ length: 10 }, () => postgres(db.url, { max: 1 }));
  const answers = await Promise.all(connections.map((sql) => accept(event, sql)));
  await Promise.all(connections.map((sql) => sql.end()));

  assertEquals(answers.filter((answer) => !answer.duplicate).length, 1);
  assertEquals(
    new Set(answers.map(({ admitted, call }) => JSON.stringify([admitted, call]))).size,
    1,
  );
  assertEquals((await lifecycleOf(sid)).length, 1);
  const [window] = await db.sql`
    select cardinality(admitted_at) as count from public.rate_limit_windows where identifier = '+15550000010'`;
  assertEquals(window!.count, 1);
});

Deno.test("a copy that comes late gets the answer of then, not of now", async () => {
  const sid = newCallSid();
  const first = voiceEvent(sid, { operation: "voice-consent-speech", identity: "turn-1" });
  await accept(first);
  await accept(voiceEvent(sid, {
    operation: "voice-menu-handler",
    identity: "turn-2",
    mode: "sales",
    mode_turn: 2,
    consent_given: false,
    consent_order: 7,
  }));
  const again = await accept({
    ...first,
    occurred_at: new Date(0).toISOString(),
  });
  assertEquals(again, {
    duplicate: true,
    admitted: true,
    call: { status: "ringing", mode: "menu", consent_given: null },
  });
});

// --- how long a line dials in a day ---------------------------------------------------------------------------------

const shuffled = <T>(items: readonly T[], keys: readonly number[]) =>
  items.map((item, at) => [keys[at % keys.length]! * (at + 1) % 997, item] as const)
    .toSorted(([one], [other]) => one - other).map(([, item]) => item);

Deno.test("what a line dialled is the sum over its calls, in whatever order and however often events come", async () => {
  let lines = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 3, maxLength: 9 }),
      fc.gen(),
      async (keys, gen) => {
        const to_e164 = `+1587556${String(++lines).padStart(4, "0")}`;
        const events = Array.from({ length: 3 }, () => newCallSid()).flatMap((sid) =>
          Array.from({ length: 6 }, () => ({ ...gen(anyEvent, sid), to_e164 }))
        );
        for (const event of shuffled([...events, ...events], keys)) await accept(event);
        const [expected] = await db.sql`
          select
            coalesce(sum(greatest(0, extract(epoch from ended_at - connected_at)::bigint)), 0)::integer as seconds,
            (count(*) filter (where ended_at is null))::integer as open
          from public.call_logs where to_e164 = ${to_e164} and connected_at is not null`;
        const [counted] = await db.sql`
          select coalesce(sum(seconds), 0)::integer as seconds, coalesce(sum(open), 0)::integer as open
          from public.dialled_time where line = ${to_e164}`;
        assertEquals({ ...counted }, { ...expected });
      },
    ),
    { numRuns: cases(30), endOnFailure: true },
  );
});

/** The end of a talk that begins now: a talk that ends now may have begun yesterday, and counts there. */
function begunNow(talkSec = 0): string {
  return new Date(Date.now() + talkSec * 1000).toISOString();
}

Deno.test("a line that has talked for as long as it may in a day has spent it", async () => {
  const to_e164 = "+15875570001";
  const dials = { to: [], leg_sec: 600, day_sec: 1200 };
  const asked = async () =>
    (await accept(voiceEvent(newCallSid(), { to_e164, ask: { dials } }))).call.facts;
  const talk = async (changes: Partial<VoiceEvent>, sid = newCallSid()) => {
    const identity = crypto.randomUUID();
    const occurred_at = begunNow(changes.talk_sec);
    await accept(voiceEvent(sid, { identity, to_e164, occurred_at, ...changes }));
    return sid;
  };
  assertEquals(await asked(), { spent: false, own_lines: [] });
  // One that goes on counts for as long as it may go on.
  const goingOn = await talk({ talk_sec: 0 });
  assertEquals((await asked())!.spent, false);
  const second = await talk({ talk_sec: 0 });
  assertEquals((await asked())!.spent, true);
  for (const sid of [goingOn, second]) await talk({ call_status: "completed" }, sid);
  assertEquals((await asked())!.spent, false);
  await talk({ call_status: "completed", talk_sec: 1199 });
  assertEquals((await asked())!.spent, false);
  await talk({ call_status: "completed", talk_sec: 1 });
  assertEquals((await asked())!.spent, true);
  // Another line, and the next day, have not.
  const other = await accept(voiceEvent(newCallSid(), { to_e164: "+15875570002", ask: { dials } }));
  assertEquals(other.call.facts!.spent, false);
  const [row] = await db.sql`select ceiling_sec, leg_sec from dialled_time where line = ${to_e164}`;
  assertEquals(row, { ceiling_sec: 1200, leg_sec: dials.leg_sec });
  await db.sql`update dialled_time set day = day - 1 where line = ${to_e164}`;
  assertEquals((await asked())!.spent, false);
});

Deno.test("telephones that ring count as conversations, so that no burst of calls is through before one is answered", async () => {
  const to_e164 = "+15875570004";
  const dials = { to: [], leg_sec: 600, day_sec: 1200 };
  const spent: unknown[] = [];
  const ring = async (secondsAgo: number) => {
    const sid = newCallSid();
    const { call } = await accept(voiceEvent(sid, { to_e164, ask: { dials } }));
    spent.push(call.facts!.spent);
    await accept(voiceEvent(sid, {
      identity: "ringing",
      parent_call_sid: sid,
      leg_status: "ringing",
      call_status: undefined,
      occurred_at: new Date(Date.now() - secondsAgo * 1000).toISOString(),
    }));
  };
  for (const secondsAgo of [90, 0, 0, 0]) await ring(secondsAgo);
  assertEquals(spent, [false, false, false, true]);
});

Deno.test("what an account says of a line that is not known here uses up no other's day", async () => {
  const { account_sid } = await tenant(8);
  const to_e164 = "+15875570003";
  const dials = { to: [], leg_sec: 600, day_sec: 1200 };
  const asked = async (changes: Partial<VoiceEvent>) =>
    (await accept(voiceEvent(newCallSid(), { to_e164, ask: { dials }, ...changes }))).call.facts!
      .spent!;
  const occurred_at = begunNow(1200);
  await asked({ account_sid, call_status: "completed", talk_sec: 1200, occurred_at });
  assertEquals([await asked({ account_sid }), await asked({})], [true, false]);
});

Deno.test("of the numbers that a step may dial, those that are answered here are named", async () => {
  const { number } = await tenant(9);
  const dials = { to: [number, "+15877428885"], leg_sec: 600, day_sec: 1200 };
  const event = voiceEvent(newCallSid(), { ask: { dials } });
  const { call } = await accept(event);
  assertEquals(call.facts, { spent: false, own_lines: [number] });
  // What the line may dial by then is not what the event is.
  const again = await accept({ ...event, ask: { dials: { ...dials, to: [] } } });
  assertEquals([again.duplicate, again.call], [true, call]);
});

// --- whose calls an account may speak of --------------------------------------------------------------------------

/** An onboarded organisation with one number. */
async function tenant(n: number) {
  const org_id = crypto.randomUUID();
  const account_sid = `AC${String(n).padStart(32, "0")}`;
  const number = `+1587555${String(n).padStart(4, "0")}`;
  await db.sql`
    insert into public.telephony_subaccounts (org_id, subaccount_sid, business_name)
    values (${org_id}, ${account_sid}, 'Business')`;
  await db.sql`
    insert into public.telephony_numbers (e164_number, org_id, number_sid, country)
    values (${number}, ${org_id}, ${`PN${String(n).padStart(32, "0")}`}, 'CA')`;
  return { org_id, account_sid, number };
}

Deno.test("a call belongs to the organisation of the signing account, whatever its number and first event", async () => {
  const { org_id, account_sid } = await tenant(1);
  const sid = newCallSid();
  await accept(voiceEvent(sid, { account_sid, to_e164: undefined }));
  assertEquals((await call(sid)).org_id, org_id);
  // A number that is bound and not stored yet.
  const other = newCallSid();
  await accept(voiceEvent(other, { account_sid, to_e164: "+15875559999" }));
  assertEquals((await call(other)).org_id, org_id);
});

Deno.test("numbers that an account says call it use up no other account's limits", async () => {
  const [a, b] = [await tenant(4), await tenant(5)];
  const identifier = "+15550000011";
  const arrives = (account_sid?: string) =>
    accept(voiceEvent(newCallSid(), {
      account_sid,
      limits: [{ identifier_type: "caller", identifier, max: 1, window_sec: 60 }],
    }));
  const admitted = [];
  for (const account of [a.account_sid, a.account_sid, b.account_sid, undefined, undefined]) {
    admitted.push((await arrives(account)).admitted);
  }
  assertEquals(admitted, [true, false, true, true, false]);
  const refusals = await db.sql`
    select endpoint from public.rate_limit_violations where identifier = ${identifier} order by endpoint`;
  assertEquals(refusals.map(({ endpoint }) => endpoint), [
    "voice-frontdoor",
    `voice-frontdoor ${a.account_sid}`,
  ]);
});

Deno.test("what an account says of another's call, line or copy has no effect and gets 403", async () => {
  const [a, b] = [await tenant(2), await tenant(3)];
  const [ofA, ofMain] = [newCallSid(), newCallSid()];
  const arrived = voiceEvent(ofA, { account_sid: a.account_sid, to_e164: a.number });
  await accept(arrived);
  await accept(voiceEvent(ofMain));
  const ended = (sid: string) =>
    voiceEvent(sid, {
      operation: "voice-status",
      identity: "completed",
      call_status: "completed",
      to_e164: undefined,
      account_sid: b.account_sid,
    });
  const unborn = newCallSid();
  for (
    const event of [
      ended(ofA),
      ended(ofMain),
      { ...arrived, account_sid: b.account_sid },
      voiceEvent(unborn, {
        account_sid: b.account_sid,
        to_e164: a.number,
        limits: [{ identifier_type: "called", identifier: a.number, max: 1, window_sec: 60 }],
      }),
      voiceEvent(unborn, { account_sid: `AC${"e".repeat(32)}` }),
    ]
  ) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const error = await assertRejects(() => accept(event), postgres.PostgresError);
    assertEquals((error as postgres.PostgresError).code, "PT403");
  }
  assertEquals([(await call(ofA)).status, (await call(ofMain)).status], ["ringing", "ringing"]);
  assertEquals([await call(unborn), (await lifecycleOf(ofA)).length], [undefined, 1]);
  const counted = await db
    .sql`select from public.rate_limit_windows where identifier = ${a.number}`;
  assertEquals(counted.length, 0);
  // And of its own it is heard.
  await accept({ ...ended(ofA), account_sid: a.account_sid });
  assertEquals((await call(ofA)).status, "completed");
});

Deno.test("a call goes on as it began when its line changes hands meanwhile", async () => {
  const [a, b] = [await tenant(6), await tenant(7)];
  const sid = newCallSid();
  const of = { account_sid: a.account_sid, to_e164: a.number };
  await accept(voiceEvent(sid, of));
  await db.sql`
    update public.telephony_numbers set org_id = ${b.org_id} where e164_number = ${a.number}`;
  await accept(voiceEvent(sid, { ...of, identity: "end", call_status: "completed" }));
  const { status, org_id } = await call(sid);
  assertEquals([status, org_id], ["completed", a.org_id]);
});

Deno.test("a late callback of the main account leaves a call with the organisation that had the number then", async () => {
  const [a, b] = [await tenant(20), await tenant(21)];
  const sid = newCallSid();
  await accept(voiceEvent(sid, { to_e164: a.number }));
  await db.sql`
    update public.telephony_numbers set org_id = ${b.org_id} where e164_number = ${a.number}`;
  await accept(voiceEvent(sid, { identity: "end", to_e164: a.number, call_status: "completed" }));
  assertEquals((await call(sid)).org_id, a.org_id);
});

Deno.test("a call of the main account stays one when its number goes to an organisation meanwhile", async () => {
  const a = await tenant(22);
  const [sid, later] = [newCallSid(), newCallSid()];
  await db.sql`delete from public.telephony_numbers where e164_number = ${a.number}`;
  await accept(voiceEvent(sid, { to_e164: a.number }));
  await db.sql`
    insert into public.telephony_numbers (e164_number, org_id, number_sid, country)
    values (${a.number}, ${a.org_id}, ${`PN${"2".repeat(32)}`}, 'CA')`;
  await accept(voiceEvent(sid, { identity: "end", to_e164: a.number, call_status: "completed" }));
  await accept(voiceEvent(later, { to_e164: a.number }));
  assertEquals([(await call(sid)).org_id, (await call(later)).org_id], [null, a.org_id]);
});

Deno.test("that the caller's own telephone rings is no leg, and no ringing of one", async () => {
  const sid = newCallSid();
  await accept(voiceEvent(sid, { status: "ringing", call_status: "ringing" }));
  await accept(voiceEvent(sid, {
    operation: "voice-status",
    identity: "ringing",
    event: "status",
    status: "ringing",
    call_status: "ringing",
  }));
  const { dialled, rang_at } = await call(sid);
  assertEquals([dialled, rang_at], [false, null]);
  assertEquals((await db.sql`select from call_legs where call_sid = ${sid}`).length, 0);
});

Deno.test("an identity that is used again for a request that says anything else is refused", async () => {
  // Of every field another value; what makes an event another one, or another account's, is left out.
  const others: Required<
    Omit<VoiceEvent, "operation" | "identity" | "call_sid" | "account_sid">
  > = {
    leg_sid: newCallSid(),
    parent_call_sid: newCallSid(),
    event: "menu",
    status: "busy",
    sequence_number: 7,
    occurred_at: "2026-11-01T12:00:00Z",
    call_status: "queued",
    direction: "outbound",
    from_e164: "+15550007001",
    to_e164: "+15550007002",
    duration_sec: 7,
    mode: "support",
    mode_turn: 7,
    consent_given: true,
    consent_order: 7,
    leg_status: "busy",
    leg_to: "+15550007003",
    leg_node: "elsewhere",
    talk_sec: 7,
    bridged: true,
    recording_sid: recordingSid(700),
    recording_url: "https://api.twilio.com/700",
    recording_source: "dial",
    recording_duration_sec: 7,
    recording_lost: true,
    transcript: "another",
    handoff_reason: "another",
    limits: [{ identifier_type: "caller", identifier: "+15550007004", max: 1, window_sec: 60 }],
    rate_limited: true,
    disclosure: HEARD,
    ask: { dials: { to: [], leg_sec: 7, day_sec: 7 } },
    meta: { digits: "7" },
  };
  const sid = newCallSid();
  const event = voiceEvent(sid, { meta: { digits: "1" } });
  await accept(event);
  const same: string[] = [];
  for (const [field, value] of Object.entries(others)) {
    const answer = await accept({ ...event, [field]: value }).catch((error) => error);
    if (answer.duplicate === true) same.push(field);
    else assertEquals(answer.code, "PT409", field);
  }
  // When it came, who counts it, what a line says by then, and what is asked: see accept_voice_event.
  assertEquals(same, ["occurred_at", "limits", "rate_limited", "disclosure", "ask"]);
  assertEquals((await lifecycleOf(sid)).length, 1);
});

Deno.test("a late `ringing` does not reopen a completed call", async () => {
  const sid = newCallSid();
  await accept(voiceEvent(sid, {
    operation: "voice-status",
    identity: "done",
    event: "status",
    call_status: "completed",
    duration_sec: 42,
    occurred_at: "2026-11-01T12:01:00Z",
  }));
  await accept(voiceEvent(sid, {
    operation: "voice-status",
    identity: "ringing",
    event: "status",
    call_status: "ringing",
    occurred_at: "2026-11-01T12:00:10Z",
  }));
  const row = await call(sid);
  assertEquals(row.status, "completed");
  assertEquals(row.started_at.toISOString(), "2026-11-01T12:00:10.000Z");
  assertEquals(row.answered_at.toISOString(), "2026-11-01T12:00:18.000Z");
  assertEquals(row.ended_at.toISOString(), "2026-11-01T12:01:00.000Z");
  assertEquals(row.duration_sec, 42);
  assertEquals(row.disposition, "abandoned");
});

Deno.test("a child leg never changes its parent's status, and may arrive before the parent", async () => {
  const sid = newCallSid();
  const child: Partial<VoiceEvent> = {
    operation: "voice-status",
    event: "leg_status",
    leg_sid: newCallSid(),
    parent_call_sid: sid,
    call_status: undefined,
    from_e164: undefined,
    to_e164: undefined,
  };
  await accept(voiceEvent(sid, { ...child, identity: "child-busy", leg_status: "busy" }));
  assertEquals((await call(sid)).status, "queued");
  assertEquals((await call(sid)).disposition, null);

  await accept(voiceEvent(sid, { call_status: "in-progress" }));
  await accept(
    voiceEvent(sid, {
      ...child,
      identity: "child-completed",
      leg_status: "completed",
      talk_sec: 5,
    }),
  );
  const row = await call(sid);
  assertEquals(row.status, "in-progress");
  assertEquals(row.to_e164, "+15877428885");
  assertEquals(row.connected_at !== null, true);
});

Deno.test("each leg has its own row: whom it rang and why, when, and what became of it", async () => {
  const at = (second: number) => new Date(Date.UTC(2026, 10, 1, 12, 0, second)).toISOString();
  const sid = newCallSid();
  const leg = (n: number) => `CA${String(n).padStart(32, "a")}`;
  const told: [leg: number, second: number, changes: Partial<VoiceEvent>][] = [
    [1, 5, { leg_status: "initiated", leg_to: "+15550002001", leg_node: "sales" }],
    [1, 6, { leg_status: "ringing" }],
    [1, 20, { leg_status: "no-answer" }],
    [2, 21, { leg_status: "ringing", leg_to: "+15550002002", leg_node: "everybody" }],
    [2, 29, { leg_status: "completed", talk_sec: 4, bridged: false }],
    [3, 21, { leg_status: "ringing" }],
    [3, 26, { leg_status: "in-progress", talk_sec: 0 }],
    [3, 26, { event: "leg_asked", leg_status: "in-progress" }],
    [3, 28, { event: "leg_accepted", leg_status: "in-progress" }],
    [3, 60, { event: "dial_ended", leg_status: "completed", talk_sec: 34, bridged: true }],
    [4, 23, { leg_status: "busy" }],
    [5, 28, { leg_status: "canceled" }],
    [6, 22, { leg_status: "failed" }],
    [7, 22, { leg_status: "ringing" }],
    [8, 30, { leg_status: "in-progress", talk_sec: 0 }],
    // Asked, and has not said yes yet.
    [9, 25, { leg_status: "in-progress", talk_sec: 0 }],
    [9, 26, { event: "leg_asked", leg_status: "in-progress" }],
  ];
  const events = told.map(([n, second, changes], i) =>
    voiceEvent(sid, {
      operation: "voice-status",
      identity: String(i),
      event: "leg_status",
      parent_call_sid: sid,
      leg_sid: leg(n),
      call_status: undefined,
      occurred_at: at(second),
      ...changes,
    })
  );
  for (const event of events.toReversed()) await accept(event);
  const legs = await db.sql`
    select to_e164, node, result, to_jsonb(array(
      select extract(second from t) from unnest(
        array[dialled_at, rang_at, answered_at, accepted_at, connected_at, ended_at]
      ) with ordinality as times(t, n) order by n
    )) as times
    from call_legs where call_sid = ${sid} order by leg_sid`;
  assertEquals(legs.map(({ to_e164, node, result, times }) => [to_e164, node, result, times]), [
    ["+15550002001", "sales", "no_answer", [5, 5, null, null, null, 20]],
    ["+15550002002", "everybody", "caller_left", [21, 21, 25, null, null, 29]],
    // Ended at 60 s.
    [null, null, "accepted", [21, 21, 26, 28, 28, 0]],
    [null, null, "busy", [23, null, null, null, null, 23]],
    [null, null, "canceled", [28, null, null, null, null, 28]],
    [null, null, "unreachable", [22, null, null, null, null, 22]],
    [null, null, null, [22, 22, null, null, null, null]],
    [null, null, null, [30, null, 30, null, 30, null]],
    [null, null, null, [25, null, 25, null, null, null]],
  ]);
  // The call has what its first leg tells, and when the first person was put through.
  const { dialled, rang_at, connected_at } = await call(sid);
  assertEquals([dialled, rang_at.toISOString(), connected_at.toISOString()], [true, at(5), at(28)]);
});

Deno.test("a transcript may come before its recording, and a voicemail outranks a conversation", async () => {
  const sid = newCallSid();
  const recording = (n: number, source: "dial" | "voicemail", changes: Partial<VoiceEvent> = {}) =>
    voiceEvent(sid, {
      operation: "voice-voicemail",
      identity: `recording-${n}-${JSON.stringify(changes)}`,
      event: "recording",
      call_status: undefined,
      recording_sid: recordingSid(n),
      recording_source: source,
      ...changes,
    });
  await accept(recording(2, "voicemail", { transcript: "call me back" }));
  await accept(
    recording(2, "voicemail", {
      recording_duration_sec: 7,
      recording_url: "https://api.twilio.com/2",
    }),
  );
  await accept(recording(9, "dial", { recording_url: "https://api.twilio.com/9" }));
  const row = await call(sid);
  assertEquals(
    [
      row.recording_sid,
      row.recording_url,
      row.transcript,
      row.recording_duration_sec,
      row.recording_source,
    ],
    [recordingSid(2), "https://api.twilio.com/2", "call me back", 7, "voicemail"],
  );
  const [backlog] = await db.sql`select * from public.voicemail_backlog where call_sid = ${sid}`;
  assertEquals(backlog!.transcript, "call me back");
});

const HEARD = {
  name: "opt_out-3-en-US-68b94472a7808a51edc0dc7aedadd0af",
  policy: "opt_out",
  key: "3",
  language: "en-US",
  words: "This call may be recorded.",
} as const;

Deno.test("what callers are told is kept once, however many hear it, under the name of its words", async () => {
  for (let n = 0; n < 3; n++) await accept(voiceEvent(newCallSid(), { disclosure: HEARD }));
  const rows = await db.sql`
    select policy, key, language, words from disclosures where name = ${HEARD.name}`;
  assertEquals(rows.map((row) => ({ name: HEARD.name, ...row })), [HEARD]);
});

Deno.test("words under another's name, or another policy's, are refused", async () => {
  for (
    const other of [{ words: "Thanks." }, { policy: "opt_in" as const }, { key: "4" }, {
      name: HEARD.name.replace("68b9", "0000"),
    }]
  ) {
    const sid = newCallSid();
    const error = await assertRejects(
      () => accept(voiceEvent(sid, { disclosure: { ...HEARD, ...other } })),
      postgres.PostgresError,
    );
    assertEquals([error.code, (await lifecycleOf(sid)).length], ["23514", 0]);
  }
});

Deno.test("an arrival that comes again is the same one, though the line says something else by then", async () => {
  const sid = newCallSid();
  await accept(voiceEvent(sid, { disclosure: HEARD }));
  const again = await accept(voiceEvent(sid));
  assertEquals(again.duplicate, true);
});

Deno.test("each event that carries a decision refers to what was heard", async () => {
  const sid = newCallSid();
  const consent = { basis: "stayed", turn: 1, order: 1, disclosure: HEARD.name };
  const decided = { consent_given: true, consent_order: 1, meta: { consent } };
  await accept(voiceEvent(sid, { identity: "turn-1", ...decided }));
  await accept(voiceEvent(sid, { identity: "turn-2", ...decided }));
  assertEquals((await lifecycleOf(sid)).map(({ meta }) => meta.consent), [consent, consent]);
});

Deno.test("words that were not understood take back what staying on the line agreed to", async () => {
  const sid = newCallSid();
  await accept(voiceEvent(sid, { identity: "turn-1", consent_given: true, consent_order: 1 }));
  const { call: taken } = await accept(
    voiceEvent(sid, { identity: "turn-2", consent_given: null, consent_order: 2 }),
  );
  assertEquals(taken.consent_given, null);
  await accept(voiceEvent(sid, { identity: "turn-3", consent_given: true, consent_order: 1 }));
  assertEquals((await call(sid)).consent_given, null);
});

Deno.test("a decision that an earlier webhook could not deliver is kept, with its evidence, by the next one", async () => {
  const sid = newCallSid();
  const consent = { basis: "no", turn: 1, disclosure: "This call may be recorded." };
  await accept(voiceEvent(sid, {
    operation: "voice-route-action",
    identity: "turn-2",
    event: "dial_ended",
    call_status: "in-progress",
    mode: "sales",
    mode_turn: 1,
    consent_given: false,
    consent_order: 5,
    meta: { consent },
  }));
  const row = await call(sid);
  assertEquals([row.mode, row.consent_given], ["sales", false]);
  assertEquals((await lifecycleOf(sid))[0]!.meta.consent, consent);
});

Deno.test("a replay gets the answer of then for as long as its call is kept, and takes no place in a limit", async () => {
  const sid = newCallSid();
  const identifier = "+15550000777";
  const arrival = voiceEvent(sid, {
    from_e164: identifier,
    limits: [{ identifier_type: "caller", identifier, max: 10, window_sec: 60 }],
  });
  const answer = await accept(arrival);
  await accept(
    voiceEvent(sid, { operation: "voice-status", identity: "end", call_status: "completed" }),
  );
  // Two months go by, and all that is kept for a time only goes.
  await db
    .sql`update call_logs set created_at = created_at - interval '60 days' where call_sid = ${sid}`;
  await db.sql`
    update call_lifecycle set received_at = received_at - interval '60 days' where call_sid = ${sid}`;
  await db.sql`delete from rate_limit_windows where identifier = ${identifier}`;
  await db.sql`select purge_expired()`;

  assertEquals(await accept(arrival), { ...answer, duplicate: true });
  assertEquals((await lifecycleOf(sid)).length, 2);
  assertEquals(
    (await db.sql`select from rate_limit_windows where identifier = ${identifier}`).length,
    0,
  );
});

Deno.test("the arrival of a call that is over already is folded, and takes no place in a limit", async () => {
  const sid = newCallSid();
  const limits = [{
    identifier_type: "caller",
    identifier: "+15550000778",
    max: 1,
    window_sec: 60,
  }];
  await accept(voiceEvent(sid, {
    operation: "voice-status",
    identity: "end",
    call_status: "completed",
    from_e164: undefined,
  }));
  for (const identity of ["arrived", "arrived once more"]) {
    const answer = await accept(
      voiceEvent(sid, { identity, from_e164: "+15550000778", limits: limits as never }),
    );
    assertEquals(answer.admitted, true);
  }
  assertEquals((await call(sid)).from_e164, "+15550000778");
  assertEquals(
    (await db.sql`select from rate_limit_windows where identifier = '+15550000778'`).length,
    0,
  );
});

Deno.test("a blocked number is refused by the line of its owner alone, in any order of events, and each copy alike", async () => {
  const identifier = "+15550000779";
  await db.sql`insert into contacts (phone, blocked) values (${identifier}, true)`;
  const limits = [{ identifier_type: "caller" as const, identifier, max: 10, window_sec: 60 }];
  for (const early of [false, true]) {
    const sid = newCallSid();
    const status = voiceEvent(sid, {
      operation: "voice-status",
      identity: "ringing",
      event: "status",
      from_e164: identifier,
    });
    // deno-lint-ignore no-await-in-loop -- One after the other.
    if (early) await accept(status);
    const arrival = voiceEvent(sid, { from_e164: identifier, limits });
    // deno-lint-ignore no-await-in-loop
    const answer = await accept(arrival);
    assertEquals([answer.admitted, answer.call.facts], [false, { blocked: true }]);
    // deno-lint-ignore no-await-in-loop
    assertEquals(await accept(arrival), { ...answer, duplicate: true });
    // deno-lint-ignore no-await-in-loop
    if (!early) await accept(status);
    // deno-lint-ignore no-await-in-loop
    const { rate_limited, mode } = await call(sid);
    assertEquals([rate_limited, mode], [true, "menu"]);
  }
  const org = crypto.randomUUID();
  const account = `AC${"7".repeat(32)}`;
  await db.sql`insert into telephony_subaccounts (org_id, subaccount_sid, business_name)
    values (${org}, ${account}, 'Another')`;
  const elsewhere = await accept(
    voiceEvent(newCallSid(), { account_sid: account, from_e164: identifier, limits }),
  );
  assertEquals(elsewhere.admitted, true);
  await db.sql`delete from contacts where phone = ${identifier}`;
});

Deno.test("a call that the line has no room for takes nothing from its caller, nor the other way round", async () => {
  const ring = async (from: string, line: string) =>
    (await accept(voiceEvent(newCallSid(), {
      limits: [
        { identifier_type: "caller", identifier: from, max: 2, window_sec: 60 },
        { identifier_type: "called", identifier: line, max: 1, window_sec: 60 },
      ],
    }))).admitted;
  assertEquals(await ring("+15550000801", "+15550000901"), true);
  assertEquals(await ring("+15550000801", "+15550000901"), false);
  assertEquals(await ring("+15550000801", "+15550000902"), true);
  // Two are counted, and the line is full: the caller is refused first.
  assertEquals(await ring("+15550000801", "+15550000903"), false);
  assertEquals(await ring("+15550000802", "+15550000903"), true);
});

Deno.test("what happened to the caller wins over a refusal that is kept too late, in any order", async () => {
  const steps: [Partial<VoiceEvent>, string][] = [
    [{ event: "dial_ended", leg_status: "completed", talk_sec: 5, bridged: true }, "connected"],
    [{
      event: "voicemail_recorded",
      recording_sid: recordingSid(51),
      recording_source: "voicemail",
    }, "voicemail"],
    [{ event: "menu" }, "abandoned"],
    [{}, "rate_limited"],
  ];
  for (const [nth, [served, expected]] of steps.entries()) {
    for (const late of [true, false]) {
      const sid = newCallSid();
      const at = (second: number) => new Date(Date.UTC(2026, 10, 1, 12, 0, second)).toISOString();
      const refusal = voiceEvent(sid, { rate_limited: true, occurred_at: at(1) });
      const others = [
        voiceEvent(sid, {
          operation: "voice-menu-handler",
          identity: "step",
          occurred_at: at(0),
          ...served,
          ...(served.recording_sid &&
            { recording_sid: recordingSid(100 + 2 * nth + Number(late)) }),
        }),
        voiceEvent(sid, {
          operation: "voice-status",
          event: "status",
          call_status: "completed",
          occurred_at: at(30),
        }),
      ];
      for (const event of late ? [...others, refusal] : [refusal, ...others]) await accept(event);
      assertEquals(
        (await call(sid)).disposition,
        expected,
        `${expected}, ${late ? "late" : "early"}`,
      );
    }
  }
});

Deno.test("a person who answered after the caller had gone was not connected, whichever is told first", async () => {
  const at = (second: number) => new Date(Date.UTC(2026, 10, 1, 12, 0, second)).toISOString();
  for (const order of [[0, 1, 2], [2, 1, 0], [1, 2, 0]]) {
    const sid = newCallSid();
    const leg = { operation: "voice-status", event: "leg_status", parent_call_sid: sid } as const;
    const events = [
      voiceEvent(sid, {
        ...leg,
        call_status: undefined,
        leg_status: "completed",
        talk_sec: 3,
        occurred_at: at(20),
      }),
      voiceEvent(sid, {
        operation: "voice-route-action",
        event: "dial_ended",
        leg_status: "completed",
        bridged: false,
        occurred_at: at(21),
      }),
      voiceEvent(sid, {
        operation: "voice-status",
        identity: "end",
        event: "status",
        call_status: "completed",
        occurred_at: at(21),
      }),
    ];
    for (const nth of order) await accept(events[nth]!);
    const { connected_at, disposition } = await call(sid);
    assertEquals([connected_at, disposition], [null, "abandoned"]);
    const [row] = await db.sql`select answered_at, result from call_legs where call_sid = ${sid}`;
    assertEquals([row!.answered_at.toISOString(), row!.result], [at(17), "caller_left"]);
  }
});

Deno.test("an end that was guessed gives way to the one that is reported, whichever comes first", async () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 1, 12, minute)).toISOString();
  for (const guessFirst of [true, false]) {
    const sid = newCallSid();
    await accept(voiceEvent(sid, { occurred_at: at(0) }));
    const guess = voiceEvent(sid, {
      operation: "voice-reconcile",
      identity: "lost",
      event: "closed_unheard",
      call_status: "lost",
      occurred_at: at(1),
    });
    const end = voiceEvent(sid, {
      operation: "voice-status",
      identity: "end",
      event: "status",
      call_status: "busy",
      duration_sec: 60,
      occurred_at: at(9),
    });
    if (guessFirst) {
      await accept(guess);
      const { status, ended_at, disposition } = await call(sid);
      assertEquals([status, ended_at.toISOString(), disposition], ["lost", at(1), "abandoned"]);
    }
    await accept(end);
    if (!guessFirst) await accept(guess);
    const { status, ended_at, duration_sec } = await call(sid);
    assertEquals([status, ended_at.toISOString(), duration_sec], ["busy", at(9), 60]);
  }
});

Deno.test("two voicemails of one call are both kept, shown and mailed, the newer first; one that is none is taken back", async () => {
  const at = (minute: number) => new Date(Date.UTC(2026, 10, 1, 12, minute)).toISOString();
  const sid = newCallSid();
  const message = (n: number, minute: number, changes: Partial<VoiceEvent> = {}) =>
    voiceEvent(sid, {
      operation: "voice-voicemail",
      identity: `${n}-${JSON.stringify(changes)}`,
      event: "voicemail_recorded",
      recording_sid: recordingSid(n),
      recording_source: "voicemail",
      occurred_at: at(minute),
      ...changes,
    });
  // The newer one has the lesser SID, and comes first.
  await accept(message(61, 5, { transcript: "the second" }));
  await accept(message(62, 2, { transcript: "the first" }));
  await accept(message(63, 7));
  await accept(
    voiceEvent(sid, { operation: "voice-status", identity: "end", call_status: "completed" }),
  );
  const backlog = async () =>
    (await db.sql`select transcript from voicemail_backlog where call_sid = ${sid}`)
      .map(({ transcript }) => transcript);
  const mails = async () =>
    (await db.sql`
      select payload ->> 'recording_sid' as sid from jobs where payload ->> 'call_sid' = ${sid} order by 1`)
      .map(({ sid }) => sid);
  assertEquals(await backlog(), [null, "the second", "the first"]);
  assertEquals(await mails(), [61, 62, 63].map(recordingSid));
  assertEquals((await call(sid)).recording_sid, recordingSid(63));

  await accept(message(63, 8, { recording_lost: true }));
  assertEquals(await backlog(), ["the second", "the first"]);
  assertEquals(await mails(), [61, 62].map(recordingSid));
  assertEquals((await call(sid)).transcript, "the second");

  await db.sql`update recordings set handled_at = now() where recording_sid = ${recordingSid(61)}`;
  assertEquals(await backlog(), ["the first"]);
  const [mail] = await db.sql`
    select mail_content('mail_voicemail', payload) as content from jobs
    where payload ->> 'recording_sid' = ${recordingSid(62)}`;
  assertEquals([mail!.content.recording_sid, mail!.content.transcript], [
    recordingSid(62),
    "the first",
  ]);
});

Deno.test("the mail of a call's only voicemail is taken back with it", async () => {
  const sid = newCallSid();
  const of = (identity: string, changes: Partial<VoiceEvent>) =>
    voiceEvent(sid, {
      operation: "voice-voicemail",
      identity,
      call_status: "completed",
      recording_sid: recordingSid(1),
      recording_source: "voicemail",
      ...changes,
    });
  const owed = async () =>
    (await db.sql`select from public.jobs where payload ->> 'call_sid' = ${sid}`).length;
  await accept(of("recorded", { event: "voicemail_recorded", recording_duration_sec: 5 }));
  assertEquals(await owed(), 1);
  await accept(of("absent", { event: "recording", recording_lost: true }));
  assertEquals(await owed(), 0);
});

Deno.test("the database knows the events that calls/events.ts has, and each of their fields", async () => {
  const [names] = await db.sql`select enum_range(null::public.call_event)::text[] as names`;
  assertEquals(names!.names, [...CALL_EVENTS]);
  // The compiler holds this list to the type.
  const fields: Record<keyof VoiceEvent, true> = {
    operation: true,
    identity: true,
    account_sid: true,
    call_sid: true,
    leg_sid: true,
    parent_call_sid: true,
    event: true,
    status: true,
    sequence_number: true,
    occurred_at: true,
    call_status: true,
    direction: true,
    from_e164: true,
    to_e164: true,
    duration_sec: true,
    mode: true,
    mode_turn: true,
    consent_given: true,
    consent_order: true,
    leg_status: true,
    leg_to: true,
    leg_node: true,
    talk_sec: true,
    bridged: true,
    recording_sid: true,
    recording_url: true,
    recording_source: true,
    recording_duration_sec: true,
    recording_lost: true,
    transcript: true,
    handoff_reason: true,
    limits: true,
    disclosure: true,
    rate_limited: true,
    ask: true,
    meta: true,
  };
  const columns = await db.sql`
    select attname as name from pg_attribute
    where attrelid = 'public.voice_event'::regclass and attnum > 0 and not attisdropped`;
  assertEquals(
    columns.map(({ name }) => name).sort(),
    Object.keys(fields).sort(),
  );
});

Deno.test("store_<table> stores every column that a table has", async () => {
  for (const table of ["call_logs", "call_legs", "recordings"]) {
    const [columns] = await db.sql`
      select string_agg(format('p_row.%I', attname), ', ' order by attnum) as names from pg_attribute
      where attrelid = ${`public.${table}`}::regclass and attnum > 0 and not attisdropped and attgenerated = ''`;
    const [{ body = "" } = {}] = await db.sql`
      select prosrc as body from pg_proc where proname = ${`store_${table}`}`;
    assertEquals(body.split(`(${columns!.names})`).length, 3, table);
  }
});

Deno.test("an event that is none is refused by the schema, and leaves nothing", async () => {
  const faults: [string, Record<string, unknown>][] = [
    ["a CallSid of another shape", { call_sid: "CAnot-a-sid" }],
    ["an unknown status", { call_status: "exploded" }],
    ["a negative duration", { call_status: "completed", duration_sec: -1 }],
    ["a number that is not E.164", { from_e164: "5551234567" }],
    ["a recording of unknown source", {
      recording_sid: recordingSid(1),
      recording_source: "wiretap",
    }],
    ["a recording address that is none", {
      recording_sid: recordingSid(1),
      recording_source: "dial",
      recording_url: "javascript:alert(1)",
    }],
    ["a time that is none", { occurred_at: "yesterday-ish" }],
  ];
  for (const [fault, changes] of faults) {
    const sid = newCallSid();
    const event = { ...voiceEvent(sid), ...changes } as VoiceEvent;
    const error = await assertRejects(
      () => accept(event),
      postgres.PostgresError,
      undefined,
      fault,
    );
    // PostgREST answers 400 to these.
    assertEquals(/^(22|23)/.test(error.code), true, `${fault}: ${error.code}`);
    assertEquals(await call(sid), undefined, fault);
    assertEquals((await lifecycleOf(sid)).length, 0, fault);
  }
});

Deno.test("the row and the answers to it are the same whatever connection each event comes over", async () => {
  const sql = postgres(db.url, { max: 6, onnotice: () => {} });
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyEvent("CA" + "0".repeat(32)), { minLength: 2, maxLength: 8 }),
        fc.infiniteStream(fc.nat(7)),
        async (events, picks) => {
          const of = (sid: string) =>
            events.map((event) => ({
              ...event,
              call_sid: sid,
              parent_call_sid: event.parent_call_sid && sid,
            }));
          const [inOrder, mixed] = [newCallSid(), newCallSid()];
          for (const event of of(inOrder)) await accept(event, sql);
          // Everything at once, in another order, half of it twice.
          const other = of(mixed);
          const extra = [...picks.take(4)].map((n) => other[n % other.length]!);
          await Promise.all([...extra, ...other.toReversed()].map((event) => accept(event, sql)));

          const [a, b] = await Promise.all([inOrder, mixed].map(keptOf));
          assertEquals(b, a);
          assertEquals((await lifecycleOf(mixed)).length, events.length);
        },
      ),
      { numRuns: cases(150) },
    );
  } finally {
    await sql.end();
  }
});

Deno.test("expired keys are purged in batches, by two at once without a quarrel", async () => {
  await db.sql`
    insert into public.idempotency_keys (key, operation, request_hash, status, result, expires_at)
    select 'purge-' || i, 'voice-status', sha256(i::text::bytea), 'completed', '{}',
      now() + case when i <= 250 then interval '-1 hour' else interval '1 hour' end
    from generate_series(1, 300) as i`;
  const purge = async () => {
    const [row] = await db.sql<{ n: number }[]>`select public.purge_idempotency_keys(100) as n`;
    return row!.n;
  };
  const [first, second] = await Promise.all([purge(), purge()]);
  assertEquals(first + second, 200);
  assertEquals(await purge(), 50);
  assertEquals(await purge(), 0);
  const [left] = await db
    .sql`select count(*)::int as n from public.idempotency_keys where key like 'purge-%'`;
  assertEquals(left!.n, 50);
});

Deno.test.afterAll(() => db.drop());
