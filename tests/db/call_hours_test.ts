import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import * as fc from "fast-check";
import postgres, { type Sql } from "postgres";
import { cases } from "../support/cases.ts";
import { databaseTests } from "../support/database.ts";
import { newCallSid, voiceEvent } from "../support/events.ts";

// Sums by the hour: every role must see the same numbers with and without sums.

const ORGS = [crypto.randomUUID(), crypto.randomUUID()];
const VIEWS = [
  "call_success_metrics",
  "call_success_metrics_24h",
  "call_volume_hourly",
  "consent_metrics",
  "call_funnel",
  "call_hangups",
  "destination_performance",
  "calls_by_hour_of_day",
  "calls_by_day",
];
const LOOKERS = ["service_role", "monitoring", "member", "stranger"] as const;

const test = databaseTests("hours");

type Looker = typeof LOOKERS[number];

/** What each view shows each of those who may look, at one moment. */
async function shown(
  sql: Sql,
  lookers: readonly Looker[] = LOOKERS,
): Promise<Record<string, unknown>> {
  const all: Record<string, unknown> = {};
  for (const who of lookers) {
    const org = { member: ORGS[0], stranger: crypto.randomUUID() }[who as "member" | "stranger"];
    const role = org === undefined ? who : "authenticated";
    // deno-lint-ignore no-await-in-loop -- One connection.
    await sql`
      select set_config('role', ${role}, true), set_config('request.jwt.claims', ${
      org === undefined ? "" : JSON.stringify({ app_metadata: { org_id: org } })
    }, true)`;
    for (const view of VIEWS) {
      // deno-lint-ignore no-await-in-loop
      const [row] = await sql`
        select coalesce(jsonb_agg(v order by v::text), '[]') as rows from ${sql(view)} as v`;
      all[`${who}: ${view}`] = row!.rows;
    }
  }
  await sql`select set_config('role', 'postgres', true), set_config('request.jwt.claims', '', true)`;
  return all;
}

/** The same, counted call by call. */
async function counted(
  sql: Sql,
  lookers?: readonly Looker[],
): Promise<Record<string, unknown>> {
  await sql`savepoint before`;
  await sql`delete from rolled_hours`;
  const all = await shown(sql, lookers);
  await sql`rollback to savepoint before`;
  return all;
}

/** Calls of every kind, evenly over the last `days` days, of the main line and two organisations. */
async function makeCalls(sql: Sql, calls: number, days: number): Promise<void> {
  await sql`
    insert into call_logs (
      call_sid, org_id, mode, mode_turn, status, consent_given, consent_order, started_at, rang_at, connected_at,
      ended_at, duration_sec, dialled, last_step, last_step_at, handoff, rate_limited,
      recording_sid, recording_source, recorded_at
    )
    select
      'CA' || md5(i::text), (array[${ORGS[0]!}, ${ORGS[
    1
  ]!}]::uuid[])[i % 3], (array['menu', 'sales', 'support', 'voicemail'])[1 + i % 4], i % 4,
      case when i % 31 = 0 then 'in-progress' when i % 29 = 0 then 'failed' else 'completed' end::call_status,
      case i % 5 when 0 then null when 1 then false else true end, case i % 5 when 0 then 0 else 2 end,
      t, case when i % 7 < 5 then t + interval '5 s' end,
      case when i % 7 < 4 and i % 31 > 0 then t + make_interval(secs => 2 + i % 20) end,
      case when i % 31 > 0 then t + make_interval(secs => i % 300) end, case when i % 37 > 0 then i % 300 end,
      i % 7 < 5, (array['arrived', 'consent', 'menu', 'dial_ended', 'dial_canceled', 'voicemail_offered', null])[1 + i % 7],
      case when i % 7 < 6 then t end, i % 11 = 0, i % 23 = 0,
      case when i % 7 = 5 then 'RE' || md5(i::text) end, case when i % 7 = 5 then 'voicemail' end,
      case when i % 7 = 5 then t end
    from generate_series(1, ${calls}::int) as i,
      lateral (select now() - i * ${days} * interval '1 day' / ${calls}::float8 as t) as at`;
}

