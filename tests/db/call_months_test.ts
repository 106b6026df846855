import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import postgres, { type Sql } from "postgres";
import { databaseTests } from "../support/database.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";

// A call's events by the month: there before they are needed, dropped whole when they are not, and none ever lost.

const test = databaseTests("months");

const months = async (sql: Sql) =>
  (await sql`select tablename as name from pg_tables where schemaname = 'months' order by 1`)
    .map(({ name }) => name.replace("call_lifecycle_", ""));

const keep = async (sql: Sql) =>
  (await sql`select public.keep_call_months() as done`)[0]!.done as {
    made: number;
    dropped: number;
  };

/** `2026-03` for the month that is `n` months from now. */
function month(n: number): string {
  const now = new Date();
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + n, 1)).toISOString()
    .slice(0, 7).replace("-", "_");
}

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

async function insertEvent(sql: Sql, sid: string, at: Date): Promise<void> {
  await sql`
    insert into call_lifecycle (call_sid, leg_sid, event, occurred_at, received_at)
    values (${sid}, ${sid}, 'arrived', ${at}, ${at})`;
}

async function placeOf(sql: Sql, sid: string): Promise<string> {
  const [row] = await sql`
    select tableoid::regclass::text as place from call_lifecycle where call_sid = ${sid}`;
  return row!.place;
}

test("this month and the two to come are there, and an event goes to its own", async (db) => {
  assertEquals(await months(db.sql), [month(0), month(1), month(2), "other"]);
  const sid = newCallSid();
  await db.sql`select accept_voice_event(${db.sql.json(voiceEvent(sid) as never)})`;
  assertEquals(await placeOf(db.sql, sid), `months.call_lifecycle_${month(0)}`);
  assertEquals(await keep(db.sql), { made: 0, dropped: 0 });
});

test("an event of a month without a partition is stored, and moves when the month is made", async (db) => {
  const [early, late] = [newCallSid(), newCallSid()];
  const inTwoYears = daysAgo(-730);
  await insertEvent(db.sql, early, daysAgo(40));
  await insertEvent(db.sql, late, inTwoYears);
  assertEquals(await placeOf(db.sql, late), "months.call_lifecycle_other");
  assertEquals(await keep(db.sql), { made: 2, dropped: 0 });
  assertEquals(
    await placeOf(db.sql, late),
    `months.call_lifecycle_${inTwoYears.toISOString().slice(0, 7).replace("-", "_")}`,
  );
  assertEquals((await db.sql`select from months.call_lifecycle_other`).length, 0);
  assertEquals((await db.sql`select from call_lifecycle`).length, 2);
});

test("months are those of UTC, whatever the session's time zone", async (db) => {
  await db.sql.begin(async (tx) => {
    await tx`set local timezone = 'Pacific/Auckland'`;
    const sid = newCallSid();
    await insertEvent(tx as unknown as Sql, sid, new Date(Date.UTC(2050, 0, 31, 23, 59, 59)));
    assertEquals(await keep(tx as unknown as Sql), { made: 1, dropped: 0 });
    assertEquals(await placeOf(tx as unknown as Sql, sid), "months.call_lifecycle_2050_01");
  });
});

test("a month is dropped when its days are over, and not while a call of it is left", async (db) => {
  const sid = newCallSid();
  await insertEvent(db.sql, sid, daysAgo(200));
  await db.sql`
    insert into call_logs (call_sid, status, started_at, ended_at) values (${sid}, 'completed', ${
    daysAgo(200)
  }, ${daysAgo(200)})`;
  await insertEvent(db.sql, newCallSid(), daysAgo(60));
  assertEquals(await keep(db.sql), { made: 2, dropped: 0 });
  await db.sql`delete from call_logs`;
  assertEquals(await keep(db.sql), { made: 0, dropped: 1 });
  assertEquals((await db.sql`select from call_lifecycle`).length, 1);
  // A voicemail that is kept for longer keeps its month, too.
  await db.sql`update retention_rules set days = 10 where subject = 'calls'`;
  assertEquals(await keep(db.sql), { made: 0, dropped: 0 });
  await db.sql`update retention_rules set days = 10 where subject = 'voicemails'`;
  assertEquals(await keep(db.sql), { made: 0, dropped: 1 });
});

