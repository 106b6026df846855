// A deploy applies the migrations while the functions before it still serve. So these must run on the newer schema.

import { assertEquals } from "@std/assert/equals.js";
import { join } from "@std/path/join.js";
import { git } from "../../scripts/deploy/commands.ts";
import { withCommit } from "../../scripts/deploy/versions.ts";
import { createGateway } from "../../scripts/local/gateway.ts";
import {
  LOCAL_AUTH_TOKEN,
  LOCAL_JWT_SECRET,
  ROOT,
  serve,
  withLocalDefaults,
} from "../../scripts/local/stack.ts";
import { Simulator } from "../../scripts/phone/mod.ts";
import { createTestDatabase } from "../support/database.ts";

/** The commit before the one that brought the newest migration, where this clone has it. */
async function previousRelease(): Promise<string | undefined> {
  const newest = [...Deno.readDirSync(join(ROOT, "supabase", "migrations"))]
    .map(({ name }) => name).sort().at(-1)!;
  try {
    const brought = await git(
      ["log", "--diff-filter=A", "-1", "--format=%H", "--", `supabase/migrations/${newest}`],
      ROOT,
    );
    return brought === "" ? "HEAD" : await git(["rev-parse", "--verify", `${brought}^`], ROOT);
  } catch {
    return undefined;
  }
}

const commit = await previousRelease();

Deno.test({
  name: `the functions of before the newest migration serve callers on its schema${
    commit === undefined ? " (ignored: no git, or no history, here)" : ""
  }`,
  ignore: commit === undefined,
  async fn() {
    const db = await createTestDatabase();
    const api = db.api();
    const own = { log: console.log, error: console.error };
    console.log = console.error = () => {};
    let handle: Deno.ServeHandler<Deno.NetAddr> = (request) => api.handle(request);
    const server = serve(0, () => {}, (request, info) => handle(request, info));
    try {
      await withCommit(ROOT, commit!, async (dir) => {
        const complaints: string[] = [];
        const gateway = await createGateway({
          supabaseDir: join(dir, "supabase"),
          env: withLocalDefaults({}, server.url, db.url),
          jwtSecret: LOCAL_JWT_SECRET,
          dataApi: api.handle,
          log: (line) => complaints.push(line),
        });
        handle = gateway.handle;
        const base = `${server.url}/functions/v1`;
        const twilio = new Simulator({
          voiceUrl: `${base}/voice-frontdoor`,
          statusCallback: `${base}/voice-status#rc=4&rp=5xx,ct,rt`,
          authToken: LOCAL_AUTH_TOKEN,
        });
        const scripts = [
          { keys: ["1"], dial: "answered" as const },
          {
            keys: ["2"],
            dial: "no-answer" as const,
            voicemail: { seconds: 5, transcript: "Hello" },
          },
          { keys: ["9"], voicemail: { seconds: 5 } },
        ];
        for (const script of scripts) await twilio.call({ to: "+15877428885", script });
        await twilio.settle();
        const health = await fetch(`${base}/voice-health`);
        const text = await health.text();
        await gateway.close();
        assertEquals(complaints, []);
        assertEquals(health.status, 200, text);
      });
      const rows = await db.sql`select disposition from call_logs order by started_at, disposition`;
      assertEquals(rows.map(({ disposition }) => disposition).sort(), [
        "connected",
        "voicemail",
        "voicemail",
      ]);
      const [row] = await db.sql`select count(*)::int as mails from outbox`;
      assertEquals(row!.mails, 2);
    } finally {
      Object.assign(console, own);
      await server.drain();
      await db.drop();
    }
  },
});
