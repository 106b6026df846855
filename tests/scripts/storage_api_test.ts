import { assertEquals } from "@std/assert/equals.js";
import { join } from "@std/path/join.js";
import { storeAudio } from "../../supabase/functions/_shared/storage.ts";
import { createStorageApi } from "../../scripts/local/storage_api.ts";
import { wav } from "../support/audio.ts";

type Ask = (method: string, path: string, init?: RequestInit) => Promise<Response>;

const KEY = { apikey: "secret", authorization: "Bearer secret" };
const AUDIO = { ...KEY, "content-type": "audio/wav", "cache-control": "max-age=31536000" };
const BUCKET = {
  id: "prompts",
  name: "prompts",
  public: true,
  file_size_limit: 20_000,
  allowed_mime_types: ["audio/wav"],
};

function test(name: string, body: (ask: Ask, dir: string) => Promise<void>) {
  Deno.test(`storage: ${name}`, async () => {
    const dir = await Deno.makeTempDir();
    try {
      const handle = createStorageApi({
        dir: join(dir, "storage"),
        keys: { secret: "service_role", publishable: "anon" },
      });
      const ask: Ask = (method, path, init) =>
        handle(new Request(`http://127.0.0.1:54321/storage/v1/${path}`, { method, ...init }));
      await body(ask, dir);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}

const create = (ask: Ask, changes = {}, headers: HeadersInit = KEY) =>
  ask("POST", "bucket", { headers, body: JSON.stringify({ ...BUCKET, ...changes }) });

/** As Storage tells it: HTTP 400 with the status proper in the body. */
async function refusal(response: Response): Promise<unknown[]> {
  const { statusCode, code } = await response.json();
  return [response.status, statusCode, code];
}

test("an object that was uploaded is read by everybody, with what it was uploaded under", async (ask) => {
  assertEquals(await (await create(ask)).json(), { name: "prompts" });
  const bytes = wav();
  const stored = await ask("POST", "object/prompts/abc", { headers: AUDIO, body: bytes });
  assertEquals([stored.status, (await stored.json()).Key], [200, "prompts/abc"]);
  const read = await ask("GET", "object/public/prompts/abc");
  assertEquals(read.status, 200);
  assertEquals(read.headers.get("content-type"), "audio/wav");
  assertEquals(read.headers.get("cache-control"), "max-age=31536000");
  assertEquals(new Uint8Array(await read.arrayBuffer()), bytes);
  const etag = read.headers.get("etag")!;
  const again = await ask("GET", "object/public/prompts/abc", {
    headers: { "if-none-match": etag },
  });
  assertEquals(again.status, 304);
});

test("a part of an object", async (ask) => {
  await create(ask);
  const bytes = wav();
  await ask("POST", "object/prompts/abc", { headers: AUDIO, body: bytes });
  const part = await ask("GET", "object/public/prompts/abc", { headers: { range: "bytes=8-11" } });
  assertEquals([part.status, await part.text()], [206, "WAVE"]);
  assertEquals(part.headers.get("content-range"), `bytes 8-11/${bytes.length}`);
  const beyond = await ask("GET", "object/public/prompts/abc", {
    headers: { range: "bytes=99999-" },
  });
  assertEquals(beyond.status, 416);
});

test("only the secret key writes", async (ask, dir) => {
  await create(ask);
  for (const apikey of ["", "publishable", "secret2"]) {
    const headers = { "content-type": "audio/wav", apikey };
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const upload = await ask("POST", "object/prompts/abc", { headers, body: wav() });
    // deno-lint-ignore no-await-in-loop
    assertEquals(await refusal(upload), [400, "403", "AccessDenied"]);
    // deno-lint-ignore no-await-in-loop
    const bucket = await create(ask, { id: "others" }, headers);
    // deno-lint-ignore no-await-in-loop
    assertEquals(await refusal(bucket), [400, "403", "AccessDenied"]);
  }
  assertEquals([...Deno.readDirSync(join(dir, "storage"))].map(({ name }) => name), ["prompts"]);
});

test("a bucket's limits hold, and nothing is overwritten unless asked", async (ask) => {
  await create(ask);
  const upload = (headers: HeadersInit, body: BodyInit) =>
    ask("POST", "object/prompts/abc", { headers, body });
  const large = await upload(AUDIO, wav({ seconds: 2 }));
  assertEquals(await refusal(large), [400, "413", "EntityTooLarge"]);
  const text = await upload({ ...AUDIO, "content-type": "text/html" }, "<p>");
  assertEquals(await refusal(text), [400, "415", "InvalidMimeType"]);
  assertEquals((await upload(AUDIO, "first")).status, 200);
  assertEquals(await refusal(await upload(AUDIO, "second")), [400, "409", "KeyAlreadyExists"]);
  assertEquals(await (await ask("GET", "object/public/prompts/abc")).text(), "first");
  assertEquals((await upload({ ...AUDIO, "x-upsert": "true" }, "third")).status, 200);
  assertEquals(await (await ask("GET", "object/public/prompts/abc")).text(), "third");
  assertEquals(await refusal(await create(ask)), [400, "409", "BucketAlreadyExists"]);
});

test("what is not there, and what is not public, is not found", async (ask) => {
  await create(ask, { id: "private", name: "private", public: false });
  await ask("POST", "object/private/abc", { headers: AUDIO, body: wav() });
  const hidden = await ask("GET", "object/public/private/abc");
  assertEquals(await refusal(hidden), [400, "404", "NoSuchKey"]);
  const nowhere = await ask("GET", "object/public/prompts/abc");
  assertEquals(await refusal(nowhere), [400, "404", "NoSuchBucket"]);
  const lost = await ask("POST", "object/prompts/abc", { headers: AUDIO, body: wav() });
  assertEquals(await refusal(lost), [400, "404", "NoSuchBucket"]);
});

test("no name leads out of its bucket, or to its settings", async (ask, dir) => {
  await create(ask);
  await Deno.writeTextFile(join(dir, "secret"), "{}\nsecret");
  const names = ["..%2F..%2Fsecret", "%2e%2e%2fsecret", ".bucket", ".bucket%00", "a%5c..", "%ff"];
  for (const name of names) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const read = await ask("GET", `object/public/prompts/${name}`);
    assertEquals(read.status, 400, name);
    // deno-lint-ignore no-await-in-loop
    const written = await ask("POST", `object/prompts/${name}`, { headers: AUDIO, body: "x" });
    assertEquals(written.status, 400, name);
  }
  const buckets = ["../secret", ".", "", "UPPER", "a/b", 7, null];
  for (const id of buckets) {
    // deno-lint-ignore no-await-in-loop
    assertEquals(await refusal(await create(ask, { id, name: id })), [
      400,
      "400",
      "InvalidBucketName",
    ], String(id));
  }
});

test("files are for their owner alone", async (ask, dir) => {
  if (Deno.build.os === "windows") return;
  await create(ask);
  await ask("POST", "object/prompts/abc", { headers: AUDIO, body: wav() });
  const mode = (path: string) => Deno.statSync(join(dir, "storage", path)).mode! & 0o777;
  assertEquals([mode("prompts"), mode("prompts/abc"), mode("prompts/.bucket")], [
    0o700,
    0o600,
    0o600,
  ]);
});

test("a prompt is stored where a key that is no JWT may be no bearer token", async (ask) => {
  let refused = 0;
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (request.headers.get("authorization") === null) {
      const path = new URL(request.url).pathname.slice("/storage/v1/".length);
      return ask(request.method, path, { headers: request.headers, body: request.body });
    }
    refused++;
    const body = { statusCode: "403", error: "Unauthorized", message: "Invalid Compact JWS" };
    return Response.json(body, { status: 400 });
  });
  const project = { url: `http://127.0.0.1:${server.addr.port}`, key: "secret" };
  const bytes = wav();
  await storeAudio(project, "abc", "audio/wav", bytes);
  assertEquals(refused, 3, "the file, the bucket, the file again");
  const read = await ask("GET", "object/public/prompts/abc");
  assertEquals(new Uint8Array(await read.arrayBuffer()), bytes);
});
