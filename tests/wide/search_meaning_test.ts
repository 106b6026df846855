// Search by meaning on a real pgvector: every migration in a PostgreSQL that has the extension, which the embedded one of the
// other tests lacks.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { PGlite } from "@electric-sql/pglite";
import { vector } from "@electric-sql/pglite-pgvector";
import { btree_gin } from "@electric-sql/pglite/contrib/btree_gin";
import { fuzzystrmatch } from "@electric-sql/pglite/contrib/fuzzystrmatch";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import { pgcrypto } from "@electric-sql/pglite/contrib/pgcrypto";
import { unaccent } from "@electric-sql/pglite/contrib/unaccent";

const MIGRATIONS = new URL("../../supabase/migrations/", import.meta.url);

const db = await PGlite.create({
  extensions: { vector, btree_gin, fuzzystrmatch, pg_trgm, pgcrypto, unaccent },
});
Deno.test.afterAll(() => db.close());
// What a project of Supabase's has before its first migration, as far as the migrations ask for it.
await db.exec(`
  create role anon nologin;
  create role authenticated nologin;
  create role service_role nologin bypassrls;
  create schema extensions;
  create extension pgcrypto with schema extensions;
  create schema auth;
  create table auth.users (id uuid primary key, email text, email_confirmed_at timestamptz);
  create table auth.mfa_factors (id uuid primary key, user_id uuid, status text);
  create function auth.uid() returns uuid language sql stable
    return (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
  grant usage on schema public, extensions, auth to anon, authenticated, service_role;
`);
for (const name of [...Deno.readDirSync(MIGRATIONS)].map(({ name }) => name).sort()) {
  // deno-lint-ignore no-await-in-loop -- One builds on the other.
  await db.exec(await Deno.readTextFile(new URL(name, MIGRATIONS)));
}

const OURS = "11111111-1111-4111-8111-111111111111";
const THEIRS = "22222222-2222-4222-8222-222222222222";
const MODEL = "test-model";

/** A direction in the space of 384 numbers, of unit length: the same for the same topic, and a little off by `by`. */
function meaning(topic: number, by = 0): number[] {
  const numbers = Array.from({ length: 384 }, () => 0);
  numbers[topic] = Math.cos(by);
  numbers[383] = Math.sin(by);
  return numbers;
}

const literal = (numbers: readonly number[]) => `{${numbers.join()}}`;

let refs = 0;
/** Writes a document of one passage. @returns its id */
async function write(org: string, body: string): Promise<number> {
  const { rows } = await db.query<{ id: number }>(
    `insert into search_documents (org_id, kind, ref, at, lang, body)
    values ($1, 'message', $2, now(), 'english', $3) returning id::int`,
    [org, `ref ${refs++}`, body],
  );
  return rows[0]!.id;
}

/** Does the jobs that are due: each document gets the meaning that `of` gives its text. */
async function embed(of: (text: string) => number[]): Promise<number> {
  const { rows } = await db.query<
    { id: number; key: string; lease: string; content: { text: string } | null }
  >(
    "select id::int, key, lease, content from claim_jobs('{embedding}', 1000)",
  );
  for (const { id, key, lease, content } of rows) {
    if (content !== null) {
      // deno-lint-ignore no-await-in-loop
      await db.query("select store_embedding($1, $2, $3::real[])", [
        key,
        MODEL,
        literal(of(content.text)),
      ]);
    }
    // deno-lint-ignore no-await-in-loop
    await db.query("select job_done($1, $2, null)", [id, lease]);
  }
  return rows.length;
}

async function nearest(org: string | null, to: number[], limit = 20, model = MODEL) {
  const { rows } = await db.query<{ id: number; distance: number }>(
    "select document_id::int as id, distance from nearest_documents($1, $2, $3::real[], $4)",
    [org, model, literal(to), limit],
  );
  return rows;
}

Deno.test("the schema knows that there are vectors", async () => {
  const { rows } = await db.query<{ has: boolean }>("select has_vectors() as has");
  assertEquals(rows, [{ has: true }]);
});

Deno.test("each document is owed an embedding, and the nearest in meaning come first", async () => {
  const angry = await write(OURS, "The customer is furious about the invoice");
  const calm = await write(OURS, "A pleasant talk about the weather");
  assertEquals(await embed((text) => meaning(text.includes("furious") ? 1 : 2)), 2);
  const found = await nearest(OURS, meaning(1, 0.1));
  assertEquals(found.map(({ id }) => id), [angry, calm]);
  assert(found[0]!.distance < 0.01 && found[1]!.distance > 0.9);
});

Deno.test("another organisation's documents are never near", async () => {
  const other = await write(THEIRS, "Their furious customer");
  await embed(() => meaning(3));
  assert(!(await nearest(OURS, meaning(3))).some(({ id }) => id === other));
  assertEquals((await nearest(THEIRS, meaning(3))).map(({ id }) => id), [other]);
  assertEquals((await nearest(null, meaning(3), 1)).map(({ id }) => id), [other]);
});

Deno.test("embeddings of another model are not compared", async () => {
  assertEquals(await nearest(OURS, meaning(1), 20, "another-model"), []);
});

