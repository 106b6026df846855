import postgres, { type Sql, type TransactionSql } from "postgres";
import { newCallSid, recordingSid, voiceEvent } from "../support/events.ts";
import { difference, ratio, type Row } from "./report.ts";
import { median, percentile } from "./stats.ts";
import type { World } from "./world.ts";

export interface SearchOptions {
  /** Passages of 25 words, of twenty organisations. */
  readonly passages: number;
  /** Searches of each kind. */
  readonly searches: number;
  readonly log: (line: string) => void;
}

const ORGS = 20;
const WORDS = 20_000;

/** Searches among many passages, what feeding them costs, and whether the two stages find what a full ranking does. */
export async function search(world: World, options: SearchOptions): Promise<Row[]> {
  const url = await world.createDatabase("bench_search");
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const started = performance.now();
    await generate(sql, options.passages);
    options.log(
      `${options.passages} passages made up in ${
        ((performance.now() - started) / 1000).toFixed(0)
      } s`,
    );
    return [
      ...await searches(sql, options),
      await recall(sql, options),
      ...await feeding(world, sql, options),
    ];
  } finally {
    await sql.end();
  }
}

const org = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;

/** Words by their frequency: the first is in three of five passages, the last in one of thousands. */
const word = (n: number) => {
  const syllables = ["ba", "ko", "lu", "mi", "ra", "ze", "to", "fy", "nu", "ga"];
  return `w${[...String(n)].map((digit) => syllables[Number(digit)]).join("")}`;
};

async function generate(sql: Sql, passages: number): Promise<void> {
  await sql`set session_replication_role = replica`;
  await sql`set synchronous_commit = off`;
  await sql`set maintenance_work_mem = '512MB'`;
  const indexes = await sql<{ name: string; definition: string }[]>`
    select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition from pg_index
    where indrelid in ('search_documents'::regclass, 'search_words'::regclass, 'contacts'::regclass, 'call_logs'::regclass)
      and not indisunique`;
  for (const { name } of indexes) {
    // deno-lint-ignore no-await-in-loop -- One at a time.
    await sql.unsafe(`drop index ${name}`);
  }
  const vocabulary = Array.from({ length: WORDS }, (_, n) => word(n));
  const calls = Math.ceil(passages / 5);
  await sql`
    insert into call_logs (call_sid, org_id, from_e164, to_e164, mode, mode_turn, status, started_at, ended_at, duration_sec,
      connected_at, created_at, updated_at)
    select 'CA' || md5(i::text), ('00000000-0000-4000-8000-' || lpad((i % ${ORGS}::int)::text, 12, '0'))::uuid,
      '+1' || (2000000000 + i % 60000 * 7919::bigint), '+15877428885', case when i % 3 = 0 then 'support' else 'sales' end, 1,
      'completed', t, t + interval '90 s', 30 + i % 300, case when i % 4 > 0 then t end, t, t
    from generate_series(1, ${calls}::int) as i,
      lateral (select now() - i * interval '90 days' / ${calls}::float8 as t) as at`;
  await sql`
    insert into contacts (org_id, phone) select distinct org_id, from_e164 from call_logs`;
  await sql`
    insert into search_documents (org_id, kind, ref, part, call_sid, party, at, start_ms, end_ms, speaker, lang, body)
    select c.org_id, 'transcript', c.call_sid || '/RE', p, c.call_sid, c.from_e164, c.started_at, p * 10000, p * 10000 + 10000,
      'caller', 'english', array_to_string(array(
        -- name: words of one length are found in an array without reading those before.
        select (${vocabulary}::name[])[1 + (${WORDS}::int * power(random(), 3))::int % ${WORDS}::int]
        from generate_series(1, 25 + 0 * p)
      ), ' ')
    from call_logs as c, generate_series(0, 4) as p`;
  await sql`
    insert into search_words (owner, word)
    select ('00000000-0000-4000-8000-' || lpad(o::text, 12, '0'))::uuid, w
    from unnest(${vocabulary}::text[]) as w, generate_series(0, ${
    ORGS - 1
  }::int) as o where length(w) >= 4`;
  for (const { definition } of indexes) {
    // deno-lint-ignore no-await-in-loop
    await sql.unsafe(definition);
  }
  await sql`set session_replication_role = origin`;
  await sql`set synchronous_commit = on`;
  await sql`vacuum analyze`;
  await sql`checkpoint`;
}

