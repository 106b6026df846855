import { assertEquals } from "@std/assert/equals.js";
import { createTestDatabase } from "../support/database.ts";

Deno.test("a clone of the template has the migrations", async () => {
  const db = await createTestDatabase();
  try {
    assertEquals((await db.sql`select 1 as one`)[0]?.one, 1);
  } finally {
    await db.drop();
  }
});
