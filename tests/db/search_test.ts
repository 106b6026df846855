import { assertEquals } from "@std/assert/equals.js";
import type { Sql } from "postgres";
import { databaseTests, type TestDatabase } from "../support/database.ts";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";
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

/** Runs as a role, as the Data API does: in a transaction, with the token's claims. */
async function as<T>(
  db: TestDatabase,
  org: string | null,
  run: (sql: Sql) => Promise<T>,
): Promise<T> {
  return await db.sql.begin(async (sql) => {
    if (org === null) await sql`set local role service_role`;
    else {
      const claims = {
        role: "authenticated",
        sub: USER,
        app_metadata: { org_id: org, role: "agent" },
      };
      await sql`select set_config('request.jwt.claims', ${JSON.stringify(claims)}, true)`;
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
  return await as(db, org, async (sql) => {
    const [row] = await sql`
      select search_calls(${q}, ${sql.json((asked.filters ?? {}) as never)}, ${
      asked.limit ?? 20
    }, ${asked.cursor ?? null}) as answer`;
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

test("a voicemail's words are found in the transaction that brings them", async (db) => {
  const sid = await voicemail(
    db,
    "Hello, I would like a refund for the broken dishwasher, please call me back.",
  );
  await voicemail(db, "Nothing to see here.");
  const answer = await search(db, null, "refunds dishwasher");
  assertEquals(found(answer), [["voicemail", sid]]);
  void recordingSid;
  void OTHER_ORG;
  void ORG;
  void line;
});
