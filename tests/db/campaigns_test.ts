import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import postgres, { type Sql } from "postgres";
import { importing, open, phones, running } from "../support/campaigns.ts";
import { attemptsOf } from "../../supabase/functions/_shared/campaigns/retry.ts";
import { databaseTests } from "../support/database.ts";

const test = databaseTests("campaigns");

interface Dial {
  token: string;
  to: string;
  line: string;
  send_in_ms: number;
}
interface Reserved {
  state: string;
  dials: Dial[];
  stale: { area: string; zones: string[] }[];
}

const ORG = "5f0c7a52-7f0e-4c39-9e0c-0d6a3f6f2d11";
const ACCOUNT = `AC${"2".repeat(32)}`;

const reserve = (sql: Sql, id: string, most: number, horizon = "10 seconds") =>
  sql<{ answer: Reserved }[]>`
    select reserve_campaign_dials(${id}, ${most}, ${horizon}::interval) as answer`
    .then(([row]) => row!.answer);

const begin = (sql: Sql, dials: readonly Dial[], settled: unknown[] = []) =>
  sql<{ tokens: string[] }[]>`
    select begin_campaign_dials(${dials.map(({ token }) => token)}::uuid[], ${
    sql.json(settled as never)
  }) as tokens`
    .then(([row]) => row!.tokens);

const told = (sql: Sql, token: string, status: string, what: string | null = null) =>
  sql`select attempt_told(${token}, ${`CA${
    token.replaceAll("-", "")
  }`}, ${status}, ${what}) as answer`;

const live = async (sql: Sql, id: string) => {
  const [row] = await sql<Record<string, number>[]>`
    select contacts, waiting, dialled, ringing, answered, machine, busy, no_answer, failed, opted_out, suppressed, abandoned, unknown
    from campaign_live where campaign_id = ${id}`;
  return Object.fromEntries(Object.entries(row!).filter(([, count]) => count !== 0));
};

test("a list is taken once: the same numbers again add nothing, and those who said stop are never dialled", async ({ sql }) => {
  await sql`insert into suppressions (e164, source) values ('+12125559003', 'sms')`;
  const id = await running(sql, 0);
  assertEquals(await importing(sql, id, phones(10, 0)), {
    added: 10,
    duplicates: 0,
    suppressed: 0,
    lines: [],
  });
  await sql`insert into telephony_subaccounts (org_id, subaccount_sid, business_name) values (${ORG}, ${ACCOUNT}, 'Other')`;
  await sql`
    insert into telephony_numbers (e164_number, org_id, number_sid, country)
    values ('+12125559004', ${ORG}, ${`PN${"1".repeat(32)}`}, 'US')`;
  const more = [...phones(2, 8), "+12125559003", "+12125551000", "+12125559004"];
  const answer = { added: 1, duplicates: 2, suppressed: 1, lines: ["+12125559004"] };
  assertEquals(await importing(sql, id, more), answer);
  assertEquals(await importing(sql, id, more), {
    ...answer,
    added: 0,
    duplicates: 4,
    suppressed: 0,
  });
  assertEquals(await live(sql, id), { contacts: 12, waiting: 11, suppressed: 1 });
  await open(sql, id);
  const { dials } = await reserve(sql, id, 100);
  assertEquals(dials.length, 11);
  assert(!dials.some(({ to }) => to === "+12125559003"));
  await sql`select command_campaign(${id}, 'stop')`;
  await assertRejects(() => importing(sql, id, ["+12125550100"]), postgres.PostgresError, "ended");
});

test("in no second an account dials more than its rate, and no contact twice, however many reserve at once", async ({ sql, url }) => {
  const ids = [
    await running(sql, 300, { account: 50, rate: 50 }),
    await running(sql, 300, { account: 50, rate: 20, from: 1000 }),
  ];
  const sessions = Array.from({ length: 6 }, () => postgres(url, { max: 1 }));
  try {
    await Promise.all(
      sessions.map((session, nth) => reserve(session, ids[nth % 2]!, 60, "4 seconds")),
    );
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
  const sent = await sql<{ at: number; campaign_id: string; contact_id: string }[]>`
    select extract(epoch from send_at)::float8 as at, campaign_id, contact_id from dial_attempts order by send_at`;
  assertEquals(new Set(sent.map((each) => each.contact_id)).size, sent.length);
  const most = (times: number[]) =>
    Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1).length));
  assertEquals(most(sent.map(({ at }) => at)) <= 50, true);
  assert(most(sent.filter((each) => each.campaign_id === ids[1]).map(({ at }) => at)) <= 20);
  // Slots of 20.8 ms: all that lie between the first and the last are used.
  const seconds = sent.at(-1)!.at - sent[0]!.at;
  assert(sent.length / (seconds * 50) >= 0.95, `${sent.length} in ${seconds} s`);
});

