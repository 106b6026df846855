import { assertEquals } from "@std/assert/equals.js";
import { assertLess } from "@std/assert/less.js";
import { LOCAL_JWT_SECRET } from "../../scripts/local/stack.ts";
import { createTestDatabase, startTestStack, type TestDatabase } from "../support/database.ts";
import { signJwt } from "../support/jwt.ts";

const SECRET = { apikey: "sb_secret_local" };

const FIXTURE = `
  -- The fixture is about the API, not about who may call it.
  alter default privileges grant execute on functions to public;
  create table public.fruit (id int primary key, name text not null unique, kilos numeric, owner uuid, info jsonb);
  alter table public.fruit enable row level security;
  create policy own on public.fruit for select to authenticated using (owner = (select auth.uid()));
  grant select, insert, update, delete on public.fruit to service_role;
  grant select on public.fruit to authenticated;
  insert into public.fruit values
    (1, 'apple', 1.5, '00000000-0000-4000-8000-000000000001', '{"colour": "red"}'),
    (2, 'pear', null, null, null),
    (3, 'it''s "odd", (really)', 3, null, null);

  create table public.secret (id int primary key);
  grant select on public.secret to service_role;

  create function public.add(a int, b int default 10) returns int language sql immutable as 'select a + b';
  create function public.greet(name text) returns text language sql stable as $$ select 'hello ' || name $$;
  create function public.nothing() returns void language sql as '';
  create function public.null_text() returns text language sql as 'select null::text';
  create function public.as_json(input jsonb) returns jsonb language sql as 'select input';
  create function public.whole(jsonb) returns jsonb language sql as 'select $1';
  create function public.total(variadic n int[]) returns bigint language sql stable as 'select sum(x) from unnest(n) x';
  create function public.fruits() returns setof public.fruit language sql stable as 'select * from public.fruit order by id';
  create function public.one_fruit(wanted int) returns public.fruit language sql stable as 'select * from public.fruit where id = wanted';
  create function public.pairs(n int) returns table (k int, v text) language sql stable as $$ select i, 'v' || i from generate_series(1, n) i $$;
  create function public.numbers(n int) returns setof int language sql stable as 'select generate_series(1, n)';
  create function public.plant(id int, name text) returns setof public.fruit language sql as
    'insert into public.fruit (id, name) values ($1, $2) returning *';
  create function public.sneaky() returns void language sql stable as 'select 1';
  create function public.fail(state text, words text default 'no') returns void language plpgsql as $$
    begin raise exception using errcode = state, message = words, detail = 'd', hint = 'h'; end $$;
  create function public.created() returns jsonb language plpgsql as $$
    begin
      perform set_config('response.status', '201', true);
      perform set_config('response.headers', '[{"location": "/x"}, {"cache-control": "no-store"}]', true);
      return '{"ok": true}';
    end $$;
  create function public.who() returns jsonb language sql stable as $$
    select jsonb_build_object('role', current_user, 'auth_role', auth.role(), 'uid', auth.uid(),
      'method', current_setting('request.method', true), 'path', current_setting('request.path', true),
      'agent', current_setting('request.headers', true)::jsonb ->> 'x-agent') $$;
  create function public.overloaded(a int) returns int language sql as 'select 1';
  create function public.overloaded(a int, b int default 0) returns int language sql as 'select 2';
  create function public.slow() returns int language sql as 'select 1 from pg_sleep(5)';
`;

type Api = ReturnType<TestDatabase["api"]>;

/** A test with a Data API over a database that has the fixture. */
function test(name: string, body: (api: Api, db: TestDatabase) => Promise<void>) {
  Deno.test(`Data API: ${name}`, async () => {
    const db = await createTestDatabase();
    try {
      await db.sql.unsafe(FIXTURE);
      await body(db.api(), db);
    } finally {
      await db.drop();
    }
  });
}

async function ask(api: Api, path: string, init: RequestInit = {}) {
  const response = await api.handle(new Request(`http://localhost/rest/v1/${path}`, init));
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === "" ? undefined : JSON.parse(text),
  };
}

