import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import postgres, { type Sql } from "postgres";
import { databaseTests, type TestDatabase } from "../support/database.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";

const WORDS = "This call may be recorded.";
const DISCLOSURE = "opt_out-3-en-US-68b94472a7808a51edc0dc7aedadd0af";

const test = databaseTests("privacy");

/** A call that is over, so many days ago. */
async function callOf(
  db: TestDatabase,
  from: string,
  { days = 0, voicemail = false, open = false }: {
    days?: number;
    voicemail?: boolean;
    open?: boolean;
  } = {},
): Promise<string> {
  const sid = newCallSid();
  const at = new Date(Date.now() - days * 86_400_000).toISOString();
  const event = voiceEvent(sid, {
    from_e164: from as never,
    occurred_at: at,
    call_status: open ? "in-progress" : "completed",
    consent_given: true,
    consent_order: 1,
    disclosure: {
      name: DISCLOSURE,
      policy: "opt_out",
      key: "3",
      language: "en-US",
      words: WORDS,
    },
    meta: {
      consent: { basis: "stayed", turn: 1, order: 1, disclosure: DISCLOSURE },
      speech: "my name is Jane",
    },
    ...(voicemail && {
      recording_sid: `RE${crypto.randomUUID().replaceAll("-", "")}`,
      recording_source: "voicemail" as const,
      transcript: "Call me back",
    }),
  });
  await db.sql`select public.accept_voice_event(${db.sql.json(event as never)})`;
  await db.sql`update call_lifecycle set received_at = ${at} where call_sid = ${sid}`;
  return sid;
}

async function asService<T>(db: TestDatabase, run: (sql: Sql) => Promise<T>): Promise<T> {
  return await db.sql.begin(async (sql) => {
    await sql`set local role service_role`;
    return await run(sql as unknown as Sql);
  }) as T;
}

const calls = async (db: TestDatabase) =>
  (await db.sql`select call_sid from call_logs order by 1`).map(({ call_sid }) => call_sid);

/** What `personal_data` does not say of the tables that there are, or says of what there is not. */
async function unregistered(sql: Sql): Promise<string[]> {
  const rows = await sql`
    with columns as (
      -- Not a number, a time, a truth, an identifier or a word of a fixed list.
      select c.relname as table, a.attname as column
      from pg_class as c
      left join (pg_attribute as a join pg_type as t on t.oid = a.atttypid)
        on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
          and coalesce(nullif(t.typelem, 0), nullif(t.typbasetype, 0), t.oid) not in (
            select p.oid from pg_type as p where p.typcategory in ('N', 'B', 'D', 'T', 'E') or p.typname = 'uuid'
          )
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    ), told as (
      select p.table_name as table, u.name as column
      from personal_data as p left join lateral unnest(p.personal || p.other) as u(name) on true
    )
    select concat_ws('.', coalesce(c.table, t.table), coalesce(c.column, t.column)) as name
    from columns as c full join told as t
      on t.table = c.table and t.column is not distinct from c.column
    where c.table is null or t.table is null
    order by 1`;
  return rows.map(({ name }) => name);
}

test("personal_data says of every column that can hold text whether it holds something of a person", async (db) => {
  assertEquals(await unregistered(db.sql), [], "add it to supabase/schemas/personal_data.sql");
  for (
    const change of [
      "create table friends (id int, nickname text, phones e164[], born date, notes jsonb)",
      "alter table recordings drop column url cascade",
      "delete from personal_data where table_name = 'rolled_hours'",
    ]
  ) await db.sql.unsafe(change);
  assertEquals(await unregistered(db.sql), [
    "friends.nickname",
    "friends.notes",
    "friends.phones",
    "recordings.url",
    "rolled_hours",
  ]);
});

test("docs/privacy.md names each table that holds something of a person", async (db) => {
  const docs = await Deno.readTextFile(new URL("../../docs/privacy.md", import.meta.url));
  const rows = await db.sql`select table_name as name from personal_data where personal <> '{}'`;
  assertEquals(
    rows.filter(({ name }) => !docs.includes(`\`${name}`))
      .map(({ name }) => name),
    [],
  );
});

