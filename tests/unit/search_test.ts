// The pure parts of search: what a request may ask, CSV in and out, where webhooks may go, and who makes embeddings.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import { assertRejects } from "@std/assert/rejects.js";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { ServiceError } from "../../supabase/functions/_shared/errors.ts";
import { parseContacts } from "../../supabase/functions/_shared/search/contacts.ts";
import { csvRecords, csvRow, csvSlices } from "../../supabase/functions/_shared/csv.js";
import {
  DIMENSIONS,
  embedderOf,
  meaningBy,
} from "../../supabase/functions/_shared/search/embed.ts";
import {
  hookDeps,
  hookFault,
  isPublicAddress,
  postHook,
  signature,
} from "../../supabase/functions/_shared/search/hook.ts";
import { parseSearch, searchOfQuery } from "../../supabase/functions/_shared/search/request.ts";
import { plain } from "../../supabase/functions/_shared/search/results.ts";
import { snippetParts } from "../../supabase/functions/_shared/search/snippet.js";
import { cases } from "../support/cases.ts";
import { anyText } from "../support/any_text.ts";

// --- requests -------------------------------------------------------------------------------------------------

/** The fields at fault. */
function faults(body: unknown): string[] {
  const parsed = parseSearch(body);
  return "issues" in parsed ? parsed.issues.map(({ field }) => field) : [];
}

Deno.test("a search is read with its defaults, its days as times and its number as digits", () => {
  assertEquals(parseSearch({}), { request: { filters: {}, limit: 20 } });
  const org = "5F0C7A52-7F0E-4C39-9E0C-0D6A3F6F2D11";
  const filters = { from: "2026-11-01", to: "2026-11-21", number: "+1 (587) 742-8885" };
  assertEquals(parseSearch({ q: "refund", filters, limit: 100, org_id: org }), {
    request: {
      q: "refund",
      filters: {
        org_id: org.toLowerCase(),
        from: "2026-11-01T00:00:00.000Z",
        to: "2026-11-22T00:00:00.000Z",
        number: "15877428885",
      },
      limit: 100,
    },
  });
  const at = parseSearch({ filters: { from: "2026-11-01T09:00:00-07:00" } });
  assert("request" in at && at.request.filters.from === "2026-11-01T16:00:00.000Z");
});

for (
  const [body, fields] of [
    [{ limit: 0 }, ["limit"]],
    [{ limit: 101 }, ["limit"]],
    [{ limit: 1.5 }, ["limit"]],
    [{ limit: "10" }, ["limit"]],
    [{ q: 7 }, ["q"]],
    [{ q: "a\0b" }, ["q"]],
    [{ q: "\ud800" }, ["q"]],
    [{ colour: 1 }, ["colour"]],
    [{ filters: { colour: 1 } }, ["filters.colour"]],
    [{ filters: [] }, ["filters"]],
    [{ filters: { from: "2026-02-30" } }, ["filters.from"]],
    [{ filters: { from: "yesterday" } }, ["filters.from"]],
    [{ filters: { from: "0000-01-01", to: "9999-12-31" } }, ["filters.from", "filters.to"]],
    [{ filters: { from: "0001-01-01T00:00:00+14:00" } }, ["filters.from"]],
    [{ filters: { number: "12" } }, ["filters.number"]],
    [{ filters: { number: "555'--" } }, ["filters.number"]],
    [{ filters: { direction: "up" } }, ["filters.direction"]],
    [{ filters: { disposition: "great" } }, ["filters.disposition"]],
    [{ filters: { line: "587" } }, ["filters.line"]],
    [{ filters: { has: "note" } }, ["filters.has"]],
    [{ filters: { has: ["note", "x"] } }, ["filters.has.1"]],
    [{ filters: { min_seconds: -1, max_seconds: 1e9 } }, [
      "filters.min_seconds",
      "filters.max_seconds",
    ]],
    [{ filters: { org_id: "7" }, org_id: "x" }, ["filters.org_id", "org_id"]],
    [{ cursor: "a b" }, ["cursor"]],
    [[], ["body"]],
    [null, ["body"]],
  ] as const
) {
  Deno.test(`a search refuses ${JSON.stringify(body)} by field`, () => {
    assertEquals(faults(body), [...fields]);
  });
}

