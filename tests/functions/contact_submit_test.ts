import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { isEmailAddress } from "../../supabase/functions/_shared/contact/submission.ts";
import { mailboxOf, networksOf } from "../../supabase/functions/_shared/contact/visitor.ts";
import { startTestStack } from "../support/database.ts";
import { contactMessage, startMailSystem } from "../support/mail.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const SITE = "https://www.example.com";

const system = await startMailSystem({ CONTACT_ALLOWED_ORIGINS: `${SITE}, http://localhost:3000` });
const { submit, stack: { db: { sql } }, logged } = system;
Deno.test.afterAll(() => system.stop());

async function counts(): Promise<unknown> {
  const [row] = await sql`
    select (select count(*)::int from contact_messages) as messages, (select count(*)::int from jobs) as mails`;
  return { ...row };
}

/** The fields at fault, with what is said of them. */
async function faults(response: Response): Promise<Record<string, string>> {
  assertEquals(response.status, 400);
  const { error, issues } = await response.json();
  assertEquals(error, "invalid");
  return Object.fromEntries(
    issues.map(({ field, message }: Record<string, string>) => [field, message]),
  );
}

Deno.test("a message is kept, and two mails are owed, before the answer", async () => {
  const body = contactMessage({ phone: "+1 (587) 742-8885", subject: " A quote ", extra: 1 });
  const response = await submit(body);
  assertEquals(response.status, 202);
  assertEquals(response.headers.get("cache-control"), "no-store");
  const { id } = await response.json();
  const [row] = await sql`select * from contact_messages where id = ${id}`;
  assertEquals(
    [row!.name, row!.email, row!.phone, row!.subject, row!.message],
    [body.name, body.email, "+15877428885", "A quote", body.message],
  );
  const mails = await sql`
    select kind, key from jobs where payload ->> 'contact_message_id' = ${id} order by kind`;
  assertEquals([...mails], [
    { kind: "mail_contact_auto_reply", key: `contact_auto_reply/${id}` },
    { kind: "mail_contact_notification", key: `contact_notification/${id}` },
  ]);
});

const long = (n: number) => "x".repeat(n);
for (
  const [what, changes, field, said] of [
    ["no name", { name: undefined }, "name", /given/],
    ["a blank name", { name: "  " }, "name", /given/],
    ["a name of 101 characters", { name: long(101) }, "name", /100/],
    ["a name that is a number", { name: 7 }, "name", /text/],
    ["a name that begins another header", { name: "J\r\nBcc: all@example.com" }, "name", /control/],
    ["a name with a null byte", { name: "J\0ane" }, "name", /control/],
    ["a name that turns the line around", { name: "Jane \u202egpj.exe" }, "name", /control/],
    ["a name with a mark of direction", { name: "Jane \u200f(CEO)" }, "name", /direction/],
    ["a subject with a space of no width", { subject: "pay\u200bpal" }, "subject", /invisible/],
    ["an email with a mark of direction", { email: "a\u200e@example.com" }, "email", /direction/],
    ["no email", { email: undefined }, "email", /given/],
    ["an email without a domain", { email: "jane" }, "email", /e-mail/],
    ["two emails", { email: "a@example.com,b@example.com" }, "email", /e-mail/],
    ["an email with a name", { email: "Jane <a@example.com>" }, "email", /e-mail/],
    [
      "an email that begins another header",
      { email: "a@example.com\nBcc: b@example.com" },
      "email",
      /control/,
    ],
    ["an email of 255 characters", { email: `${long(243)}@example.com` }, "email", /254/],
    ["a list as email", { email: ["a@example.com"] }, "email", /text/],
    ["letters as phone", { phone: "call me" }, "phone", /phone/],
    ["a phone number of 16 digits", { phone: "+1234567890123456" }, "phone", /phone/],
    ["a subject of 151 characters", { subject: long(151) }, "subject", /150/],
    ["a subject of two lines", { subject: "a\nBcc: b@example.com" }, "subject", /control/],
    ["no message", { message: undefined }, "message", /given/],
    ["an empty message", { message: " \n " }, "message", /given/],
    ["a message of 5001 characters", { message: long(5001) }, "message", /5000/],
    ["an object as message", { message: { toString: 1 } }, "message", /text/],
    ["null as name", { name: null }, "name", /text|given/],
  ] as const
) {
  Deno.test(`${what}: 400 names ${field} and nothing else, and nothing is kept`, async () => {
    const before = await counts();
    const found = await faults(await submit(contactMessage(changes)));
    assertEquals(Object.keys(found), [field]);
    assertMatch(found[field]!, said);
    assertEquals(await counts(), before);
  });
}