test("a person's dialled legs are exported, and erased", async (db) => {
  const leg = (to: string, n: number) =>
    db.sql`
      insert into call_legs (call_sid, leg_sid, to_e164, dialled_at)
      values (${newCallSid()}, ${`CA${String(n).padStart(32, "0")}`}, ${to}, now())`;
  await leg("+15550002001", 1);
  await leg("+15550002002", 2);
  await asService(db, async (sql) => {
    const [row] = await sql`select export_person('+15550002001') -> 'call_legs' as legs`;
    assertEquals(row!.legs.length, 1);
    await sql`select forget_person('+15550002001')`;
  });
  assertEquals([...await db.sql`select to_e164 from call_legs`], [{ to_e164: "+15550002002" }]);
});

test("every recording of a call that is erased is to be deleted, not only the one that its row shows", async (db) => {
  const sid = await callOf(db, "+14165550101", { days: 91 });
  const told = [1, 2].map(recordingSid);
  for (const [nth, recording_sid] of told.entries()) {
    const event = voiceEvent(sid, {
      identity: recording_sid,
      recording_sid,
      recording_source: nth === 0 ? "dial" : "voicemail",
    });
    await db.sql`select public.accept_voice_event(${db.sql.json(event as never)})`;
  }
  await asService(db, (sql) => sql`select purge_expired()`);
  assertEquals(await calls(db), []);
  const queued = await db.sql`select key from jobs where kind = 'twilio_deletion' order by 1`;
  assertEquals(queued.map(({ key }) => key), told);
});

test("a call is erased when its days are over, with what was said in it, and not a day before", async (db) => {
  const young = await callOf(db, "+14165550101", { days: 89 });
  const old = await callOf(db, "+14165550102", { days: 91 });
  const purged = await asService(db, async (sql) => (await sql`select purge_expired() as p`)[0]!.p);
  assertEquals(purged.call_logs, 1);
  assertEquals(await calls(db), [young]);
  assertEquals((await db.sql`select from call_lifecycle where call_sid = ${old}`).length, 0);
});

test("of an erased call those events stay until their month goes that hold no number and no word", async (db) => {
  const old = await callOf(db, "+14165550102", { days: 91 });
  const event = voiceEvent(old, {
    operation: "voice-status",
    event: "status",
    occurred_at: new Date(Date.now() - 91 * 86_400_000).toISOString(),
    meta: {},
  });
  const key = voiceEvent(old, { operation: "voice-action", meta: { digits: "4111" } });
  for (const each of [event, key]) {
    await db.sql`select public.accept_voice_event(${db.sql.json(each as never)})`;
  }
  // What was answered to this one had a person's number.
  const asked = voiceEvent(old, { operation: "voice-route", event: "route", meta: {} });
  await db.sql`select public.accept_voice_event(${db.sql.json(asked as never)})`;
  await db.sql`
    update call_lifecycle set answer.facts = '{"people": {"anna": {"phone": "+15550002001"}}}' where event = 'route'`;
  await asService(db, (sql) => sql`select purge_expired()`);
  assertEquals(await calls(db), []);
  const left = await db.sql`
    select to_jsonb(l) - array['id', 'received_at', 'occurred_at', 'identity_hash', 'request_hash', 'answer'] as event from call_lifecycle as l`;
  assertEquals(left.map(({ event }) => event), [{
    call_sid: old,
    leg_sid: old,
    parent_call_sid: null,
    event: "status",
    status: null,
    sequence_number: null,
    meta: {},
    path: null,
  }]);
});

test("a forgotten person's calls leave no event at all", async (db) => {
  const sid = await callOf(db, "+14165550101");
  const event = voiceEvent(sid, { operation: "voice-status", event: "status", meta: {} });
  await db.sql`select public.accept_voice_event(${db.sql.json(event as never)})`;
  const receipt = await asService(
    db,
    async (sql) => (await sql`select forget_person('+14165550101') as r`)[0]!.r,
  );
  assertEquals(receipt.counts.call_lifecycle, 2);
  assertEquals((await db.sql`select from call_lifecycle`).length, 0);
});

