import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { assertRejects } from "@std/assert/rejects.js";
import * as fc from "fast-check";
import postgres, { type Sql } from "postgres";
import { cases } from "../support/cases.ts";
import { connect } from "../support/cluster.ts";
import { databaseTests, type TestDatabase } from "../support/database.ts";
import { anyEvent, newCallSid, recordingSid, voiceEvent } from "../support/events.ts";
import type { VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";

const test = databaseTests("search");

const ORG = "11111111-1111-4111-8111-111111111111";
const OTHER_ORG = "22222222-2222-4222-8222-222222222222";

interface Result {
  readonly kind: string;
  readonly call_sid: string | null;
  readonly org_id: string | null;
  readonly ref: string | null;
  readonly at: string;
  readonly title: string;
  readonly snippet: string;
  readonly start_sec: number | null;
  readonly score: number;
}
interface Answer {
  readonly results: readonly Result[];
  readonly facets: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly correction: string | null;
  readonly next_cursor: string | null;
  readonly partial: boolean;
}
interface Asked {
  readonly filters?: Record<string, unknown>;
  readonly limit?: number;
  readonly cursor?: string | null;
}

const claimsOf = (org: string, user = USER) => ({
  role: "authenticated",
  sub: user,
  app_metadata: { org_id: org, role: "agent" },
});

/** Runs as a role, as the Data API does: in a transaction, with the token's claims. */
async function as<T>(
  db: TestDatabase,
  org: string | null,
  run: (sql: Sql) => Promise<T>,
  user = USER,
): Promise<T> {
  return await db.sql.begin(async (sql) => {
    if (org === null) await sql`set local role service_role`;
    else {
      const claims = JSON.stringify(claimsOf(org, user));
      await sql`select set_config('request.jwt.claims', ${claims}, true)`;
      await sql`set local role authenticated`;
    }
    return await run(sql as unknown as Sql);
  }) as T;
}
const USER = "33333333-3333-4333-8333-333333333333";

/** @param org The asker's organisation; null: an operator asks. */
async function search(
  db: TestDatabase,
  org: string | null,
  q: string | null,
  asked: Asked = {},
): Promise<Answer> {
  return await as(db, null, async (sql) => {
    const filters = sql.json((asked.filters ?? {}) as never);
    const rest = sql`${q}, ${filters}, ${asked.limit ?? 20}, ${asked.cursor ?? null}`;
    const [row] = org === null
      ? await sql`select search_calls(${rest}) as answer`
      : await sql`select search_calls_of_member(${sql.json(claimsOf(org))}, ${rest}) as answer`;
    return row!["answer"];
  });
}

async function accept(
  db: TestDatabase,
  sid: string,
  changes: Partial<VoiceEvent> = {},
): Promise<void> {
  const event = voiceEvent(sid, { identity: crypto.randomUUID(), ...changes });
  await db.sql`select accept_voice_event(${db.sql.json(event as never)})`;
}

/** A finished call with a voicemail of these words. */
async function voicemail(
  db: TestDatabase,
  words: string,
  changes: Partial<VoiceEvent> = {},
): Promise<string> {
  const sid = newCallSid();
  await accept(db, sid, {
    call_status: "completed",
    recording_sid: `RE${crypto.randomUUID().replaceAll("-", "")}`,
    recording_source: "voicemail",
    recording_duration_sec: 60,
    transcript: words,
    ...changes,
  });
  return sid;
}

/** A line of an organisation. */
async function line(db: TestDatabase, org: string, number: string): Promise<void> {
  const digits = number.slice(-4).padStart(32, "0");
  await db
    .sql`insert into telephony_subaccounts (org_id, subaccount_sid, business_name) values (${org}, ${`AC${digits}`}, 'A business')`;
  await db
    .sql`insert into telephony_numbers (e164_number, org_id, number_sid, country) values (${number}, ${org}, ${`PN${digits}`}, 'CA')`;
}

const found = ({ results }: Answer) => results.map(({ kind, call_sid }) => [kind, call_sid]);

test("a voicemail's words are found in the transaction that brings them, with their second", async (db) => {
  const sid = await voicemail(
    db,
    "Hello, I would like a refund for the broken dishwasher, please call me back.",
  );
  await voicemail(db, "Nothing to see here.");
  const answer = await search(db, null, "refunds dishwasher");
  assertEquals(found(answer), [["voicemail", sid]]);
  const [result] = answer.results;
  assertEquals([result!.title, result!.start_sec], ["+15551234567", 17]);
  assertMatch(result!.snippet, /a <mark>refund<\/mark> for the broken <mark>dishwasher<\/mark>/);
  assertEquals(answer.facets["kind"], { voicemail: 1 });
  assertEquals(answer.facets["disposition"], { voicemail: 1 });
});

test("words, phrases, exclusion, or, accents and languages mean what they say", async (db) => {
  const ids = {
    en: await voicemail(db, "The large piano is broken and I want my money back"),
    two: await voicemail(db, "A piano, which is large, needs tuning. Will you call?"),
    fr: await voicemail(db, "Bonjour, je voudrais réserver une table pour les enfants"),
    es: await voicemail(db, "Hola, quiero cancelar las reservas para el viernes"),
  };
  const names = new Map(Object.entries(ids).map(([name, sid]) => [sid, name]));
  for (
    const [q, expected] of [
      ["pianos", ["en", "two"]],
      ["piano money", ["en"]],
      ['"large piano"', ["en"]],
      ["piano -money", ["two"]],
      ["-piano", ["es", "fr"]],
      ["money or tuning", ["en", "two"]],
      ["money or enfant", ["en", "fr"]],
      ["RESERVER", ["es", "fr"]],
      ["réservé", ["es", "fr"]],
      ["reserva cancelar", ["es"]],
      ["what is the piano -money", ["two"]],
      ["the piano", ["en", "two"]],
      ["<b>piano</b> & | ! :*", ["en", "two"]],
    ] as const
  ) {
    // deno-lint-ignore no-await-in-loop -- One database.
    const answer = await search(db, null, q);
    const seen = answer.results.map(({ call_sid }) => names.get(call_sid!)!).toSorted();
    assertEquals(seen, [...expected], q);
  }
});

test("a call is found by three digits of its number, by its contact's name and by filters", async (db) => {
  const jane = newCallSid();
  await accept(db, jane, {
    from_e164: "+14165550123" as never,
    call_status: "completed",
    duration_sec: 95,
  });
  await accept(db, newCallSid(), { from_e164: "+14165559999" as never, call_status: "busy" });
  for (const q of ["0123", "(416) 555-0123", "+1 416 555 0123", "14165550123", "0 416 555 0123"]) {
    // deno-lint-ignore no-await-in-loop
    assertEquals(found(await search(db, null, q)), [["call", jane]], q);
  }
  assertEquals((await search(db, null, "416555")).results.length, 2);
  await db
    .sql`update contacts set name = 'Jane Wiśniewska', company = 'Roofs & Co' where phone = '+14165550123'`;
  assertEquals(found(await search(db, null, "wisniewska")), [["contact", null], ["call", jane]]);
  assertEquals(
    (await search(db, null, "roofs")).results[0]!.snippet,
    "<mark>Roofs</mark> &amp; Co",
  );
  assertEquals((await search(db, null, "0123")).results[0]!.title, "Jane Wiśniewska");

  await db.sql`insert into call_tags (call_sid, tag) values (${jane}, 'vip')`;
  await db
    .sql`insert into call_notes (call_sid, body) values (${jane}, 'Wants slate on the porch')`;
  for (
    const filters of [
      { tag: "VIP" },
      { has: ["note"] },
      { min_seconds: 95, max_seconds: 95 },
      { number: "0123" },
      { number: "14165550123", line: "+15877428885", direction: "inbound", mode: "menu" },
      { from: new Date(Date.now() - 600_000).toISOString(), tag: "vip" },
    ]
  ) {
    // deno-lint-ignore no-await-in-loop
    assertEquals(
      found(await search(db, null, null, { filters })),
      [["call", jane]],
      JSON.stringify(filters),
    );
    // deno-lint-ignore no-await-in-loop
    assertEquals(
      found(await search(db, null, "slate", { filters })),
      [["note", jane]],
      JSON.stringify(filters),
    );
  }
  for (
    const filters of [{ tag: "x" }, { has: ["note", "voicemail"] }, { min_seconds: 96 }, {
      to: "2020-01-01",
    }, {
      person: "anna",
    }, { disposition: "connected" }]
  ) {
    // deno-lint-ignore no-await-in-loop
    assertEquals(found(await search(db, null, null, { filters })), [], JSON.stringify(filters));
    // deno-lint-ignore no-await-in-loop
    assertEquals(found(await search(db, null, "slate", { filters })), [], JSON.stringify(filters));
  }
  for (
    const [filters, field] of [[{ colour: 1 }, "filters.colour"], [
      { min_seconds: "x" },
      "filters.min_seconds",
    ]] as const
  ) {
    // deno-lint-ignore no-await-in-loop
    const error = await assertRejects(
      () => search(db, null, null, { filters }),
      postgres.PostgresError,
    );
    assertEquals([error.code, error.detail], ["PT400", field]);
  }
});

test("a word that nobody said is corrected to the owner's own nearest one, and the answer says so", async (db) => {
  const sid = await voicemail(db, "The dishwasher leaks, Kowalski said");
  for (
    const [q, correction] of [["dishwahser", "dishwasher"], [
      "Kowaslki leaks",
      "kowalski leaks",
    ]] as const
  ) {
    // deno-lint-ignore no-await-in-loop
    const answer = await search(db, null, q);
    assertEquals([answer.correction, found(answer)], [correction, [["voicemail", sid]]]);
  }
  assertEquals((await search(db, null, "xylophone")).correction, null);
  assertEquals((await search(db, null, "dishwasher")).correction, null);
  // Its word goes with it.
  await db.sql`select forget_person('+15551234567')`;
  assertEquals((await search(db, null, "dishwahser")).correction, null);
  assertEquals((await db.sql`select from search_words`).length, 0);
});

test("the words of a contact and those of the calls with it are found together, in the own rows only", async (db) => {
  await line(db, ORG, "+15550001111");
  const [jane, other] = ["+14165550101", "+14165550102"];
  const sid = await voicemail(db, "I want my refund back, not a credit", {
    from_e164: jane as never,
    to_e164: "+15550001111" as never,
  });
  await voicemail(db, "The refund came", {
    from_e164: other as never,
    to_e164: "+15550001111" as never,
  });
  // The same number is somebody else's contact too.
  await db.sql`update contacts set name = 'Jane O''Neill', company = 'Roofs' where phone = ${jane}`;
  await db.sql`insert into contacts (org_id, phone, name) values (null, ${other}, 'Jane')`;
  for (const q of ["jane refund", "o'neill refunds", "roofs jane refund -dentist"]) {
    // deno-lint-ignore no-await-in-loop
    const answer = await search(db, ORG, q);
    assertEquals([found(answer), answer.correction], [[["voicemail", sid]], null], q);
    assertMatch(answer.results[0]!.snippet, /<mark>refund<\/mark>/);
  }
  for (const q of ["jane refund -credit", "jane dentist", "jane or dentist refund"]) {
    // deno-lint-ignore no-await-in-loop
    assertEquals(found(await search(db, ORG, q)).filter(([kind]) => kind === "voicemail"), [], q);
  }
});

test("words that the texts of one call have between them find it, where no text has them all", async (db) => {
  await line(db, ORG, "+15550001111");
  await line(db, OTHER_ORG, "+15550002222");
  const own = { to_e164: "+15550001111" as never };
  const sid = await voicemail(db, "I want my refund back", own);
  await db
    .sql`insert into call_notes (call_sid, org_id, body) values (${sid}, ${ORG}, 'The invoice of "May & June" is wrong')`;
  await voicemail(db, "Another refund", own);
  const stranger = await voicemail(db, "A refund", { to_e164: "+15550002222" as never });
  await db
    .sql`insert into call_notes (call_sid, org_id, body) values (${stranger}, ${OTHER_ORG}, 'An invoice')`;
  for (const q of ["refund invoice", "invoices refunds -dentist", '"invoice of May" refund']) {
    // deno-lint-ignore no-await-in-loop
    const answer = await search(db, ORG, q);
    assertEquals(found(answer).toSorted(), [["note", sid], ["voicemail", sid]], q);
    assertEquals([answer.correction, answer.partial], [null, false]);
    for (const { snippet } of answer.results) assertMatch(snippet, /<mark>(refund|invoice)/);
  }
  for (const q of ["refund dentist", "refund invoice -back", "refund dentist or invoice dentist"]) {
    // deno-lint-ignore no-await-in-loop
    assertEquals(found(await search(db, ORG, q)), [], q);
  }
  // A text that has them all is the better answer, and the only one.
  const whole = await voicemail(db, "Refund the invoice", own);
  assertEquals(found(await search(db, ORG, "refund invoice")), [["voicemail", whole]]);
});

test("pages go on where the page before ended, without a repetition and past a thousand", async (db) => {
  await db.sql`
    insert into contact_messages (name, email, message, created_at)
    select 'Jane', 'jane@example.com', 'Please send a catalogue ' || i, now() - i * interval '1 minute'
    from generate_series(1, 1150) as i`;
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    // deno-lint-ignore no-await-in-loop -- A page after the other.
    const answer: Answer = await search(db, null, "catalogue", { limit: 100, cursor });
    seen.push(...answer.results.map(({ ref }) => ref!));
    cursor = answer.next_cursor;
    assert((cursor ?? "").length <= 400);
  } while (cursor !== null);
  assertEquals([seen.length, new Set(seen).size], [1150, 1150]);
  assertEquals((await search(db, null, "catalogue")).facets["kind"], { message: 1000 });
  for (const forged of ["x", "e30", "eyJuIjoxfQ", "====", "bm90IGpzb24"]) {
    // deno-lint-ignore no-await-in-loop
    const error = await assertRejects(
      () => search(db, null, "catalogue", { cursor: forged }),
      postgres.PostgresError,
    )
      .catch(() => undefined);
    if (error !== undefined) assertEquals(error.code, "PT400", forged);
  }
  for (const limit of [0, 101]) {
    // deno-lint-ignore no-await-in-loop
    const error = await assertRejects(
      () => search(db, null, "x", { limit }),
      postgres.PostgresError,
    );
    assertEquals([error.code, error.detail], ["PT400", "limit"]);
  }
});