/** Each kind of search, by a number that differs each time. */
const KINDS: Readonly<Record<string, (n: number) => [q: string, filters?: object]>> = {
  "a rare word": (n) => [word(9000 + n * 7)],
  "two words": (n) => [`${word(50 + n)} ${word(300 + n)}`],
  "a word of every third passage": (n) => [word(3 + n % 4)],
  "a phrase": (n) => [`"${word(n % 5)} ${word(5 + n % 5)}"`],
  "a word and not another": (n) => [`${word(40 + n)} -${word(n % 5)}`],
  "only excluded words": (n) => [`-${word(n % 5)}`],
  "eight words by or": (
    n,
  ) => [Array.from({ length: 8 }, (_, i) => word(20 + 9 * n + i)).join(" or ")],
  "two common words that are seldom together": (n) => [`"${word(0)} ${word(1)} ${word(2 + n)}"`],
  "three digits of a number": (n) => [String(200 + n)],
  "seven digits of a number": (n) => [String(2000000 + n * 7919).slice(0, 7)],
  "filters alone": (n) => ["", { mode: "sales", min_seconds: 60 + n, disposition: "connected" }],
  "a word with filters": (n) => [word(30 + n), { mode: "support", min_seconds: 100 }],
  "a common word with a filter that nothing meets": () => [word(0), { tag: "none" }],
  "a misspelt word": (n) => [word(11_111 + n).replace(/..$/, "xx")],
  "64 words, operators and marks": (
    n,
  ) => [Array.from({ length: 80 }, (_, i) => `${word(i + n)} or -"<b>`).join(" ")],
};

interface Answer {
  readonly results: readonly { readonly ref: string }[];
  readonly partial: boolean;
}

async function ask(sql: Sql, n: number, q: string, filters: object = {}): Promise<Answer> {
  const claims = { app_metadata: { org_id: org(n % ORGS) } };
  return await sql.begin(async (tx: TransactionSql) => {
    await tx`set local role service_role`;
    const [row] = await tx`
      select search_calls_of_member(${tx.json(claims)}, ${q}, ${
      tx.json(filters as never)
    }) as answer`;
    return row!["answer"];
  }) as Answer;
}

async function searches(sql: Sql, { passages, searches }: SearchOptions): Promise<Row[]> {
  const all: number[] = [];
  const rows: Row[] = [];
  let partial = 0;
  for (const [kind, queryOf] of Object.entries(KINDS)) {
    const taken: number[] = [];
    for (let n = 0; n < searches; n++) {
      const started = performance.now();
      // deno-lint-ignore no-await-in-loop -- One at a time.
      const answer = await ask(sql, n, ...queryOf(n));
      taken.push(performance.now() - started);
      if (answer.partial) partial++;
    }
    all.push(...taken);
    rows.push({
      measure: `search: ${kind}`,
      unit: "ms",
      ours: median(taken),
      note: `worst ${Math.max(...taken).toFixed(0)}`,
    });
  }
  return [
    {
      measure: `search among ${passages} passages, p95 of all kinds`,
      unit: "ms",
      ours: percentile(all, 0.95),
      aim: { most: 100 },
      note: `${partial} of ${all.length} partial`,
    },
    { measure: "search, the worst", unit: "ms", ours: Math.max(...all), aim: { most: 500 } },
    ...rows,
  ];
}

/** Of the twenty best by ranking every match, the part that the first page has. */
async function recall(sql: Sql, { searches }: SearchOptions): Promise<Row> {
  const queries = Object.entries(KINDS).filter(([kind]) =>
    /rare|two words|third|phrase|not another|by or/.test(kind)
  );
  const shares: number[] = [];
  for (const [, queryOf] of queries) {
    for (let n = 0; n < Math.min(searches, 10); n++) {
      const [q] = queryOf(n);
      // deno-lint-ignore no-await-in-loop -- One at a time.
      const [score] = await sql`
        select search_score(format('%L::tsquery', search_query(${q}, 'english')), now()) as sql`;
      // deno-lint-ignore no-await-in-loop
      const best = await sql<{ ref: string; part: number }[]>`
        select d.ref || '#' || d.part as ref from search_documents as d
        where d.owner = ${org(n % ORGS)} and d.fts @@ search_query(${q}, 'english')
        order by ${sql.unsafe(score!["sql"])} desc, d.at desc, d.id
        limit 20`;
      // deno-lint-ignore no-await-in-loop
      const found = await sql<{ ref: string }[]>`
        select d.ref || '#' || d.part as ref
        from search_batch(${
        org(n % ORGS)
      }, ${q}, search_queries(${q}), '{}', now(), null, 'infinity', null, null, null) as b, unnest(b.hits) as h
        join search_documents as d on d.id = h.id
        order by h.score desc, h.at desc, h.id limit 20`;
      const known = new Set(found.map(({ ref }) => ref));
      if (best.length > 0) {
        shares.push(best.filter(({ ref }) => known.has(ref)).length / best.length);
      }
    }
  }
  return {
    measure: "search: of the 20 best of all matches, found on the first page",
    unit: "",
    ours: shares.reduce((sum, share) => sum + share, 0) / shares.length,
    aim: { least: 0.95 },
    note: `least ${Math.min(...shares).toFixed(2)}`,
  };
}

