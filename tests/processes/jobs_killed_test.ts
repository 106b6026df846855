import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { runKilled, type Step, stepsOf } from "../support/killed.ts";
import { contactMessage, startMailSystem } from "../support/mail.ts";

// The process of notify-worker, killed (SIGKILL) at each of its steps outside: before what it asks arrives, and after it
// has had its effect but before the answer. Between two of these nothing outside can tell where it died.

const system = await startMailSystem();
const { resend, work, later, submit, stack: { url, db: { sql } } } = system;
Deno.test.afterAll(() => system.stop());

const run = (killAt?: Step) =>
  runKilled({
    name: "notify-worker",
    env: (outside) => ({
      RESEND_API_KEY: "re_test",
      RESEND_BASE_URL: outside,
      FROM_EMAIL: "hotline@example.com",
      NOTIFY_TO: "operator@example.com",
    }),
    dataApi: url,
    others: resend.url,
  }, killAt);

/** Two mails are owed. @returns their message's reference. */
async function owe(): Promise<string> {
  await sql`delete from jobs`;
  return (await (await submit(contactMessage())).json()).id;
}

const sentAbout = async (id: string) =>
  (await resend.mails()).filter(({ text }) => text.includes(id)).map(({ to }) => to[0]);

await owe();
const STEPS = await run();

Deno.test("a run is the steps at which it is killed below", () => {
  assertEquals(STEPS[0], "claim_jobs");
  assertEquals(STEPS.at(-1), "record_worker_run");
  assertEquals(STEPS.slice(1, -1).toSorted(), ["emails", "emails", "job_done", "job_done"]);
});

for (const { nth, phase } of stepsOf(STEPS)) {
  Deno.test(`killed ${phase} step ${nth} of ${STEPS.length}: each mail is sent, and once`, async () => {
    const id = await owe();
    await run({ nth, phase });
    const sent = await sentAbout(id);
    assert(new Set(sent).size === sent.length);
    // Its leases keep others away until they end; then another run does what is left.
    await later("119 seconds");
    await work();
    await later("1 second");
    await work();
    assertEquals((await sentAbout(id)).length, 2);
    const jobs = await sql`select status, attempts from jobs`;
    assertEquals(jobs.map(({ status }) => status), ["done", "done"]);
    assert(jobs.every(({ attempts }) => attempts <= 2));
  });
}
