// Who may do what in an organisation and in the main account: each act as each role, as another organisation's owner, and
// by a user without a membership.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertRejects } from "@std/assert/rejects.js";
import postgres, { type Sql, type TransactionSql } from "postgres";
import { smallFlow } from "../support/call_flows.ts";
import { createTestDatabase } from "../support/database.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";

const db = await createTestDatabase();
Deno.test.afterAll(() => db.drop());

const ORG = "11111111-1111-4111-8111-111111111111";
const OTHER = "22222222-2222-4222-8222-222222222222";
const ROLES = ["viewer", "agent", "admin", "owner"] as const;
type Role = typeof ROLES[number];

/** A new member, as its user's id. */
async function join(org: string | null, role: Role, email = `${crypto.randomUUID()}@example.com`) {
  const user = crypto.randomUUID();
  await db.sql`
    insert into members (org_id, user_id, email, role, joined_at) values (${org}, ${user}, ${email}, ${role}, now())`;
  return user;
}

/** Runs under a person's token, and takes it back unless `keep`. */
async function as<T>(
  user: string | Record<string, unknown>,
  run: (sql: Sql) => Promise<T>,
  keep = false,
): Promise<T> {
  const claims = typeof user === "string" ? { sub: user } : user;
  let result: T;
  await db.sql.begin(async (sql: TransactionSql) => {
    await sql`select set_config('request.jwt.claims', ${
      JSON.stringify({ role: "authenticated", ...claims })
    }, true)`;
    await sql`set local role authenticated`;
    result = await run(sql as unknown as Sql);
    if (!keep) throw UNDO;
  }).catch((error) => {
    if (error !== UNDO) throw error;
  });
  return result!;
}
const UNDO = new Error("undo");

/** How many rows an act changed; 0 also where it was refused. */
const changed = async (user: string, act: (sql: Sql) => Promise<{ count: number }>) =>
  await as(user, async (sql) => (await act(sql)).count).catch((error) => {
    // Refused, or hidden.
    if (error instanceof postgres.PostgresError && ["42501", "PT404"].includes(error.code)) {
      return 0;
    }
    throw error;
  });

const people: Record<string, string> = {};
for (const org of [ORG, OTHER, null]) {
  for (const role of ROLES) {
    // deno-lint-ignore no-await-in-loop
    people[`${role} of ${org === ORG ? "the organisation" : org ?? "the main account"}`] =
      // deno-lint-ignore no-await-in-loop
      await join(org, role);
  }
}
people["a user without a membership"] = crypto.randomUUID();
const target = await join(ORG, "agent");
const second = await join(ORG, "owner");
await db
  .sql`insert into people (org_id, handle, name, phone) values (${ORG}, 'anna', 'Anna', '+15875550101')`;

/** An ended call with a voicemail, of the organisation. */
await db.sql`insert into telephony_subaccounts (org_id, subaccount_sid, business_name)
  values (${ORG}, ${"AC" + "1".repeat(32)}, 'A business')`;
await db.sql`insert into telephony_numbers (e164_number, org_id, number_sid, country)
  values ('+15550001111', ${ORG}, ${"PN" + "1".repeat(32)}, 'CA')`;
const sid = newCallSid();
await db.sql`select accept_voice_event(${
  db.sql.json(voiceEvent(sid, {
    to_e164: "+15550001111",
    from_e164: "+14165550777",
    call_status: "completed",
    recording_sid: recordingSid(1),
    recording_source: "voicemail",
  }) as never)
})`;

await db
  .sql`insert into knowledge_entries (org_id, question, answer) values (${ORG}, 'Parking?', 'Behind the house.')`;
await db.sql`insert into agent_questions (org_id, language, question, call_sid)
  values (${ORG}, 'en-US', 'Do you take pets?', ${sid})`;

