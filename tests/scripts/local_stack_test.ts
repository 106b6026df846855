import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertRejects } from "@std/assert/rejects.js";
import { dirname } from "@std/path/dirname.js";
import { join } from "@std/path/join.js";
import { ROOT, startStack } from "../../scripts/local/stack.ts";
import { connect } from "../support/cluster.ts";
import { startTestStack } from "../support/database.ts";

const START = join(ROOT, "scripts", "local", "start.ts");

/** What a started process says, and the addresses in it. */
interface Started {
  readonly pid: number;
  readonly apiUrl: string;
  readonly databaseUrl: string;
  /** Ends it and returns its exit code. */
  end(signal: Deno.Signal): Promise<number>;
}

function command(dataDir: string, env: Record<string, string> = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", START],
    cwd: ROOT,
    env: {
      TRADELINE_DATA_DIR: dataDir,
      TRADELINE_API_PORT: "0",
      TRADELINE_DB_PORT: "0",
      TRADELINE_UI_PORT: "0",
      TRADELINE_MAIL_PORT: "0",
      ...env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** Starts the stack as `deno task start` does and waits until it says that it is ready. */
async function start(dataDir: string, env: Record<string, string> = {}): Promise<Started> {
  const child = command(dataDir, env).spawn();
  const errors = new Response(child.stderr).text();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("Ctrl-C stops it")) {
    // deno-lint-ignore no-await-in-loop -- Until it is ready.
    const { value, done } = await output.read();
    if (done) throw new Error(`It did not start: ${text}${await errors}`);
    text += value;
  }
  return {
    pid: child.pid,
    apiUrl: /http:\/\/127.0.0.1:\d+(?=\/rest)/.exec(text)?.[0] ?? "",
    databaseUrl: /postgresql:\S+/.exec(text)?.[0] ?? "",
    async end(signal) {
      child.kill(signal);
      while (!(await output.read()).done);
      const [{ code }] = await Promise.all([child.status, errors]);
      return code;
    },
  };
}

/** Starts what must not start; its error output. */
async function refused(dataDir: string, env: Record<string, string> = {}): Promise<string> {
  const { code, stderr } = await command(dataDir, env).output();
  assertEquals(code, 1);
  return new TextDecoder().decode(stderr);
}

/** One statement as the superuser. */
async function query(databaseUrl: string, statement: string): Promise<Record<string, unknown>[]> {
  const sql = connect(databaseUrl);
  try {
    return [...await sql.unsafe(statement)];
  } finally {
    await sql.end();
  }
}

async function postmaster(dataDir: string): Promise<number> {
  return Number((await Deno.readTextFile(join(dataDir, "db", "postmaster.pid"))).split("\n")[0]);
}

/** A test with a data directory that does not exist yet. */
function test(
  name: string,
  body: (dataDir: string) => Promise<void>,
  options: { closed?: boolean } = {},
) {
  Deno.test({
    name: `local stack: ${name}`,
    async fn() {
      const dir = await Deno.makeTempDir();
      if (!options.closed) await Deno.chmod(dir, 0o755);
      try {
        await body(join(dir, "data"));
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
    },
  });
}

test("starts, stops on Ctrl-C, finds its data the next time, and refuses those of another schema", async (dataDir) => {
  const first = await start(dataDir);
  await query(first.databaseUrl, "create table kept (id int)");
  const health = await fetch(`${first.apiUrl}/functions/v1/voice-health`);
  assertEquals([health.status, (await health.json()).status], [200, "healthy"]);
  const pid = await postmaster(dataDir);
  assertEquals(await first.end("SIGINT"), 0);
  assertEquals(await commandOf(pid), "");

  const second = await start(dataDir);
  await query(second.databaseUrl, "select * from kept");
  // As if another version had made it.
  await query(
    second.databaseUrl,
    "insert into supabase_migrations.schema_migrations (version) values ('20200101000000')",
  );
  assertEquals(await second.end("SIGTERM"), 0);

  const error = await refused(dataDir);
  assertMatch(
    error,
    /^Cannot start: the data directory \S+ \(TRADELINE_DATA_DIR\) was made by another version.*\n$/,
  );
  await assertRejects(() => postmaster(dataDir), Deno.errors.NotFound);
});

test("a second start on one data directory says who has it, and harms nothing", async (dataDir) => {
  const first = await start(dataDir);
  const error = await refused(dataDir);
  assertMatch(
    error,
    /^Cannot start: the data directory \S+ is in use by process \d+: stop it .*\n$/,
  );
  assertMatch(error, new RegExp(`process ${first.pid}:`));
  await query(first.databaseUrl, "select 1");
  await first.end("SIGTERM");
});

test("recovers when it was killed and left PostgreSQL running", async (dataDir) => {
  const first = await start(dataDir);
  await query(first.databaseUrl, "create table kept (id int)");
  await first.end("SIGKILL");
  const orphan = await postmaster(dataDir);
  assertMatch(await commandOf(orphan), /postgres/);

  // On the orphan's own port, which has to be free by then.
  const second = await start(dataDir, { TRADELINE_DB_PORT: new URL(first.databaseUrl).port });
  assertEquals(await commandOf(orphan), "");
  await query(second.databaseUrl, "select * from kept");
  await second.end("SIGTERM");
});

test("recovers when everything was killed", async (dataDir) => {
  const first = await start(dataDir);
  await query(first.databaseUrl, "create table kept (id int)");
  const pid = await postmaster(dataDir);
  await first.end("SIGKILL");
  Deno.kill(pid, "SIGKILL");

  const second = await start(dataDir);
  await query(second.databaseUrl, "select * from kept");
  await second.end("SIGTERM");
});

test("is not kept from starting by another program that has the old process id", async (dataDir) => {
  const first = await start(dataDir);
  const pid = await postmaster(dataDir);
  const path = join(dataDir, "db", "postmaster.pid");
  const content = await Deno.readTextFile(path);
  await first.end("SIGKILL");
  Deno.kill(pid, "SIGKILL");
  await Deno.writeTextFile(path, content.replace(String(pid), String(Deno.pid)));

  const second = await start(dataDir);
  await second.end("SIGTERM");
});

test("begins anew when the making of the cluster was interrupted", async (dataDir) => {
  await Deno.mkdir(join(dataDir, "db.new"), { recursive: true });
  await Deno.writeTextFile(join(dataDir, "db.new", "half"), "made");
  await (await start(dataDir)).end("SIGTERM");
});

// Of others PostgreSQL runs as who they are.
const asRoot: typeof test = Deno.uid() === 0 ? test : () => {};

asRoot("as root works in a directory that nobody else may enter", async (dataDir) => {
  const first = await start(dataDir);
  await query(first.databaseUrl, "create table kept (id int)");
  await first.end("SIGTERM");
  const elsewhere = dirname(await Deno.readLink(join(dataDir, "db")));
  try {
    const second = await start(dataDir);
    await query(second.databaseUrl, "select * from kept");
    await second.end("SIGTERM");

    await Deno.remove(dataDir, { recursive: true });
    const fresh = await start(dataDir);
    const [row] = await query(fresh.databaseUrl, "select to_regclass('kept') as kept");
    assertEquals(row, { kept: null }, "a deleted data directory stays deleted");
    await fresh.end("SIGTERM");
  } finally {
    await Deno.remove(elsewhere, { recursive: true });
  }
}, { closed: true });

for (const name of ["TRADELINE_API_PORT", "TRADELINE_DB_PORT"]) {
  test(`says in one line that the port of ${name} is taken`, async (dataDir) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const { port } = listener.addr;
      assertEquals(
        await refused(dataDir, { [name]: String(port) }),
        `Cannot start: port ${port} (${name}) is taken by another program: stop it, or set ${name} to a free port\n`,
      );
    } finally {
      listener.close();
    }
    assertEquals(await Deno.stat(join(dataDir, "db", "postmaster.pid")).catch(() => null), null);
  });
}