test("only what is recorded with consent is found, and only while it is", async (db) => {
  const sid = newCallSid();
  const recording = {
    recording_sid: recordingSid(1),
    recording_source: "dial" as const,
    transcript: "the secret word is marmalade",
  };
  await accept(db, sid, { ...recording, call_status: "in-progress" });
  assertEquals(found(await search(db, null, "marmalade")), [], "not decided");
  await accept(db, sid, { consent_given: true, consent_order: 1 });
  assertEquals(found(await search(db, null, "marmalade")), [["transcript", sid]]);
  await accept(db, sid, { consent_given: false, consent_order: 2 });
  assertEquals(found(await search(db, null, "marmalade")), [], "withdrawn");
  await accept(db, sid, { consent_given: true, consent_order: 3 });
  assertEquals(found(await search(db, null, "marmalade")), [["transcript", sid]]);
  await accept(db, sid, { ...recording, transcript: "the sentence is about zeppelins" });
  assertEquals([
    found(await search(db, null, "marmalade")),
    (await search(db, null, "zeppelin")).results.length,
  ], [[], 1]);
  await accept(db, sid, { ...recording, transcript: undefined, recording_lost: true });
  assertEquals(found(await search(db, null, "zeppelin")), [], "deleted at Twilio");
  assertEquals([...await db.sql`select * from search_differences()`], []);
});