await db.sql`
  insert into callbacks (call_sid, org_id, to_e164, line, group_name, version_id, node, members, seconds, calendar, queued_at,
    state, ended_at, why)
  values (${sid}, ${ORG}, '+14165550777', '+15550001111', 'desk', 1, 'desk', '{}', 20, '{}', now(), 'failed', now(), 'no_answer')`;

/** What the people who run the installation look at: work that was given up, of an organisation's onboarding. */
const [dead] = await db.sql`
  insert into jobs (kind, key, status, ended_at, last_error)
  values ('onboarding', ${ORG}, 'dead', now(), 'no such address') returning id`;
await db
  .sql`insert into telephony_transactions (transaction_type, org_id, status, completed_at, request)
  values ('onboarding', ${ORG}, 'failed', now(), '{}')`;
await db.sql`select record_analytics_event('tenant_unknown', 'error')`;
await db.sql`insert into agent_providers (provider, failures) values ('openai', 0)`;
await db.sql`select record_rate_limit_refusal('voice-frontdoor', 'caller', '+14165550777')`;
await db.sql`select record_worker_run('notify-worker')`;
await db.sql`insert into health_checks (healthy) values (true)`;
await db.sql`
  insert into function_metrics values (date_trunc('minute', now(), 'UTC'), 'voice-status', 1, 0, 0, 0, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1)`;

const mine = (role: Role) => [`${role} of the organisation`];
const from = (least: Role) =>
  ROLES.slice(ROLES.indexOf(least)).map((role) => `${role} of the organisation`);

/** Who does for another owner what admins do for the organisation. */
const ELSEWHERE = [OTHER, "the main account"].flatMap((org) =>
  ["admin", "owner"].map((role) => `${role} of ${org}`)
);

const ACTS: [
  name: string,
  act: (sql: Sql) => Promise<{ count: number }>,
  may: readonly string[],
][] = [
  ["see the members", (sql) => sql`select from members where org_id = ${ORG}`, from("viewer")],
  ["see the people", (sql) => sql`select from people where org_id = ${ORG}`, from("viewer")],
  [
    "invite an agent",
    (sql) =>
      sql`insert into members (org_id, email, role) values (${ORG}, 'new@example.com', 'agent')`,
    from("admin"),
  ],
  [
    "invite an owner",
    (sql) =>
      sql`insert into members (org_id, email, role) values (${ORG}, 'new@example.com', 'owner')`,
    mine("owner"),
  ],
  [
    "change a role",
    (sql) => sql`update members set role = 'viewer' where user_id = ${target}`,
    from("admin"),
  ],
  [
    "make an owner",
    (sql) => sql`update members set role = 'owner' where user_id = ${target}`,
    mine("owner"),
  ],
  [
    "take an owner's role",
    (sql) => sql`update members set role = 'viewer' where user_id = ${second}`,
    mine("owner"),
  ],
  ["remove a member", (sql) => sql`delete from members where user_id = ${target}`, from("admin")],
  ["remove an owner", (sql) => sql`delete from members where user_id = ${second}`, mine("owner")],
  ["see a call", (sql) => sql`select from call_logs where call_sid = ${sid}`, from("viewer")],
  [
    "write a note",
    (sql) => sql`insert into call_notes (call_sid, body) values (${sid}, 'A note')`,
    from("agent"),
  ],
  [
    "tag a call",
    (sql) => sql`insert into call_tags (call_sid, tag) values (${sid}, 'urgent')`,
    from("agent"),
  ],
  [
    "take a voicemail",
    (sql) =>
      sql`insert into voicemail_steps (call_sid, recording_sid, state) values (${sid}, ${
        recordingSid(1)
      }, 'taken')`,
    from("agent"),
  ],
  [
    "say which number is never called",
    (sql) =>
      sql`insert into suppressions (org_id, e164, source) values (${ORG}, '+14165550779', 'operator')`,
    from("admin"),
  ],
  [
    "write a contact",
    (sql) =>
      sql`insert into contacts (org_id, phone, name) values (${ORG}, '+14165550778', 'Jane')`,
    from("agent"),
  ],
  [
    "block a number",
    (sql) =>
      sql`insert into contacts (org_id, phone, blocked) values (${ORG}, '+14165550779', true)`,
    from("agent"),
  ],
  [
    "block the number of a contact",
    (sql) => sql`update contacts set blocked = true where phone = '+14165550777'`,
    from("agent"),
  ],
  [
    "answer a question that an assistant could not",
    (sql) => sql`insert into knowledge_entries (question, answer) values ('Is it far?', 'No.')`,
    [...from("admin"), ...ELSEWHERE],
  ],
  [
    "change what assistants answer",
    (sql) => sql`update knowledge_entries set answer = 'Yes.' where org_id = ${ORG}`,
    from("admin"),
  ],
  [
    "delete what assistants answer",
    (sql) => sql`delete from knowledge_entries where org_id = ${ORG}`,
    from("admin"),
  ],
  [
    "dismiss a question",
    (sql) => sql`update agent_questions set dismissed = true where org_id = ${ORG}`,
    from("admin"),
  ],
  [
    "dismiss a failed callback",
    (sql) => sql`update callbacks set dismissed = true where org_id = ${ORG}`,
    from("agent"),
  ],
  ["erase a call", (sql) => sql`select erase_call(${sid})`, from("admin")],
  [
    "have a telephone verified",
    (sql) => sql`select verify_telephone(id) from people where handle = 'anna' and org_id = ${ORG}`,
    from("admin"),
  ],
  [
    "add a person",
    (sql) =>
      sql`insert into people (org_id, handle, name, phone) values (${ORG}, 'bob', 'Bob', '+15875550102')`,
    from("admin"),
  ],
  [
    "change another's availability",
    (sql) => sql`update people set available = false where handle = 'anna' and org_id = ${ORG}`,
    from("admin"),
  ],
];