test("every view shows everybody the same, added up or not", async (db) => {
  await makeCalls(db.sql, 5000, 33);
  await db.sql.begin(async (tx) => {
    const sql = tx as unknown as Sql;
    const before = await shown(sql);
    const [run] = await sql`select roll_up_calls(1000) as hours`;
    assertEquals(run!.hours, 31 * 24);
    assertEquals(await shown(sql), before);
    // It is not that all of them show nothing.
    assertEquals((before["stranger: call_volume_hourly"] as unknown[]).length, 0);
    for (const who of ["service_role", "monitoring", "member"]) {
      assert((before[`${who}: call_volume_hourly`] as unknown[]).length > 160);
    }
    // And that the sums are what is read.
    await sql`update call_hours set calls = calls + 1000`;
    assert(JSON.stringify(await shown(sql)) !== JSON.stringify(before));
  });
});

test("calls that went out are in no view of calls that came in", async ({ sql }) => {
  await makeCalls(sql, 50, 1);
  await sql`update call_logs set direction = 'outbound', org_id = null`;
  const [row] = await sql`
    select
      (select total_calls from call_success_metrics) as total,
      (select count(*) from call_volume_hourly) as hours,
      (select coalesce(sum(calls), 0) from call_hangups) as hangups`;
  assertEquals({ ...row }, { total: "0", hours: "0", hangups: "0" });
});

/** What may happen to calls; `at` is in minutes before now. */
const happening = fc.oneof(
  fc.record({ kind: fc.constant("arrives" as const), at: fc.integer({ min: 0, max: 4000 }) }),
  fc.record({
    kind: fc.constantFrom(
      "is answered" as const,
      "consents" as const,
      "began earlier" as const,
      "is erased" as const,
      "hangs up" as const,
      "changes organisation" as const,
    ),
    which: fc.nat(),
    at: fc.integer({ min: 0, max: 4000 }),
  }),
  fc.record({
    kind: fc.constant("adding up" as const),
    hours: fc.constantFrom(1, 5, 1000),
  }),
);

test("whatever happens to calls of hours that are added up, the views stay exact", async (db) => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { minLength: 3, maxLength: 12 }), async (happenings) => {
      await db.sql.begin(async (tx) => {
        const sql = tx as unknown as Sql;
        await sql`delete from call_logs`;
        await makeCalls(sql, 60, 3);
        await sql`select roll_up_calls(1000)`;
        for (const it of happenings) {
          // deno-lint-ignore no-await-in-loop -- One after the other.
          await happen(sql, it);
        }
        assertEquals(await shown(sql), await counted(sql));
        throw new Undone();
      }).catch((error) => {
        if (!(error instanceof Undone)) throw error;
      });
    }),
    { numRuns: cases(30) },
  );
});

class Undone extends Error {}

async function happen(
  sql: Sql,
  it: typeof happening extends fc.Arbitrary<infer T> ? T : never,
): Promise<void> {
  if (it.kind === "adding up") {
    await sql`select roll_up_calls(${it.hours})`;
    return;
  }
  const at = sql`now() - ${it.at} * interval '1 minute'`;
  if (it.kind === "arrives") {
    await sql`insert into call_logs (call_sid, started_at) values (${newCallSid()}, ${at})`;
    return;
  }
  const change = {
    "is answered": sql`connected_at = started_at + interval '9 s', dialled = true`,
    "consents": sql`consent_given = true, consent_order = 9`,
    "began earlier": sql`started_at = least(started_at, ${at})`,
    "is erased": undefined,
    "hangs up":
      sql`status = 'completed', duration_sec = 7, ended_at = started_at + interval '7 s', last_step = 'menu', last_step_at = now()`,
    "changes organisation": sql`org_id = ${ORGS[1]!}::uuid`,
  }[it.kind];
  const [call] = await sql`
    select call_sid from call_logs order by call_sid
    offset ${it.which} % greatest(1, (select count(*) from call_logs)::int) limit 1`;
  if (call === undefined) return;
  await (change === undefined
    ? sql`delete from call_logs where call_sid = ${call.call_sid}`
    : sql`update call_logs set ${change} where call_sid = ${call.call_sid}`);
}