test("whatever the order of its events, a call's documents are the same, and a rebuild finds nothing to mend", async (db) => {
  const call = fc.uuid().chain((id) => {
    const sid = `CA${id.replaceAll("-", "")}`;
    return fc.array(anyEvent(sid), { minLength: 1, maxLength: 8 });
  });
  await fc.assert(
    fc.asyncProperty(fc.noShrink(call), async (events) => {
      for (const event of events) {
        // deno-lint-ignore no-await-in-loop -- In their order.
        await db.sql`select accept_voice_event(${db.sql.json(event as never)})`;
      }
      assertEquals([...await db.sql`select * from search_differences()`], []);
    }),
    { numRuns: cases(40) },
  );
  await db.sql`insert into contacts (phone, name, notes) values ('+14165550001', 'Jane', ${
    "Likes tea. ".repeat(150)
  })`;
  await db.sql`select submit_contact_message(${
    db.sql.json({
      name: "Jo",
      email: "jo@example.com",
      phone: "4165550001",
      message: "A long text. ".repeat(350),
    })
  }, '[]', '[]')`;
  assertEquals([...await db.sql`select * from search_differences()`], []);
  // A source that was changed past its feeding, as a restored backup may be.
  await db.sql`set session_replication_role = replica`;
  await db.sql`update contacts set name = 'June' where phone = '+14165550001'`;
  await db.sql`delete from contact_messages`;
  await db.sql`set session_replication_role = origin`;
  const [row] = await db.sql`select rebuild_search_documents() as mended`;
  assertEquals(row!["mended"], 3);
  assertEquals([...await db.sql`select * from search_differences()`], []);
  assertEquals((await search(db, null, "june")).results.length, 1);
});