for (
  const [name, value] of [
    ["TRADELINE_API_PORT", "http"],
    ["TRADELINE_DB_PORT", "70000"],
    ["BUSINESS_TARGET_E164", "5551234"],
    ["RECORDING_CONSENT", "maybe"],
    ["SUPABASE_SECRET_KEYS", "{"],
  ] as const
) {
  test(`says in one line that ${name} is malformed`, async (dataDir) => {
    const error = await refused(dataDir, { [name]: value });
    assertMatch(error, new RegExp(`^Cannot start: ${name} .*\\n$`));
    assertEquals(await Deno.stat(dataDir).catch(() => null), null);
  });
}

test("is started and stopped again within one process", async (dataDir) => {
  const env = {
    TRADELINE_DATA_DIR: dataDir,
    TRADELINE_API_PORT: "0",
    TRADELINE_DB_PORT: "0",
    TRADELINE_UI_PORT: "0",
  };
  for (const word of ["first", "second"]) {
    // deno-lint-ignore no-await-in-loop -- One after the other is the point.
    const stack = await startStack({
      env,
      durable: false,
      ui: () => ({ handle: () => new Response(word), close: () => Promise.resolve() }),
    });
    // deno-lint-ignore no-await-in-loop
    const [page, health] = await Promise.all([
      fetch(stack.uiUrl ?? "").then((response) => response.text()),
      fetch(`${stack.apiUrl}/functions/v1/voice-health`).then((response) => response.json()),
    ]);
    assertEquals([page, health.status], [word, "healthy"]);
    // deno-lint-ignore no-await-in-loop
    await stack.stop();
  }
});

Deno.test("gateway: serves every function of supabase/functions, and nothing else", async () => {
  const stack = await startTestStack();
  try {
    const status = async (path: string) => {
      const response = await fetch(stack.url + path, { method: "POST" });
      await response.body?.cancel();
      return response.status;
    };
    for await (const entry of Deno.readDir(join(ROOT, "supabase", "functions"))) {
      const index = join(ROOT, "supabase", "functions", entry.name, "index.ts");
      // deno-lint-ignore no-await-in-loop -- A folder without one is no function.
      if (await Deno.stat(index).catch(() => null) === null) continue;
      const answered = await status(`/functions/v1/${entry.name}`);
      assertEquals([404, 500, 503].includes(answered), false, `${entry.name}: ${answered}`);
    }
    assertEquals(await status("/functions/v1/no-such-function"), 404);
    assertEquals(await status("/functions/v1/_shared"), 404);
    assertEquals(await status("/"), 404);
    assertEquals(stack.log, []);
  } finally {
    await stack.stop();
  }
});

/** The command line of a live process; empty when there is none. */
async function commandOf(pid: number): Promise<string> {
  const ps = new Deno.Command("ps", { args: ["-o", "stat=,command=", "-p", String(pid)] });
  const line = new TextDecoder().decode((await ps.output()).stdout).trim();
  return line.startsWith("Z") ? "" : line;
}