test("a month that is in use is dropped later, and delays nothing", async (db) => {
  await insertEvent(db.sql, newCallSid(), daysAgo(400));
  await db.sql`insert into call_logs (call_sid, started_at) values (${newCallSid()}, ${
    daysAgo(400)
  })`;
  await keep(db.sql);
  await db.sql`delete from call_logs`;
  const reader = postgres(db.url, { max: 1, onnotice: () => {} });
  try {
    await reader`begin`;
    await reader`select count(*) from call_lifecycle`;
    assertEquals(await keep(db.sql), { made: 0, dropped: 0 });
    await reader`commit`;
    assertEquals(await keep(db.sql), { made: 0, dropped: 1 });
  } finally {
    await reader.end();
  }
});

test("events are neither refused nor delayed while a late month is made", async (db) => {
  const whole = `months.call_lifecycle_${month(0)}`;
  await db.sql.unsafe(`drop table ${whole}`);
  await insertEvent(db.sql, newCallSid(), daysAgo(40));
  await db.sql`select accept_voice_event(${db.sql.json(voiceEvent(newCallSid()) as never)})`;

  const connections = Array.from(
    { length: 20 },
    () => postgres(db.url, { max: 1, onnotice: () => {} }),
  );
  let busy = true;
  const upkeep = (async () => {
    let looks = 0;
    for (; busy; looks++) {
      await keep(db.sql);
      // So that each look has a month to make, beside the one that is due.
      await db.sql.unsafe(`drop table months.call_lifecycle_${month(2)}`);
    }
    return looks;
  })();
  const sids = Array.from({ length: 400 }, () => newCallSid());
  await Promise.all(sids.map((sid, i) => {
    const sql = connections[i % connections.length]!;
    return sql`select accept_voice_event(${sql.json(voiceEvent(sid) as never)})`;
  }));
  busy = false;
  assertEquals(await upkeep > 0, true);
  await Promise.all(connections.map((sql) => sql.end()));

  await keep(db.sql);
  assertEquals(await placeOf(db.sql, sids[0]!), "months.call_lifecycle_other");
  assertEquals(
    (await db.sql`select from call_lifecycle where call_sid = any(${sids})`).length,
    400,
  );

  // The month is over: its events move.
  await db.sql`update call_lifecycle set received_at = received_at - interval '1 month'`;
  const first = (name: string) => `'${name.replace("_", "-")}-01Z'`;
  await db.sql.unsafe(`
    create table ${whole} partition of call_lifecycle
    for values from (${first(month(0))}) to (${first(month(1))})`);
  await keep(db.sql);
  assertEquals(await placeOf(db.sql, sids[0]!), `months.call_lifecycle_${month(-1)}`);
  assertEquals((await db.sql`select from months.call_lifecycle_other`).length, 0);
});

test("two at once make a month once", async (db) => {
  await insertEvent(db.sql, newCallSid(), daysAgo(-400));
  const done = await Promise.all(Array.from({ length: 4 }, () => keep(db.sql)));
  assertEquals(done.reduce((sum, { made }) => sum + made, 0), 1);
});

test("voice-reconcile's run looks after them, and the service may do no more to a month", async (db) => {
  await insertEvent(db.sql, newCallSid(), daysAgo(-400));
  await db.sql.begin(async (tx) => {
    await tx`set local role service_role`;
    await tx`select purge_expired()`;
  });
  assertEquals((await months(db.sql)).length, 5);
  for (const role of ["service_role", "authenticated", "anon", "monitoring"]) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const error = await assertRejects(
      () =>
        db.sql.begin(async (tx) => {
          await tx`select set_config('role', ${role}, true)`;
          await tx`select from ${tx(`months.call_lifecycle_${month(0)}`)}`;
        }),
      postgres.PostgresError,
      undefined,
      role,
    );
    assertEquals(error.code, "42501");
  }
});