test("each kind of record has days of its own, which an operator sets", async (db) => {
  await callOf(db, "+14165550101", { days: 20 });
  const message = await callOf(db, "+14165550102", { days: 20, voicemail: true });
  await asService(db, async (sql) => {
    await sql`update retention_rules set days = 10 where subject = 'calls'`;
    await sql`select purge_expired()`;
  });
  assertEquals(await calls(db), [message]);
  const [queued] = await db.sql`select count(*)::int as n from jobs where kind = 'twilio_deletion'`;
  assertEquals(queued!.n, 0);
  await asService(db, async (sql) => {
    await sql`update retention_rules set days = 10 where subject = 'voicemails'`;
    await sql`select purge_expired()`;
  });
  assertEquals(await calls(db), []);
  assertEquals((await db.sql`select kind from jobs`).map(({ kind }) => kind), ["twilio_deletion"]);
  for (const days of [0, 4000]) {
    const error = await assertRejects(
      () => asService(db, (sql) => sql`update retention_rules set days = ${days}`),
      postgres.PostgresError,
    );
    assertEquals(error.code, "23514");
  }
});

test("a purge is bounded, and a call that is going on is never purged", async (db) => {
  for (let n = 0; n < 5; n++) await callOf(db, `+1416555020${n}`, { days: 100 });
  const open = await callOf(db, "+14165550109", { days: 100, open: true });
  const purge = () =>
    asService(db, async (sql) => (await sql`select purge_personal_data(2) as p`)[0]!.p.call_logs);
  assertEquals([await purge(), await purge(), await purge(), await purge()], [2, 2, 1, 0]);
  assertEquals(await calls(db), [open]);
});

test("the evidence of consent outlives the call, without a name", async (db) => {
  const sid = await callOf(db, "+14165550101", { days: 91 });
  await asService(db, (sql) => sql`select purge_expired()`);
  const rows = await db.sql`select * from consent_evidence`;
  assertEquals(rows.length, 1);
  const [row] = rows;
  assertEquals(row!.consent_given, true);
  assertEquals(row!.disclosure, DISCLOSURE);
  assertEquals(row!.basis, { basis: "stayed", turn: 1, order: 1 });
  const [told] = await db.sql`select words from disclosures where name = ${row!.disclosure}`;
  assertEquals(told!.words, WORDS);
  for (const word of ["+14165550101", "4165550101", "Jane", sid]) {
    assertEquals(JSON.stringify(rows).includes(word), false, word);
  }
  // The call's identifier, for example from a bill, leads to it.
  const found = await db.sql`select from consent_evidence where call_hash = call_hash(${sid})`;
  assertEquals(found.length, 1);
  await asService(db, async (sql) => {
    await sql`update retention_rules set days = 30 where subject = 'consent_evidence'`;
    await sql`select purge_expired()`;
  });
  assertEquals((await db.sql`select from consent_evidence`).length, 0);
});

test("what was erased does not come back from Twilio's list of calls", async (db) => {
  const erased = await callOf(db, "+14165550101", { days: 91 });
  await callOf(db, "+14165550102");
  await asService(db, (sql) => sql`select purge_expired()`);
  const [{ to_e164: to } = {}] = await db.sql`select to_e164 from call_logs`;
  const stranger = newCallSid();
  const listed = [erased, stranger].map((call_sid) => ({ call_sid, to_e164: to }));
  const unknown = await asService(
    db,
    (sql) => sql`select * from unknown_calls(${sql.json(listed as never)}) as sid`,
  );
  assertEquals(unknown.map(({ sid }) => sid), [stranger]);
});

test("no late or repeated event brings an erased call back", async (db) => {
  const accept = (event: unknown) =>
    asService(
      db,
      async (sql) => (await sql`select accept_voice_event(${sql.json(event as never)}) as a`)[0]!.a,
    );
  const limits = [{
    identifier_type: "caller",
    identifier: "+14165550101",
    max: 1,
    window_sec: 60,
  }];
  const erased = [
    await callOf(db, "+14165550101", { days: 91, voicemail: true }),
    await callOf(db, "+14165550102", { voicemail: true }),
  ];
  const kept = await callOf(db, "+14165550103");
  await asService(db, (sql) => sql`select purge_expired()`);
  await asService(db, (sql) => sql`select forget_person('+14165550102')`);
  await db.sql`delete from call_lifecycle`;

  for (const sid of erased) {
    for (
      const late of [
        voiceEvent(sid, { limits: limits as never }),
        voiceEvent(sid, { operation: "voice-status", event: "status", call_status: "completed" }),
        voiceEvent(sid, {
          operation: "voice-voicemail",
          event: "transcription",
          recording_sid: recordingSid(7),
          recording_source: "voicemail",
          transcript: "It is Jane again",
        }),
      ]
    ) {
      const { duplicate, admitted } = await accept(late);
      assertEquals([duplicate, admitted], [true, true], late.event);
    }
  }
  assertEquals(await calls(db), [kept]);
  for (const table of ["call_lifecycle", "recordings", "rate_limit_windows"]) {
    assertEquals((await db.sql`select from ${db.sql(table)}`).length, 0, table);
  }
  const owed = await db.sql`select distinct kind from jobs`;
  assertEquals(owed.map(({ kind }) => kind), ["twilio_deletion"]);
  assertEquals((await accept(voiceEvent(kept, { identity: "another" }))).duplicate, false);
});