/** What it costs to be found: of a row, and of the webhook that brings a transcript. */
async function feeding(world: World, sql: Sql, { searches }: SearchOptions): Promise<Row[]> {
  await sql`
    create table plain_documents (like search_documents including defaults including constraints including identity)`;
  await sql`alter table plain_documents drop column fts, drop column owner`;
  await sql`alter table plain_documents add primary key (id), add unique (kind, ref, part)`;
  await sql`create index on plain_documents (org_id, at desc, id desc)`;
  await sql`create index on plain_documents (org_id, party, at desc)`;
  await sql`create index on plain_documents (call_sid)`;
  const insert = async (table: string, n: number) => {
    const body = Array.from({ length: 25 }, (_, i) => word((n * 7919 + i * 104_729) % WORDS)).join(
      " ",
    );
    const started = performance.now();
    await sql`
      insert into ${
      sql(table)
    } (org_id, kind, ref, call_sid, party, at, start_ms, end_ms, speaker, lang, body)
      values (${
      org(n % ORGS)
    }, 'transcript', ${`bench/${n}`}, ${newCallSid()}, '+15551234567', now(), 0, 10000, 'caller', 'english', ${body})`;
    return performance.now() - started;
  };
  const taken = { search_documents: [] as number[], plain_documents: [] as number[] };
  for (let n = 0; n < searches * 20; n++) {
    for (const table of ["search_documents", "plain_documents"] as const) {
      // deno-lint-ignore no-await-in-loop -- In turns.
      taken[table].push(await insert(table, n));
    }
  }

  // The same webhook in a database that indexes nothing.
  const bareUrl = await world.createDatabase("bench_search_bare");
  const bare = postgres(bareUrl, { max: 1, onnotice: () => {} });
  const found: number[] = [];
  const webhook = { ours: [] as number[], rival: [] as number[] };
  try {
    await bare`
      create or replace function index_source(p_kind text, p_id uuid, p_call_sid text default null) returns void
      language plpgsql volatile security definer set search_path = '' as 'begin end'`;
    for (let n = 0; n < searches * 10; n++) {
      const sid = newCallSid();
      const told = `wmark${n}zz`.replaceAll(/\d/g, (digit) => "abcdefghij"[Number(digit)]!);
      const words = Array.from({ length: 25 }, (_, i) => word((n * 31 + i * 977) % 3000)).join(" ");
      const arrived = voiceEvent(sid, { call_status: "completed" });
      const transcribed = voiceEvent(sid, {
        identity: "transcribed",
        event: "transcription",
        recording_sid: recordingSid(n),
        recording_source: "voicemail",
        transcript: `${words} ${told}`,
      });
      for (const [which, db] of [["rival", bare], ["ours", sql]] as const) {
        // deno-lint-ignore no-await-in-loop -- In turns.
        await db`select accept_voice_event(${db.json(arrived as never)})`;
        const started = performance.now();
        // deno-lint-ignore no-await-in-loop
        await db`select accept_voice_event(${db.json(transcribed as never)})`;
        webhook[which].push(performance.now() - started);
        if (which === "ours" && n % 10 === 0) {
          // deno-lint-ignore no-await-in-loop
          const [row] = await sql`select search_calls(${told}) as answer`;
          if (row!["answer"].results.length !== 1) throw new Error(`Cannot find ${told}`);
          found.push(performance.now() - started);
        }
      }
    }
  } finally {
    await bare.end();
  }
  return [
    {
      measure: "inserting a passage, in a transaction of its own",
      unit: "ms",
      ...ratio(median(taken.search_documents), "without its words", median(taken.plain_documents)),
      aim: { most: 1.3 },
    },
    {
      measure: "the webhook that brings a transcript",
      unit: "ms",
      ...difference(median(webhook.ours), "indexed nowhere", median(webhook.rival)),
      aim: { most: 1 },
    },
    {
      measure: "from a transcript's webhook to its result, the slowest",
      unit: "ms",
      ours: Math.max(...found),
      aim: { most: 1000 },
    },
  ];
}