const INSTALLATION = [
  "jobs_waiting where dead > 0",
  "jobs where status = 'dead'",
  "recent_errors",
  "rate_limit_violations",
  "worker_runs",
  "webhook_performance",
  "health_checks",
  "agent_provider_health",
];
for (const what of INSTALLATION) {
  ACTS.push([`see ${what}`, (sql) => sql.unsafe(`select 1 from ${what}`), [
    "owner of the main account",
  ]]);
}
for (const what of ["failed_transactions", "number_provisioning_status"]) {
  ACTS.push([`see ${what} of the organisation`, (sql) => sql.unsafe(`select 1 from ${what}`), [
    ...from("viewer"),
    "owner of the main account",
  ]]);
}
ACTS.push([
  "try a dead job again",
  (sql) => sql`select from retry_job(${dead!.id}) as done where done`,
  ["owner of the main account"],
]);

for (const [name, act, may] of ACTS) {
  Deno.test(`members: who may ${name}`, async () => {
    const did: string[] = [];
    for (const [who, user] of Object.entries(people)) {
      // deno-lint-ignore no-await-in-loop
      if (await changed(user, act) > 0) did.push(who);
    }
    assertEquals(did, may);
  });
}

Deno.test("members: nobody writes a user, an owner or an invitation's sender", async () => {
  const owner = people["owner of the organisation"]!;
  for (
    const act of [
      (sql: Sql) => sql`update members set user_id = ${crypto.randomUUID()} where email <> ''`,
      (sql: Sql) => sql`update members set org_id = ${OTHER}`,
      (sql: Sql) => sql`update members set email = 'x@example.com'`,
      (sql: Sql) => sql`insert into audit_log default values`,
      (sql: Sql) => sql`delete from audit_log`,
    ]
  ) {
    // deno-lint-ignore no-await-in-loop
    const error = await assertRejects(() => as(owner, act), postgres.PostgresError);
    assertEquals(error.code, "42501");
  }
});

