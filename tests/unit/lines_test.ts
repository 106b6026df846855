import { assertEquals } from "@std/assert/equals.js";
import type { AcceptOutcome, Facts } from "../../supabase/functions/_shared/calls/events.ts";
import { builtIn, versionName } from "../../supabase/functions/_shared/flows/version.ts";
import { createLines } from "../../supabase/functions/_shared/tenancy/lines.ts";

// What an isolate knows of its lines. The calls themselves are in tests/scenarios/flows_test.ts.

const LINE = "+15874059000";
const SUB = `AC${"5".repeat(32)}`;
const HASH = "ab".repeat(32);
const NAME = versionName(HASH);

/** A flow whose only node bears the name. */
const ending = (id: string) => ({
  schema: 1,
  zone: "America/Edmonton",
  languages: ["en-US"],
  prompts: {},
  start: id,
  nodes: { [id]: { type: "end" } },
});
const published = (id: string) => ({
  hash: HASH,
  name: id,
  version: 1,
  definition: ending(id),
});
const accepted = (facts: Facts): AcceptOutcome => ({
  kind: "accepted",
  duplicate: false,
  // deno-lint-ignore no-explicit-any -- The part of a call that lines read.
  call: { facts } as any,
});
const away: AcceptOutcome = { kind: "unavailable", reason: "timeout" };

/** Lines of an isolate, and what it has asked of the database. */
function isolate(
  answers: Record<string, ReturnType<typeof published>> = {},
  shippedLine?: ReturnType<typeof published>,
) {
  const asked: string[] = [];
  const lines = createLines({
    read: (account, hash) => {
      asked.push(`${account ?? "main"} ${hash}`);
      return Promise.resolve(answers[account ?? "main"] ?? null);
    },
    shipped: () =>
      Promise.resolve({
        ofLine: () =>
          shippedLine && { account: null, flows: {}, hours: {}, missing_audio: [], ...shippedLine },
        ofHash: () => undefined,
      }),
    log: () => {},
  });
  return { lines, asked };
}

Deno.test("a version that one account has read is unknown to another, which asks for its own", async () => {
  const { lines, asked } = isolate({ main: published("ours") });
  const ours = await lines.line(undefined, LINE, undefined).version(NAME);
  assertEquals(ours.flow.start, "ours");

  const theirs = await lines.line(SUB, LINE, undefined).version(NAME);
  assertEquals(asked, [`main ${NAME}`, `${SUB} ${NAME}`]);
  assertEquals(theirs.flow.nodes["ours"], undefined);
});

Deno.test("a database that answers without people is believed; one that is away leaves those known", async () => {
  const { lines } = isolate({ main: published("ours") });
  const line = lines.line(undefined, LINE, undefined);
  const version = await line.version(NAME);
  const people = { anna: { phone: "+15875550101", available: true } };

  assertEquals(line.people(version, accepted({ people })), people);
  assertEquals(line.people(version, away), people);
  assertEquals(line.people(version, accepted({})), undefined);
});

Deno.test("a line without a flow, as the database said, is not led by the deploy's older snapshot", async () => {
  const { lines } = isolate({}, published("shipped"));
  const settled = builtIn(
    // deno-lint-ignore no-explicit-any -- As a parsed flow is.
    ending("settled") as any,
  );
  const line = lines.line(undefined, LINE, settled);
  assertEquals(
    (await line.answering(away)).flow.start,
    "shipped",
    "the database was never reached",
  );

  assertEquals((await line.answering(accepted({}))).flow.start, "settled");
  assertEquals((await line.answering(away)).flow.start, "settled");
});
