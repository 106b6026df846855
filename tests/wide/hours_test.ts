import { assert } from "@std/assert/assert.js";
import { createTestDatabase } from "../support/database.ts";
import { holdZone } from "../support/hours.ts";

Deno.test("calendars of every IANA zone agree with `task flow try` about both changes of its clocks", async () => {
  const { sql, drop } = await createTestDatabase();
  try {
    const zones = await sql<{ name: string }[]>`
      select name from pg_timezone_names where name !~ '^posix' order by name`;
    assert(zones.length > 400, `${zones.length} zones`);
    // deno-lint-ignore no-await-in-loop
    for (const [nth, { name }] of zones.entries()) await holdZone(sql, name, nth);
  } finally {
    await drop();
  }
});
