import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import * as fc from "fast-check";
import postgres, { type Sql } from "postgres";
import { cases, inFull } from "../support/cases.ts";
import { databaseTests, type TestDatabase } from "../support/database.ts";

// The rules of jobs, by themselves: no worker, no other side. That a worker keeps them: tests/unit/jobs_test.ts.

const test = databaseTests("jobs");

interface Claimed {
  readonly id: string;
  readonly kind: string;
  readonly key: string;
  readonly lease: string;
  readonly attempts: number;
}

/** A kind with these rules, and otherwise with plain ones. */
async function kind(db: TestDatabase, name: string, rules: Record<string, unknown> = {}) {
  await db.sql`
    insert into job_kinds ${
    db.sql({
      kind: name,
      worker: "test",
      priority: 1,
      lease: "2 minutes",
      delays: ["1 second", "10 seconds"],
      ...rules,
    })
  }`;
}

const enqueue = (sql: Sql, kind: string, count: number, prefix = "job") =>
  sql`select enqueue_job(${kind}, ${prefix} || n) from generate_series(1, ${count}::int) as n`;

const claim = async (
  sql: Sql,
  kinds: string[],
  limit: number,
  perHour: number | null = null,
): Promise<Claimed[]> => [
  ...await sql<Claimed[]>`
    select id, kind, key, lease, attempts from claim_jobs(${kinds}, ${limit}, ${perHour})`,
];

/** Lets so much time pass for every job. */
const later = (sql: Sql, interval: string) =>
  sql`update jobs set run_at = run_at - ${interval}::interval, attempted_at = attempted_at - ${interval}::interval,
    uncertain_since = uncertain_since - ${interval}::interval, created_at = created_at - ${interval}::interval,
    ended_at = ended_at - ${interval}::interval`;

const tally = (jobs: readonly Claimed[]) => {
  const counts: Record<string, number> = {};
  for (const { kind } of jobs) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
};

test("eight workers at once get each job once", async (db) => {
  for (const name of ["a", "b"]) await kind(db, name, { share: 0.25 });
  await enqueue(db.sql, "a", 300);
  await enqueue(db.sql, "b", 100);
  const workers = Array.from({ length: 8 }, () => postgres(db.url, { max: 1 }));
  try {
    const claimed = (await Promise.all(workers.map(async (sql) => {
      const mine: Claimed[] = [];
      for (;;) {
        // deno-lint-ignore no-await-in-loop -- One batch after the other, beside seven others.
        const batch = await claim(sql, ["a", "b"], 10);
        if (batch.length === 0) return mine;
        mine.push(...batch);
        for (const { id, lease } of batch) {
          // deno-lint-ignore no-await-in-loop
          await sql`select job_done(${id}, ${lease})`;
        }
      }
    }))).flat();
    // One that others had locked at the moment may have gone by a worker that stopped.
    claimed.push(...await claim(db.sql, ["a", "b"], 400));
    assertEquals(new Set(claimed.map(({ id }) => id)).size, claimed.length);
    assertEquals(tally(claimed), { a: 300, b: 100 });
    assertEquals(claimed.filter(({ attempts }) => attempts !== 1), []);
  } finally {
    await Promise.all(workers.map((sql) => sql.end()));
  }
});

test("of two claims at once the second does not wait, and gets what the first has not", async (db) => {
  await kind(db, "a");
  await enqueue(db.sql, "a", 3);
  await db.sql.begin(async (first) => {
    assertEquals((await claim(first as unknown as Sql, ["a"], 2)).length, 2);
    await db.sql.begin(async (second) => {
      // Else it would wait for the first for ever.
      await second`set local lock_timeout = '10s'`;
      assertEquals((await claim(second as unknown as Sql, ["a"], 5)).length, 1);
    });
  });
  assertEquals(await claim(db.sql, ["a"], 5), []);
});