test("what is erased or changed beside a rebuild is neither brought back nor left as it was", async (db) => {
  const gone = await voicemail(db, "Zanzibar", { from_e164: "+14165550301" as never });
  const kept = await voicemail(db, "Lisbon", { from_e164: "+14165550302" as never });
  await db.sql`insert into call_notes (call_sid, body) values (${kept}, 'Madrid')`;
  // As after a restore without the documents.
  await db.sql`delete from search_documents`;
  const [rebuilding, erasing, writing] = [connect(db.url), connect(db.url), connect(db.url)];
  try {
    const waits = async (pid: number) => {
      while (true) {
        const [row] = await db.sql`
          select wait_event_type = 'Lock' as waits from pg_stat_activity where pid = ${pid}`;
        if (row!["waits"]) return;
      }
    };
    const pidOf = async (sql: Sql) => (await sql`select pg_backend_pid() as pid`)[0]!["pid"];
    let others: Promise<unknown>[] = [];
    await rebuilding.begin(async (sql) => {
      assertEquals((await sql`select rebuild_search_documents() as mended`)[0]!["mended"], 3);
      const pids = [await pidOf(erasing), await pidOf(writing)];
      others = [
        erasing`select forget_person('+14165550301')`.execute(),
        writing`update call_notes set body = 'Porto'`.execute(),
      ];
      await Promise.all(pids.map(waits));
    });
    await Promise.all(others);
  } finally {
    await Promise.all([rebuilding, erasing, writing].map((sql) => sql.end()));
  }
  assertEquals([...await db.sql`select * from search_differences()`], []);
  const all = await db.sql`select call_sid, body from search_documents order by body`;
  assertEquals(all.map(({ call_sid, body }) => [call_sid, body]), [[kept, "Lisbon"], [
    kept,
    "Porto",
  ]]);
  assert(all.every(({ call_sid }) => call_sid !== gone));
});

test("a rebuild tells no alert", async (db) => {
  await db.sql`
    insert into search_alerts (name, query, channel, target) values ('A', 'zanzibar', 'slack', 'https://hooks.slack.com/services/T0/B0/x')`;
  await db.sql`set session_replication_role = replica`;
  await db
    .sql`insert into contact_messages (name, email, message) values ('J', 'j@example.com', 'zanzibar')`;
  await db.sql`set session_replication_role = origin`;
  await db.sql`select rebuild_search_documents()`;
  assertEquals((await db.sql`select from search_documents`).length, 1);
  assertEquals((await db.sql`select from jobs where kind like '%alert%'`).length, 0);
});