test("nobody is dialled without an opening that goes on, and the areas to be worked out are named", async ({ sql }) => {
  const id = await running(sql, 5);
  await sql`update campaign_areas set opens_at = null, closes_at = null`;
  const closed = await reserve(sql, id, 5);
  assertEquals([closed.dials, closed.stale.map(({ zones }) => zones)], [[], [[
    "America/New_York",
  ]]]);
  await sql`select set_campaign_openings(${id}, ${
    sql.json([{
      area: closed.stale[0]!.area,
      opens_at: new Date(Date.now() + 60_000).toISOString(),
      closes_at: new Date(Date.now() + 3_600_000).toISOString(),
    }])
  })`;
  assertEquals(await reserve(sql, id, 5), {
    state: "running",
    dials: [],
    stale: [],
    full: false,
  });
  // It closes before the last of these could ring.
  await sql`update campaign_areas set opens_at = now() - interval '1 hour', closes_at = now() + interval '65 seconds'`;
  assertEquals((await reserve(sql, id, 5)).dials, []);
  await open(sql, id);
  assertEquals((await reserve(sql, id, 5)).dials.length, 5);
});

test("a stop between reserving and dialling is kept, in all campaigns of the owner", async ({ sql }) => {
  const id = await running(sql, 3);
  const other = await running(sql, 3);
  const { dials } = await reserve(sql, id, 3);
  await sql`select suppress(null, ${dials[1]!.to}, 'sms')`;
  const begun = await begin(sql, dials);
  assertEquals(begun.toSorted(), [dials[0]!.token, dials[2]!.token].toSorted());
  assertEquals(await live(sql, id), { contacts: 3, suppressed: 1, unknown: 2, dialled: 2 });
  assertEquals(await live(sql, other), { contacts: 3, suppressed: 1, waiting: 2 });
});

test("a dial is begun once, however often it is told, and not while the campaign is paused or after its slot", async ({ sql }) => {
  const id = await running(sql, 6);
  const first = (await reserve(sql, id, 2)).dials;
  assertEquals((await begin(sql, first)).length, 2);
  assertEquals(await begin(sql, first), []);
  const paused = (await reserve(sql, id, 2)).dials;
  await sql`select command_campaign(${id}, 'pause')`;
  assertEquals(await begin(sql, paused), []);
  assertEquals((await reserve(sql, id, 2)).state, "paused");
  await sql`select command_campaign(${id}, 'resume')`;
  const late = (await reserve(sql, id, 2)).dials;
  await sql`update dial_attempts set send_at = now() - interval '2 seconds' where state = 'intended'`;
  assertEquals(await begin(sql, late), []);
  // Nothing is lost: those wait again, and the two in doubt are held back.
  assertEquals(await live(sql, id), { contacts: 6, waiting: 4, unknown: 2, dialled: 2 });
  assertEquals((await reserve(sql, id, 10)).dials.length, 4);
});

test("a dial in doubt is repeated only once it is known that Twilio has made none", async ({ sql }) => {
  const id = await running(sql, 1);
  const { dials: [dial] } = await reserve(sql, id, 1);
  await begin(sql, [dial!]);
  assertEquals((await reserve(sql, id, 1)).dials, []);
  // Twilio's list may be late.
  await sql`select dial_told(${dial!.token}, 'intended')`;
  assertEquals((await reserve(sql, id, 1)).dials, []);
  assertEquals(await live(sql, id), { contacts: 1, unknown: 1, dialled: 1 });
  await sql`update dial_attempts set dialled_at = now() - interval '13 minutes'`;
  await sql`select dial_told(${dial!.token}, 'intended')`;
  const { dials: [again] } = await reserve(sql, id, 1);
  assertEquals(again!.to, dial!.to);
  await begin(sql, [again!]);
  // Twilio was busy, and has made none.
  await begin(sql, [], [{ token: again!.token, state: "not_made" }]);
  assertEquals(await live(sql, id), { contacts: 1, waiting: 1 });
  const { dials: [third] } = await reserve(sql, id, 1);
  await begin(sql, [third!]);
  // The webhook is there before the answer to the request.
  await told(sql, third!.token, "ringing");
  const leg_sid = `CA${third!.token.replaceAll("-", "")}`;
  await begin(sql, [], [{ token: third!.token, state: "created", leg_sid }]);
  assertEquals(await live(sql, id), { contacts: 1, ringing: 1, dialled: 1 });
});