Deno.test("a text that changes loses its meaning at once, and gets its new one once", async () => {
  const id = await write(OURS, "before");
  const claimed = await db.query<{ id: number; key: string; lease: string }>(
    "select id::int, key, lease from claim_jobs('{embedding}', 10)",
  );
  // The text changes while the old one is being embedded.
  await db.query("update search_documents set body = 'after' where id = $1", [id]);
  const { rows } = await db.query<{ kept: boolean }>(
    "select store_embedding($1, $2, $3::real[]) as kept",
    [claimed.rows[0]!.key, MODEL, literal(meaning(5))],
  );
  assertEquals(rows, [{ kept: false }]);
  await db.query("select job_done($1, $2, null)", [claimed.rows[0]!.id, claimed.rows[0]!.lease]);
  const texts: string[] = [];
  await embed((text) => (texts.push(text), meaning(6)));
  assertEquals(texts, ["after"]);
  assertEquals((await nearest(OURS, meaning(6), 1))[0]!.id, id);
  await db.query("update search_documents set body = 'later' where id = $1", [id]);
  assert(!(await nearest(OURS, meaning(6))).some((each) => each.id === id));
  await embed(() => meaning(7));
});

Deno.test("an erased document has no embedding, and its job is over", async () => {
  const id = await write(OURS, "to be erased");
  await embed(() => meaning(8));
  const late = await write(OURS, "erased before it is embedded");
  await db.query("delete from search_documents where id = any ($1)", [[id, late]]);
  const { rows } = await db.query("select from search_embeddings where document_id = $1", [id]);
  assertEquals(rows.length, 0);
  const texts: string[] = [];
  await embed((text) => (texts.push(text), meaning(8)));
  assertEquals(texts, []);
});

Deno.test("after the model has changed, every document is owed an embedding again, once", async () => {
  const owe = async () =>
    (await db.query<{ owed: number }>("select owe_embeddings('new-model')::int as owed")).rows[0]!
      .owed;
  const { rows: [count] } = await db.query<{ all: number }>(
    "select count(*)::int as all from search_documents",
  );
  assertEquals([await owe(), await owe()], [count!.all, count!.all]);
  const { rows: [jobs] } = await db.query<{ all: number }>(
    "select count(*)::int as all from jobs where kind = 'embedding' and ended_at is null",
  );
  assertEquals(jobs!.all, count!.all);
  await embed(() => meaning(9));
});

Deno.test("a search finds by words and by meaning, what is both first, and says that meanings were compared", async () => {
  const both = await write(OURS, "An unhappy customer, furious");
  const near = await write(OURS, "She shouted at the receptionist");
  const word = await write(OURS, "The unhappy weather report");
  const theirs = await write(THEIRS, "He shouted at everybody");
  await embed((text) => meaning(/furious|shouted/.test(text) ? 20 : 21));
  const search = async (org: string, embedding: string | null) => {
    const claims = JSON.stringify({
      role: "authenticated",
      sub: crypto.randomUUID(),
      app_metadata: { org_id: org, role: "viewer" },
    });
    return await db.transaction(async (sql) => {
      await sql.exec("set local role service_role");
      const { rows } = await sql.query<{ answer: Answer }>(
        "select search_calls_of_member($1, 'unhappy', '{}', 10, null, $2::real[], $3) as answer",
        [claims, embedding, MODEL],
      );
      return rows[0]!.answer;
    });
  };
  const refs = async (ids: number[]) =>
    (await db.query<{ ref: string }>(
      "select ref from search_documents where id = any ($1) order by array_position($1, id)",
      [ids],
    )).rows.map(({ ref }) => ref);
  const hybrid = await search(OURS, literal(meaning(20)));
  const found = hybrid.results.map(({ ref }) => ref);
  const [bothRef, nearRef, wordRef, theirRef] = await refs([both, near, word, theirs]);
  assertEquals([hybrid.meaning, found[0]], [true, bothRef]);
  assert(found.includes(nearRef!) && found.includes(wordRef!) && !found.includes(theirRef!));
  const words = await search(OURS, null);
  assertEquals(words.meaning, false);
  assertEquals(words.results.map(({ ref }) => ref).toSorted(), [bothRef!, wordRef!].toSorted());
});
interface Answer {
  readonly results: readonly { readonly ref: string }[];
  readonly meaning: boolean;
}

Deno.test("an organisation of few documents finds all that it asks for among the many of others", async () => {
  // The documents of ours are 30 of 600, and no nearer than the others.
  await db.exec(`
    alter table search_documents disable trigger search_documents_embedded;
    drop index search_embeddings_nearest_idx;
    insert into search_documents (org_id, kind, ref, at, lang, body)
    select case when n % 20 = 0 then '${OURS}' else '${THEIRS}' end::uuid, 'message', 'many ' || n, now(), 'english', 'text'
    from generate_series(1, 600) as n;
    insert into search_embeddings (document_id, owner, model, embedding)
    select d.id, d.owner, 'many', (select array_agg(random() - 0.5) from generate_series(1, 384 + 0 * d.id::integer))::real[]
    from search_documents as d where d.ref like 'many %';
    create index search_embeddings_nearest_idx on search_embeddings
      using hnsw ((embedding::extensions.halfvec(384)) extensions.halfvec_cosine_ops);
    analyze search_embeddings;
  `);
  const exact = await nearest(OURS, meaning(0), 20, "many");
  assertEquals(exact.length, 20);
  // The planner would still sort so few: the index is for an owner of many.
  await db.exec("set enable_sort = off; set enable_bitmapscan = off; set enable_seqscan = off");
  const { rows } = await db.query<{ id: number }>(
    "select document_id::int as id from nearest_documents($1, 'many', $2::real[], 20, 0)",
    [OURS, literal(meaning(0))],
  );
  assertEquals(rows.length, 20);
  const ids = new Set(exact.map(({ id }) => id));
  assert(rows.filter(({ id }) => ids.has(id)).length >= 18, "the index finds what is nearest");
});