Deno.test("no value is repeated in a fault, and no input makes the reader fail", () => {
  fc.assert(fc.property(fc.jsonValue(), (body) => {
    const parsed = parseSearch(body);
    assert("request" in parsed || parsed.issues.length > 0);
  }));
  const secret = "4165550123x";
  const parsed = parseSearch({ q: 1, limit: secret, filters: { number: secret, mode: "" } });
  assert("issues" in parsed && !JSON.stringify(parsed).includes(secret));
});

Deno.test("an export's query string asks as a request does", () => {
  const query = new URLSearchParams(
    "q=late fee&has=voicemail,note&min_seconds=5&from=2026-11-01&to=",
  );
  assertEquals(searchOfQuery(query), {
    q: "late fee",
    filters: { has: ["voicemail", "note"], min_seconds: 5, from: "2026-11-01" },
  });
  assertEquals(faults(searchOfQuery(new URLSearchParams("min_seconds=five&sort=1"))), [
    "filters.min_seconds",
    "filters.sort",
  ]);
});

// --- CSV ------------------------------------------------------------------------------------------------------

Deno.test("what is written as CSV is read as it was, but for an apostrophe before a formula", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(anyText(), { minLength: 2, maxLength: 2 }), {
        maxLength: 5,
      }),
      (rows) => {
        // Spreadsheets, and this reader, take a row without any text for a blank line.
        const kept = rows.filter((row) => row.some((each) => each.trim() !== ""));
        const head = ["a", "b"];
        const read = [...csvRecords([head, ...kept].map(csvRow).join(""))];
        const guarded = kept.map((row) =>
          row.map((each) => (/^[=+\-@\t\r\n＝＋－＠]/.test(each) ? `'${each}` : each))
        );
        assertEquals(read.map(({ cells }) => cells), [head, ...guarded]);
      },
    ),
    { numRuns: cases(100) },
  );
});

Deno.test("no cell begins as a formula does", () => {
  for (const text of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", '=cmd|"/c calc"!A1']) {
    assertEquals([...csvRecords(csvRow(["x", text]))][0]!.cells[1], `'${text}`);
  }
});

Deno.test("slices have each record of a file once, and say which line of the file a line is", () => {
  const text = 'phone,name\r\n1,Ann\r\n\r\n2,"two\r\nlines"\r\n3,Cy\r\n4,Di\r\n';
  const whole = [...csvRecords(text)].slice(1);
  for (const lines of [1, 2, 3, 9]) {
    const slices = [...csvSlices(text, { lines, characters: 1000 })];
    const read = slices.map((slice) => {
      const [head, ...records] = csvRecords(slice.text);
      assertEquals(head!.cells, ["phone", "name"]);
      assertEquals([records.length, slice.lineOf(records[0]!.line)], [slice.count, slice.first]);
      return records.map(({ line, cells: [phone] }) => [slice.lineOf(line), phone]);
    });
    assertEquals(read.flat(), whole.map(({ line, cells: [phone] }) => [line, phone]));
    assert(slices.every(({ count }) => count <= lines));
  }
  assertEquals(
    [...csvSlices(text, { lines: 9, characters: 1 }, 4)].map(({ first }) => first),
    [4, 6, 7],
  );
  assertEquals([...csvSlices("phone\n", { lines: 1, characters: 1 })], []);
});

Deno.test("a snippet's parts are as they were written, and every second one was found", () => {
  const snippet = "a &lt;b&gt; <mark>&amp;lt;</mark>&quot;&#39; <mark>c\nd</mark>";
  assertEquals(snippetParts(snippet), ["a <b> ", "&lt;", "\"' ", "c\nd", ""]);
  assertEquals(plain(snippet, (found) => `*${found}*`), "a <b> *&lt;*\"' *c\nd*");
});

Deno.test("each record has the line that it begins on", () => {
  const text = '\ufeffphone,notes\r\n1,"two\r\nlines"\n\n2,5" pipe\r3,"never closed\n4,x';
  assertEquals([...csvRecords(text)].map(({ line, cells }) => [line, ...cells]), [
    [1, "phone", "notes"],
    [2, "1", "two\r\nlines"],
    [5, "2", '5" pipe'],
    [6, "3", '"never closed'],
    [7, "4", "x"],
  ]);
});