test("how a dial ends decides whether and when the next one comes", async ({ sql }) => {
  const id = await running(sql, 6, {
    attempts: { max: 2, busy_minutes: 15, no_answer_minutes: 240 },
  });
  const { dials } = await reserve(sql, id, 6);
  assertEquals((await begin(sql, dials)).length, 6);
  const [busy, silent, refused, person, machine, abandoned] = dials.map(({ token }) => token);
  await begin(sql, [], [{ token: refused, state: "refused" }]);
  for (
    const [token, status, what] of [
      [busy, "busy"],
      [silent, "no-answer"],
      [person, "in-progress"],
      [person, "completed"],
      [person, "completed"],
      [machine, "in-progress"],
      [machine, "in-progress", "machine"],
      [machine, "completed"],
      [abandoned, "in-progress", "abandoned"],
      [abandoned, "completed"],
      // Late, and changes nothing.
      [busy, "ringing"],
    ]
  ) {
    // deno-lint-ignore no-await-in-loop -- In this order.
    await told(sql, token!, status!, what ?? null);
  }
  assertEquals(await live(sql, id), {
    contacts: 6,
    waiting: 3,
    failed: 1,
    answered: 1,
    abandoned: 1,
    dialled: 6,
  });
  const due = await sql<{ ends: string[]; minutes: number }[]>`
    select ends, round(extract(epoch from due_at - now()) / 60)::int as minutes from campaign_contacts
    where due_at is not null order by due_at`;
  assertEquals(due.map((each) => [...each.ends, each.minutes]), [["busy", 15], ["no_answer", 240], [
    "machine",
    1440,
  ]]);
  const results = await sql<{ result: string; count: number }[]>`
    select result, count(*)::int as count from campaign_dials group by 1 order by 1`;
  assertEquals(results.length, 6);
  const [record] =
    await sql`select dials::int, answered::int, found_nobody::int, abandoned::int from campaign_compliance where campaign_id = ${id}`;
  assertEquals({ ...record }, { dials: 6, answered: 2, found_nobody: 1, abandoned: 0 });
  // A day's cap holds over all campaigns.
  await sql`update campaign_contacts set due_at = now() where due_at is not null`;
  assertEquals((await reserve(sql, id, 6)).dials, []);
  const other = await running(sql, 7);
  assertEquals((await reserve(sql, other, 7)).dials.length, 1);
});

test("calls at once are bounded, and the numbers of a pool are used in turn", async ({ sql }) => {
  const id = await running(sql, 20, { concurrent: 4 });
  await sql`delete from campaign_lines`;
  await sql`insert into campaign_lines (campaign_id, line, per_day) values (${id}, '+14035559998', 3), (${id}, '+14035559999', 3)`;
  const first = (await reserve(sql, id, 2)).dials;
  assertEquals(new Set(first.map(({ line }) => line)).size, 2);
  assertEquals((await reserve(sql, id, 2)).dials.length, 2);
  assertEquals((await reserve(sql, id, 2)).dials, []);
  await begin(sql, first);
  await Promise.all(first.map(({ token }) => told(sql, token, "busy")));
  // Both have had two of their three dials a day.
  const last = [await reserve(sql, id, 2), await reserve(sql, id, 2), await reserve(sql, id, 2)];
  assertEquals(last.map(({ dials }) => dials.length), [1, 1, 0]);
});

test("stop ends what is reserved and what rings, and talks go on", async ({ sql }) => {
  const id = await running(sql, 4);
  const { dials } = await reserve(sql, id, 3);
  await begin(sql, dials.slice(0, 2));
  await told(sql, dials[0]!.token, "in-progress");
  await told(sql, dials[1]!.token, "ringing");
  assertEquals([...await sql`select command_campaign(${id}, 'stop') as state`], [{
    state: "stopping",
  }]);
  assertEquals(await begin(sql, dials.slice(2)), []);
  const jobs = await sql`select key from jobs where kind = 'dial_end'`;
  assertEquals(jobs.map(({ key }) => key), [dials[1]!.token]);
  await told(sql, dials[1]!.token, "completed");
  await sql`select mend_campaigns()`;
  const state = () => sql`select state from campaigns where id = ${id}`.then(([row]) => row!.state);
  assertEquals(await state(), "stopping");
  await told(sql, dials[0]!.token, "completed");
  await sql`select mend_campaigns()`;
  assertEquals(await state(), "done");
  await assertRejects(
    () => sql`select command_campaign(${id}, 'start')`,
    postgres.PostgresError,
    "cannot start",
  );
});