Deno.test("all fields at fault are named at once", async () => {
  const found = await faults(await submit({ phone: "x", subject: "\n\0x" }));
  assertEquals(Object.keys(found).sort(), ["email", "message", "name", "phone", "subject"].sort());
});

Deno.test("what a form sends empty was left out", async () => {
  const response = await submit(contactMessage({ phone: "", subject: " ", website: "" }));
  assertEquals(response.status, 202);
  const [row] = await sql`
    select phone, subject from contact_messages where id = ${(await response.json()).id}`;
  assertEquals({ ...row }, { phone: null, subject: null });
});

Deno.test("text is kept as text, whatever it looks like", async () => {
  const message =
    "<script>alert(1)</script>\r\n'; drop table outbox; --\0\u0007\ttab \ud800 \u{1f600}";
  const response = await submit(contactMessage({ name: "<b>O'Brien</b>", message }));
  assertEquals(response.status, 202);
  const [row] = await sql`
    select name, message from contact_messages where id = ${(await response.json()).id}`;
  assertEquals(row!.name, "<b>O'Brien</b>");
  assertEquals(
    row!.message,
    "<script>alert(1)</script>\n'; drop table outbox; --  \ttab \ufffd \u{1f600}",
  );
});

Deno.test("e-mail addresses as people have them, and nothing else", () => {
  for (
    const address of [
      "a@b.ca",
      "jane.doe+x@mail.example.co.uk",
      "o'brien@example.com",
      "jürgen@müller.de",
    ]
  ) {
    assert(isEmailAddress(address), address);
  }
  for (
    const address of [
      "a@b",
      "@b.ca",
      "a@",
      "a b@c.ca",
      "a@b..ca",
      ".a@b.ca",
      "a.@b.ca",
      "a@-b.ca",
      "a@b.c",
      '"a b"@c.ca',
      "a@[127.0.0.1]",
      "a@b.ca>",
      "a;b@c.ca",
      "a@b@c.ca",
      `${long(65)}@example.com`,
      "a@b.1",
    ]
  ) assert(!isEmailAddress(address), address);
});

for (
  const [what, raw, status] of [
    ["no JSON", "name=Jane", 400],
    ["an empty body", "", 400],
    ["a list", "[]", 400],
    ["null", "null", 400],
    ["a number", "7", 400],
    ["30,000 lists in each other", "[".repeat(30_000) + "]".repeat(30_000), 400],
    ["10,000 objects in each other", '{"message":'.repeat(5_000) + "1" + "}".repeat(5_000), 400],
    ["a prototype", '{"__proto__":{"name":"x","email":"a@b.ca","message":"x"}}', 400],
    ["65 KiB", JSON.stringify(contactMessage({ message: long(65 * 1024) })), 413],
  ] as const
) {
  Deno.test(`a body of ${what} gets ${status}`, async () => {
    const response = await submit(undefined, { raw });
    assertEquals(response.status, status);
    await response.body?.cancel();
  });
}

Deno.test("another method gets 405, another content type 415", async () => {
  const get = await submit(undefined, { method: "GET" });
  assertEquals([get.status, get.headers.get("allow")], [405, "POST, OPTIONS"]);
  await get.body?.cancel();
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonp"]) {
    const response = await submit(contactMessage(), { headers: { "content-type": type } });
    assertEquals([response.status, await response.json()], [
      415,
      { error: "unsupported_media_type" },
    ], type);
  }
  const typed = await submit(contactMessage(), {
    headers: { "content-type": "Application/JSON; charset=utf-8" },
  });
  assertEquals(typed.status, 202);
  await typed.body?.cancel();
});