Deno.test("a file of contacts is read line by line, and each line at fault says why", () => {
  const read = parseContacts(
    "Name;Phone;Company;Born\n" +
      "Jane;(587) 742-8885;Roofs;1980\n" +
      "Joe;+33 1 23 45 67 89;;\n" +
      "Nobody;911;;\n" +
      "Short;12345;;\n" +
      "Again;1-587-742-8885;;\n" +
      ";'+14165550123;'=SUM(A1);\n" +
      `${"x".repeat(201)};+14165550124;;\n`,
  );
  assertEquals(read, {
    contacts: [
      { name: "Jane", phone: "+15877428885", company: "Roofs" },
      { name: "Joe", phone: "+33123456789" },
      { phone: "+14165550123", company: "=SUM(A1)" },
    ],
    rejected: [
      { line: 4, reason: "phone must be a number such as +15877428885 or (587) 742-8885" },
      { line: 5, reason: "phone must be a number such as +15877428885 or (587) 742-8885" },
      { line: 6, reason: "this number is in an earlier line" },
      { line: 8, reason: "name must have at most 200 characters" },
    ],
  });
});

Deno.test("a file without a header or without numbers is refused as a whole", () => {
  assertEquals(typeof parseContacts(""), "string");
  assertEquals(typeof parseContacts("name,company\nJane,Roofs"), "string");
  // As spreadsheets write it for Windows.
  const latin1 = new TextDecoder().decode(
    new Uint8Array([..."phone,name\n+14035550177,H\xe9l\xe8ne"].map((c) => c.charCodeAt(0))),
  );
  assertEquals(parseContacts(latin1), 'must be in UTF-8: save it as "CSV UTF-8"');
  assertEquals(parseContacts("phone"), { contacts: [], rejected: [] });
  const many = "phone\n" + Array.from({ length: 5001 }, (_, n) => `+1416555${1000 + n}`).join("\n");
  assertEquals(typeof parseContacts(many), "string");
});

// --- webhooks -------------------------------------------------------------------------------------------------

for (
  const address of [
    "http://hooks.example.com/x",
    "ftp://hooks.example.com",
    "https://user:pass@hooks.example.com/",
    "https://hooks.example.com:8443/",
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://169.254.169.254/latest/meta-data/",
    "https://localhost/",
    "https://service.local/",
    "https://metadata.google.internal/",
    "https://metadata.google.internal./",
    "https://intranet/",
    "javascript:alert(1)",
    "no address",
    `https://hooks.example.com/${"x".repeat(500)}`,
  ]
) {
  Deno.test(`no webhook goes to ${address.slice(0, 50)}`, () => {
    assert(hookFault(address) !== undefined);
  });
}

Deno.test("a webhook goes to a host on the internet, and Slack's only to Slack", () => {
  assertEquals(hookFault("https://hooks.example.com/in?x=1"), undefined);
  assertEquals(hookFault("https://hooks.slack.com/services/T0/B0/x", true), undefined);
  assert(hookFault("https://hooks.slack.com.example.com/services/T0", true) !== undefined);
});

Deno.test("only addresses of the public internet count as such", () => {
  const closed = [
    ..."0.1.2.3 10.1.2.3 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.168.1.1"
      .split(" "),
    ..."192.0.2.1 198.18.0.1 203.0.113.9 224.0.0.1 255.255.255.255 :: ::1 ::ffff:8.8.8.8 fe80::1"
      .split(" "),
    ..."fc00::1 fd12::1 ff02::1 2001:db8::1 2002:a00:1::1 64:ff9b::a00:1 fe80::1%eth0 nonsense"
      .split(" "),
  ];
  assertEquals(closed.filter(isPublicAddress), []);
  const open = ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1"];
  assertEquals(open.filter((each) => !isPublicAddress(each)), []);
});

/** A network of one name, which answers as told. */
function network(addresses: string[], answer: () => Response | Promise<Response>) {
  const sent: { url: string; init: RequestInit }[] = [];
  const deps = {
    ...hookDeps,
    resolve: () => Promise.resolve(addresses),
    fetch: ((url: string, init: RequestInit) => {
      sent.push({ url, init });
      return Promise.resolve().then(answer);
    }) as typeof fetch,
  };
  return { sent, deps };
}

Deno.test("a name that leads into a private network, be it with one of its addresses, gets nothing", async () => {
  const { sent, deps } = network(["8.8.8.8", "10.0.0.1"], () => new Response());
  const error = await assertRejects(
    () => postHook("https://hooks.example.com/", "{}", {}, deps),
    ServiceError,
  );
  assertEquals([error.kind, sent.length], ["refused", 0]);
});

