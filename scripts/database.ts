/**
 * How every command reaches a database: encrypted and verified, unless it is on this machine.
 *
 * @module
 */
import { fromFileUrl } from "@std/path/from_file_url.js";
import { resolve } from "@std/path/resolve.js";
import { once } from "node:events";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, getCACertificates } from "node:tls";
import postgres, { type Sql } from "postgres";
import { type Environment, UsageError } from "./command.ts";

/** A database cannot be reached, or not safely; the message says what to do. */
export class DatabaseError extends Error {
  override name = "DatabaseError";
}

/** The address of a database, and how its server is verified. */
export interface Database {
  /** With the user and without the password. */
  readonly url: URL;
  readonly password: string | undefined;
  /** Whether the connection is encrypted, and the server's certificate verified. */
  readonly tls: boolean;
  /** A file of trusted certificates; absent: the system's. */
  readonly caFile: string | undefined;
}

const ROOT = fromFileUrl(new URL("../", import.meta.url));
const SUPABASE_CA = fromFileUrl(new URL("./supabase_ca.pem", import.meta.url));
const DEADLINE_MS = 15_000;

/**
 * A database by its address, as `postgresql://ROLE@HOST:PORT/NAME`. Its password is in the address or in `PGPASSWORD` or
 * `SUPABASE_DB_PASSWORD`; `DATABASE_CA` names a file of the certificates to trust.
 *
 * @param setting Where the address comes from, for messages.
 * @throws {DatabaseError} when the address is malformed, or asks for less than a verified connection.
 */
export function databaseAt(address: string, env: Environment, setting: string): Database {
  let url: URL;
  let password: string | undefined;
  try {
    url = new URL(address);
    password = decodeURIComponent(url.password);
  } catch {
    throw malformed(setting);
  }
  if (!/^postgres(ql)?:$/.test(url.protocol) || url.hostname === "") throw malformed(setting);
  url.password = "";
  const mode = url.searchParams.get("sslmode");
  const local = isLoopback(hostOf(url));
  if (!local && (mode === "disable" || mode === "allow" || mode === "prefer")) {
    throw new DatabaseError(
      `${setting} asks for sslmode=${mode}, which may send the password unencrypted: remove it. Only a database on this machine is reached without TLS`,
    );
  }
  const named = env("DATABASE_CA") ?? url.searchParams.get("sslrootcert") ?? undefined;
  // Other parameters, such as `host` or a second `sslmode`, could undo these decisions.
  const options = url.searchParams.get("options");
  url.search = "";
  if (options !== null) url.searchParams.set("options", options);
  return {
    url,
    password: password || env("PGPASSWORD") || env("SUPABASE_DB_PASSWORD") || undefined,
    tls: !local || mode === "require" || mode === "verify-ca" || mode === "verify-full",
    caFile: named !== undefined && named !== "system"
      ? resolve(ROOT, named)
      : /\.supabase\.(co|com)$/.test(url.hostname)
      ? SUPABASE_CA
      : undefined,
  };
}

/** Where the database of `task start` is. */
export function localDatabaseUrl(env: Environment): string {
  const port = env("TRADELINE_DB_PORT") ?? "54322";
  return `postgresql://postgres:postgres@127.0.0.1:${port}/postgres`;
}

/**
 * A database that an option of a command names.
 *
 * @throws {UsageError} when it contains a password, because every process of the machine can read the arguments of the others.
 */
export function databaseNamed(address: string, env: Environment, option: string): Database {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url !== undefined && (url.password !== "" || url.searchParams.has("password"))) {
    throw new UsageError(
      `${option} must not have a password, as other programs of this machine can read it there: set PGPASSWORD, and leave it out of the address`,
    );
  }
  return databaseAt(address, env, option);
}

/** One connection. The caller ends it. */
export function connectTo(database: Database): Sql {
  const url = new URL(database.url);
  // postgres.js takes the decoded password from its options; otherwise it would read this process's PGPASSWORD.
  const options = {
    max: 1,
    onnotice: () => {},
    password: database.password ?? "",
    ssl: false as const,
    // Not in the published types: the ready connection, TLS included.
    socket: () => opened(database),
  };
  return postgres(url.href, options);
}

/** The arguments and environment with which Supabase's CLI finds a database. Only the environment holds secrets. */
export function forCli({ url, password, tls, caFile }: Database): {
  readonly args: string[];
  readonly env: Record<string, string>;
} {
  const remote = new URL(url);
  // Otherwise it would silently continue unencrypted with a server that offers no TLS.
  remote.searchParams.set("sslmode", tls ? "verify-full" : "disable");
  if (tls && caFile !== undefined) remote.searchParams.set("sslrootcert", caFile);
  return {
    args: [`--remote=${remote.href}`],
    env: password === undefined ? {} : { PGPASSWORD: password },
  };
}

async function opened(database: Database): Promise<Socket> {
  const host = hostOf(database.url);
  const stop = new AbortController();
  const { signal } = stop;
  const timer = setTimeout(() => stop.abort(), DEADLINE_MS);
  // The small last packet of a COPY must not wait for the one before it.
  const socket = connectTcp({ host, port: Number(database.url.port || 5432), noDelay: true });
  try {
    await once(socket, "connect", { signal });
    return database.tls ? await secured(socket, host, database.caFile, signal) : socket;
  } catch (error) {
    socket.destroy();
    if (!signal.aborted) throw error;
    throw new DatabaseError(
      `The database at ${host} did not answer within ${DEADLINE_MS / 1000} s`,
    );
  } finally {
    clearTimeout(timer);
  }
}

/** The request for TLS. Source: https://www.postgresql.org/docs/17/protocol-message-formats.html (SSLRequest) */
const SSL_REQUEST = Uint8Array.of(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f);
const WILLING = "S".charCodeAt(0);

async function secured(
  socket: Socket,
  host: string,
  caFile: string | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  socket.write(SSL_REQUEST);
  const [answer] = await once(socket, "data", { signal }) as [Uint8Array];
  // Exactly one byte: more would come from an attacker between us and the server.
  if (answer.length !== 1 || answer[0] !== WILLING) {
    throw new DatabaseError(
      `The database at ${host} does not offer TLS: nothing was sent to it. Switch TLS on there, or check the address`,
    );
  }
  const ca = caFile === undefined ? getCACertificates("system") : await trusted(caFile);
  const name = isIP(host) ? {} : { servername: host };
  const secure = connectTls({ socket, host, ca, ...name, rejectUnauthorized: true });
  try {
    await once(secure, "secureConnect", { signal });
  } catch (error) {
    secure.destroy();
    if (signal.aborted) throw error;
    throw new DatabaseError(
      `The database at ${host} is not known to be the right one (${
        (error as Error).message
      }): nothing was sent to it. DATABASE_CA names the file with the certificate of who vouches for it`,
    );
  }
  return secure;
}

async function trusted(file: string): Promise<string[]> {
  const text = await Deno.readTextFile(file).catch((error: Error) => {
    throw new DatabaseError(`DATABASE_CA, ${file}, cannot be read: ${error.message}`);
  });
  const found = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (found !== null) return found;
  throw new DatabaseError(`DATABASE_CA, ${file}, must hold certificates in PEM form`);
}

function hostOf(url: URL): string {
  return decodeURIComponent(url.hostname).replace(/^\[|\]$/g, "");
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function malformed(setting: string): DatabaseError {
  return new DatabaseError(
    `${setting} must be an address such as postgresql://postgres.REF:PASSWORD@HOST:5432/postgres, with what is special in the password percent-encoded (@ is %40, / is %2F, # is %23)`,
  );
}