test("a flood of one kind leaves every other its share, and what others do not need goes by urgency", async (db) => {
  const KINDS = ["k0", "k1", "k2", "k3"];
  const shares = [0, 0.25, 0.5, 0.1];
  for (const [n, name] of KINDS.entries()) {
    await kind(db, name, { priority: n, share: shares[n] });
  }
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(40), { minLength: 4, maxLength: 4 }),
      fc.integer({ min: 4, max: 40 }),
      async (owed, limit) => {
        await db.sql`delete from jobs`;
        for (const [n, name] of KINDS.entries()) await enqueue(db.sql, name, owed[n]!);
        const counts = tally(await claim(db.sql, KINDS, limit));
        const got = KINDS.map((name) => counts[name] ?? 0);
        const due = owed.reduce((sum, n) => sum + n);
        assertEquals(got.reduce((sum, n) => sum + n), Math.min(limit, due));
        const least = owed.map((n, k) =>
          Math.min(n, shares[k] === 0 ? 0 : Math.max(1, Math.floor(shares[k]! * limit)))
        );
        for (const [k, name] of KINDS.entries()) {
          assert(got[k]! >= least[k]!, `${name} got ${got[k]} of ${owed[k]} with ${limit} in all`);
          // More than its share: then nothing more urgent was left over.
          if (got[k]! > least[k]!) {
            for (let more = 0; more < k; more++) assertEquals(got[more], owed[more], KINDS[more]);
          }
        }
      },
    ),
    { numRuns: cases(40) },
  );
});

test("within a kind the most urgent goes first, then the one that is due longest", async (db) => {
  await kind(db, "a");
  await db.sql`
    select enqueue_job('a', key, '{}', now() - since, priority) from (values
      ('late', interval '1 minute', null::integer), ('later', interval '1 second', null), ('first', interval '0', 0),
      ('not yet', interval '-1 minute', 0), ('last', interval '1 hour', 3)
    ) as j(key, since, priority)`;
  const keys = (await claim(db.sql, ["a"], 9)).map(({ key }) => key);
  assertEquals(keys, ["first", "late", "later", "last"]);
});

test("what a claim reads does not grow with what waits", async (db) => {
  await kind(db, "a", { share: 0.5 });
  await kind(db, "b", { share: 0.5 });
  const pages = async () => {
    const [row] = await db.sql.begin(async (sql) => {
      const plan = await sql`
        explain (analyze, buffers, timing off, format json) select * from claim_jobs('{a,b}', 10)`;
      await sql`select 1`;
      return plan;
    });
    const { Plan } = row!["QUERY PLAN"][0];
    return Plan["Shared Hit Blocks"] + Plan["Shared Read Blocks"];
  };
  // Due ones, and ones that are not.
  const fill = async (count: number, prefix: string) => {
    await enqueue(db.sql, "a", count, prefix);
    await db.sql`
      insert into jobs (kind, key, priority, run_at)
      select 'b', ${prefix} || n, n % 4, now() + interval '1 hour' from generate_series(1, ${count}::int) as n`;
    await db.sql`analyze jobs`;
  };
  await fill(200, "few");
  await pages();
  const few = await pages();
  const more = inFull ? 50_000 : 5000;
  await fill(more, "many");
  await pages();
  const many = await pages();
  // A level or two more of each index, in each of the lanes.
  assert(many < 3 * few, `${many} pages with ${2 * more} jobs more, ${few} with 400`);
});

