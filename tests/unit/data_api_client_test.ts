import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import * as z from "zod/mini";
import { dataApi, DatabaseFailure, run } from "../../supabase/functions/_shared/db/client.ts";
import { fakeDataApi } from "../support/fake_data_api.ts";

const KEY = "sb_secret_of_the_tests";
const notKnown = (code: string) =>
  Response.json({ code, message: "Could not find it in the schema cache" }, { status: 404 });

/** Runs a SQL function that the Data API knows only after `answers` of before. */
async function runAfter(answers: readonly Response[], patient: boolean) {
  let asked = 0;
  await using api = fakeDataApi(() => answers[asked++] ?? Response.json(true));
  const waited: number[] = [];
  const wait = (ms: number) => {
    waited.push(ms);
    return Promise.resolve();
  };
  const client = dataApi(api.url, KEY, patient ? wait : undefined);
  try {
    return {
      data: await run(client, "has_vault", {}, z.boolean(), 1000),
      waited,
      asked: api.calls.length,
    };
  } catch (error) {
    return { error: (error as Error).message, waited, asked: api.calls.length };
  }
}

Deno.test("a worker asks again each second while the Data API does not know the newest schema", async () => {
  assertEquals(
    await runAfter([notKnown("PGRST202"), notKnown("PGRST205")], true),
    { data: true, waited: [1000, 1000], asked: 3 },
  );
});

Deno.test("after a minute it gives up", async () => {
  const never = Array.from({ length: 100 }, () => notKnown("PGRST202"));
  const { error, waited } = await runAfter(never, true);
  assertEquals(error, "Cannot run has_vault: the database answered PGRST202");
  assertEquals(waited.reduce((sum, ms) => sum + ms), 60_000);
});

Deno.test("no other error is waited for", async () => {
  const { error, asked } = await runAfter([notKnown("42883")], true);
  assertEquals([error, asked], ["Cannot run has_vault: the database answered 42883", 1]);
});

Deno.test("where a caller waits, nothing is waited for", async () => {
  const { error, asked } = await runAfter([notKnown("PGRST202")], false);
  assertEquals([error, asked], ["Cannot run has_vault: the database answered PGRST202", 1]);
});

Deno.test("what a function does not return as it should is a failure, and not taken for it", async () => {
  await using api = fakeDataApi(() => Response.json({ vault: true }));
  const error = await assertRejects(
    () => run(dataApi(api.url, KEY), "has_vault", {}, z.boolean(), 1000),
    DatabaseFailure,
    "Cannot run has_vault: the database answered other_form",
  );
  assertEquals(error.code, "other_form");
});

Deno.test("an error without a code is a gateway's, and a retry may succeed", async () => {
  for (const status of [401, 503]) {
    // deno-lint-ignore no-await-in-loop
    await using api = fakeDataApi(() => Response.json({ message: "no upstream" }, { status }));
    // deno-lint-ignore no-await-in-loop
    const error = await assertRejects(
      () => run(dataApi(api.url, KEY), "has_vault", {}, z.boolean(), 1000),
      DatabaseFailure,
    );
    assertEquals([error.code, error.kind], ["", "unknown"]);
  }
});