function call(
  api: Api,
  name: string,
  args: unknown = {},
  headers: Record<string, string> = SECRET,
) {
  return ask(api, `rpc/${name}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(args),
  });
}

function get(api: Api, path: string, headers: Record<string, string> = SECRET) {
  return ask(api, path, { headers });
}

test("a scalar comes back bare, and defaults may be left out", async (api) => {
  assertEquals((await call(api, "add", { a: 1, b: 2 })).body, 3);
  assertEquals((await call(api, "add", { a: 1 })).body, 11);
  assertEquals(
    (await call(api, "greet", { name: 'O\'Neil "x" \\ é' })).body,
    'hello O\'Neil "x" \\ é',
  );
  assertEquals((await call(api, "null_text")).body, null);
});

test("void answers 204 without a body", async (api) => {
  const { status, body, headers } = await call(api, "nothing");
  assertEquals([status, body, headers.get("content-type")], [204, undefined, null]);
});

test("json goes in and out as it is", async (api) => {
  const value = { a: [1, null, { b: "ü" }], c: "{}" };
  assertEquals((await call(api, "as_json", { input: value })).body, value);
  assertEquals((await call(api, "whole", value)).body, value);
  assertEquals((await call(api, "whole", [1, 2])).body, [1, 2]);
});

test("variadic arguments come as an array, or repeated in a GET", async (api) => {
  assertEquals((await call(api, "total", { n: [1, 2, 3] })).body, 6);
  assertEquals((await get(api, "rpc/total?n=1&n=2")).body, 3);
});

test("sets come back as arrays, of objects or of bare values", async (api) => {
  assertEquals((await call(api, "pairs", { n: 2 })).body, [{ k: 1, v: "v1" }, { k: 2, v: "v2" }]);
  assertEquals((await call(api, "numbers", { n: 3 })).body, [1, 2, 3]);
  assertEquals((await call(api, "numbers", { n: 0 })).body, []);
  assertEquals((await call(api, "one_fruit", { wanted: 2 })).body.name, "pear");
  const { body } = await ask(api, "rpc/fruits?select=name&id=gt.1&order=id.desc&limit=1", {
    method: "POST",
    headers: SECRET,
  });
  assertEquals(body, [{ name: 'it\'s "odd", (really)' }]);
});

test(
  "an object is demanded with Accept: one row or 406, and then nothing is written",
  async (api, db) => {
    const object = { ...SECRET, accept: "application/vnd.pgrst.object+json" };
    assertEquals((await call(api, "pairs", { n: 1 }, object)).body, { k: 1, v: "v1" });
    const none = await call(api, "pairs", { n: 0 }, object);
    assertEquals([none.status, none.body.code, none.body.details], [
      406,
      "PGRST116",
      "The result contains 0 rows",
    ]);
    assertEquals((await call(api, "plant", { id: 4, name: "fig" }, object)).body.name, "fig");
    await db.sql`
    create function public.plant_two() returns setof public.fruit language sql as
    $$ insert into public.fruit (id, name) values (5, 'a'), (6, 'b') returning * $$`;
    assertEquals((await call(api, "plant_two", {}, object)).status, 406);
    assertEquals((await db.sql`select from public.fruit where id > 4`).length, 0);
  },
);

test("an unknown function is 404 PGRST202, until it exists", async (api, db) => {
  const { status, body } = await call(api, "brand_new", { a: 1, b: 2 });
  assertEquals(status, 404);
  assertEquals(body.code, "PGRST202");
  assertEquals(
    body.message,
    "Could not find the function public.brand_new(a, b) in the schema cache",
  );
  await db
    .sql`create function public.brand_new(a int, b int) returns int language sql as 'select 7'`;
  assertEquals((await call(api, "brand_new", { a: 1, b: 2 })).body, 7);
  await db.sql`drop function public.brand_new`;
  assertEquals((await call(api, "brand_new", { a: 1, b: 2 })).status, 404);
});

test("a missing or surplus argument is an unknown function, an ambiguous call is 300", async (api) => {
  assertEquals((await call(api, "add", {})).status, 404);
  assertEquals((await call(api, "add", { a: 1, c: 1 })).status, 404);
  const { status, body } = await call(api, "overloaded", { a: 1 });
  assertEquals([status, body.code], [300, "PGRST203"]);
  assertEquals((await call(api, "overloaded", { a: 1, b: 2 })).body, 2);
});

test("a body that is no JSON is 400 PGRST102", async (api) => {
  const { status, body } = await ask(api, "rpc/add", {
    method: "POST",
    headers: SECRET,
    body: "{",
  });
  assertEquals([status, body.code], [400, "PGRST102"]);
});

test("a SQLSTATE decides the status, and the error's parts are passed on", async (api) => {
  const table = [
    ["08006", 503],
    ["53300", 503],
    ["28000", 403],
    ["0LP01", 403],
    ["0P000", 403],
    ["23503", 409],
    ["23505", 409],
    ["23514", 400],
    ["25006", 405],
    ["42501", 403],
    ["42883", 404],
    ["42P01", 404],
    ["57P01", 503],
    ["57014", 500],
    ["40001", 500],
    ["XX000", 500],
    ["P0001", 400],
    ["22023", 400],
    ["PT402", 402],
    ["PT429", 429],
  ] as const;
  await Promise.all(table.map(async ([state, status]) => {
    const { status: answered, body } = await call(api, "fail", { state });
    assertEquals([state, answered], [state, status]);
    assertEquals(body, { code: state, details: "d", hint: "h", message: "no" });
  }));
});

test("a failed call leaves the connection fit for the next one", async (_, db) => {
  const api = db.api({ poolSize: 1 });
  assertEquals((await call(api, "plant", { id: 1, name: "again" })).status, 409);
  assertEquals((await call(api, "plant", { id: 9, name: "kiwi" })).status, 200);
  assertEquals((await db.sql`select from public.fruit where id = 9`).length, 1);
});

test("a function may set its status and headers", async (api) => {
  const { status, headers, body } = await call(api, "created");
  assertEquals([status, headers.get("location"), headers.get("cache-control")], [
    201,
    "/x",
    "no-store",
  ]);
  assertEquals(body, { ok: true });
  assertEquals((await call(api, "add", { a: 1 })).status, 200, "it does not outlive its request");
});

test("each key has its role, and no key is anon", async (api) => {
  await Promise.all([
    [SECRET, "service_role"],
    [{ authorization: "Bearer sb_secret_local" }, "service_role"],
    [{ apikey: "sb_publishable_local" }, "anon"],
    [{}, "anon"],
    [
      {
        apikey: "sb_publishable_local",
        authorization: `Bearer ${signJwt({ role: "authenticated" })}`,
      },
      "authenticated",
    ],
  ].map(async ([headers, role]) => {
    const { body } = await call(api, "who", {}, headers as Record<string, string>);
    assertEquals([body.role, body.auth_role], [role, role]);
  }));
});

test("an unknown key or a token that is not ours is 401", async (api) => {
  const refused = async (headers: Record<string, string>, code: string) => {
    const { status, body } = await call(api, "who", {}, headers);
    assertEquals([status, body.code], [401, code]);
  };
  const claims = { role: "service_role" };
  const now = Math.floor(Date.now() / 1000);
  await refused({ apikey: "sb_secret_other" }, "401");
  await refused({ authorization: "Bearer abc" }, "PGRST301");
  await refused({ authorization: `Bearer ${signJwt(claims, "another secret")}` }, "PGRST301");
  await refused(
    { authorization: `Bearer ${signJwt(claims, LOCAL_JWT_SECRET, "none")}` },
    "PGRST301",
  );
  await refused({ authorization: `Bearer ${signJwt({ ...claims, exp: now - 60 })}` }, "PGRST303");
});

test("a token's claims reach the function", async (api) => {
  const sub = "00000000-0000-4000-8000-000000000009";
  const token = signJwt({ role: "authenticated", sub });
  const { body } = await call(api, "who", {}, {
    authorization: `Bearer ${token}`,
    "X-Agent": "me",
  });
  assertEquals(body.uid, sub);
  assertEquals([body.method, body.path, body.agent], ["POST", "/rpc/who", "me"]);
});

test("row-level security holds a signed-in user, and grants hold anon", async (api) => {
  const token = signJwt({ role: "authenticated", sub: "00000000-0000-4000-8000-000000000001" });
  const own = await get(api, "fruit?select=name", { authorization: `Bearer ${token}` });
  assertEquals(own.body, [{ name: "apple" }]);
  const others = await get(api, "secret", { authorization: `Bearer ${token}` });
  assertEquals([others.status, others.body.code], [403, "42501"]);
  const anon = await get(api, "fruit", {});
  assertEquals([anon.status, anon.body.code], [401, "42501"]);
});

test("GET calls read-only, and a write in it is 405", async (api, db) => {
  assertEquals((await get(api, "rpc/add?a=5&b=6")).body, 11);
  const { status, body } = await get(api, "rpc/plant?id=7&name=plum");
  assertEquals([status, body.code], [405, "25006"]);
  assertEquals((await db.sql`select from public.fruit where id = 7`).length, 0);
});

test("rows are selected, filtered, ordered and cut", async (api) => {
  const names = async (query: string) =>
    (await get(api, `fruit?select=name&${query}`)).body.map((row: { name: string }) => row.name);
  const odd = 'it\'s "odd", (really)';
  assertEquals(await names("id=eq.1"), ["apple"]);
  assertEquals(await names("id=neq.1&order=id"), ["pear", odd]);
  assertEquals(await names("id=gte.2&id=lt.3"), ["pear"]);
  assertEquals(await names("id=in.(1,2)&order=id.desc"), ["pear", "apple"]);
  assertEquals(await names(`name=in.("it's \\"odd\\", (really)",pear)&order=id`), ["pear", odd]);
  assertEquals(await names("id=in.()"), []);
  assertEquals(await names("kilos=is.null"), ["pear"]);
  assertEquals(await names("kilos=not.is.null&order=id"), ["apple", odd]);
  assertEquals(await names("name=like.p*"), ["pear"]);
  assertEquals(await names("name=ilike.*PP*"), ["apple"]);
  assertEquals(await names("order=kilos.desc.nullslast"), [odd, "apple", "pear"]);
  assertEquals(await names("order=kilos.asc.nullsfirst,id&limit=1&offset=1"), ["apple"]);
  assertEquals(await names('name=eq.it\'s "odd", (really)'), [odd]);
  assertEquals(await names("info->>colour=eq.red"), ["apple"]);
  const { body } = await get(api, "fruit?select=n:name,id::text,info->>colour&id=eq.1");
  assertEquals(body, [{ n: "apple", id: "1", colour: "red" }]);
});

test("text in a query string stays text", async (api) => {
  const quoted = await get(api, `fruit?name=eq.${encodeURIComponent("x'; drop table fruit; --")}`);
  assertEquals([quoted.status, quoted.body], [200, []]);
  const column = await get(api, `fruit?${encodeURIComponent('id" = 1; --')}=eq.1`);
  assertEquals([column.status, column.body.code], [400, "42703"]);
  assertEquals((await get(api, "fruit?limit=1;")).status, 400);
  assertEquals((await get(api, "fruit?id=eq.abc")).body.code, "22P02");
  assertEquals((await get(api, "fruit?id=about.1")).body.code, "PGRST100");
});

test("count=exact puts the total into Content-Range", async (api) => {
  const { status, headers } = await get(api, "fruit?limit=2", { ...SECRET, prefer: "count=exact" });
  assertEquals([status, headers.get("content-range")], [206, "0-1/3"]);
  assertEquals((await get(api, "fruit?limit=2")).headers.get("content-range"), "0-1/*");
});

test("an unknown table is 404 PGRST205, and tables are not written", async (api) => {
  assertEquals((await get(api, "no_such")).body.code, "PGRST205");
  assertEquals((await ask(api, "fruit", { method: "PUT", headers: SECRET })).status, 405);
});

test("more requests than connections wait their turn", async (_, db) => {
  const api = db.api({ poolSize: 2 });
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => call(api, "add", { a: i })),
  );
  assertEquals(answers.map(({ body }) => body), Array.from({ length: 40 }, (_, i) => i + 10));
});

test("requests do not see each other's role or settings", async (_, db) => {
  const api = db.api({ poolSize: 1 });
  await call(api, "who");
  assertEquals((await call(api, "who", {}, {})).body.role, "anon");
  const [left] = await db.sql`
    select count(*)::int as n from pg_stat_activity
    where datname = current_database() and application_name = 'data-api' and state like 'idle in%'`;
  assertEquals(left?.n, 0);
});

test("a connection that breaks is 503, and the next request has a new one", async (_, db) => {
  const api = db.api({ poolSize: 1 });
  await call(api, "add", { a: 1 });
  const pending = call(api, "slow");
  // The superuser ends it in the middle, as a PostgreSQL that goes down does.
  let ended = 0;
  while (ended === 0) {
    // deno-lint-ignore no-await-in-loop -- Until the call is under way.
    ended = (await db.sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query like '%slow%' and state = 'active'
        and pid <> pg_backend_pid()`).length;
  }
  const { status, body } = await pending;
  assertEquals([status, body.code], [503, "PGRST001"]);
  assertEquals((await call(api, "add", { a: 1 })).body, 11);
});

