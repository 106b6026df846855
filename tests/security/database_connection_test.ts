// An attacker between a command and its database learns nothing and changes nothing: what every command does is tried
// here against servers that keep each byte that comes in.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertRejects } from "@std/assert/rejects.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { assertThrows } from "@std/assert/throws.js";
import { join } from "@std/path/join.js";
import { Buffer } from "node:buffer";
import { connect, createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { main as backup } from "../../scripts/backup/main.ts";
import { databaseAt, DatabaseError } from "../../scripts/database.ts";
import { supabase } from "../../scripts/deploy/commands.ts";
import { readTarget, remoteDatabase } from "../../scripts/deploy/target.ts";
import { main as doctor } from "../../scripts/doctor/main.ts";
import { ROOT } from "../../scripts/local/stack.ts";
import { deepTest, inFull } from "../support/cases.ts";
import { type Certified, certify } from "../support/certificates.ts";
import { createTestDatabase } from "../support/database.ts";

/** An address of this machine that is not a loopback one, so that it is reached as a database elsewhere is. */
const ELSEWHERE = "0.0.0.0";
const PASSWORD = "hunter2-of-production";
const SSL_REQUEST = "0000000804d2162f";

const hasCli = inFull && await supabase(["--version"], { cwd: ROOT, timeoutMs: 60_000 })
  .then(() => true, () => false);

interface FakeServer {
  readonly port: number;
  /** What came in unencrypted, in hexadecimal digits, one a connection. */
  readonly plain: string[];
  /** What came in by TLS. */
  readonly secret: string[];
}

/**
 * A database server that keeps what it gets and asks for a password.
 *
 * @param by What it answers to the request for TLS: a certificate, `no`, or bytes that somebody put behind the answer.
 * @param options `pass`: a real database's port, where what came by TLS goes on to; `asked`: called when something came.
 */
async function withServer(
  by: Certified | "no" | "more",
  use: (server: FakeServer) => Promise<void>,
  { pass, asked }: { pass?: number; asked?: () => void } = {},
): Promise<void> {
  const plain: string[] = [];
  const secret: string[] = [];
  const sockets = new Set<Socket>();
  const kept = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };
  const tls = typeof by === "string"
    ? undefined
    : createTlsServer({ cert: by.cert, key: by.key }, (inside) => {
      kept(inside);
      if (pass !== undefined) {
        const on = connect({ port: pass, host: "127.0.0.1" });
        kept(on);
        inside.pipe(on).pipe(inside);
        return;
      }
      inside.on("data", (bytes: Buffer) => {
        secret.push(bytes.toString("latin1"));
        asked?.();
        inside.write(secret.join("").includes(PASSWORD) ? refusal() : askForPassword());
      });
    });
  tls?.on("tlsClientError", () => {});
  const server = createServer((socket) => {
    kept(socket);
    const nth = plain.push("") - 1;
    socket.once("data", (bytes: Buffer) => {
      plain[nth] = bytes.toString("hex");
      if (plain[nth] === SSL_REQUEST && tls !== undefined) {
        socket.write("S");
        tls.emit("connection", socket);
        return;
      }
      socket.on("data", (more: Buffer) => plain[nth] += more.toString("hex"));
      if (plain[nth] !== SSL_REQUEST) socket.write(askForPassword());
      else socket.write(by === "no" ? "N" : Buffer.concat([Buffer.from("S"), askForPassword()]));
    });
  });
  await new Promise<void>((done) => server.listen(0, ELSEWHERE, () => done()));
  try {
    await use({ port: (server.address() as { port: number }).port, plain, secret });
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  }
}

/** AuthenticationCleartextPassword. */
function askForPassword(): Buffer {
  return Buffer.from([82, 0, 0, 0, 8, 0, 0, 0, 3]);
}

/** ErrorResponse: no such role or password. */
function refusal(): Buffer {
  const fields = Buffer.from("SFATAL\0C28P01\0Mpassword authentication failed\0\0");
  return Buffer.concat([Buffer.from([69, 0, 0, 0, fields.length + 4]), fields]);
}

