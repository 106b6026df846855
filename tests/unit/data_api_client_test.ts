import { assertEquals } from "@std/assert/equals.js";
import { dataApi, run } from "../../supabase/functions/_shared/db/client.ts";
import { fakeDataApi } from "../support/fake_data_api.ts";

const KEY = "sb_secret_of_the_tests";
const notKnown = (code: string) =>
  Response.json({ code, message: "Could not find it in the schema cache" }, { status: 404 });

/** Runs a SQL function that the Data API knows only after `answers` of before. */
async function runAfter(answers: readonly Response[], patient: boolean) {
  let asked = 0;
  await using api = fakeDataApi(() => answers[asked++] ?? Response.json({ done: true }));
  const waited: number[] = [];
  const wait = (ms: number) => {
    waited.push(ms);
    return Promise.resolve();
  };
  const client = dataApi(api.url, KEY, patient ? wait : undefined);
  try {
    return { data: await run(client, "a_function", {}, 1000), waited, asked: api.calls.length };
  } catch (error) {
    return { error: (error as Error).message, waited, asked: api.calls.length };
  }
}

Deno.test("a worker asks again each second while the Data API does not know the newest schema", async () => {
  assertEquals(
    await runAfter([notKnown("PGRST202"), notKnown("PGRST205")], true),
    { data: { done: true }, waited: [1000, 1000], asked: 3 },
  );
});

Deno.test("after a minute it gives up", async () => {
  const never = Array.from({ length: 100 }, () => notKnown("PGRST202"));
  const { error, waited } = await runAfter(never, true);
  assertEquals(error, "Cannot run a_function: the database answered PGRST202");
  assertEquals(waited.reduce((sum, ms) => sum + ms), 60_000);
});

Deno.test("no other error is waited for", async () => {
  const { error, asked } = await runAfter([notKnown("42883")], true);
  assertEquals([error, asked], ["Cannot run a_function: the database answered 42883", 1]);
});

Deno.test("where a caller waits, nothing is waited for", async () => {
  const { error, asked } = await runAfter([notKnown("PGRST202")], false);
  assertEquals([error, asked], ["Cannot run a_function: the database answered PGRST202", 1]);
});