Deno.test("members: without org_id, an invitation is into one's own organisation or the main account", async () => {
  const invite = async (who: string) =>
    await as(
      people[who]!,
      async (sql) =>
        (await sql`insert into members (email, role) values (' New@Example.com ', 'agent')
        returning org_id, email, invited_by`)[0],
    );
  assertEquals(await invite("admin of the organisation"), {
    org_id: ORG,
    email: "new@example.com",
    invited_by: people["admin of the organisation"],
  });
  assertEquals((await invite("owner of the main account"))!.org_id, null);
});

Deno.test("members: the last owner stays, also when two owners leave at the same time", async () => {
  const org = crypto.randomUUID();
  const [one, two] = [await join(org, "owner"), await join(org, "owner")];
  const leave = (user: string) =>
    as(user, (sql) => sql`delete from members where user_id = ${user}`, true);
  const ends = await Promise.allSettled([leave(one), leave(two)]);
  assertEquals(ends.filter(({ status }) => status === "fulfilled").length, 1);
  const refused = ends.find((end) => end.status === "rejected") as PromiseRejectedResult;
  assertEquals(refused.reason.code, "PT409");
  const [left] = await db.sql`select user_id from members where org_id = ${org}`;
  const last = left!.user_id as string;
  for (
    const act of [
      (sql: Sql) => sql`update members set role = 'admin' where user_id = ${last}`,
      (sql: Sql) => sql`delete from members where user_id = ${last}`,
    ]
  ) {
    // deno-lint-ignore no-await-in-loop
    const error = await assertRejects(() => as(last, act), postgres.PostgresError);
    assertEquals(error.code, "PT409");
  }
});

Deno.test("members: a row says what one is, whatever the token claims; it ends at once", async () => {
  const user = await join(ORG, "viewer");
  await join(ORG, "owner");
  const claims = { sub: user, app_metadata: { org_id: OTHER, role: "owner" } };
  const mine = async (claims: Record<string, unknown>) =>
    await as(claims, async (sql) => (await sql`select my_membership() as m`)[0]!.m);
  const { org_id, role } = await mine(claims);
  assertEquals([org_id, role], [ORG, "viewer"]);
  await db.sql`delete from members where user_id = ${user}`;
  assertEquals(await mine({ sub: user }), null);
  // A user whom the service gave an organisation, and who has no row.
  assertEquals((await mine({ app_metadata: claims.app_metadata })).role, "owner");
  assertEquals((await mine({ app_metadata: { org_id: OTHER, role: "member" } })).role, "viewer");
  assertEquals(await mine({ user_metadata: claims.app_metadata }), null);
});

Deno.test("members: an invitation is accepted by the confirmed address alone, and once", async () => {
  const email = "carla@example.com";
  await as(
    people["admin of the organisation"]!,
    (sql) => sql`insert into members (email, role) values (${email}, 'agent')`,
    true,
  );
  const [invited] = await db.sql`
    select m.id, j.payload ->> 'member_id' as job from members as m
    join jobs as j on j.kind = 'invite' and j.key = m.id::text where m.email = ${email}`;
  assertEquals(invited!.job, invited!.id);

  const sign = async (confirmed: boolean, address: string) => {
    const [user] = await db.sql`
      insert into auth.users (email, email_confirmed_at) values (${address}, ${
      confirmed ? db.sql`now()` : null
    }) returning id`;
    return user!.id as string;
  };
  const joined = async (user: string) =>
    await as(user, async (sql) => (await sql`select join_as_member() as m`)[0]!.m, true);
  assertEquals(await joined(await sign(true, "stranger@example.com")), null);
  const carla = await sign(false, "Carla@Example.com");
  assertEquals(await joined(carla), null);
  await db.sql`update auth.users set email_confirmed_at = now() where id = ${carla}`;
  assertEquals((await joined(carla)).role, "agent");
  // A further invitation, elsewhere, changes nothing.
  await db.sql`insert into members (org_id, email, role) values (${OTHER}, ${email}, 'owner')`;
  assertEquals((await joined(carla)).org_id, ORG);
});

