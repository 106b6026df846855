import { assertEquals } from "@std/assert/equals.js";
import { pack, shipped, unpack } from "../../supabase/functions/_shared/flows/shipped.ts";

const version = (digit: string, name: string) => ({
  hash: digit.repeat(64),
  name,
  version: 2,
  definition: { schema: 1, prompts: { hello: { "fr-CA": "Bonjour à tous" } } },
});

Deno.test("a line's version is found by its number and by a part of its hash", async () => {
  const dental = version("a", "dental");
  const city = version("b", "city");
  const lines = { "+15877428885": dental.hash, "+15877428886": city.hash };
  const found = await unpack(await pack({ versions: [dental, city], lines }));
  assertEquals(found.ofLine("+15877428885"), dental);
  assertEquals(found.ofHash("bbbb"), city);
});

Deno.test("what the snapshot does not have is not made up", async () => {
  const found = await unpack(await pack({ versions: [version("a", "dental")], lines: {} }));
  assertEquals(found.ofLine("+15877428885"), undefined);
  assertEquals(found.ofLine("__proto__"), undefined);
  assertEquals([found.ofHash("c"), found.ofHash("")], [undefined, undefined]);
});

Deno.test("code that was not deployed has no snapshot", async () => {
  assertEquals((await shipped()).ofLine("+15877428885"), undefined);
});