test("a talk is looked at each fifth minute, and nobody ends it", async ({ sql }) => {
  const id = await running(sql, 2);
  const { dials } = await reserve(sql, id, 2);
  await begin(sql, dials);
  const [talks, rings] = dials.map(({ token }) => token);
  await told(sql, talks!, "in-progress");
  await told(sql, rings!, "ringing");
  const minutesLater = async (minutes: number) => {
    const by = `${minutes} minutes`;
    await sql`delete from jobs`;
    await sql`
      update dial_attempts set dialled_at = now() - ${by}::interval,
        answered_at = case when answered_at is not null then now() - ${by}::interval end`;
    await sql`select mend_dialling()`;
    return (await sql<{ key: string; talks: boolean }[]>`
      select key, (dial_content('dial_end', key::uuid) ->> 'talks')::boolean as talks
      from jobs where kind = 'dial_end' order by 2`).map((each) => ({ ...each }));
  };
  const ringing = { key: rings!, talks: false };
  assertEquals(await minutesLater(4), [ringing]);
  assertEquals(await minutesLater(7), [ringing, { key: talks!, talks: true }]);
  // The campaign's stop does not make it end either.
  await sql`select command_campaign(${id}, 'stop')`;
  assertEquals(await minutesLater(7), [ringing, { key: talks!, talks: true }]);
});

test("live figures are those of the contacts, before and after they are added up", async ({ sql }) => {
  const id = await running(sql, 30);
  const { dials } = await reserve(sql, id, 20);
  await begin(sql, dials);
  await Promise.all(
    dials.slice(0, 12).map(({ token }, nth) =>
      told(sql, token, ["busy", "in-progress", "no-answer"][nth % 3]!)
    ),
  );
  const counted = async () => {
    const rows = await sql<
      { state: string; count: number }[]
    >`select state, count(*)::int as count from campaign_contacts group by 1`;
    return Object.fromEntries(rows.map(({ state, count }) => [state, count]));
  };
  const { contacts: _, dialled, ...states } = await live(sql, id);
  assertEquals(states, await counted());
  assertEquals(dialled, 20);
  const before = await live(sql, id);
  await sql`select mend_campaigns()`;
  assertEquals(await live(sql, id), before);
  assert((await sql`select from campaign_changes`).length <= 6);
});

test("a campaign is started, paused and resumed while its dials are reserved", async ({ sql, url }) => {
  const id = await running(sql, 300, { account: 1000, rate: 1000 });
  const [reserving, commanding] = [postgres(url, { max: 1 }), postgres(url, { max: 1 })];
  const isWaiting = async () => {
    const [row] = await sql`select from pg_stat_activity where wait_event_type = 'Lock'`;
    return row !== undefined;
  };
  try {
    // The command comes after the reservation has taken the rate, and before it refers to the campaign.
    await reserving.begin(async (session) => {
      await session`select from dial_rates for update`;
      const resumed = commanding`select command_campaign(${id}, 'resume')`.then(() => "resumed");
      // deno-lint-ignore no-await-in-loop -- Until it waits.
      while (!await isWaiting());
      const [row] = await session<{ answer: Reserved }[]>`
        select reserve_campaign_dials(${id}, 10) as answer`;
      assertEquals(row!.answer.dials.length, 10);
      return [resumed];
    });
    assertEquals((await reserve(sql, id, 10)).state, "running");
  } finally {
    await Promise.all([reserving.end(), commanding.end()]);
  }
});

test("a stop is kept after an erasure, by a hash that does not lead to the number", async ({ sql }) => {
  const [stopped, called] = phones(2);
  await sql`select suppress(null, ${stopped!}, 'key')`;
  const id = await running(sql, 2);
  const { dials } = await reserve(sql, id, 2);
  assertEquals(dials.map(({ to }) => to), [called]);
  await begin(sql, dials);
  await told(sql, dials[0]!.token, "completed");
  for (const number of [stopped!, called!]) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    await sql`select forget_person(${number})`;
  }
  assertEquals([...await sql`select e164, source from suppressions`], [{
    e164: null,
    source: "key",
  }]);
  assertEquals([...await sql`select from campaign_contacts`], []);
  // Said again, nothing changes, and the number does not come back.
  await sql`select suppress(null, ${stopped!}, 'sms')`;
  assertEquals([...await sql`select e164 from suppressions`], [{ e164: null }]);
  assertEquals(await importing(sql, id, [stopped!]), {
    added: 0,
    duplicates: 0,
    suppressed: 1,
    lines: [],
  });
  // The dial's record stays, and answers a complaint about its number; without the key it says nothing.
  const known = await sql`
    select d.number_hash = number_hash(${called!}) as ours, d.number_hash = sha256(convert_to(${called!}, 'UTF8')) as plain
    from campaign_dials as d`;
  assertEquals([...known], [{ ours: true, plain: false }]);
});