test("each wait is the delay of its kind and try, times a draw of its own; the last delay is repeated", async (db) => {
  const kinds = await db.sql`
    select kind, max_attempts, array(select extract(epoch from d)::float8 from unnest(delays) as d) as delays
    from job_kinds order by kind`;
  assert(kinds.length >= 10);
  for (const { kind, delays, max_attempts } of kinds) {
    const tries = Math.min(max_attempts ?? Infinity, delays.length + 3);
    await db.sql.begin(async (sql) => {
      // As the kind's own keys are: a document's number, or an id.
      const key = kind === "embedding" ? "1/x" : "00000000-0000-4000-8000-000000000001";
      await sql`select enqueue_job(${kind}, ${key}, '{}')`;
      await sql`select setseed(0.5)`;
      const draws = (await sql`select random() as draw from generate_series(1, ${tries})`)
        .map(({ draw }) => draw as number);
      await sql`select setseed(0.5)`;
      for (let n = 1; n <= tries; n++) {
        const [job] = await claim(sql as unknown as Sql, [kind], 1);
        assertEquals(job!.attempts, n);
        const [became] = await sql`select job_failed(${job!.id}, ${job!.lease}, 'x') as status`;
        const [row] = await sql`
          select status, extract(epoch from run_at - now())::float8 as wait from jobs where id = ${
          job!.id
        }`;
        const last = n === max_attempts;
        assertEquals([became!.status, row!.status], Array(2).fill(last ? "dead" : "waiting"));
        if (last) break;
        const delay = delays[Math.min(n, delays.length) - 1];
        assert(
          Math.abs(row!.wait - draws[n - 1]! * delay) < 0.001,
          `${kind}, try ${n}: ${row!.wait}`,
        );
        await sql`update jobs set run_at = now()`;
      }
      await sql`delete from jobs`;
    });
  }
});

test("the kinds have the delays, the tries and the leases that their other sides need", async (db) => {
  const minutes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 360];
  const rows = await db.sql`
    select kind, max_attempts, extract(epoch from lease)::int as lease, extract(epoch from key_lives)::float8 / 3600 as key,
      array(select extract(epoch from d)::float8 from unnest(delays) as d) as delays
    from job_kinds`;
  const rules = new Map(rows.map((row) => [row.kind, row]));
  for (const name of ["alert", "voicemail", "contact_notification", "contact_auto_reply"]) {
    const mail = rules.get(`mail_${name}`)!;
    assertEquals([mail.max_attempts, mail.lease, mail.key], [8, 120, 23.5]);
    assertEquals(mail.delays, [5, 300, 1800, 7200, 18_000, 36_000, 36_000]);
  }
  assertEquals(rules.get("onboarding")!.delays, minutes.map((each) => each * 60));
  assertEquals(rules.get("onboarding")!.lease, 180);
  assertEquals(rules.get("twilio_deletion")!.delays, minutes.map((each) => each * 60));
  const calls = [5, 10, 20, 40, 80, 160, 320, 360].map((each) => each * 60);
  assertEquals(rules.get("incomplete_call")!.delays, calls);
  assertEquals(rules.get("open_call")!.delays, [300]);
});

test("a lease keeps everybody else away until it ends, and its loser can write nothing", async (db) => {
  await kind(db, "a", { lease: "90 seconds" });
  await enqueue(db.sql, "a", 1);
  const [slow] = await claim(db.sql, ["a"], 1);
  await later(db.sql, "89 seconds");
  assertEquals(await claim(db.sql, ["a"], 1), []);
  await later(db.sql, "1 second");
  const [quick] = await claim(db.sql, ["a"], 1);
  assertEquals([quick!.id, quick!.attempts], [slow!.id, 2]);
  const before = await db.sql`select * from jobs`;
  const { id, lease } = slow!;
  const [said] = await db.sql`
    select job_done(${id}, ${lease}) as done, job_failed(${id}, ${lease}, 'x') as failed, renew_job(${id}, ${lease}) as renewed`;
  assertEquals({ ...said }, { done: false, failed: null, renewed: false });
  await db.sql`select hold_jobs(array[${lease}]::uuid[], 'x', 60)`;
  assertEquals([...await db.sql`select * from jobs`], [...before]);

  await later(db.sql, "60 seconds");
  const [renewed] = await db.sql`select renew_job(${id}, ${quick!.lease}) as it`;
  assertEquals(renewed!.it, true);
  await later(db.sql, "60 seconds");
  assertEquals(await claim(db.sql, ["a"], 1), []);
});