Deno.test("members: an agent changes the own availability and nothing else of the own row", async () => {
  const user = await join(ORG, "agent");
  await db.sql`insert into people (org_id, handle, name, phone, member_id)
    select ${ORG}, 'dora', 'Dora', '+15875550103', id from members where user_id = ${user}`;
  const change = (act: (sql: Sql) => Promise<{ count: number }>) => changed(user, act);
  assertEquals(await change((sql) => sql`update people set available = false`), 1);
  assertEquals(await change((sql) => sql`update people set dnd_until = now() + interval '1 h'`), 1);
  assertEquals(await change((sql) => sql`update people set phone = '+15875550199'`), 0);
  assertEquals(await change((sql) => sql`update people set name = 'Eve' where handle = 'dora'`), 0);
});

Deno.test("members: a person is linked to a member of the same organisation only", async () => {
  const stranger = await join(OTHER, "agent");
  const error = await assertRejects(() =>
    db.sql`update people set member_id = (select id from members where user_id = ${stranger}) where handle = 'anna'`
  );
  assertEquals((error as postgres.PostgresError).code, "PT400");
});

Deno.test("audit: what a person changes is written down without personal words, and read by admins", async () => {
  const admin = await join(ORG, "admin");
  await as(
    admin,
    (sql) => sql`update people set name = 'Anna P', available = false where handle = 'anna'`,
    true,
  );
  const read = async (user: string) =>
    await as(user, async (sql) => [
      ...await sql`select user_id, action, object, changes from audit_log where user_id = ${admin}`,
    ]);
  assertEquals(await read(admin), [{
    user_id: admin,
    action: "update",
    object: "people",
    changes: { name: null, available: [true, false] },
  }]);
  for (const who of ["viewer", "agent"]) {
    // deno-lint-ignore no-await-in-loop
    assertEquals(await read(people[`${who} of the organisation`]!), []);
  }
  assertEquals(await read(people["owner of the main account"]!), []);
});

Deno.test("audit: who blocked a number, answered a question or began a draft, without the number or the words", async () => {
  const admin = await join(ORG, "admin");
  await as(admin, async (sql) => {
    await sql`update contacts set blocked = true where phone = '+14165550777'`;
    await sql`insert into knowledge_entries (question, answer) values ('Boats?', 'In summer.')`;
    await sql`update agent_questions set dismissed = true`;
    await sql`update callbacks set dismissed = true`;
  }, true);
  for (const draft of [null, { schema: 1 }, { schema: 2 }, null]) {
    // deno-lint-ignore no-await-in-loop
    await db.sql`select save_flow_draft(${ORG}, 'drafted', ${
      draft && db.sql.json(draft)
    }, ${admin})`;
  }
  const log = await db.sql`
    select object, action, changes from audit_log where user_id = ${admin} order by id`;
  assertEquals(log.map(({ object, action }) => `${action} ${object}`), [
    "update contacts",
    "insert knowledge_entries",
    "update agent_questions",
    "update callbacks",
    // Not what is typed in between.
    "update call_flows",
    "update call_flows",
  ]);
  assertEquals(log[0]!.changes.blocked, [false, true]);
  assertEquals(/416555|summer|Boats/.test(JSON.stringify(log)), false);
  await db.sql`update contacts set blocked = false`;
  await db.sql`update callbacks set dismissed = false`;
});