test("a budget of minutes pauses the campaign, and a start that is set is waited for", async ({ sql }) => {
  const id = await running(sql, 6);
  await sql`update campaigns set max_minutes = 3 where id = ${id}`;
  const first = (await reserve(sql, id, 6)).dials;
  assertEquals(first.length, 3);
  await begin(sql, first);
  for (const { token } of first) {
    // deno-lint-ignore no-await-in-loop -- In this order.
    await told(sql, token, "in-progress");
    // deno-lint-ignore no-await-in-loop
    await told(sql, token, "completed");
  }
  assertEquals((await reserve(sql, id, 6)).state, "paused");
  const [row] = await sql`select minutes, contacts, paused_because from campaign_live`;
  assertEquals({ ...row }, { minutes: 3, contacts: 6, paused_because: "budget" });
  await sql`update campaigns set max_minutes = null, starts_at = now() + interval '1 hour'`;
  await sql`select command_campaign(${id}, 'resume')`;
  assertEquals((await reserve(sql, id, 6)).dials, []);
  const running_ = await sql`select running_campaigns() as them`;
  assertEquals(running_[0]!.them, []);
  await sql`update campaigns set starts_at = now() - interval '1 hour'`;
  assertEquals((await reserve(sql, id, 6)).dials.length, 3);
});

test("after Twilio had no time for a dial the account dials half as fast for a minute", async ({ sql }) => {
  const id = await running(sql, 300, { account: 20, rate: 20 });
  const slots = async (horizon: string) => {
    const { dials } = await reserve(sql, id, 100, horizon);
    const rows = await sql<{ slot: string }[]>`
      select slot from dial_attempts where token = any (${
      dials.map(({ token }) => token)
    }) order by slot`;
    return rows.map(({ slot }) => Number(slot));
  };
  const [first] = (await reserve(sql, id, 1)).dials;
  await begin(sql, [first!]);
  await begin(sql, [], [{ token: first!.token, state: "busy" }]);
  await sql`update dial_rates set not_before = '-infinity'`;
  const slow = await slots("3 seconds");
  assert(slow.length > 20 && slow.length <= 30, `${slow.length} dials in 3 s`);
  assertEquals(slow.filter((slot) => slot % 2 !== 0), []);
  await sql`update dial_rates set slow_until = now()`;
  assert((await slots("6 seconds")).some((slot) => slot % 2 !== 0));
});

test("an account dials as fast as its fastest campaign, and no faster than an operator has said", async ({ sql }) => {
  const rate = () =>
    sql`select per_second::float8 as rate from dial_rates`.then(([row]) => row!.rate);
  await sql`delete from dial_rates`;
  const id = await running(sql, 1, { rate: 10, account: 50 });
  assertEquals(await rate(), 10);
  await running(sql, 1, { rate: 30 });
  assertEquals(await rate(), 30);
  await sql`update dial_rates set at_most = 20`;
  await sql`select command_campaign(${id}, 'pause')`;
  await sql`select command_campaign(${id}, 'resume')`;
  assertEquals(await rate(), 20);
});

test("an account dials once a second until an operator says that Twilio does more", async ({ sql }) => {
  const rate = () =>
    sql`select per_second::float8 as rate from dial_rates`.then(([row]) => row!.rate);
  const id = await running(sql, 1, { rate: 50 });
  await sql`update dial_rates set at_most = null`;
  const command = async (word: string, more = sql``) => {
    await sql`select command_campaign(${id}, 'pause')`;
    await sql`select command_campaign(${id}, ${word} ${more})`;
    return await rate();
  };
  assertEquals(await command("resume"), 1);
  assertEquals(await command("resume", sql`, p_rate => 20`), 20);
  // What is said of this account counts before what is said of all.
  await sql`update dial_rates set at_most = 40`;
  assertEquals(await command("resume", sql`, p_rate => 20`), 40);
  const [now] = await sql`select campaign_now(${id}) -> 'account_calls_per_second' as rate`;
  assertEquals(now!.rate, 40);
});

test("a dial that was not made does not count among those of its number and day", async ({ sql }) => {
  const id = await running(sql, 40);
  const counted = async () => {
    const [row] = await sql<{ dialled: number; open: number }[]>`
      select sum(dialled)::integer as dialled from campaign_lines where campaign_id = ${id}`;
    return row!.dialled;
  };
  const { dials } = await reserve(sql, id, 10);
  assertEquals(await counted(), 10);
  const begun = await begin(sql, dials.slice(0, 4));
  assertEquals(begun.length, 4);
  // One was sent too late, of which the database is told twice, and six were never begun.
  const settled = [{ token: begun[0]!, state: "not_made" }];
  await sql`update dial_attempts set send_at = now() - interval '2 seconds' where state = 'intended'`;
  await begin(sql, dials.slice(4), settled);
  await begin(sql, dials.slice(4), settled);
  assertEquals(await counted(), 3);
  const [now] = await sql`select campaign_now(${id}) -> 'dials_left_today' as dials`;
  assertEquals(now!.dials, 1_999_997);
});