test("whatever happens in whatever order, no job is lost, in two hands at once, or done by one that lost it", async (db) => {
  await kind(db, "a", { max_attempts: 3, keep: "1 day", share: 0.5 });
  await kind(db, "b", { priority: 0, longest_hold: "30 seconds", keep: "1 day", share: 0.5 });
  const step = fc.oneof(
    fc.record({ do: fc.constant("enqueue"), n: fc.nat(9), kind: fc.constantFrom("a", "b") }),
    fc.record({ do: fc.constant("claim"), n: fc.integer({ min: 2, max: 5 }) }),
    fc.record({ do: fc.constantFrom("done", "failed", "give back", "hold"), n: fc.nat(99) }),
    fc.record({ do: fc.constant("pass"), n: fc.constantFrom(1, 60, 120) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await db.sql`delete from jobs`;
      await db.sql`update job_kinds set held_until = null`;
      const owed = new Set<string>();
      const done = new Set<string>();
      /** Every lease that was ever given, with the time at which it ends. */
      const leases: (Claimed & { until: number })[] = [];
      let now = 0;
      for (const each of steps) {
        if (each.do === "enqueue") {
          const { kind, n } = each as { kind: string; n: number };
          owed.add(`${kind} ${n}`);
          await db.sql`select enqueue_job(${kind}, ${String(n)})`;
        } else if (each.do === "claim") {
          for (const job of await claim(db.sql, ["a", "b"], each.n)) {
            const others = leases.filter(({ id, until }) => id === job.id && until > now);
            assertEquals(others, [], "a job in two hands");
            assert(!done.has(job.id), "a job that is done is claimed");
            leases.push({ ...job, until: now + 120 });
          }
        } else if (each.do === "pass") {
          now += each.n;
          await later(db.sql, `${each.n} seconds`);
          await db
            .sql`update job_kinds set held_until = held_until - make_interval(secs => ${each.n})`;
        } else if (leases.length > 0) {
          const job = leases[each.n % leases.length]!;
          const current = leases.findLast(({ id }) => id === job.id) === job && job.until >= 0;
          if (each.do === "done") {
            const [row] = await db.sql`select job_done(${job.id}, ${job.lease}) as it`;
            assertEquals(row!.it, current, "whose lease it is may end it, and nobody else");
            if (row!.it) done.add(job.id);
          } else if (each.do === "failed") {
            const [row] = await db.sql`select job_failed(${job.id}, ${job.lease}, 'x') as it`;
            assertEquals(row!.it !== null, current);
          } else {
            const kinds = each.do === "hold" ? ["a", "b"] : null;
            await db.sql`select hold_jobs(array[${job.lease}]::uuid[], 'x', 60, ${kinds})`;
          }
          // Settled: this lease is worth nothing any more.
          job.until = -1;
        }
      }
      const rows = await db.sql`select id, kind, key, status, attempts, lease from jobs`;
      assertEquals(new Set(rows.map(({ kind, key }) => `${kind} ${key}`)), owed);
      assertEquals(rows.length, owed.size);
      for (const { id, kind, status, attempts } of rows) {
        assertEquals(status === "done", done.has(id));
        assert(attempts <= 3 || kind === "b");
      }
    }),
    { numRuns: cases(60) },
  );
});

test("a key is owed once; enqueued again it may come sooner, and never touches a try", async (db) => {
  await kind(db, "a", { keep: "1 day" });
  const dueIn = async () =>
    Math.round(
      (await db.sql`select extract(epoch from run_at - now())::float8 as s from jobs`)[0]!.s,
    );
  const again = (wait: string) =>
    db.sql`select enqueue_job('a', 'k', '{"n": 2}', now() + ${wait}::interval)`;
  await db.sql`select enqueue_job('a', 'k', '{"n": 1}', now() + interval '1 hour')`;
  await again("2 hours");
  assertEquals(await dueIn(), 3600);
  await again("1 minute");
  assertEquals(await dueIn(), 60);
  await later(db.sql, "1 minute");
  const [job] = await claim(db.sql, ["a"], 1);
  await again("1 second");
  assertEquals(await dueIn(), 120, "the lease of a job that is being done");
  await db.sql`select job_failed(${job!.id}, ${job!.lease}, 'x')`;
  await db.sql`update jobs set run_at = now() + interval '1 hour'`;
  await again("0 seconds");
  assertEquals(await dueIn(), 3600, "the wait after a failure");
  await later(db.sql, "1 hour");
  const [second] = await claim(db.sql, ["a"], 1);
  await db.sql`select job_done(${second!.id}, ${second!.lease}, 'r')`;
  await again("0 seconds");
  assertEquals(await claim(db.sql, ["a"], 1), [], "done is done, as long as it is kept");
  assertEquals((await db.sql`select payload, result from jobs`).map((row) => ({ ...row })), [
    { payload: { n: 1 }, result: "r" },
  ]);
});