Deno.test("acts: an agent calls back by the own verified telephone, and by no other", async () => {
  const user = await join(ORG, "agent");
  const callBack = (who: string) =>
    as(who, async (sql) => (await sql`select call_back(${sid}) as id`)[0]!.id as string, true);
  const refusal = async (who: string) =>
    (await assertRejects(() => callBack(who), postgres.PostgresError)).message;
  assertEquals(
    await refusal(people["viewer of the organisation"]!),
    "your role does not allow this",
  );
  assertEquals(await refusal(people["owner of the main account"]!), "there is no such call");
  assertMatch(await refusal(user), /^no verified telephone is yours/);
  await db.sql`insert into people (org_id, handle, name, phone, verified_at, available, member_id)
    select ${ORG}, 'fred', 'Fred', '+15875550105', now(), false, id from members where user_id = ${user}`;
  assertMatch(await refusal(user), /^you are not available/);
  await db.sql`update people set available = true where handle = 'fred'`;
  assertMatch(await refusal(user), /^publish a flow first/);
  /** Where it is this hour of the day. */
  const zoneAt = (hour: number) => {
    const ahead = (hour - new Date().getUTCHours() + 24) % 24;
    return ahead > 12 ? `Etc/GMT+${24 - ahead}` : `Etc/GMT-${ahead}`;
  };
  const publish = (hash: string, hour: number) =>
    db.sql`select publish_flow(p_org_id => ${ORG}, p_name => 'main', p_hash => ${hash.repeat(64)},
      p_definition => ${db.sql.json({ ...smallFlow(), zone: zoneAt(hour) } as never)},
      p_lines => '{}', p_note => null, p_by => 'x', p_disclosures => '[]')`;
  await publish("c", 3);
  assertMatch(
    await refusal(user),
    /^people are called back from 08:00 to 21:00 \(Etc.*\): it is 03:/,
  );
  await publish("a", 12);
  await db.sql`
    insert into call_lifecycle (call_sid, leg_sid, event, occurred_at, received_at, meta, identity_hash, request_hash, answer)
    select call_sid, call_sid, 'arrived', now(), created_at, '{}', 1, 1,
      row(true, 'in-progress', 'menu', null, '{"callable": false}')::voice_answer
    from call_logs where call_sid = ${sid}`;
  assertMatch(await refusal(user), /^the number may not be called/);
  await db
    .sql`update call_lifecycle set answer = row(true, 'in-progress', 'menu', null, '{}')::voice_answer
    where call_sid = ${sid} and event = 'arrived'`;
  await db
    .sql`insert into suppressions (org_id, e164, source) values (${ORG}, '+14165550777', 'sms')`;
  assertEquals(await refusal(user), "the number has said stop");
  await db.sql`delete from suppressions`;
  await db.sql`
    select publish_flow(null, 'other', ${db.sql.json(smallFlow() as never)}, ${
    "b".repeat(64)
  }, '{+14165550777}')`;
  assertEquals(await refusal(user), "the number is a line itself");
  await db.sql`delete from lines where line = '+14165550777'`;
  const id = await callBack(user);
  // While it is open, a second press changes nothing.
  assertEquals(await callBack(user), null);
  const [promise] = await db.sql`
    select to_e164, members, max_tries, (select count(*)::int from jobs where kind = 'callback' and key = k.id::text) as jobs
    from callbacks as k where id = ${id}`;
  assertEquals(promise, { to_e164: "+14165550777", members: ["fred"], max_tries: 1, jobs: 1 });
  // The one that failed before is in hands.
  assertEquals(
    [...await as(user, (sql) => sql`select state from callbacks_due`)],
    [{ state: "open" }],
  );
});

Deno.test("acts: an erased call is gone, and the log says by whom without saying which number", async () => {
  const admin = await join(ORG, "admin");
  const own = newCallSid();
  const event = voiceEvent(own, { to_e164: "+15550001111", call_status: "completed" });
  await db.sql`select accept_voice_event(${db.sql.json(event as never)})`;
  await as(
    admin,
    (sql) => sql`insert into call_notes (call_sid, body) values (${own}, 'secret')`,
    true,
  );
  await as(admin, (sql) => sql`select erase_call(${own})`, true);
  assertEquals([...await db.sql`select from call_logs where call_sid = ${own}`], []);
  assertEquals([...await db.sql`select from call_notes where call_sid = ${own}`], []);
  const log = await db
    .sql`select object, key from audit_log where user_id = ${admin} and action = 'delete'`;
  assertEquals(log.some(({ object }) => object === "call_logs"), true);
  assertEquals(JSON.stringify(await db.sql`select * from audit_log`).includes(own), false);
});