test("a campaign that waits for its list is not over", async ({ sql }) => {
  const id = await running(sql, 0);
  await sql`update campaigns set started_at = now() - interval '1 day' where id = ${id}`;
  await sql`select mend_campaigns()`;
  assertEquals((await importing(sql, id, phones(1))).added, 1);
});

test("a number that people answer half as often as the others rests", async ({ sql }) => {
  const id = await running(sql, 1);
  const dialled = (line: string, dials: number, answered: number) =>
    sql`
      insert into campaign_dials (
        campaign_id, owner, number_hash, line, rules, region, zones, consent, dialled_at, ended_at, result
      )
      select ${id}, owner, '', ${line}, 'US', 'NY', '{America/New_York}', consent, now(), now(),
        case when n <= ${answered} then 'answered' else 'no_answer' end
      from campaigns, generate_series(1, ${dials}::int) as n where id = ${id}`;
  const resting = async () => {
    await sql`select mend_campaigns()`;
    const rows =
      await sql`select line from campaign_lines where rests_until > now() + interval '23 hours'`;
    return rows.map(({ line }) => line);
  };
  await dialled("+12125559999", 49, 2);
  await dialled("+14035559999", 200, 60);
  assertEquals(await resting(), []);
  await dialled("+12125559999", 1, 0);
  assertEquals(await resting(), ["+12125559999"]);
  assertEquals(
    new Set((await reserve(sql, id, 1)).dials.map(({ line }) => line)),
    new Set(["+14035559999"]),
  );
});

test("campaigns and people's legs keep an account's rate together, whichever asks first", async ({ sql, url }) => {
  const RATE = 20;
  const ids = [
    await running(sql, 60, { account: RATE, rate: RATE }),
    await running(sql, 60, { account: RATE, rate: RATE, from: 100 }),
  ];
  const people = await sql<{ token: string }[]>`
    insert into dial_attempts (purpose, to_e164, line, seconds)
    select 'verify', '+1403555' || n, '+14035559999', 20 from generate_series(1000, 1019) as n returning token`;
  const sessions = Array.from({ length: 4 }, () => postgres(url, { max: 1 }));
  const legs: number[] = [];
  const [first, second, ...takers] = sessions;
  try {
    await Promise.all([
      ...[first!, second!].map(async (session, nth) => {
        for (let count = 0; count < 6; count++) {
          // deno-lint-ignore no-await-in-loop -- Beside the others.
          await reserve(session, ids[nth]!, 10, "8 seconds");
        }
      }),
      ...takers.map(async (session, nth) => {
        for (const { token } of people.filter((_, at) => at % 2 === nth)) {
          // deno-lint-ignore no-await-in-loop
          const [taken] = await session<{ at: number }[]>`
            select extract(epoch from clock_timestamp())::float8 + t.wait / 1000.0 as at
            from (select take_dial_slot(${token}, 60000) as wait offset 0) as t`;
          // A busy machine looks at its clock late: a leg is sent as its slot begins, or at once before.
          // deno-lint-ignore no-await-in-loop
          const [row] = await session<{ at: number }[]>`
            select least(${
            taken!.at
          }, slot * 1.04 / ${RATE})::float8 as at from dial_attempts where token = ${token}`;
          legs.push(row!.at);
        }
      }),
    ]);
  } finally {
    await Promise.all(sessions.map((session) => session.end()));
  }
  const dials = await sql<{ at: number }[]>`
    select extract(epoch from send_at)::float8 as at from dial_attempts where purpose = 'campaign' and slot is not null`;
  const times = [...legs, ...dials.map(({ at }) => at)].toSorted((a, b) => a - b);
  assertEquals(legs.length, 20);
  assert(dials.length > 60, `${dials.length} dials`);
  const peak = Math.max(
    ...times.map((from) => times.filter((at) => at >= from && at < from + 1).length),
  );
  assert(peak <= RATE, `${peak} in a second`);
});