test("a held kind waits, no longer than its longest hold; more urgent kinds go on, and no try is counted", async (db) => {
  await kind(db, "urgent", { priority: 0 });
  await kind(db, "short", { priority: 1, longest_hold: "30 seconds" });
  await kind(db, "long", { priority: 2 });
  const all = ["urgent", "short", "long"];
  for (const name of all) await enqueue(db.sql, name, 1);
  const jobs = await claim(db.sql, all, 3);
  const leases = jobs.map(({ lease }) => lease);
  await db.sql`select hold_jobs(${leases}::uuid[], '429', 600, ${all}, 1)`;
  const claimable = async () => (await claim(db.sql, all, 3)).map(({ kind }) => kind);
  assertEquals(await claimable(), ["urgent"]);
  const [waiting] = await db.sql`select * from jobs_waiting where kind = 'short'`;
  assertEquals([waiting!.waiting, waiting!.due, waiting!.held_for], ["1", "0", "429"]);
  const pass = (interval: string) =>
    db.sql`update job_kinds set held_until = held_until - ${interval}::interval`;
  await pass("29 seconds");
  assertEquals(await claimable(), []);
  await pass("1 second");
  assertEquals(await claimable(), ["short"]);
  await pass("569 seconds");
  assertEquals(await claimable(), []);
  assertEquals((await db.sql`select hurry_jobs('long') as n`)[0]!.n, 1);
  assertEquals(await claimable(), ["long"]);
  assertEquals([...await db.sql`select kind from jobs where attempts <> 1`], []);
});

test("what may have been done is tried again only while the other side knows its key", async (db) => {
  await kind(db, "a", { key_lives: "2 hours", delays: ["10 hours"] });
  for (const how of ["said so", "was never heard of again"]) {
    await db.sql`delete from jobs`;
    await enqueue(db.sql, "a", 1);
    const [job] = await claim(db.sql, ["a"], 1);
    if (how === "said so") {
      await db.sql`select job_failed(${job!.id}, ${job!.lease}, 'x', false, true)`;
      const [row] = await db.sql`
        select run_at <= attempted_at + interval '90 minutes' as soon from jobs`;
      assertEquals(row!.soon, true, "not in up to 10 hours");
    }
    await later(db.sql, "119 minutes");
    const [second] = await claim(db.sql, ["a"], 1);
    assertEquals(second!.id, job!.id, how);
    // A failure after which it certainly was not done does not make the first try certain.
    await db.sql`select job_failed(${second!.id}, ${second!.lease}, 'x')`;
    await later(db.sql, "2 minutes");
    await db.sql`update jobs set run_at = now()`;
    assertEquals(await claim(db.sql, ["a"], 1), []);
    const [dead] = await db.sql`select last_error, attempts from jobs_dead`;
    assertEquals({ ...dead }, { last_error: "outcome_unknown", attempts: 2 });
  }
  // What certainly was not done is tried for as long as it takes.
  await db.sql`delete from jobs`;
  await enqueue(db.sql, "a", 1);
  const [job] = await claim(db.sql, ["a"], 1);
  await db.sql`select job_failed(${job!.id}, ${job!.lease}, 'x')`;
  await later(db.sql, "3 days");
  assertEquals((await claim(db.sql, ["a"], 1)).length, 1);
});

