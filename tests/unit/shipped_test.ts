import { assertEquals } from "@std/assert/equals.js";
import { pack, shipment } from "../../scripts/deploy/snapshot.ts";
import {
  shipped,
  type ShippedVersion,
  unpack,
} from "../../supabase/functions/_shared/flows/shipped.ts";

const version = (digit: string, name: string) => ({
  account: null as string | null,
  hash: digit.repeat(64),
  name,
  version: 2,
  definition: { schema: 1, prompts: { hello: { "fr-CA": "Bonjour à tous" } } },
  flows: {},
  hours: {},
  missing_audio: [],
});

const lineOf = (line: string, { account, hash }: ShippedVersion) => ({
  account,
  line,
  hash,
});

Deno.test("a line's version is found by its number and by a part of its hash", async () => {
  const dental = version("a", "dental");
  const city = version("b", "city");
  const lines = [lineOf("+15877428885", dental), lineOf("+15877428886", city)];
  const found = await unpack(await pack({ versions: [dental, city], lines }));
  assertEquals(found.ofLine(undefined, "+15877428885"), dental);
  assertEquals(found.ofHash(undefined, "bbbb"), city);
});

Deno.test("what the snapshot does not have is not made up", async () => {
  const found = await unpack(await pack({ versions: [version("a", "dental")], lines: [] }));
  assertEquals(found.ofLine(undefined, "+15877428885"), undefined);
  assertEquals(found.ofLine(undefined, "__proto__"), undefined);
  assertEquals([found.ofHash(undefined, "c"), found.ofHash(undefined, "")], [undefined, undefined]);
});

Deno.test("code that was not deployed has no snapshot", async () => {
  assertEquals((await shipped()).ofLine(undefined, "+15877428885"), undefined);
});

Deno.test("a deploy takes along the versions of as many lines as there is room for", async () => {
  // Text that does not compress, so that the room counts.
  const words = (seed: number) =>
    Array.from({ length: 200 }, (_, n) => Math.sin(seed * 1000 + n).toString(36)).join(" ");
  const versions = Array.from({ length: 40 }, (_, n) => ({
    ...version("0", `flow ${n}`),
    hash: String(n).padStart(64, "0"),
    definition: { words: words(n) },
  }));
  // The first line's flow goes on in the second's.
  versions[0]!.flows = { next: versions[1]!.hash };
  const lines = versions.map((version, n) => lineOf(`+1587405${1000 + n}`, version));
  const whole = await shipment({ versions, lines });
  assertEquals(whole.told, "40 lines' published flows");
  const part = await shipment({ versions, lines }, 20_000);
  const found = await unpack(part.packed);
  assertEquals(part.packed.length <= 20_000, true);
  assertEquals(found.ofLine(undefined, "+15874051000"), versions[0]);
  assertEquals(found.ofHash(undefined, versions[1]!.hash), versions[1]);
  assertEquals(found.ofLine(undefined, "+15874051039"), undefined);
  assertEquals(/^\d+ lines' published flows; \d+ more do not fit/.test(part.told), true, part.told);
});