Deno.test("a program that fills in what no person sees is thanked, and nothing is kept or sent", async () => {
  const before = await counts();
  const response = await submit(
    contactMessage({ website: "https://spam.example", email: "nonsense" }),
  );
  assertEquals(response.status, 202);
  assertMatch((await response.json()).id, UUID);
  assertEquals(await counts(), before);
});

const submitted = async (address: string | null, headers: Record<string, string> = {}) => {
  const response = await submit(contactMessage(), { address, headers });
  await response.body?.cancel();
  return response;
};

Deno.test("the fourth message in an hour is refused, until exactly the time in Retry-After", async () => {
  const address = "203.0.113.1";
  for (let i = 0; i < 3; i++) assertEquals((await submitted(address)).status, 202);
  // The first was 20 minutes ago, the others 10.
  await sql`
    update rate_limit_windows set admitted_at = array(
      select t - case when n = 1 then interval '20 minutes' else interval '10 minutes' end
      from unnest(admitted_at) with ordinality as a(t, n) order by n
    ) where endpoint = 'contact-submit' and identifier_type = 'address' and cardinality(admitted_at) = 3`;
  const refused = await submitted(address);
  assertEquals(refused.status, 429);
  const wait = Number(refused.headers.get("retry-after"));
  assert(wait > 2397 && wait <= 2400, `${wait}`);
  const past = (seconds: number) =>
    sql`
      update rate_limit_windows set admitted_at =
        array(select t - make_interval(secs => ${seconds}) from unnest(admitted_at) as t)
      where endpoint = 'contact-submit' and identifier_type = 'address' and cardinality(admitted_at) = 3`;
  await past(wait - 5);
  assertEquals((await submitted(address)).status, 429);
  await past(5);
  assertEquals((await submitted(address)).status, 202);
  assertEquals((await submitted(address)).status, 429);
});

Deno.test("an address that the visitor claims is no address", async () => {
  const address = "203.0.113.2";
  const claims = (n: number) => ({
    "x-forwarded-for": `198.51.100.${n}`,
    "x-real-ip": `198.51.100.${n}`,
    forwarded: `for=198.51.100.${n}`,
    "true-client-ip": `198.51.100.${n}`,
  });
  for (let n = 0; n < 3; n++) assertEquals((await submitted(address, claims(n))).status, 202);
  assertEquals((await submitted(address, claims(3))).status, 429);
  assertEquals((await submitted("203.0.113.3", claims(3))).status, 202);
});

Deno.test("one /64 network of IPv6 is one visitor, and four of them fill their /48, however they are written", async () => {
  const same = ["2001:db8:1:2::1", "2001:DB8:1:2:ffff:0:0:1", "2001:0db8:0001:0002::9"];
  for (const address of same) assertEquals((await submitted(address)).status, 202);
  assertEquals((await submitted("2001:db8:1:2:3:4:5:6")).status, 429);
  for (let n = 3; n < 12; n++) {
    assertEquals((await submitted(`2001:db8:1:${n}::1`)).status, 202);
  }
  assertEquals((await submitted("2001:db8:1:ffff::1")).status, 429);
  assertEquals((await submitted("2001:db8:2:1::1")).status, 202);

  assertEquals(networksOf("2001:db8:1:2::1"), ["2001:db8:1:2::/64", "2001:db8:1::/48"]);
  assertEquals(networksOf("::1"), ["0:0:0:0::/64", "0:0:0::/48"]);
  for (const mapped of ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"]) {
    assertEquals(networksOf(mapped), ["192.0.2.1"]);
  }
  for (const none of ["", undefined, "a", "fe80::1%eth0", "1.2.3"]) {
    assertEquals(networksOf(none), []);
  }
});

Deno.test("a mailbox has many addresses, and is one for counting", () => {
  const same: [string, string[]][] = [
    ["victim@example.com", [
      "Victim@Example.COM",
      "victim+1@example.com",
      "victim+a+b@example.com",
    ]],
    ["janedoe@gmail.com", ["jane.doe@gmail.com", "J.A.N.E.doe+x@googlemail.com"]],
    ["jane.doe@example.com", ["jane.doe+x@example.com"]],
    ["j\u00fcrgen@xn--mller-kva.de", [
      "ju\u0308rgen@m\u00fcller.de",
      "J\u00dcRGEN@XN--MLLER-KVA.de",
    ]],
    ["+@example.com", ["+@example.com"]],
  ];
  for (const [mailbox, addresses] of same) {
    for (const address of addresses) assertEquals(mailboxOf(address), mailbox, address);
  }
});