test("whatever changes of a call that is added up, its hour is counted anew", async (db) => {
  const changes: Record<string, string> = {
    started_at: "started_at - interval '2 hours'",
    org_id: `'${ORGS[0]}'`,
    mode: "'voicemail'",
    status: "'failed'",
    // Who was handed over hung up while it rang, and not in the menu.
    handoff: "true",
    last_step: "'voicemail_offered'",
    consent_given: "false",
    dialled: "false",
    connected_at: "started_at + interval '9 seconds'",
    rang_at: "started_at + interval '1 second'",
    duration_sec: "99",
  };
  for (const [column, value] of Object.entries(changes)) {
    await db.sql.begin(async (tx) => {
      const sql = tx as unknown as Sql;
      await sql`
        insert into call_logs (
          call_sid, status, started_at, rang_at, ended_at, duration_sec, dialled, last_step, last_step_at, consent_given,
          consent_order, connected_at
        )
        select ${newCallSid()}, 'completed', t, t + interval '5 s', t + interval '60 s', 60, true, 'menu', t, true, 1,
          case when ${column} = 'rang_at' then t + interval '8 s' end
        from (select now() - interval '5 hours' as t) as at`;
      await sql`select roll_up_calls(1000)`;
      // Who may see what is another test's.
      const before = await shown(sql, ["service_role", "member"]);
      await sql.unsafe(`update call_logs set ${column} = ${value}`);
      const now = await shown(sql, ["service_role", "member"]);
      assertEquals(now, await counted(sql, ["service_role", "member"]), column);
      assert(JSON.stringify(now) !== JSON.stringify(before), `${column} shows nowhere`);
      throw new Undone();
    }).catch((error) => {
      if (!(error instanceof Undone)) throw error;
    });
  }
});

test("hours and days are those of UTC, whatever the session's time zone", async (db) => {
  // Late on a day, of UTC, and in no zone below on the same one at the same hour.
  const [call] = await db.sql`
    insert into call_logs (call_sid, status, started_at, ended_at)
    select ${newCallSid()}, 'completed', t, t + interval '1 minute'
    from (select date_trunc('day', now(), 'UTC') - interval '45 minutes' as t) as at
    returning extract(epoch from date_trunc('hour', started_at, 'UTC'))::int as hour,
      (started_at at time zone 'UTC')::date::text as day`;
  for (const zone of ["Pacific/Auckland", "Pacific/Honolulu", "Asia/Kolkata", "UTC"]) {
    for (const addedUp of [false, true]) {
      await db.sql.begin(async (sql) => {
        await sql`select set_config('timezone', ${zone}, true)`;
        if (addedUp) await sql`select roll_up_calls(1000)`;
        const [row] = await sql`
          select (select array_agg(day::text) from calls_by_day) as days,
            (select array_agg(hour_of_day) from calls_by_hour_of_day) as hours_of_day,
            (select array_agg(extract(epoch from hour)::int) from call_volume_hourly) as hours`;
        assertEquals(row, { days: [call!.day], hours_of_day: [23], hours: [call!.hour] }, zone);
        throw new Undone();
      }).catch((error) => {
        if (!(error instanceof Undone)) throw error;
      });
    }
  }
});

test("an event that comes late is counted at once, and its hour is added up again", async (db) => {
  const sid = newCallSid();
  const at = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
  const accept = (event: Parameters<typeof voiceEvent>[1]) =>
    db.sql`select public.accept_voice_event(${
      db.sql.json(voiceEvent(sid, event) as never)
    }) as answer`;
  const served = async () =>
    (await db.sql`select completed_calls::int as n from call_success_metrics_24h`)[0]!.n;
  await accept({ event: "arrived", occurred_at: at(200) });
  await accept({
    operation: "voice-status",
    event: "status",
    call_status: "completed",
    duration_sec: 60,
    occurred_at: at(199),
  });
  await db.sql`select roll_up_calls(1000)`;
  assertEquals(await served(), 0);
  await accept({
    operation: "voice-reconcile",
    event: "reconciled",
    call_status: undefined,
    talk_sec: 30,
    occurred_at: at(199),
  });
  assertEquals(await served(), 1);
  const [run] = await db.sql`select roll_up_calls(1000) as hours`;
  assertEquals([run!.hours, await served()], [1, 1]);
  // A transcript changes no sum: nothing is taken back for it.
  await accept({
    operation: "voice-voicemail",
    event: "transcription",
    call_status: undefined,
    occurred_at: at(1),
    mode: undefined,
    meta: {},
  });
  assertEquals((await db.sql`select roll_up_calls(1000) as hours`)[0]!.hours, 0);
});