async function withAuthority(
  use: (authority: Certified, file: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    const authority = await certify("Test authority");
    const file = join(dir, "ca.pem");
    await Deno.writeTextFile(file, authority.cert);
    await use(authority, file);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Whatever a command sent without TLS: nothing but the request for it. */
function assertNothingTold({ plain }: FakeServer): void {
  assertEquals(plain.length > 0, true, "nobody asked the server");
  for (const sent of plain) assertEquals(sent, SSL_REQUEST);
}

async function task(command: typeof backup, args: string[], env: Record<string, string>) {
  const lines: string[] = [];
  const code = await command(args, { env: (name) => env[name], print: (line) => lines.push(line) });
  return { code, text: lines.join("\n") };
}

const addressOf = (port: number, password = `:${PASSWORD}`) =>
  `postgresql://postgres.abcdefghijklmnopqrst${password}@${ELSEWHERE}:${port}/postgres`;

/** What each command does with a database that the settings name, and what it says when it cannot. */
const COMMANDS = {
  async backup(env: Record<string, string>): Promise<string> {
    const dir = await Deno.makeTempDir();
    try {
      const { code, text } = await task(backup, ["backup", "--dir", dir], env);
      assertEquals([code, [...Deno.readDirSync(dir)]], [1, []], text);
      return text;
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
  async doctor(env: Record<string, string>): Promise<string> {
    const { text } = await task(doctor, ["--url", "http://127.0.0.1:1/x"], env);
    return text;
  },
  async deploy(env: Record<string, string>): Promise<string> {
    const target = readTarget("abcdefghijklmnopqrst", env, "");
    const dir = await Deno.makeTempDir();
    try {
      await Deno.mkdir(join(dir, "supabase", "migrations"), { recursive: true });
      await Deno.writeTextFile(join(dir, "supabase", "config.toml"), 'project_id = "x"\n');
      const args = ["db", "push", ...remoteDatabase(target), "--dry-run", "--yes"];
      const error = await assertRejects(() => supabase(args, { cwd: dir, env: target.cliEnv }));
      return (error as Error).message;
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
};

for (const [name, run] of Object.entries(COMMANDS)) {
  if (name === "deploy" && !inFull) continue;
  const test = (what: string, fn: () => Promise<void>) =>
    Deno.test({
      name: `${name}: ${what}${name === "deploy" && !hasCli ? " (ignored: no Supabase CLI)" : ""}`,
      ignore: name === "deploy" && !hasCli,
      fn,
    });

  test("a server without TLS gets no data", async () => {
    await withServer("no", async (server) => {
      const said = await run({ SUPABASE_DB_URL: addressOf(server.port) });
      assertMatch(said, /does not (offer TLS|support SSL)/);
      assertEquals(said.includes(PASSWORD), false);
      assertNothingTold(server);
    });
  });

  test("a server with a certificate of an unknown authority gets no data", async () => {
    await withAuthority(async (authority) => {
      const certified = await certify("db", ELSEWHERE, authority);
      await withServer(certified, async (server) => {
        const said = await run({ SUPABASE_DB_URL: addressOf(server.port) });
        assertMatch(said, /unable to verify|unknown|self.signed/i);
        assertNothingTold(server);
        assertEquals(server.secret, []);
      });
    });
  });

  test("a server with the certificate of another host gets no data", async () => {
    await withAuthority(async (authority, file) => {
      const certified = await certify("db", "db.example.com", authority);
      await withServer(certified, async (server) => {
        const said = await run({ SUPABASE_DB_URL: addressOf(server.port), DATABASE_CA: file });
        assertMatch(said, /does not match|not valid for/i);
        assertNothingTold(server);
        assertEquals(server.secret, []);
      });
    });
  });

  test("the server that DATABASE_CA vouches for gets the password, by TLS", async () => {
    await withAuthority(async (authority, file) => {
      const certified = await certify("db", ELSEWHERE, authority);
      await withServer(certified, async (server) => {
        const said = await run({ SUPABASE_DB_URL: addressOf(server.port), DATABASE_CA: file });
        assertStringIncludes(said, "password authentication failed");
        assertNothingTold(server);
        assertStringIncludes(server.secret.join(""), "postgres.abcdefghijklmnopqrst");
        assertStringIncludes(server.secret.join(""), PASSWORD);
      });
    });
  });
}

Deno.test("a database elsewhere is backed up by TLS, every row of it", async () => {
  const db = await createTestDatabase();
  const dir = await Deno.makeTempDir();
  try {
    await db.sql`insert into contact_messages (name, email, message)
      select 'Jane', 'jane@example.com', repeat('x', 2000) from generate_series(1, 2000)`;
    await withAuthority(async (authority, file) => {
      const certified = await certify("db", ELSEWHERE, authority);
      const { port, pathname } = new URL(db.url);
      await withServer(certified, async (server) => {
        const { code, text } = await task(backup, ["backup", "--dir", dir], {
          SUPABASE_DB_URL: `postgresql://postgres@${ELSEWHERE}:${server.port}${pathname}`,
          PGPASSWORD: "postgres",
          DATABASE_CA: file,
        });
        assertEquals(code, 0, text);
        assertNothingTold(server);
      }, { pass: Number(port) });
    });
    const [file] = [...Deno.readDirSync(dir)].filter(({ name }) => name.endsWith(".backup"));
    const { code, text } = await task(backup, [
      "restore",
      join(dir, file!.name),
      "--verify",
      "--server",
      db.url.replace(":postgres@", "@"),
    ], { PGPASSWORD: "postgres" });
    assertEquals(code, 0, text);
    assertStringIncludes(text, "contact_messages: 2000 rows");
  } finally {
    await db.drop();
    await Deno.remove(dir, { recursive: true });
  }
});

deepTest(
  "no process has the password among its arguments, the Supabase CLI included",
  async () => {
    await withAuthority(async (authority, file) => {
      const certified = await certify("db", ELSEWHERE, authority);
      const lines: string[] = [];
      const asked = () => {
        for (const { name } of Deno.readDirSync("/proc")) {
          if (!/^\d+$/.test(name)) continue;
          try {
            lines.push(Deno.readTextFileSync(`/proc/${name}/cmdline`));
          } catch {
            // It has ended.
          }
        }
      };
      await withServer(certified, async (server) => {
        await COMMANDS.deploy({ SUPABASE_DB_URL: addressOf(server.port), DATABASE_CA: file });
        const cli = lines.filter((line) => line.includes(`:${server.port}/`));
        assertEquals(cli.length > 0, true, "the CLI was not found");
        assertEquals(lines.filter((line) => line.includes(PASSWORD)), []);
      }, { asked });
    });
  },
  { ignore: !hasCli || Deno.build.os !== "linux" },
);

for (const option of ["--database", "--to", "--server"]) {
  Deno.test(`a password in ${option} is refused, and not repeated`, async () => {
    const args = option === "--database" ? ["backup", option, addressOf(1)] : [
      "restore",
      "x.backup",
      ...(option === "--server" ? ["--verify"] : []),
      option,
      addressOf(1),
    ];
    const { code, text } = await task(backup, args, {});
    assertEquals(code, 2);
    assertStringIncludes(text, "PGPASSWORD");
    assertEquals(text.includes(PASSWORD), false);
  });
}

for (const mode of ["disable", "allow", "prefer"]) {
  Deno.test(`sslmode=${mode} is refused for a database elsewhere`, () => {
    const at = () =>
      databaseAt(`${addressOf(1)}?sslmode=${mode}`, () => undefined, "SUPABASE_DB_URL");
    assertThrows(at, DatabaseError, `sslmode=${mode}`);
  });
}

Deno.test("an address that is none is refused without its password", () => {
  for (const address of [`postgresql://postgres:${PASSWORD}/#@host/x`, `x:${PASSWORD}`, PASSWORD]) {
    const error = assertThrows(() => databaseAt(address, () => undefined, "SUPABASE_DB_URL"));
    assertStringIncludes((error as Error).message, "SUPABASE_DB_URL must be an address");
    assertEquals((error as Error).message.includes(PASSWORD), false);
  }
});

Deno.test("a project's database is vouched for by Supabase's own authority, unless DATABASE_CA names another", () => {
  const at = (host: string, env: Record<string, string> = {}) =>
    databaseAt(`postgresql://postgres@${host}/postgres`, (name) => env[name], "SUPABASE_DB_URL");
  for (
    const host of ["db.abcdefghijklmnopqrst.supabase.co", "aws-0-ca-central-1.pooler.supabase.com"]
  ) {
    const { tls, caFile } = at(host);
    assertEquals([tls, caFile], [true, join(ROOT, "scripts/supabase_ca.pem")]);
    assertEquals(at(host, { DATABASE_CA: "/x.pem" }).caFile, "/x.pem");
  }
  assertEquals(at("db.example.com").caFile, undefined);
  assertEquals(at("db.supabase.co.example.com").caFile, undefined);
  // What libpq would be led astray by is not passed on.
  const { url } = at("127.0.0.1", {});
  assertEquals(url.search, "");
  assertEquals(
    databaseAt(
      "postgresql://u@127.0.0.1/x?host=evil.example.com&sslmode=disable",
      () => undefined,
      "x",
    ).url.search,
    "",
  );
});
