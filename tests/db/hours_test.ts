import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { createTestDatabase } from "../support/database.ts";
import type { Calendar } from "../../supabase/functions/_shared/flows/language.ts";
import { holdZone } from "../support/hours.ts";

const db = await createTestDatabase();
Deno.test.afterAll(() => db.drop());
const { sql } = db;

const EDMONTON = "America/Edmonton";

async function isOpen(calendar: Partial<Calendar>, local: string, zone = EDMONTON) {
  const [row] = await sql`
    select public.calendar_open(
      ${sql.json({ zone, ...calendar } as never)}, ${local}::timestamp at time zone ${zone}
    ) as open`;
  return row!.open;
}

/** Of each local time whether the calendar is open. */
async function opens(calendar: Partial<Calendar>, locals: Record<string, boolean>) {
  for (const [local, expected] of Object.entries(locals)) {
    // deno-lint-ignore no-await-in-loop
    assertEquals(await isOpen(calendar, local), expected, local);
  }
}

// 2026-11-23 is a Monday.
Deno.test("a day has several periods, each from its beginning to before its end", () =>
  opens({ weekly: { mon: [["08:00", "12:00"], ["13:00", "17:00"]] } }, {
    "2026-11-23 07:59:59": false,
    "2026-11-23 08:00": true,
    "2026-11-23 11:59:59.999": true,
    "2026-11-23 12:00": false,
    "2026-11-23 13:00": true,
    "2026-11-23 17:00": false,
    "2026-11-24 09:00": false,
  }));

Deno.test("24:00 ends a day; a night is two periods", () =>
  opens({ weekly: { fri: [["18:00", "24:00"]], sat: [["00:00", "02:00"]] } }, {
    "2026-11-27 17:59": false,
    "2026-11-27 23:59:59": true,
    "2026-11-28 00:00": true,
    "2026-11-28 01:59": true,
    "2026-11-28 02:00": false,
  }));

Deno.test("a dated entry stands in for its weekday, and for no other day", () =>
  opens({
    weekly: { thu: [["18:00", "24:00"]], fri: [["00:00", "02:00"], ["09:00", "17:00"]] },
    dates: { "2026-12-25": [], "2027-01-01": [["10:00", "11:00"]] },
  }, {
    // Christmas is a Friday.
    "2026-12-24 23:00": true,
    "2026-12-25 01:00": false,
    "2026-12-25 10:00": false,
    "2026-12-18 10:00": true,
    "2027-01-01 09:00": false,
    "2027-01-01 10:30": true,
  }));

Deno.test("when clocks change, what the clock shows decides, in both passes and without a gap", async () => {
  const calendar = {
    zone: EDMONTON,
    weekly: { sun: [["01:30", "02:30"]] },
    flow: 0,
    calendar: "main",
  };
  const [row] = await sql`
    select
      array(
        select public.calendar_open(${sql.json(calendar as never)}, at)
        from generate_series(timestamptz '2026-11-01 07:00Z', '2026-11-01 10:00Z', '30 minutes') as at
      ) as autumn,
      array(
        select public.calendar_open(${sql.json(calendar as never)}, at)
        from generate_series(timestamptz '2026-03-08 08:00Z', '2026-03-08 10:00Z', '30 minutes') as at
      ) as spring`;
  // 01:00, 01:30 in summer time, 01:00, 01:30, 02:00, 02:30, 03:00.
  assertEquals(row!.autumn, [false, true, false, true, true, false, false]);
  // 01:00, 01:30, 03:00 (02:00 to 03:00 is left out), 03:30, 04:00.
  assertEquals(row!.spring, [false, true, false, false, false]);
});

Deno.test("British Columbia keeps its summer time from November 2026 on, which only PostgreSQL knows", async () => {
  const calendar = { weekly: { tue: [["13:00", "14:00"]] } as Record<string, [string, string][]> };
  const [row] = await sql`
    select public.calendar_open(
      ${sql.json({ zone: "America/Vancouver", ...calendar } as never)}, '2026-12-01 20:00Z'
    ) as open`;
  assertEquals(row!.open, true);
});

Deno.test("the list of switches has each, from now to its end, with the override that goes on", async () => {
  await sql`insert into call_flows (name) values ('listed')`;
  const [{ id } = { id: 0 }] = await sql`select id::integer from call_flows where name = 'listed'`;
  const calendar = {
    zone: EDMONTON,
    flow: id,
    calendar: "main",
    weekly: { mon: [["08:00", "12:00"]], tue: [["08:00", "12:00"]] },
    dates: { "2026-11-24": [] },
  };
  const listed = async () =>
    (await sql`
      select public.calendar_switches(
        ${sql.json(calendar as never)}, '2026-11-23 10:00-07', 14
      ) as list`)[0]!.list;
  const instant = (text: string) => `${text}:00+00:00`;
  const expected = {
    from: instant("2026-11-23T17:00"),
    until: instant("2026-12-07T17:00"),
    state: "open",
    switches: [
      "2026-11-23T19:00",
      "2026-11-30T15:00",
      "2026-11-30T19:00",
      "2026-12-01T15:00",
      "2026-12-01T19:00",
      "2026-12-07T15:00",
    ].map(instant),
  };
  assertEquals(await listed(), expected);
  await sql`
    insert into calendar_overrides (flow_id, calendar, state, set_at, until)
    values (${id}, 'main', 'closed', '2026-11-23', '2026-11-23 11:00-07')`;
  assertEquals(await listed(), {
    ...expected,
    state: "closed",
    switches: [instant("2026-11-23T18:00"), ...expected.switches],
  });
});

Deno.test("an override wins until it ends", async () => {
  await sql`insert into call_flows (name) values ('overridden')`;
  await sql`
    insert into calendar_overrides (flow_id, calendar, state, set_at, until)
    select id, 'main', 'open', '2026-12-24', '2026-12-25 12:00-07' from call_flows where name = 'overridden'`;
  const state = async (at: string) =>
    (await sql`
      select public.calendar_states(jsonb_build_object('main', jsonb_build_object(
        'zone', ${EDMONTON}::text, 'calendar', 'main', 'weekly', '{}'::jsonb,
        'flow', (select id from call_flows where name = 'overridden')
      )), ${at}) as states`)[0]!.states;
  assertEquals(await state("2026-12-25 11:59:59-07"), { main: "open" });
  assertEquals(await state("2026-12-25 12:00-07"), { main: "closed" });
});

// Canada, where clocks change by half an hour, on other nights than elsewhere, at midnight, and never.
const ZONES = [
  ...["America/Edmonton", "America/Vancouver", "America/St_Johns", "America/Toronto"],
  ...["Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago", "Asia/Beirut"],
  ...["Europe/London", "Pacific/Chatham", "America/Nuuk", "Antarctica/Troll", "Asia/Kathmandu"],
];

Deno.test("calendars and their lists of switches agree with `task flow try` about both changes of clocks", async () => {
  let held = 0;
  // deno-lint-ignore no-await-in-loop
  for (const zone of ZONES) held += await holdZone(sql, zone, 7);
  assert(held > 3000, `${held} instants`);
});