test("a job whose last try died with its worker is dead, and one that comes too late", async (db) => {
  await kind(db, "few", { max_attempts: 2 });
  await kind(db, "fresh", { expires_after: "1 day" });
  await enqueue(db.sql, "few", 1);
  await enqueue(db.sql, "fresh", 1);
  for (const expected of [["few", "fresh"], ["few", "fresh"], ["fresh"]]) {
    const kinds = (await claim(db.sql, ["few", "fresh"], 2)).map(({ kind }) => kind);
    assertEquals(kinds, expected);
    await later(db.sql, "2 minutes");
  }
  await later(db.sql, "1 day");
  assertEquals(await claim(db.sql, ["few", "fresh"], 2), []);
  const dead = await db.sql`select kind, last_error from jobs_dead order by kind`;
  assertEquals(dead.map((row) => ({ ...row })), [
    { kind: "few", last_error: "outcome_unknown" },
    { kind: "fresh", last_error: "too_late" },
  ]);
  const told = await db.sql`
    select event_data ->> 'kind' as kind, event_data ->> 'reason' as reason from recent_errors
    where event_type = 'job_dead' order by 1`;
  assertEquals(told.map(({ kind, reason }) => [kind, reason]), [
    ["few", "outcome_unknown"],
    ["fresh", "too_late"],
  ]);
  assertEquals((await db.sql`select retry_dead_jobs(p_kind => 'fresh') as n`)[0]!.n, 1);
  assertEquals((await claim(db.sql, ["few", "fresh"], 2)).map(({ kind }) => kind), ["fresh"]);
});

test("an hour's ceiling holds for all claims together, however many come at once", async (db) => {
  await kind(db, "all", { priority: 0, hourly_share: 1, keep: "1 day" });
  await kind(db, "half", { priority: 1, hourly_share: 0.5, keep: "1 day" });
  await enqueue(db.sql, "half", 60);
  const workers = Array.from({ length: 8 }, () => postgres(db.url, { max: 1 }));
  const round = async () =>
    (await Promise.all(workers.map((sql) => claim(sql, ["all", "half"], 10, 20)))).flat();
  try {
    const first = await round();
    assertEquals(tally(first), { half: 10 });
    await enqueue(db.sql, "all", 60);
    const second = await round();
    assertEquals(tally(second), { all: 10 });
    for (const { id, lease } of [...first, ...second]) {
      await db.sql`select job_done(${id}, ${lease})`;
    }
    assertEquals(await round(), [], "what is done counts as what is being done");
    await db.sql`update jobs set ended_at = ended_at - interval '1 hour'`;
    assertEquals(tally(await round()), { all: 20 });
  } finally {
    await Promise.all(workers.map((sql) => sql.end()));
  }
});

test("a job that is done is kept as long as its kind says, and goes in batches", async (db) => {
  await kind(db, "kept", { keep: "1 hour" });
  await kind(db, "gone");
  await enqueue(db.sql, "kept", 3);
  await enqueue(db.sql, "gone", 2);
  for (const { id, lease } of await claim(db.sql, ["kept", "gone"], 9)) {
    await db.sql`select job_done(${id}, ${lease})`;
  }
  const left = async () => (await db.sql`select kind from jobs`).map(({ kind }) => kind);
  assertEquals(await left(), ["kept", "kept", "kept"]);
  await db.sql`select purge_jobs()`;
  assertEquals((await left()).length, 3);
  await later(db.sql, "61 minutes");
  assertEquals((await db.sql`select purge_jobs(2) as n`)[0]!.n, 2);
  assertEquals((await db.sql`select purge_jobs(2) as n`)[0]!.n, 1);
  assertEquals(await left(), []);
});

test("a job of a transaction that is undone is not owed", async (db) => {
  await kind(db, "a");
  await db.sql.begin(async (sql) => {
    await sql`select enqueue_job('a', 'k')`;
    throw new Error("undone");
  }).catch(() => {});
  assertEquals(await claim(db.sql, ["a"], 1), []);
});