test("an hour with an open change is left to the next run, which sees the change", async (db) => {
  await makeCalls(db.sql, 60, 1);
  const [hour] = await db.sql`select date_trunc('hour', now() - interval '5 hours', 'UTC') as h`;
  const writer = postgres(db.url, { max: 1, onnotice: () => {} });
  try {
    const writing = Promise.withResolvers<void>();
    const commit = Promise.withResolvers<void>();
    const written = writer.begin(async (tx) => {
      await tx`insert into call_logs (call_sid, started_at) values (${newCallSid()}, ${hour!.h})`;
      writing.resolve();
      await commit.promise;
    });
    await writing.promise;
    await db.sql`select roll_up_calls(1000)`;
    const rolled = async () =>
      (await db.sql`select from rolled_hours where hour = ${hour!.h}`).length === 1;
    assertEquals(await rolled(), false);
    commit.resolve();
    await written;
    await db.sql`select roll_up_calls(1000)`;
    assertEquals(await rolled(), true);
    await db.sql.begin(async (tx) => {
      const sql = tx as unknown as Sql;
      assertEquals(await shown(sql), await counted(sql));
    });
  } finally {
    await writer.end();
  }
});

test("who changes a call while its hour is added up waits, and takes the sums back", async (db) => {
  await makeCalls(db.sql, 60, 1);
  const writer = postgres(db.url, { max: 1, onnotice: () => {} });
  try {
    let written: Promise<unknown> | undefined;
    let waited = true;
    await db.sql.begin(async (tx) => {
      await tx`select roll_up_calls(1000)`;
      const [{ pid } = { pid: 0 }] = await writer<{ pid: number }[]>`
        select pg_backend_pid() as pid`;
      written = writer`
        update call_logs set connected_at = started_at, dialled = true
        where started_at between now() - interval '6 hours' and now() - interval '3 hours'`
        .execute().then(() => waited = false);
      // Until it waits for the hour's lock.
      while (waited) {
        // deno-lint-ignore no-await-in-loop
        const [row] = await tx`
          select from pg_locks where pid = ${pid} and locktype = 'advisory' and not granted`;
        if (row !== undefined) break;
      }
      assertEquals(waited, true);
    });
    await written;
    await db.sql.begin(async (tx) => {
      const sql = tx as unknown as Sql;
      assertEquals(await shown(sql), await counted(sql));
    });
  } finally {
    await writer.end();
  }
});

test("two runs at once add each hour up once", async (db) => {
  await makeCalls(db.sql, 500, 10);
  const runs = await Promise.all(
    Array.from({ length: 4 }, () => db.sql`select roll_up_calls(1000) as hours`),
  );
  // What one of them skipped, as another had it, that other one did.
  const [row] = await db.sql`select count(*)::int as n from rolled_hours`;
  assertEquals(runs.reduce((sum, [run]) => sum + run!.hours, 0), row!.n);
  await db.sql`select roll_up_calls(1000)`;
  assertEquals((await db.sql`select from rolled_hours`).length, 31 * 24);
  await db.sql.begin(async (tx) => {
    const sql = tx as unknown as Sql;
    assertEquals(await shown(sql), await counted(sql));
  });
});

test("a run is bounded and begins with the newest; an hour that is not over waits; old sums go", async (db) => {
  const newest = await db.sql`select roll_up_calls(2) as hours`;
  assertEquals(newest[0]!.hours, 2);
  const [row] = await db.sql`
    select max(hour) = date_trunc('hour', now() - interval '15 minutes', 'UTC') - interval '1 hour' as right,
      max(hour) - min(hour) = interval '1 hour' as next
    from rolled_hours`;
  assertEquals({ ...row }, { right: true, next: true });
  await db.sql`
    insert into rolled_hours (hour) select date_trunc('hour', now(), 'UTC') - n * interval '1 day'
    from generate_series(32, 40) as n`;
  await db.sql`select roll_up_calls(1)`;
  const [old] = await db.sql`
    select count(*)::int as n from rolled_hours where hour < now() - interval '32 days'`;
  assertEquals(old!.n, 0);
});

test("voice-reconcile's run adds up", async (db) => {
  await db.sql.begin(async (tx) => {
    await tx`set local role service_role`;
    await tx`select purge_expired()`;
  });
  assertEquals((await db.sql`select from rolled_hours`).length, 24);
});

test("emptying the calls empties the sums", async (db) => {
  await makeCalls(db.sql, 60, 1);
  await db.sql`select roll_up_calls(1000)`;
  await db.sql`truncate call_logs cascade`;
  assertEquals((await db.sql`select from call_hours`).length, 0);
});