test("a campaign goes on at its own rate when a faster one of the account is over", async ({ sql }) => {
  const slow = await running(sql, 20, { rate: 2, account: 1000 });
  const fast = await running(sql, 5, { rate: 100, from: 100 });
  assertEquals((await reserve(sql, slow, 2)).dials.length, 2);
  await sql`select command_campaign(${fast}, 'stop')`;
  await sql`select command_campaign(${slow}, 'pause')`;
  await sql`select command_campaign(${slow}, 'resume')`;
  assertEquals((await reserve(sql, slow, 5)).dials.length, 5);
});

test("a slow campaign does not hold up legs to people", async ({ sql }) => {
  const id = await running(sql, 5, { rate: 0.01 });
  assertEquals((await reserve(sql, id, 5, "90 seconds")).dials.length, 1);
  const people = await sql<{ token: string }[]>`
    insert into dial_attempts (purpose, to_e164, line, seconds)
    select 'verify', '+1403555' || n, '+14035559999', 20 from generate_series(1000, 1003) as n returning token`;
  for (const { token } of people) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const [row] = await sql`select take_dial_slot(${token}, 10000) as wait`;
    assert(row!.wait !== null);
  }
});

test("a number shows at most its dials of a day, also where a tick has more than those", async ({ sql }) => {
  const id = await running(sql, 30);
  await sql`update campaign_lines set per_day = 8`;
  const dialled = async () => (await reserve(sql, id, 12)).dials.length;
  assertEquals([await dialled(), await dialled(), await dialled()], [8, 8, 0]);
  const days = await sql<{ dialled: number }[]>`select dialled from campaign_lines`;
  assert(days.every((line) => line.dialled <= 8));
  // Yesterday's are no dials of today; of those there are no more either.
  await sql`update campaign_lines set day = current_date - 1, dialled = 8`;
  await sql`delete from dial_attempts`;
  await importing(sql, id, phones(30, 100));
  await open(sql, id);
  assertEquals(await dialled(), 8);
});

test("an answer is abandoned that is not connected within two seconds, where calls go to people", async ({ sql }) => {
  const id = await running(sql, 4);
  await sql`update campaigns set mode = 'progressive'`;
  const { dials } = await reserve(sql, id, 4);
  await begin(sql, dials);
  const afterSec = [1, 3, null];
  for (const [nth, { token }] of dials.entries()) {
    // deno-lint-ignore no-await-in-loop -- One campaign, one row after the other.
    await told(sql, token, "in-progress");
    const sec = afterSec[nth];
    // deno-lint-ignore no-await-in-loop
    await sql`
      insert into call_logs (call_sid, direction, status, started_at, answered_at, connected_at)
      select leg_sid, 'outbound', 'in-progress', answered_at, answered_at, answered_at + make_interval(secs => ${
      sec ?? null
    })
      from dial_attempts where token = ${token}`;
    // deno-lint-ignore no-await-in-loop
    await told(sql, token, "completed");
  }
  const figures = () =>
    sql`select answered::int, found_nobody::int, abandoned::int, abandoned_pct::float8 from campaign_compliance`
      .then(([row]) => ({ ...row }));
  assertEquals(await figures(), {
    answered: 4,
    found_nobody: 0,
    abandoned: 3,
    abandoned_pct: 75,
  });
  await sql`update campaigns set mode = 'broadcast'`;
  assertEquals((await figures()).abandoned, 0);
});

test("a contact who did not agree to be called, or is blocked, is not dialled, whatever the list says", async ({ sql }) => {
  const id = await running(sql, 4);
  const [refuses, blocked, later] = phones(3);
  await sql`
    insert into contacts (phone, name, consent, consent_at, blocked)
    values (${refuses!}, 'A', false, now(), false), (${blocked!}, 'B', null, null, true), (${later!}, 'C', true, now(), false)`;
  const { dials } = await reserve(sql, id, 4);
  assertEquals(dials.map(({ to }) => to).toSorted(), [later!, phones(4)[3]!]);
  await sql`update contacts set consent = false where phone = ${later!}`;
  assertEquals(await begin(sql, dials), dials.filter(({ to }) => to !== later).map((d) => d.token));
});

test("somebody for whom nobody was free is not called for 72 hours, by any campaign of the owner", async ({ sql }) => {
  const id = await running(sql, 1, { attempts: { per_day: 10, per_week: 10 } });
  const { dials } = await reserve(sql, id, 1);
  await begin(sql, dials);
  await told(sql, dials[0]!.token, "in-progress", "abandoned");
  await told(sql, dials[0]!.token, "completed");
  const other = await running(sql, 1, { attempts: { per_day: 10, per_week: 10 } });
  assertEquals((await reserve(sql, other, 1)).dials, []);
  await sql`update dial_attempts set dialled_at = dialled_at - interval '73 hours'`;
  await sql`update campaign_contacts set due_at = now() where campaign_id = ${other}`;
  assertEquals((await reserve(sql, other, 1)).dials.length, 1);
});