Deno.test("visitors without an address share a wider limit", async () => {
  const answers = [];
  for (let i = 0; i < 61; i++) answers.push((await submitted(null)).status);
  assertEquals(answers, [...Array(60).fill(202), 429]);
});

Deno.test("twenty at once from one address: three are kept", async () => {
  const before = await counts() as { messages: number };
  const answers = await Promise.all(Array.from({ length: 20 }, () => submitted("203.0.113.4")));
  assertEquals(answers.filter(({ status }) => status === 202).length, 3);
  assertEquals((await counts() as { messages: number }).messages, before.messages + 3);
});

Deno.test("the limiter stores no address", async () => {
  await submitted("203.0.113.5");
  const rows = await sql`
    select identifier from rate_limit_windows
    where endpoint like 'contact-%' and identifier not in ('unknown', 'website')
    union all select identifier from rate_limit_refusals
    where endpoint like 'contact-%' and identifier not in ('unknown', 'website')`;
  assert(rows.length > 10);
  for (const { identifier } of rows) assertMatch(identifier, /^[0-9a-f]{32}$/);
});

Deno.test("many messages in one name are all kept, and answered three times an hour", async () => {
  const email = "victim@example.com";
  for (let i = 0; i < 5; i++) {
    const spelling = [email, email.toUpperCase(), `victim+${i}@example.com`][i % 3];
    const response = await submit(contactMessage({ email: spelling }));
    assertEquals(response.status, 202);
    await response.body?.cancel();
  }
  const [row] = await sql`
    select count(*) filter (where kind = 'mail_contact_notification')::int as told,
      count(*) filter (where kind = 'mail_contact_auto_reply')::int as answered
    from jobs join contact_messages as m on m.id = (payload ->> 'contact_message_id')::uuid
    where m.email ilike 'victim%@example.com'`;
  assertEquals({ ...row }, { told: 5, answered: 3 });
});

Deno.test("beyond the hour's ceiling messages are refused, which takes nothing from what a visitor has", async () => {
  const { submit, stack: { db: { sql } }, stop } = await startMailSystem({
    MAX_CONTACT_MESSAGES_PER_HOUR: "9",
  });
  const from = async (address: string) => {
    const response = await submit(contactMessage(), { address });
    await response.body?.cancel();
    return response;
  };
  try {
    const answers: Response[] = [];
    for (let n = 0; n < 30; n += 3) {
      answers.push(...await Promise.all([n, n + 1, n + 2].map((n) => from(`198.51.100.${n}`))));
    }
    const refused = answers.filter(({ status }) => status === 429);
    assertEquals([answers.length - refused.length, refused.length], [9, 21]);
    const wait = Number(refused[0]!.headers.get("retry-after"));
    assert(wait > 3500 && wait <= 3600, `${wait}`);
    const mails = await sql`select kind, count(*)::int from jobs group by kind order by kind`;
    assertEquals(mails.map(({ kind, count }) => [kind, count]), [
      ["mail_contact_auto_reply", 3],
      ["mail_contact_notification", 9],
    ]);
    for (let n = 0; n < 5; n++) assertEquals((await from("203.0.113.77")).status, 429);
    await sql`
      update rate_limit_windows set admitted_at = '{}' where identifier_type = 'everyone'`;
    const later = [];
    for (let n = 0; n < 4; n++) later.push((await from("203.0.113.77")).status);
    assertEquals(later, [202, 202, 202, 429]);
    const [told] = await sql`
      select sum(refusals)::int as refusals from rate_limit_refusals
      where identifier_type = 'everyone' and endpoint = 'contact-submit'`;
    assertEquals(told!.refusals, 26);
  } finally {
    await stop();
  }
});

