import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import { type FailureKind, ServiceError } from "../../supabase/functions/_shared/errors.ts";
import type { Hold, Job, Jobs } from "../../supabase/functions/_shared/db/jobs.ts";
import { type Bounds, runJobs, type Work } from "../../supabase/functions/_shared/jobs/run.ts";

// The loop of the workers by itself: jobs in memory, and a clock that the works move.

interface Owed {
  readonly kind: string;
  readonly priority?: number;
}

/** So many jobs, named `a1`, `a2` ... by their kinds, and what was said of each. */
function desk(...owed: (Owed | string)[]) {
  const counts: Record<string, number> = {};
  const waiting: Job[] = owed.map((each) => typeof each === "string" ? { kind: each } : each).map(
    ({ kind, priority = 1 }: Owed, n) => {
      counts[kind] = (counts[kind] ?? 0) + 1;
      const key = `${kind}${counts[kind]}`;
      return { id: n, kind, priority, key, payload: {}, content: null, lease: key, attempts: 1 };
    },
  );
  const said: string[] = [];
  let seconds = 0;
  let claims = 0;
  const jobs: Jobs = {
    claim(kinds, limit) {
      claims++;
      const mine = waiting.filter(({ kind }) => kinds.includes(kind)).slice(0, limit);
      for (const job of mine) waiting.splice(waiting.indexOf(job), 1);
      return Promise.resolve(mine);
    },
    done: ({ key }, result) => {
      said.push(`${key} done${result === undefined ? "" : ` ${result}`}`);
      return Promise.resolve(true);
    },
    failed: ({ key }, { error, permanent, uncertain }) => {
      said.push(`${key} failed ${error}${permanent ? " for good" : ""}${uncertain ? "?" : ""}`);
      return Promise.resolve(permanent ? "dead" : "waiting");
    },
    hold: (held, { error, seconds, kinds, priority }: Hold) => {
      const scope = kinds === undefined ? "" : ` ${kinds.join("+")} from ${priority}`;
      said.push(`${held.map(({ key }) => key).join("+")} back ${error} ${seconds}${scope}`);
      return Promise.resolve();
    },
    ended: () => Promise.resolve(),
  };
  return {
    jobs,
    said,
    waiting,
    claims: () => claims,
    pass: (s: number) => seconds += s,
    run: (works: Record<string, Work>, bounds: Partial<Bounds> = {}) =>
      runJobs(
        "test",
        works,
        { batch: 10, atOnce: 1, most: 100, until: 60_000, ...bounds },
        { jobs, log: () => {}, now: () => new Date(seconds * 1000) },
      ),
  };
}

const done: Work = () => Promise.resolve({ kind: "done" });

Deno.test("batch follows batch until one is short, and only known kinds are claimed", async () => {
  const { run, claims, waiting } = desk(...Array(25).fill("a"), "b");
  assertEquals((await run({ a: done })).done, 25);
  assertEquals([claims(), waiting.map(({ key }) => key)], [3, ["b1"]]);
});

Deno.test("a run ends after its most jobs", async () => {
  const { run, waiting } = desk(...Array(50).fill("a"));
  await run({ a: done }, { most: 20 });
  assertEquals(waiting.length, 30);
});

Deno.test("after its time a run begins no job, and gives back what it has claimed", async () => {
  const d = desk("a", "a", "a", "a");
  const slow: Work = () => {
    d.pass(40);
    return Promise.resolve({ kind: "done" });
  };
  const tally = await d.run({ a: slow }, { batch: 4 });
  assertEquals([tally.done, tally.held], [2, 2]);
  assertEquals(d.said, ["a1 done", "a2 done", "a3+a4 back out of time 0"]);
  assertEquals(d.claims(), 1);
});

Deno.test("so many at once, and no more", async () => {
  const { run } = desk(...Array(12).fill("a"));
  let now = 0;
  let most = 0;
  const work: Work = async () => {
    most = Math.max(most, ++now);
    await Promise.resolve();
    now--;
    return { kind: "done" };
  };
  await run({ a: work }, { batch: 12, atOnce: 3 });
  assertEquals(most, 3);
});