test("a phrase is found across the passages of a long text, each at its second", async (db) => {
  const filler = Array.from({ length: 700 }, (_, i) => `Sentence number ${i} goes on and on.`);
  filler[420] = "The violet elephant crossed the border.";
  const sid = await voicemail(db, filler.join(" "), { recording_duration_sec: 600 });
  const [count] = await db
    .sql`select count(*)::int as parts, max(length(body)) as longest from search_documents`;
  assert(count!["parts"] > 5 && count!["longest"] <= 3000);
  const answer = await search(db, null, '"violet elephant crossed the border"');
  assertEquals(answer.results[0]!.call_sid, sid);
  assert(Math.abs(answer.results[0]!.start_sec! - 360) < 10, String(answer.results[0]!.start_sec));
});

test("nothing of another organisation is told: results, facets, corrections, history, errors", async (db) => {
  await line(db, ORG, "+15550001111");
  await line(db, OTHER_ORG, "+15550002222");
  const words = ["apple", "banana", "cherry", "damson", "elderberry", "kumquat"];
  const theirs = ["zucchini", "rutabaga", "artichoke"];
  const from = ["+14165550101", "+14165550102"];
  for (const [i, word] of words.entries()) {
    // deno-lint-ignore no-await-in-loop
    await voicemail(db, `We sell ${word} here`, {
      to_e164: "+15550001111" as never,
      from_e164: from[i % 2] as never,
    });
  }
  for (const word of [...theirs, ...words.slice(0, 3)]) {
    // deno-lint-ignore no-await-in-loop
    await voicemail(db, `They sell ${word} there`, {
      to_e164: "+15550002222" as never,
      from_e164: "+16045550777" as never,
    });
  }
  await db
    .sql`update contacts set name = 'Ophelia', notes = 'rutabaga' where org_id = ${OTHER_ORG}`;
  const own = await db.sql`select call_sid from call_logs where org_id = ${ORG}`;
  const ownSids = new Set(own.map(({ call_sid }) => call_sid));
  const term = fc.oneof(
    fc.constantFrom(
      ...words,
      ...theirs,
      "sell",
      "there",
      "Ophelia",
      "zuchini",
      "rutabga",
      "604555",
      "0777",
      "416555",
      "they",
    ),
    fc.string({ maxLength: 12 }),
  );
  const query = fc.array(fc.tuple(fc.constantFrom("", "-", '"', "or "), term), { maxLength: 5 })
    .map((terms) => terms.map(([mark, word]) => mark + word).join(" ").replaceAll("\0", ""));
  const filters = fc.record({
    number: fc.constantFrom("604555", "416"),
    line: fc.constantFrom("+15550001111", "+15550002222"),
    org_id: fc.constantFrom(ORG, OTHER_ORG),
    has: fc.constant(["voicemail"]),
  }, { requiredKeys: [] });
  await fc.assert(
    fc.asyncProperty(query, filters, async (q, filters) => {
      const answer = await search(db, ORG, q, { filters });
      for (const { org_id, call_sid } of answer.results) {
        assertEquals(org_id, ORG);
        assert(call_sid === null || ownSids.has(call_sid));
      }
      const text = JSON.stringify({ ...answer, next_cursor: null }).toLowerCase();
      for (
        const secret of [...theirs, "they sell", "ophelia", "6045550777", "5550002222", OTHER_ORG]
      ) {
        assert(!text.includes(secret), `${secret} in ${text}`);
      }
    }),
    { numRuns: cases(150) },
  );
  // The same numbers, whatever the others have.
  const before = await search(db, ORG, "sell");
  await voicemail(db, "They sell more there", { to_e164: "+15550002222" as never });
  assertEquals((await search(db, ORG, "sell")).facets, before.facets);
  // An operator sees all, or the one that is asked for.
  assertEquals((await search(db, null, "zucchini")).results[0]!.org_id, OTHER_ORG);
  assertEquals((await search(db, null, "sell", { filters: { org_id: ORG } })).facets["kind"], {
    voicemail: 6,
  });
  // Nobody reads what another one searched for, and who is no member searches nothing.
  await as(db, OTHER_ORG, async (sql) => {
    assertEquals((await sql`select from search_history`).length, 0);
    assertEquals((await sql`select from search_documents where org_id = ${ORG}`).length, 0);
    assertEquals((await sql`select from contacts where org_id = ${ORG}`).length, 0);
  });
  for (const claims of [null, {}, { sub: USER }, { sub: USER, app_metadata: { org_id: null } }]) {
    // deno-lint-ignore no-await-in-loop
    const error = await assertRejects(
      () => as(db, null, (sql) => sql`select search_calls_of_member(${sql.json(claims)}, 'sell')`),
      postgres.PostgresError,
    );
    assertEquals(error.code, "42501");
  }
});