Deno.test("one message under one Idempotency-Key, however often and at once it comes, and whatever is left of the limit", async () => {
  const headers = { "idempotency-key": crypto.randomUUID() };
  const body = contactMessage();
  const before = await counts() as { messages: number; mails: number };
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const response = await submit(body, { address: "203.0.113.6", headers });
      return { status: response.status, ...await response.json() };
    }),
  );
  assertEquals(new Set(answers.map(({ status, id }) => `${status} ${id}`)).size, 1);
  assertEquals(answers[0].status, 202);
  assertEquals(await counts(), { messages: before.messages + 1, mails: before.mails + 2 });

  for (const field of ["name", "email", "message", "phone", "subject"]) {
    const value = { email: "other@example.com", phone: "+15550001111" }[field] ?? "Another one";
    const other = await submit({ ...body, [field]: value }, { headers });
    assertEquals([other.status, await other.json()], [409, { error: "conflict" }], field);
  }
  // A key lives for a day.
  const again = async (hours: number) => {
    await sql`
      update idempotency_keys set expires_at = expires_at - ${hours} * interval '1 hour'
      where operation = 'contact-submit'`;
    await sql`select purge_idempotency_keys()`;
    return (await (await submit(body, { address: "203.0.113.66", headers })).json()).id;
  };
  assertEquals(await again(23), answers[0].id);
  assertEquals(await again(2) === answers[0].id, false);
  const short = await submit(body, { headers: { "idempotency-key": "1" } });
  assertEquals(Object.keys(await faults(short)), ["Idempotency-Key"]);
});

Deno.test("browsers of listed sites may send; others get no CORS headers", async () => {
  for (const origin of [SITE, "http://localhost:3000"]) {
    const asked = await submit(undefined, { method: "OPTIONS", headers: { origin } });
    assertEquals(asked.status, 204);
    assertEquals(asked.headers.get("access-control-allow-origin"), origin);
    assertEquals(asked.headers.get("access-control-allow-methods"), "POST");
    assertEquals(
      asked.headers.get("access-control-allow-headers"),
      "content-type, idempotency-key",
    );
    assertEquals(asked.headers.get("vary"), "Origin");
    for (const body of [contactMessage(), {}]) {
      const sent = await submit(body, { headers: { origin } });
      assertEquals(sent.headers.get("access-control-allow-origin"), origin);
      assertEquals(sent.headers.get("access-control-expose-headers"), "Retry-After");
      await sent.body?.cancel();
    }
  }
  for (
    const origin of [
      "https://example.com",
      "https://www.example.com.evil.example",
      "null",
      "http://www.example.com",
    ]
  ) {
    const asked = await submit(undefined, { method: "OPTIONS", headers: { origin } });
    assertEquals([asked.status, asked.headers.get("vary")], [204, "Origin"]);
    const named = [...asked.headers.keys()].filter((name) => name.startsWith("access-control"));
    assertEquals(named, [], origin);
  }
});

Deno.test("no line of the log holds what a visitor wrote, or who it is", () => {
  const log = logged.join("\n");
  assert(log.includes('"outcome":"rate_limited"') && log.includes('"fields":"email"'));
  for (
    const secret of ["example.com", "Visitor", "Red Deer", "203.0.113", "742-8885", "5877428885"]
  ) {
    assert(!log.includes(secret), secret);
  }
});

Deno.test("hosted: the platform's own header names the visitor, and a database that is away gets 503", async () => {
  const hosted = await startTestStack();
  try {
    const post = (n: number) =>
      fetch(`${hosted.url}/functions/v1/contact-submit`, {
        method: "POST",
        headers: { "content-type": "application/json", "cf-connecting-ip": `198.51.100.${n}` },
        body: JSON.stringify(contactMessage()),
      });
    const answers = [];
    for (let n = 0; n < 4; n++) {
      const response = await post(n);
      answers.push(response.status);
      await response.body?.cancel();
    }
    assertEquals(answers, [202, 202, 202, 429]);
    await hosted.db.sql`alter function submit_contact_message rename to away`;
    await hosted.db.sql`notify pgrst, 'reload schema'`;
    const away = await post(9);
    assertEquals([away.status, await away.json()], [503, { error: "unavailable" }]);
    assert(Number(away.headers.get("retry-after")) > 0);
  } finally {
    await hosted.stop();
  }
});
