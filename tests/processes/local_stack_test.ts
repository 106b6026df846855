import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertRejects } from "@std/assert/rejects.js";
import { delay } from "@std/async/delay.js";
import { join } from "@std/path/join.js";
import { freePort } from "../../scripts/local/ports.ts";
import { LOCAL_SECRET_KEY, ROOT, startStack } from "../../scripts/local/stack.ts";
import { unknownIn } from "../../scripts/local/system.ts";
import { connect } from "../support/cluster.ts";
import { startTestStack } from "../support/database.ts";
import { until } from "../support/faults.ts";

const START = join(ROOT, "scripts", "local", "start.ts");

/** What a started process says, and the addresses in it. */
interface Started {
  readonly pid: number;
  readonly apiUrl: string;
  readonly databaseUrl: string;
  /** Resolves when it has said so. */
  says(words: string): Promise<void>;
  /** Ends it and returns its exit code. */
  end(signal: Deno.Signal): Promise<number>;
}

/** As README has it; the tests' own Deno saves the others the time of npx. */
const NPX = ["npx", "-y", "deno@2.9.6", "task", "start"];
const DENO = [Deno.execPath(), "run", "-A", START];

function command(
  dataDir: string,
  env: Record<string, string> = {},
  [program = "", ...args] = DENO,
): Deno.Command {
  return new Deno.Command(program, {
    args,
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

/** Starts the stack as `task start` does and waits until it says that it is ready. */
async function start(
  dataDir: string,
  env: Record<string, string> = {},
  line = DENO,
): Promise<Started> {
  const child = command(dataDir, env, line).spawn();
  const errors = new Response(child.stderr).text();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const says = async (words: string) => {
    while (!text.includes(words)) {
      // deno-lint-ignore no-await-in-loop -- Until it says so.
      const { value, done } = await output.read();
      if (done) throw new Error(`It ended without "${words}": ${text}${await errors}`);
      text += value;
    }
  };
  await says("Ctrl-C stops it");
  return {
    says,
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
  options: { closed?: boolean; ignore?: boolean } = {},
) {
  Deno.test({
    name: `local stack: ${name}`,
    ignore: options.ignore ?? false,
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

test("a second start on one data directory names the process that has it, and harms nothing", async (dataDir) => {
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

test("leaves no PostgreSQL behind when it is killed, and recovers at once", async (dataDir) => {
  const first = await start(dataDir);
  await query(first.databaseUrl, "create table kept (id int)");
  const pid = await postmaster(dataDir);
  await first.end("SIGKILL");

  // On the same port, which has to be free by then.
  const second = await start(dataDir, { TRADELINE_DB_PORT: new URL(first.databaseUrl).port });
  assertEquals(await commandOf(pid), "");
  await query(second.databaseUrl, "select * from kept");
  const last = await postmaster(dataDir);
  await second.end("SIGKILL");
  await until(async () => await commandOf(last) === "");
});

test("recovers when everything was killed", async (dataDir) => {
  const first = await start(dataDir);
  await query(first.databaseUrl, "create table kept (id int)");
  Deno.kill(first.pid, "SIGSTOP");
  Deno.kill(await postmaster(dataDir), "SIGKILL");
  await first.end("SIGKILL");

  const second = await start(dataDir);
  await query(second.databaseUrl, "select * from kept");
  await second.end("SIGTERM");
});

test("is not kept from starting by another program that has the old process id, and leaves that alone", async (dataDir) => {
  const first = await start(dataDir);
  const pid = await postmaster(dataDir);
  const path = join(dataDir, "db", "postmaster.pid");
  const other = new Deno.Command("sleep", { args: ["600"] }).spawn();
  Deno.kill(first.pid, "SIGSTOP");
  Deno.kill(pid, "SIGKILL");
  const content = await Deno.readTextFile(path);
  await Deno.writeTextFile(path, content.replace(String(pid), String(other.pid)));
  await first.end("SIGKILL");

  const second = await start(dataDir);
  await second.end("SIGTERM");
  assertMatch(await commandOf(other.pid), /sleep/);
  other.kill();
  await other.status;
});

test("starts PostgreSQL again when that is killed, and says so", async (dataDir) => {
  const stack = await start(dataDir);
  await query(stack.databaseUrl, "create table kept (id int)");
  Deno.kill(await postmaster(dataDir), "SIGKILL");
  await stack.says("PostgreSQL has ended (SIGKILL): starting it again");
  await stack.says("PostgreSQL is up again");
  await query(stack.databaseUrl, "select * from kept");
  const healthy = async () => {
    const health = await fetch(`${stack.apiUrl}/functions/v1/voice-health`);
    return (await health.json()).status === "healthy";
  };
  await until(healthy);
  assertEquals(await stack.end("SIGTERM"), 0);
});

const WITHOUT_NPX = await new Deno.Command("npx", { args: ["--version"], stdout: "null" }).output()
  .then(({ success }) => !success, () => true);

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  test(`leaves nothing running when npx, which started it, gets ${signal}`, async (dataDir) => {
    const npx = await start(dataDir, {}, NPX);
    const pid = Number(await Deno.readTextFile(join(dataDir, "lock")));
    assertMatch(await commandOf(pid), /start\.ts/);
    const pids = [pid, await postmaster(dataDir)];
    // Its output ends only with the last process that writes to it.
    await npx.end(signal);
    await until(async () => (await Promise.all(pids.map(commandOf))).join("") === "");
    await assertRejects(() => postmaster(dataDir), Deno.errors.NotFound, undefined, "clean");
  }, { ignore: WITHOUT_NPX });
}

test("runs on when the shell leaves that started it in the background", async (dataDir) => {
  // As a setup script does.
  const line = ["sh", "-c", "npx -y deno@2.9.6 task start & exit"];
  const shell = await start(dataDir, {}, line);
  const pid = Number(await Deno.readTextFile(join(dataDir, "lock")));
  // Longer than it takes to notice that somebody is gone.
  for (let asked = 0; asked < 4; asked++) {
    // deno-lint-ignore no-await-in-loop -- One request after the other.
    const health = await fetch(`${shell.apiUrl}/functions/v1/voice-health`);
    // deno-lint-ignore no-await-in-loop
    await health.body?.cancel();
    // deno-lint-ignore no-await-in-loop
    await delay(500);
  }
  assertMatch(await commandOf(pid), /start\.ts/);
  Deno.kill(pid, "SIGTERM");
  await until(async () => await commandOf(pid) === "");
}, { ignore: WITHOUT_NPX });

test("begins again when the making of the cluster was interrupted", async (dataDir) => {
  await Deno.mkdir(join(dataDir, "db.new"), { recursive: true });
  await Deno.writeTextFile(join(dataDir, "db.new", "half"), "made");
  await (await start(dataDir)).end("SIGTERM");
});

// Of others PostgreSQL runs as who they are.
const asRoot: typeof test = Deno.uid() === 0 ? test : () => {};

asRoot(
  "as root keeps its data where TRADELINE_DATA_DIR says, though nobody else may enter it",
  async (dataDir) => {
    await Deno.mkdir(dataDir, { mode: 0o700 });
    const first = await start(dataDir);
    await query(first.databaseUrl, "create table kept (id int)");
    assertEquals((await Deno.lstat(join(dataDir, "db"))).isDirectory, true);
    assertEquals(
      await Deno.realPath(`/proc/${await postmaster(dataDir)}/cwd`),
      join(dataDir, "db"),
    );
    assertEquals(await first.end("SIGTERM"), 0);

    const second = await start(dataDir);
    await query(second.databaseUrl, "select * from kept");
    await second.end("SIGTERM");
  },
  { closed: true },
);

test("says in one line that two settings name the same port", async (dataDir) => {
  const port = String(freePort());
  assertEquals(
    await refused(dataDir, { TRADELINE_API_PORT: port, TRADELINE_DB_PORT: port }),
    `Cannot start: TRADELINE_DB_PORT must be another port than TRADELINE_API_PORT: both are ${port}\n`,
  );
});

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

/** The status of a request with a `Host` and an `Origin` of one's own, which `fetch` does not let one choose. */
async function statusOf(
  url: string,
  headers: Readonly<Record<string, string | undefined>>,
  method = "GET",
): Promise<number> {
  const { hostname, port, host, pathname } = new URL(url);
  const lines = Object.entries({ host, connection: "close", "content-length": "0", ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(
    new TextEncoder().encode(`${method} ${pathname} HTTP/1.1\r\n${lines}\r\n`),
  );
  const answer = await new Response(connection.readable).text();
  return Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1]);
}

test("every server answers this machine's programs and its own pages, and no page of another site", async (dataDir) => {
  const stack = await startStack({
    env: {
      TRADELINE_DATA_DIR: dataDir,
      TRADELINE_API_PORT: "0",
      TRADELINE_DB_PORT: "0",
      TRADELINE_UI_PORT: "0",
      TRADELINE_MAIL_PORT: String(freePort()),
      PUBLIC_FUNCTIONS_URL: "https://line.example/functions/v1",
      CONTACT_ALLOWED_ORIGINS: "https://www.example.com",
    },
    durable: false,
    services: true,
    ui: () => ({ handle: () => new Response("page"), close: () => Promise.resolve() }),
  });
  try {
    const { apiUrl, uiUrl, mailUrl, env } = stack;
    const health = `${apiUrl}/functions/v1/voice-health`;
    const account = `${env["TWILIO_API_URL"]}/2010-04-01/Accounts/${
      env["TWILIO_ACCOUNT_SID"]
    }.json`;
    const urls = [`${apiUrl}/rest/v1/call_logs`, health, `${uiUrl}/`, `${mailUrl}/inbox`, account];
    if (env["UPSTASH_REDIS_REST_URL"]) urls.push(`${env["UPSTASH_REDIS_REST_URL"]}/`);
    for (const url of urls) {
      const { port, origin } = new URL(url);
      const ask = (headers: { host?: string; origin?: string }) => statusOf(url, headers);
      // deno-lint-ignore no-await-in-loop -- One server after the other.
      const answered = await Promise.all(
        [{}, { host: `localhost:${port}` }, { host: `[::1]:${port}` }, { origin }].map(ask),
      );
      assertEquals(answered.includes(403), false, `${url}: ${answered}`);
      // deno-lint-ignore no-await-in-loop
      const refused = await Promise.all([
        { host: `evil.example:${port}` },
        { host: "127.0.0.1.evil.example" },
        { host: `evil.example:${port}`, origin: `http://evil.example:${port}` },
        { origin: "https://evil.example" },
        { origin: "http://127.0.0.1:1" },
        { origin: "null" },
      ].map(ask));
      assertEquals(refused, refused.map(() => 403), url);
    }

    const contact = `${apiUrl}/functions/v1/contact-submit`;
    assertEquals(await statusOf(contact, { origin: "https://www.example.com" }, "OPTIONS"), 204);
    assertEquals(await statusOf(contact, { origin: "https://evil.example" }, "OPTIONS"), 403);
    assertEquals(await statusOf(health, { origin: "https://www.example.com" }), 403);

    // By a tunnel's name: the functions alone, and nothing by a key that everybody knows.
    const known = { apikey: LOCAL_SECRET_KEY };
    const worker = `${apiUrl}/functions/v1/notify-worker`;
    const host = "line.example";
    assertEquals(await statusOf(health, { host }), 200);
    assertEquals(await statusOf(`${apiUrl}/rest/v1/call_logs`, { host }), 401);
    // Twilio fetches prompts, of which there is none; only this machine stores them.
    const prompt = `${apiUrl}/storage/v1/object/public/prompts/none`;
    assertEquals(await statusOf(prompt, { host }), 400);
    assertEquals(await statusOf(`${apiUrl}/storage/v1/bucket`, { host }, "POST"), 401);
    assertEquals(await statusOf(worker, { host, ...known }, "POST"), 401);
    assertEquals(
      await statusOf(worker, { host, authorization: `Bearer ${LOCAL_SECRET_KEY}` }, "POST"),
      401,
    );
    // Whatever the other header says.
    assertEquals(
      await statusOf(worker, { host, ...known, authorization: "Bearer x" }, "POST"),
      401,
    );
    assertEquals(await statusOf(`${apiUrl}/rest/v1/call_logs`, known), 200);
  } finally {
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

Deno.test("a setting of .env that there is not, such as a misspelt one, is named", async () => {
  const example = await Deno.readTextFile(join(ROOT, ".env.example"));
  assertEquals(unknownIn(example.replace(/^# (?=[A-Z_0-9]+=)/gm, ""), example), []);
  assertEquals(
    unknownIn("BUSINES_TARGET_E164=+1\nNODE_ENV=development\nnode_env=x\n", example),
    ["BUSINES_TARGET_E164", "node_env"],
  );
});