test("the deploy log is kept, however old; other events are not", async (db) => {
  for (const type of ["deploy_succeeded", "rate_limiter_unavailable"]) {
    await db
      .sql`insert into analytics_events (event_type, created_at) values (${type}, now() - interval '400 days')`;
  }
  await asService(db, (sql) => sql`select purge_expired()`);
  assertEquals([...await db.sql`select event_type from analytics_events`], [{
    event_type: "deploy_succeeded",
  }]);
});

test("a person is erased in every table, and other persons are not", async (db) => {
  await callOf(db, "+14165550101", { voicemail: true });
  await callOf(db, "+14165550101");
  const other = await callOf(db, "+14165550999", { voicemail: true });
  const write = async (name: string, email: string, phone: string): Promise<string> => {
    const [row] = await db.sql`select submit_contact_message(${
      db.sql.json({ name, email, phone, message: `I am ${name}` })
    }, '[]', '[]', ${`key-${name.length}-${phone.length}`}) ->> 'id' as id`;
    return row!.id;
  };
  const message = await write("Jane", "jane@example.com", "4165550101");
  await write("Joan", "joan@example.com", "+14165550999");
  await db.sql`select take_rate_limit('voice-frontdoor', 'caller', '+14165550101', 1, '1 minute')
    from generate_series(1, 3)`;

  const known = await asService(
    db,
    async (sql) => (await sql`select export_person('+14165550101') as p`)[0]!.p,
  );
  assertEquals(
    Object.fromEntries(
      Object.entries(known as Record<string, unknown[]>).map(([kind, rows]) => [kind, rows.length])
        .filter(([, rows]) => rows !== 0),
    ),
    {
      calls: 2,
      call_events: 2,
      contacts: 1,
      recordings: 1,
      disclosures: 1,
      website_messages: 1,
      jobs: 3,
      rate_limits: 1,
    },
  );
  const receipt = await asService(
    db,
    async (sql) => (await sql`select forget_person('+14165550101', 'JANE@example.com') as r`)[0]!.r,
  );
  assertEquals(receipt.open_calls, 0);
  assertEquals(receipt.counts.call_logs, 2);
  assertEquals(receipt.counts.contact_messages, 1);
  assertEquals(receipt.counts.jobs, 3);

  // Not by the tables that somebody thought of, but by all that there are.
  const tables = await db.sql`
    select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`;
  for (const { name } of tables) {
    const [row] = await db.sql`
      select coalesce(string_agg(t::text, ' '), '') as text from ${db.sql(name)} as t`;
    for (const word of ["4165550101", "jane@example.com", "Jane", message]) {
      if (name === "call_lifecycle" && word === "Jane") continue; // The other caller says it too.
      assertEquals(row!.text.includes(word), false, `${name} still has ${word}`);
    }
  }
  assertEquals(await calls(db), [other]);
  const [{ n } = {}] = await db.sql`select count(*)::int as n from contact_messages`;
  assertEquals(n, 1);
  const receipts = await db.sql`select id, counts from erasure_receipts`;
  assertEquals([...receipts], [{ id: receipt.receipt, counts: receipt.counts }]);
});

test("a call that is going on is left alone, and the receipt says so", async (db) => {
  const open = await callOf(db, "+14165550101", { open: true });
  await callOf(db, "+14165550101");
  const receipt = await asService(
    db,
    async (sql) => (await sql`select forget_person('+14165550101') as r`)[0]!.r,
  );
  assertEquals([receipt.open_calls, receipt.counts.call_logs], [1, 1]);
  assertEquals(await calls(db), [open]);
});