test("a member's own token reaches neither search, and a claim of another organisation gives no more than one", async (db) => {
  await line(db, ORG, "+15550001111");
  await voicemail(db, "sell the barn", { to_e164: "+15550001111" as never });
  for (
    const statement of [
      "select search_calls('sell')",
      `select search_calls_of_member('${JSON.stringify(claimsOf(ORG))}', 'sell')`,
      `select run_search(null, null, 'sell', '{}', 20, null, null, null)`,
    ]
  ) {
    // deno-lint-ignore no-await-in-loop
    const error = await assertRejects(
      () => as(db, OTHER_ORG, (sql) => sql.unsafe(statement)),
      postgres.PostgresError,
      "permission denied",
    );
    assertEquals(error.code, "42501");
  }
  // The row of members decides, whatever a token's app_metadata says.
  await db.sql`
    insert into members (org_id, user_id, email, role, joined_at)
    values (${OTHER_ORG}, ${USER}, 'jane@example.com', 'viewer', now())`;
  assertEquals((await search(db, ORG, "sell")).results, []);
});

test("hostile queries are answered", async (db) => {
  await voicemail(db, "plain words");
  const hostile = [
    Array.from({ length: 10_000 }, (_, i) => `word${i}`).join(" "),
    "((((((((((".repeat(1000),
    '"'.repeat(5000),
    "- -- --- ! & | <-> :* \\ ' '' %s %1$s %L",
    "'; drop table call_logs; --",
    "a".repeat(100_000),
    "é".repeat(5000),
    "😀 👩‍👩‍👧‍👦 🏳️‍🌈",
    "\u202eמה שלומך\u202c مرحبا",
    "(.*)*(.*)*(.*)*$ \\1 [[:alpha:]]{1000}",
    "or or or -or - or",
    "1 2 3 4 5 6 7 8 9 0".repeat(50),
    "000 000 0000",
    "\ue000\ue001<mark>",
    " \t\n ",
  ];
  for (const q of hostile) {
    // deno-lint-ignore no-await-in-loop
    const answer = await search(db, null, q);
    assertEquals(answer.partial, false, q.slice(0, 30));
  }
  // No text brings marks of its own.
  await voicemail(
    db,
    "\ue000 1 < 2 \ue001 & 'tomato' \" <mark>soup</mark> <script>alert(1)</script>",
  );
  const [result] = (await search(db, null, "tomato")).results;
  assertStringIncludes(result!.snippet, "<mark>tomato</mark>&#39; &quot;");
  assertEquals(result!.snippet.replaceAll(/<\/?mark>/g, "").match(/[<>"'\ue000\ue001]/g), null);
});

test("what is erased while a search runs is not in its answer, not even as an empty row", async (db) => {
  const phone = "+14165550777";
  let isOver = false;
  const comeAndGo = async () => {
    while (!isOver) {
      // deno-lint-ignore no-await-in-loop
      await db.sql`insert into contacts (org_id, phone, name) values (${ORG}, ${phone}, 'Tiger')`;
      // deno-lint-ignore no-await-in-loop
      await db.sql`delete from contacts`;
    }
  };
  const searches = async () => {
    for (let n = 0; n < 300; n++) {
      // deno-lint-ignore no-await-in-loop
      for (const { org_id, title } of (await search(db, ORG, "tiger")).results) {
        assertEquals([org_id, title], [ORG, "Tiger"]);
      }
    }
  };
  await Promise.all([comeAndGo(), searches().finally(() => isOver = true)]);
});

test("a snippet has no marks once the time for them is over", async (db) => {
  const [row] = await db.sql`
    select
      (search_snippet('a <b> word', 'english', 'word', null, null, 'infinity')).snippet as marked,
      (search_snippet('a <b> word', 'english', 'word', null, null, '-infinity')).snippet as plain`;
  assertEquals({ ...row }, {
    marked: "a &lt;b&gt; <mark>word</mark>",
    plain: "a &lt;b&gt; word",
  });
});

test("a note that is written while its call is erased is refused, and earlier ones are erased", async (db) => {
  const from_e164 = "+14165550777" as never;
  const sid = await voicemail(db, "hello", { from_e164 });
  const other = connect(db.url);
  const error = await assertRejects(
    () =>
      other.begin(async (sql) => {
        await sql`insert into call_notes (call_sid, body) values (${sid}, '12 Elm Street')`;
        await db.sql`select forget_person('+14165550777')`;
      }),
    postgres.PostgresError,
    "call_notes_of_call",
  );
  await other.end();
  assertEquals(error.code, "23503");
  assertEquals((await search(db, null, "elm")).results, []);
  const again = await voicemail(db, "hello", { from_e164 });
  await db.sql`insert into call_notes (call_sid, body) values (${again}, '12 Elm Street')`;
  await db.sql`insert into call_tags (call_sid, tag) values (${again}, 'tree')`;
  await db.sql`select forget_person('+14165550777')`;
  assertEquals([
    (await db.sql`select from call_notes`).length,
    (await db.sql`select from call_tags`).length,
  ], [0, 0]);
});

test("a note goes with its call to the organisation and number that a later event names", async (db) => {
  await line(db, ORG, "+15550001111");
  const sid = newCallSid();
  await accept(db, sid, { from_e164: undefined, to_e164: undefined, event: "status" });
  await db.sql`insert into call_notes (call_sid, body) values (${sid}, '12 Elm Street')`;
  await db.sql`insert into call_tags (call_sid, tag) values (${sid}, 'tree')`;
  await accept(db, sid, { to_e164: "+15550001111" as never, call_status: "completed" });
  assertEquals(found(await search(db, ORG, "elm", { filters: { tag: "tree" } })), [["note", sid]]);
  assertEquals([...await db.sql`select * from search_differences()`], []);
  assertEquals((await as(db, ORG, (sql) => sql`select from call_tags`)).length, 1);
});

test("of two who erase a word's last two documents at once no correction proposes it", async (db) => {
  const messages = await db.sql`
    insert into contact_messages (name, email, message)
    values ('Jane', 'jane@example.com', 'zanzibar'), ('Ann', 'ann@example.com', 'zanzibar') returning id`;
  await voicemail(db, "hello");
  const other = connect(db.url);
  await other.begin(async (sql) => {
    await sql`delete from contact_messages where id = ${messages[0]!["id"]}`;
    await db.sql`delete from contact_messages where id = ${messages[1]!["id"]}`;
  });
  await other.end();
  assertEquals((await search(db, null, "zanzibra or helo")).correction, "zanzibra or hello");
  await db.sql`select rebuild_search_documents()`;
  assertEquals([...await db.sql`select word from search_words`].map(({ word }) => word), ["hello"]);
});

test("when time is up, the newest rows are answered and the answer says that it is partial", async (db) => {
  const sid = await voicemail(db, "The dishwasher leaks");
  const [row] = await db.sql`
    select partial, array(select h.call_sid from unnest(hits) as h) as found
    from search_batch(null, 'dishwasher', search_queries('dishwasher'), '{}', now(), null, now() - interval '1 s', null, null, null)`;
  assertEquals(row, { partial: true, found: [sid] });
});

test("after forget nothing of a person is found, in any way", async (db) => {
  const sid = await voicemail(db, "My name is Zbigniew and I like marzipan", {
    from_e164: "+14165550123" as never,
  });
  await voicemail(db, "Marzipan for everybody", { from_e164: "+14165559876" as never });
  await db
    .sql`update contacts set name = 'Zbigniew', notes = 'marzipan' where phone = '+14165550123'`;
  await db.sql`insert into call_notes (call_sid, body) values (${sid}, 'called about marzipan')`;
  await db.sql`insert into call_tags (call_sid, tag) values (${sid}, 'sweet')`;
  await db.sql`select submit_contact_message(${
    db.sql.json({ name: "Z", email: "z@example.com", phone: "4165550123", message: "marzipan!" })
  }, '[]', '[]')`;
  await search(db, ORG, "zbigniew");
  await search(db, null, "Zbigniew");
  await search(db, null, "416-555-0123");
  await search(db, null, "z@example.com");
  assertEquals((await search(db, null, "marzipan")).facets["kind"], {
    voicemail: 2,
    contact: 1,
    note: 1,
    message: 1,
    call: 1,
  });
  const keep = (name: string, query: string, filters: Record<string, string> = {}) =>
    db.sql`insert into saved_searches (user_id, name, query, filters) values (${USER}, ${name}, ${query}, ${
      db.sql.json(filters)
    })`;
  await keep("By number", "416 555-0123 refund");
  await keep("By filter", "refund", { number: "+14165550123" });
  await keep("By address", "Z@example.com");
  await keep("Of an area", "416");
  await db.sql`
    insert into search_alerts (name, query, channel, target)
    select 'A', q, 'slack', 'https://hooks.slack.com/services/T0/B0/x' from unnest(array['4165550123', '555 refund']) as q`;
  await db.sql`select forget_person('+14165550123', 'z@example.com')`;
  assertEquals((await db.sql`select name from saved_searches`).map(({ name }) => name), [
    "Of an area",
  ]);
  assertEquals((await db.sql`select query from search_alerts`).map(({ query }) => query), [
    "555 refund",
  ]);
  assertEquals((await search(db, null, "marzipan")).facets["kind"], { voicemail: 1 });
  for (const q of ["zbigniew", "zbigneiw", "0123", "4165550123", "z@example.com"]) {
    // deno-lint-ignore no-await-in-loop
    const answer = await search(db, null, q);
    assertEquals([answer.results, answer.facets, answer.correction], [[], {}, null], q);
  }
  const kept = await db.sql`
    select words from search_history where at < now() - interval '0 s' and words ~* 'zbigniew|416-555|z@ex' and org_id is null
      and id <= (select max(id) - 6 from search_history)`;
  assertEquals([...kept], []);
  assertEquals([...await db.sql`select * from search_differences()`], []);
});

test("a person keeps 200 searches, none of them larger than a search can be", async (db) => {
  const save = (count: number, filters: Record<string, unknown> = {}) =>
    as(db, ORG, (sql) =>
      sql`insert into saved_searches (name, filters)
        select gen_random_uuid()::text, ${
        sql.json(filters as never)
      } from generate_series(1, ${count}::int)`);
  await save(200);
  const refused = async (run: () => Promise<unknown>) =>
    (await assertRejects(run, postgres.PostgresError)).code;
  assertEquals(await refused(() => save(1)), "PT409");
  await db.sql`delete from saved_searches`;
  assertEquals(await refused(() => save(1, { person: "x".repeat(2001) })), "23514");
});

test("an alert on words is sent once for a document, for its own organisation, in the transaction of the words", async (db) => {
  await line(db, ORG, "+15550001111");
  await as(db, ORG, (sql) =>
    sql`
    insert into search_alerts (name, query, channel, target) values ('Refunds', 'refund -joke', 'slack', 'https://hooks.slack.com/services/T0/B0/x')`);
  const jobs = async () =>
    (await db
      .sql`select payload ->> 'call_sid' as sid from jobs where kind like '%search_alert' order by id`)
      .map(({ sid }) => sid);
  const other = { recording_sid: recordingSid(9), recording_source: "voicemail" as const };
  await voicemail(db, "I want refunds");
  await voicemail(db, "A joke about a refund", { to_e164: "+15550001111" as never });
  const sid = await voicemail(db, "I want refunds", { to_e164: "+15550001111" as never, ...other });
  assertEquals(await jobs(), [sid]);
  await accept(db, sid, { ...other, transcript: "I want refunds, all of them" });
  assertEquals(await jobs(), [sid]);
  const [row] = await db
    .sql`select job_content(kind, key, payload) as content from jobs where kind like '%search_alert'`;
  assertEquals(row!["content"].alert.target, "https://hooks.slack.com/services/T0/B0/x");
  assertEquals(row!["content"].document.text, "I want refunds, all of them");
  // Fifty for an organisation, because each is matched against each document.
  await as(db, ORG, (sql) =>
    sql`
    insert into search_alerts (name, query, channel, target) select 'A', 'a', 'mail', 'a@example.com' from generate_series(1, 49)`);
  const error = await assertRejects(
    () =>
      as(
        db,
        ORG,
        (sql) =>
          sql`insert into search_alerts (name, query, channel, target) values ('B', 'b', 'mail', 'b@example.com')`,
      ),
    postgres.PostgresError,
  );
  assertEquals(error.code, "PT409");
});

test("of two who take a voicemail the second is told, and what is done leaves the backlog", async (db) => {
  await line(db, ORG, "+15550001111");
  const recording = recordingSid(5);
  const sid = await voicemail(db, "Call me", {
    to_e164: "+15550001111" as never,
    recording_sid: recording,
  });
  const step = (user: string, state: string) =>
    as(
      db,
      ORG,
      (sql) =>
        sql`insert into voicemail_steps (call_sid, recording_sid, state) values (${sid}, ${recording}, ${state})`,
      user,
    );
  const OTHER_USER = "44444444-4444-4444-8444-444444444444";
  await step(USER, "taken");
  const error = await assertRejects(() => step(OTHER_USER, "taken"), postgres.PostgresError);
  assertEquals(error.code, "PT409");
  await step(USER, "done");
  const [row] = await as(db, ORG, (sql) => sql`select state, changed_by from voicemails`);
  assertEquals({ ...row }, { state: "done", changed_by: USER });
  assertEquals((await db.sql`select from voicemail_backlog`).length, 0);
  await step(OTHER_USER, "new");
  assertEquals((await db.sql`select from voicemail_backlog`).length, 1);
  await assertRejects(
    () =>
      as(
        db,
        OTHER_ORG,
        (sql) =>
          sql`insert into voicemail_steps (call_sid, recording_sid, state) values (${sid}, ${recording}, 'taken')`,
      ),
    postgres.PostgresError,
    "there is no such call",
  );
});

test("words of searches are kept for 30 days, and counts for a year", async (db) => {
  await search(db, null, "marzipan");
  await search(db, null, "piano");
  await db.sql`update search_history set at = now() - interval '31 days' where words = 'marzipan'`;
  await db.sql`select purge_expired()`;
  assertEquals(
    (await db.sql`select words, hits from search_history order by at`).map((row) => ({ ...row })),
    [
      { words: null, hits: 0 },
      { words: "piano", hits: 0 },
    ],
  );
  await db.sql`update search_history set at = now() - interval '366 days' where words is null`;
  await db.sql`select purge_expired()`;
  const [day] = await db.sql`select searches::int, without_results::int from search_performance`;
  assertEquals({ ...day }, { searches: 1, without_results: 1 });
});

test("contacts come from first calls and from files, and go with the last call unless somebody named them", async (db) => {
  await accept(db, newCallSid(), { from_e164: "+14165550101" as never });
  await accept(db, newCallSid(), { from_e164: "+14165550101" as never });
  const imported = async (rows: unknown) =>
    (await db.sql`select import_contacts(${db.sql.json(rows as never)}) as counts`)[0]!["counts"];
  assertEquals(
    await imported([{ phone: "+14165550101", name: "Jane" }, { phone: "+14165550102" }]),
    { added: 1, changed: 1 },
  );
  assertEquals(await imported([{ phone: "+14165550101" }, { phone: "+14165550102" }]), {
    added: 0,
    changed: 0,
  });
  assertEquals((await search(db, null, "jane")).facets["kind"], { contact: 1, call: 2 });
  await db.sql`update contacts set created_at = now() - interval '91 days'`;
  await db.sql`select purge_personal_data()`;
  assertEquals((await db.sql`select name from contacts`).map(({ name }) => name), ["Jane"]);
});