for (
  const [answered, answer, kind] of [
    [
      302,
      () => new Response(null, { status: 302, headers: { location: "http://127.0.0.1/" } }),
      "refused",
    ],
    [410, () => new Response("secret", { status: 410 }), "refused"],
    [500, () => new Response("secret", { status: 500 }), "busy"],
    ["nothing", () => Promise.reject(new TypeError("secret")), "unknown"],
  ] as const
) {
  Deno.test(`a webhook's failure is told without a word of the answer: ${answered}, ${kind}`, async () => {
    const { sent, deps } = network(["8.8.8.8"], answer);
    const error = await assertRejects(
      () => postHook("https://hooks.example.com/", "{}", {}, deps),
      ServiceError,
    );
    assertEquals([error.kind, error.message.includes("secret")], [kind, false]);
    assertEquals(sent.map(({ init }) => init.redirect), ["manual"]);
  });
}

Deno.test("a webhook is signed as standard-webhooks verifies it", () => {
  const secret = `whsec_${btoa("0123456789abcdef01234567")}`;
  const body = '{"type":"search_alert"}';
  const headers = signature("search_alert/1", new Date(), body, secret);
  assertEquals(new Webhook(secret).verify(body, headers), { type: "search_alert" });
});

// --- embeddings -----------------------------------------------------------------------------------------------

const numbers = Array.from({ length: DIMENSIONS }, (_, n) => n / DIMENSIONS);

Deno.test("without a key and without the platform's model there are no embeddings", () => {
  assertEquals(
    embedderOf(undefined, {}),
    undefined,
  );
});

Deno.test("the platform's model makes them inside the function, one text after the other", async () => {
  const asked: unknown[] = [];
  class Session {
    constructor(readonly model: string) {}
    run(text: string, options: unknown) {
      asked.push([this.model, text, options]);
      return Promise.resolve(numbers);
    }
  }
  const embedder = embedderOf(undefined, { ai: { Session } })!;
  assertEquals([embedder.model, embedder.perRun], ["gte-small", 3]);
  assertEquals(await embedder.embed(["a"]), [numbers]);
  assertEquals(asked, [["gte-small", "a", { mean_pool: true, normalize: true }]]);
});

Deno.test("OpenAI makes them where its key is set, in the order of the texts", async () => {
  let answer = () =>
    Response.json({
      data: [{ index: 1, embedding: numbers.toReversed() }, { index: 0, embedding: numbers }],
    });
  const requests: unknown[] = [];
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      requests.push([request.headers.get("authorization"), await request.json()]);
      return answer();
    },
  );
  try {
    const embedder = embedderOf({
      apiKey: "sk-test",
      baseUrl: `http://127.0.0.1:${server.addr.port}/v1`,
    })!;
    assertEquals(await embedder.embed(["a", "b"]), [numbers, numbers.toReversed()]);
    const model = "text-embedding-3-small";
    assertEquals(requests, [["Bearer sk-test", {
      model,
      input: ["a", "b"],
      dimensions: DIMENSIONS,
    }]]);
    for (
      const [status, kind] of [[400, "refused"], [401, "busy"], [429, "busy"], [
        500,
        "busy",
      ]] as const
    ) {
      answer = () => new Response("sk-test", { status });
      // deno-lint-ignore no-await-in-loop
      const error = await assertRejects(() => embedder.embed(["a"]), ServiceError);
      assertEquals([error.kind, error.message.includes("sk-")], [kind, false]);
    }
    answer = () => Response.json({ data: [{ index: 0, embedding: [1, 2, 3] }] });
    await assertRejects(() => embedder.embed(["a"]), ServiceError);
  } finally {
    await server.shutdown();
  }
});

Deno.test("a slow or failing model leaves a search to its words", async () => {
  const model = (embed: () => Promise<number[][]>) => ({ model: "m", perRun: 1, embed });
  const good = meaningBy(model(() => Promise.resolve([numbers])));
  assertEquals(await good("an unhappy customer"), { model: "m", vector: numbers });
  // Phrases, exclusions and numbers ask for exactly what they say.
  for (const q of [undefined, "", '"late fee"', "fee -waived", "7428", "this or that"]) {
    // deno-lint-ignore no-await-in-loop
    assertEquals(await good(q), undefined);
  }
  const failing = meaningBy(model(() => Promise.reject(new ServiceError("busy", "429"))));
  assertEquals(await failing("an unhappy customer"), undefined);
  const hanging = meaningBy(model(() => new Promise(() => {})), 0);
  assertEquals(await hanging("an unhappy customer"), undefined);
  assertEquals(await meaningBy(undefined)("an unhappy customer"), undefined);
});
