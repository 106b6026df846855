import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { LOCAL_SECRET_KEY, serve, withLocalDefaults } from "../../scripts/local/stack.ts";
import { addressOf, runFunction } from "../support/function_process.ts";
import { contactMessage, startMailSystem } from "../support/mail.ts";

// The process of notify-worker, killed (SIGKILL) at each of its steps outside: before what it asks arrives, and after it
// has had its effect but before the answer. Between two of these nothing outside can tell where it died.

const system = await startMailSystem();
const { resend, work, later, submit, stack: { url, db: { sql } } } = system;
Deno.test.afterAll(() => system.stop());

type Phase = "before" | "after";

/** A run of the function in a process of its own; `killAt` the nth request that it makes. @returns all that it made. */
async function run(killAt?: { nth: number; phase: Phase }): Promise<string[]> {
  const asked: string[] = [];
  const dead = Promise.withResolvers<never>();
  dead.promise.catch(() => {});
  const never = async () => {
    child.kill("SIGKILL");
    await child.status;
    dead.reject(new Error("killed"));
    return await dead.promise;
  };
  const front = serve(0, () => {}, async (request) => {
    const { pathname, search } = new URL(request.url);
    const nth = asked.push(pathname.split("/").at(-1)!);
    const body = await request.text();
    if (killAt?.nth === nth && killAt.phase === "before") return await never();
    const target = pathname.startsWith("/rest/") ? url : resend.url;
    const answer = await fetch(`${target}${pathname}${search}`, {
      method: request.method,
      headers: request.headers,
      body,
    });
    const copy = new Response(await answer.text() || null, answer);
    return killAt?.nth === nth && killAt.phase === "after" ? await never() : copy;
  }, { mayAsk: () => true });
  const env = withLocalDefaults(
    {
      RESEND_API_KEY: "re_test",
      RESEND_BASE_URL: front.url,
      FROM_EMAIL: "hotline@example.com",
      NOTIFY_TO: "operator@example.com",
      METRICS_FLUSH_SECONDS: "0",
    },
    front.url,
    "",
  );
  const child = runFunction("notify-worker", env as Record<string, string>);
  try {
    const address = await addressOf(child);
    const response = await Promise.race([
      fetch(address, { method: "POST", headers: { apikey: LOCAL_SECRET_KEY } })
        .catch(() => undefined),
      dead.promise.catch(() => undefined),
    ]);
    await response?.body?.cancel();
    assertEquals(response === undefined, killAt !== undefined, "whether it was killed");
    return asked;
  } finally {
    // It may be dead already.
    try {
      child.kill("SIGKILL");
    } catch { /* It is. */ }
    await child.status;
    await front.drain();
  }
}

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

for (let nth = 1; nth <= STEPS.length; nth++) {
  for (const phase of ["before", "after"] as const) {
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
}