Deno.test("in order: one of a kind after the other, kinds side by side", async () => {
  const { run, said } = desk("a", "b", "a", "b");
  const gate = Promise.withResolvers<void>();
  const begun: string[] = [];
  const tally = await run({
    a: async ({ key }) => {
      begun.push(key);
      await gate.promise;
      return { kind: "done" };
    },
    b: ({ key }) => {
      begun.push(key);
      if (key === "b2") gate.resolve();
      return Promise.resolve({ kind: "done" });
    },
  }, { atOnce: "in order" });
  assertEquals(begun, ["a1", "b1", "b2", "a2"]);
  assertEquals(said.filter((each) => each.startsWith("a")), ["a1 done", "a2 done"]);
  assertEquals(tally.done, 4);
});

Deno.test("a hold of a kind gives back the rest of it, in order, and lets the others go on", async () => {
  const { run, said } = desk("a", "b", "a", "b", "a");
  const tally = await run({
    a: () => Promise.resolve({ kind: "held", error: "500", seconds: 50, scope: "kind" }),
    b: done,
  }, { atOnce: "in order" });
  assertEquals([tally.done, tally.held], [2, 3]);
  assertEquals(said.toSorted(), [
    "a1 back 500 50 a from 0",
    "a2+a3 back 500 0",
    "b1 done",
    "b2 done",
  ]);
});

Deno.test("a hold of what is no more urgent lets what is more urgent go on; a hold of all lets nothing", async () => {
  const owed = [{ kind: "b", priority: 2 }, { kind: "a", priority: 0 }, { kind: "c", priority: 3 }];
  for (const scope of ["no more urgent", "all"] as const) {
    const { run, said } = desk(...owed);
    await run({
      a: done,
      b: () => Promise.resolve({ kind: "held", error: "429", seconds: 9, scope }),
      c: done,
    });
    assertEquals(
      said,
      scope === "all"
        ? ["b1 back 429 9 a+b+c from 0", "a1+c1 back 429 0"]
        : ["b1 back 429 9 a+b+c from 2", "a1 done", "c1 back 429 0"],
    );
  }
});

Deno.test("each outcome is written, and a rejection as a failure with unknown effect", async () => {
  const { run, said } = desk("a", "b", "c", "d", "e");
  const tally = await run({
    a: () => Promise.resolve({ kind: "done", result: "id" }),
    b: () => Promise.resolve({ kind: "failed", error: "422", permanent: true }),
    c: () => Promise.resolve({ kind: "postponed", error: "later", seconds: 300 }),
    d: () => Promise.reject(new TypeError("to jane@example.com")),
    e: () => Promise.resolve({ kind: "settled" }),
  });
  assertEquals(said, [
    "a1 done id",
    "b1 failed 422 for good",
    "c1 back later 300",
    "d1 failed TypeError?",
  ]);
  assertEquals(tally, { done: 2, retried: 1, dead: 1, held: 1, unmarked: 0 });
});

Deno.test("another system's failure means what its kind says: refused for good, busy not done, unknown perhaps done", async () => {
  const { run, said } = desk("a", "b", "c");
  const fail = (kind: FailureKind): Work => () => Promise.reject(new ServiceError(kind, "Twilio"));
  await run({ a: fail("refused"), b: fail("busy"), c: fail("unknown") });
  assertEquals(said, ["a1 failed Twilio for good", "b1 failed Twilio", "c1 failed Twilio?"]);
});

Deno.test("what cannot be written is left to its lease, and the others go on", async () => {
  const d = desk("a", "a");
  const write = d.jobs.done;
  let first = true;
  const jobs: Jobs = {
    ...d.jobs,
    done: (job, result) => {
      if (!first) return write(job, result);
      first = false;
      return Promise.reject(new Error("away"));
    },
  };
  const tally = await runJobs(
    "test",
    { a: done },
    { batch: 9, atOnce: 1, most: 9, until: 0 },
    { jobs, log: () => {}, now: () => new Date(0) },
  );
  assertEquals([tally.done, tally.unmarked, d.said], [1, 1, ["a2 done"]]);
});

Deno.test("a run that can claim nothing rejects", async () => {
  const { jobs } = desk();
  const away: Jobs = { ...jobs, claim: () => Promise.reject(new Error("away")) };
  await assertRejects(() =>
    runJobs("test", { a: done }, { batch: 1, atOnce: 1, most: 1, until: 0 }, {
      jobs: away,
      log: () => {},
      now: () => new Date(0),
    })
  );
});
