import { assertEquals } from "@std/assert/equals.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { createHash } from "node:crypto";
import { join } from "@std/path/join.js";
import { main } from "../../scripts/backup/main.ts";
import { copyPrompts } from "../../scripts/backup/prompts.ts";
import { storeAudio } from "../../supabase/functions/_shared/storage.ts";
import { createStorageApi } from "../../scripts/local/storage_api.ts";
import { wav } from "../support/audio.ts";
import { createTestDatabase } from "../support/database.ts";

const KEY = btoa("0123456789abcdef0123456789abcdef");
const hashOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** A project's Storage. */
function storage(dir: string) {
  const handle = createStorageApi({ dir, keys: { secret: "service_role" } });
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (request.method === "GET") asked.push(new URL(request.url).pathname.split("/").at(-1)!);
    return handle(request);
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { url, asked, project: { url, key: "secret" }, stop: () => server.shutdown() };
}

async function task(args: string[], env: Record<string, string>, second = 0) {
  const lines: string[] = [];
  const context = { env: (name: string) => env[name], print: (line: string) => lines.push(line) };
  const code = await main(args, context, new Date(Date.UTC(2025, 10, 30, 2, 0, second)));
  return { code, text: lines.join("\n") };
}

Deno.test("a backup copies the prompts' files once, encrypted, and a restore verifies them and stores them elsewhere", async () => {
  const dir = await Deno.makeTempDir();
  const from = storage(join(dir, "from"));
  const to = storage(join(dir, "to"));
  const db = await createTestDatabase();
  const backups = join(dir, "backups");
  try {
    const [there, gone] = [wav({ seconds: 1 }), wav({ seconds: 2 })];
    for (const bytes of [there, gone]) {
      await db.sql`
        insert into prompts (hash, mime, seconds, bytes)
        values (${hashOf(bytes)}, 'audio/wav', 1, ${bytes.length})`;
    }
    // An organisation stored the same file.
    await db.sql`
      insert into prompts (org_id, hash, mime, seconds, bytes)
      values (gen_random_uuid(), ${hashOf(there)}, 'audio/wav', 1, ${there.length})`;
    await storeAudio(from.project, hashOf(there), "audio/wav", there);

    const env = { SUPABASE_DB_URL: db.url, SUPABASE_URL: from.url, BACKUP_KEY: KEY };
    const first = await task(["backup", "--dir", backups], env);
    assertEquals(first.code, 0, first.text);
    assertStringIncludes(first.text, "\n1 prompts' files copied\nGONE from Storage: ");
    assertEquals(from.asked.toSorted(), [hashOf(there), hashOf(gone)].toSorted());
    const copy = join(backups, "prompts", hashOf(there));
    const sealed = await Deno.readFile(copy);
    assertEquals(new TextDecoder().decode(sealed.subarray(0, 7)), "TLSEAL2");
    assertEquals(Deno.statSync(copy).mode! & 0o077, 0, "nobody else may read it");

    from.asked.length = 0;
    const second = await task(["backup", "--dir", backups], env, 1);
    assertEquals(from.asked, [hashOf(gone)], "a copy is fetched once");
    assertStringIncludes(second.text, "\n1 prompts' files copied");

    // A backup of the same day replaces the one before.
    const restore = async (second = 1) => {
      const file = join(backups, `tradeline-20251130T02000${second}Z.backup`);
      const empty = await createTestDatabase({ empty: true });
      try {
        return await task(
          ["restore", file, "--to", empty.at.url.href, "--url", to.url],
          { PGPASSWORD: "postgres", BACKUP_KEY: KEY, SUPABASE_SERVICE_ROLE_KEY: "secret" },
        );
      } finally {
        await empty.drop();
      }
    };
    const restored = await restore();
    assertEquals(restored.code, 0, restored.text);
    assertStringIncludes(restored.text, `1 prompts' files are as their hashes say, and stored`);
    assertStringIncludes(restored.text, `LACKING prompts' files that were not copied: `);
    const address = `${to.url}/storage/v1/object/public/prompts/${hashOf(there)}`;
    const stored = await fetch(address);
    assertEquals(stored.headers.get("content-type"), "audio/wav");
    assertEquals(hashOf(new Uint8Array(await stored.arrayBuffer())), hashOf(there));

    sealed[sealed.length - 1]! ^= 1;
    await Deno.writeFile(copy, sealed);
    const damaged = await restore();
    assertEquals(damaged.code, 1);
    assertStringIncludes(damaged.text, `${copy} is damaged`);
    // The next backup mends it.
    assertEquals((await task(["backup", "--dir", backups], env, 2)).code, 0);
    const mended = await restore(2);
    assertEquals(mended.code, 0, mended.text);
  } finally {
    await Promise.all([from.stop(), to.stop(), db.drop()]);
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a file that Storage does not hand out as it was stored is not copied, and the reason is given", async () => {
  const dir = await Deno.makeTempDir();
  const hash = hashOf(wav({ seconds: 1 }));
  let answer = () => new Response("other bytes");
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => answer());
  const copied = () =>
    copyPrompts(join(dir, "x.backup"), [{ hash, mime: "audio/wav" }], {
      url: `http://127.0.0.1:${server.addr.port}`,
      patienceMs: 1,
    });
  try {
    const missing = { copied: 0, gone: [], unknown: [hash] };
    assertEquals(await copied(), { ...missing, reason: "Storage answered with other bytes" });
    answer = () => new Response(null, { status: 503 });
    assertEquals(await copied(), { ...missing, reason: "Storage answered 503" });
    assertEquals([...Deno.readDirSync(dir)], []);
  } finally {
    await server.shutdown();
    await Deno.remove(dir, { recursive: true });
  }
});