test("where Twilio lets calls wait for their turn, no more of them are added", async ({ sql }) => {
  const id = await running(sql, 10);
  const { dials } = await reserve(sql, id, 4);
  await begin(sql, dials);
  await told(sql, dials[0]!.token, "initiated");
  assertEquals((await reserve(sql, id, 1)).dials.length, 1);
  await sql`update dial_attempts set dialled_at = now() - interval '20 seconds' where dialled_at is not null`;
  await told(sql, dials[1]!.token, "initiated");
  assertEquals((await reserve(sql, id, 1)).dials, []);
  const { dials: [later] } = await reserve(sql, id, 1, "30 seconds");
  assert(later!.send_in_ms > 10_000, `${later!.send_in_ms}`);
});

test("nobody is dialled whose area closes before a call that waits at Twilio would have been ended", async ({ sql }) => {
  const id = await running(sql, 1);
  await sql`update campaign_areas set closes_at = now() + interval '5 minutes'`;
  const closing = await reserve(sql, id, 1);
  assertEquals([closing.dials, closing.stale], [[], []]);
});

test("of a list with thousands of places a hundred at a time are worked out", async ({ sql }) => {
  const id = await running(sql, 0);
  const contacts = phones(150).map((phone, nth) => ({
    phone,
    rules: "US",
    region: "NY",
    zones: [`Etc/GMT+${nth}`],
  }));
  await sql`select import_campaign_contacts(${id}, ${sql.json(contacts)})`;
  assertEquals((await reserve(sql, id, 5)).stale.length, 100);
});

test("an AI agent talks only to those who agreed in writing, also where it is published after the start", async ({ sql }) => {
  const publish = (type: string) => {
    const definition = {
      zone: "America/New_York",
      languages: ["en-US"],
      nodes: { first: { type } },
    };
    return sql`select publish_flow(null, 'main', ${sql.json(definition)}, ${
      (type === "say" ? "a" : "b").repeat(64)
    }, null)`;
  };
  const campaigns = () =>
    sql`select jsonb_array_length(running_campaigns()) as count`.then(([row]) => row!.count);
  await publish("say");
  await running(sql, 1);
  await sql`update campaigns set mode = 'progressive', consent = 'existing_business'`;
  assertEquals(await campaigns(), 1);
  await publish("agent");
  assertEquals(await campaigns(), 0);
  const asked = {
    name: "A",
    mode: "progressive",
    flow: "main",
    caller_numbers: ["+12125559999"],
    calls_per_second: 1,
    max_concurrent: 1,
    attempts: attemptsOf(),
    machine: "hang_up",
  };
  const create = (consent: string) =>
    sql`select create_campaign(${sql.json({ ...asked, consent } as never)})`;
  await create("express_written");
  await assertRejects(() => create("existing_business"), Error, "AI agent");
});

test("a dial under way stays on record when its contact is erased, and is not dialled again", async ({ sql }) => {
  const id = await running(sql, 1);
  const { dials: [dial] } = await reserve(sql, id, 1);
  await begin(sql, [dial!]);
  await told(sql, dial!.token, "ringing");
  await sql`select forget_person(${dial!.to})`;
  const kept = await sql<{ isIt: boolean; result: string }[]>`
    select number_hash = number_hash(${dial!.to}) as "isIt", result from campaign_dials`;
  assertEquals([...kept], [{ isIt: true, result: "no_answer" }]);
  assertEquals(await live(sql, id), { dialled: 1 });
  assertEquals((await reserve(sql, id, 1)).dials, []);
  // The person answers all the same, and presses 9.
  const call_sid = `CA${dial!.token.replaceAll("-", "")}`;
  const happens = (event: string, stop?: string) =>
    sql`select accept_voice_event(${
      sql.json({
        operation: "voice-outbound",
        identity: `${call_sid}-${event}`,
        call_sid,
        leg_sid: call_sid,
        event,
        direction: "outbound",
        from_e164: dial!.line,
        to_e164: dial!.to,
        occurred_at: new Date().toISOString(),
        meta: {},
        ask: { attempt: { token: dial!.token }, ...(stop && { stop }) },
      } as never)
    })`;
  await happens("arrived");
  await happens("key_pressed", "key");
  assertEquals((await sql`select from call_logs`).length, 0);
  const stopped = await sql`
    select e164, number_hash = number_hash(${dial!.to}) as "isIt", source from suppressions`;
  assertEquals(stopped.map((row) => ({ ...row })), [{ e164: null, isIt: true, source: "key" }]);
});