test("answers with a thousand rows at most, and does not say so", async (api) => {
  for (const limit of ["", "&limit=5000"]) {
    const { status, body } = await ask(api, `rpc/numbers?n=1500${limit}`, { headers: SECRET });
    assertEquals([status, body.length, body.at(-1)], [200, 1000, 1000]);
  }
  const { body } = await ask(api, "rpc/numbers?n=1500&limit=2&offset=1400", { headers: SECRET });
  assertEquals(body, [1401, 1402]);
});

test(
  "rows are added, changed and removed, and come back where they are asked for",
  async (api, db) => {
    const send = async (
      method: string,
      path: string,
      body?: unknown,
      headers: Record<string, string> = {},
    ) => {
      const response = await ask(api, path, {
        method,
        headers: { ...SECRET, "content-type": "application/json", ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      return [response.status, response.body];
    };
    const BACK = { prefer: "return=representation" };
    assertEquals(await send("POST", "fruit", { id: 7, name: "fig" }), [201, undefined]);
    assertEquals(
      await send(
        "POST",
        "fruit?select=id,name",
        [{ id: 8, name: "kiwi" }, { id: 9, name: "lime" }],
        BACK,
      ),
      [201, [{ id: 8, name: "kiwi" }, { id: 9, name: "lime" }]],
    );
    assertEquals(await send("PATCH", "fruit?id=gte.8", { kilos: 2, info: { ripe: true } }), [
      204,
      undefined,
    ]);
    assertEquals(
      await send("PATCH", "fruit?id=eq.8&select=kilos,info", { name: "kiwis" }, {
        ...BACK,
        accept: "application/vnd.pgrst.object+json",
      }),
      [200, { kilos: 2, info: { ripe: true } }],
    );
    assertEquals(await send("PATCH", "fruit?id=eq.99", { name: "none" }, BACK), [200, []]);
    assertEquals(await send("PATCH", "fruit?id=eq.8", {}), [204, undefined]);
    assertEquals(await send("DELETE", "fruit?id=eq.9&select=name", undefined, BACK), [
      200,
      [{ name: "lime" }],
    ]);
    assertEquals(await send("DELETE", "fruit?id=eq.9"), [204, undefined]);
    const names = await db.sql`select name from fruit where id > 3 order by id`;
    assertEquals(names.map(({ name }) => name), ["fig", "kiwis"]);
    // What the database refuses, and what is no table's.
    const code = async (...args: Parameters<typeof send>) => {
      // deno-lint-ignore no-explicit-any -- of an error
      const [status, body] = await send(...args) as [number, any];
      return [status, body?.code];
    };
    assertEquals(await code("POST", "fruit", { id: 7, name: "again" }), [409, "23505"]);
    assertEquals(await code("POST", "fruit", [{ id: 10, name: "a" }, { id: 11 }]), [
      400,
      "PGRST102",
    ]);
    assertEquals(await code("POST", "fruit", { colour: "red" }), [400, "42703"]);
    assertEquals(await code("DELETE", "secret?id=eq.1"), [403, "42501"]);
    assertEquals(await code("PUT", "fruit", { id: 1 }), [405, "PGRST117"]);
  },
);

Deno.test("Data API: an unreachable PostgreSQL is a prompt 503", async () => {
  const db = await createTestDatabase();
  try {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    listener.close();
    const nobody = `postgresql://x@127.0.0.1:${listener.addr.port}/postgres`;
    const api = db.api({ databaseUrl: nobody });
    const start = performance.now();
    const answers = await Promise.all(Array.from({ length: 30 }, () => call(api, "add", { a: 1 })));
    assertEquals(new Set(answers.map(({ status }) => status)), new Set([503]));
    assertEquals(answers[0]?.body.code, "PGRST001");
    assertLess(performance.now() - start, 15_000);
  } finally {
    await db.drop();
  }
});

Deno.test("Data API: over HTTP, its requests are counted", async () => {
  const stack = await startTestStack({ functions: false });
  try {
    const response = await fetch(`${stack.url}/rest/v1/active_calls`, { headers: SECRET });
    assertEquals([response.status, await response.json()], [200, []]);
    assertEquals(stack.dataApiRequests, ["GET /rest/v1/active_calls"]);
  } finally {
    await stack.stop();
  }
});