test("an erasure waits for the event of a call that is just being accepted, and erases that too", async (db) => {
  const sid = await callOf(db, "+14165550101", { open: true });
  const last = voiceEvent(sid, {
    identity: "completed",
    event: "status",
    from_e164: "+14165550101" as never,
    call_status: "completed",
  });
  let ended = false;
  let forgetting: Promise<{ open_calls: number }> = Promise.resolve({ open_calls: -1 });
  await db.sql.begin(async (accepting) => {
    await accepting`select accept_voice_event(${db.sql.json(last as never)})`;
    forgetting = asService(
      db,
      async (sql) => (await sql`select forget_person('+14165550101') as r`)[0]!.r,
    );
    forgetting.catch(() => {}).finally(() => ended = true);
    // Until it waits for the event, or did not.
    for (let waits = 0; waits === 0 && !ended;) {
      // deno-lint-ignore no-await-in-loop -- It polls.
      waits = (await db.sql`
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
        .length;
    }
  });
  assertEquals((await forgetting).open_calls, 0);
  assertEquals(await calls(db), []);
  assertEquals((await db.sql`select from call_lifecycle where call_sid = ${sid}`).length, 0);
});

test("an expired call with an event in progress is left to the next run", async (db) => {
  const sid = await callOf(db, "+14165550101");
  await db.sql`
    update call_logs set started_at = now() - interval '200 days', ended_at = now() - interval '200 days'
    where call_sid = ${sid}`;
  const late = voiceEvent(sid, {
    identity: "late-recording",
    event: "recording",
    recording_sid: recordingSid(4),
    recording_source: "voicemail",
  });
  await db.sql.begin(async (accepting) => {
    await accepting`select accept_voice_event(${db.sql.json(late as never)})`;
    await asService(db, (sql) => sql`select purge_expired()`);
    assertEquals((await calls(db)).length, 1);
  });
  await db.sql`update call_logs set ended_at = now() - interval '200 days'`;
  await asService(db, (sql) => sql`select purge_expired()`);
  assertEquals(await calls(db), []);
  assertEquals((await db.sql`select from recordings`).length, 0);
});

test("an event waits for the erasure of its call, and is dropped; an erasure takes no lock for each call", async (db) => {
  const caller = "+14165550101";
  const sid = await callOf(db, caller);
  // deno-lint-ignore no-await-in-loop -- One after the other.
  for (let n = 0; n < 50; n++) await callOf(db, caller);
  const late = voiceEvent(sid, { identity: "late", event: "status" });
  let accepting: Promise<{ duplicate: boolean }> = Promise.reject(new Error("not asked"));
  accepting.catch(() => {});
  await db.sql.begin(async (forgetting) => {
    await forgetting`select forget_person(${caller})`;
    const locks = await db.sql`
      select from pg_locks where locktype = 'advisory'
        and database = (select oid from pg_database where datname = current_database())`;
    assert(locks.length < 10, `${locks.length} locks`);
    accepting = db.sql`select accept_voice_event(${db.sql.json(late as never)}) as a`
      .then(([row]) => row!.a);
    for (let waits = 0; waits === 0;) {
      // deno-lint-ignore no-await-in-loop -- It polls.
      waits = (await db.sql`
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
        .length;
    }
  });
  assertEquals((await accepting).duplicate, true);
  assertEquals(await calls(db), []);
  assertEquals((await db.sql`select from call_lifecycle where call_sid = ${sid}`).length, 0);
});

test("only the service may export, erase or purge, and no role may delete rows by hand", async (db) => {
  for (const role of ["anon", "authenticated", "monitoring"]) {
    for (
      const attempt of [
        "select forget_person('+14165550101')",
        "select export_person('+14165550101')",
        "select purge_personal_data()",
        "select * from consent_evidence",
        "select * from erasure_receipts",
      ]
    ) {
      const error = await assertRejects(
        () =>
          db.sql.begin(async (sql) => {
            await sql.unsafe(`set local role ${role}`);
            await sql.unsafe(attempt);
          }),
        postgres.PostgresError,
      );
      assertEquals(error.code, "42501", `${role}: ${attempt}`);
    }
  }
  const error = await assertRejects(
    () => asService(db, (sql) => sql`select erase(array['x'], '{}')`),
    postgres.PostgresError,
  );
  assertEquals(error.code, "42501");
});
