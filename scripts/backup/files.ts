import { basename } from "@std/path/basename.js";
import { join } from "@std/path/join.js";
import { resolve } from "@std/path/resolve.js";
import { createHash } from "node:crypto";
import type { Environment } from "../command.ts";
import { connectTo, type Database } from "../database.ts";
import { ROOT } from "../local/stack.ts";
import { BackupError, dump, type Dumped } from "./dump.ts";
import { importKey, MAGIC, seal, SealError, unseal } from "./seal.ts";

export interface Backup extends Dumped {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A backup's list of recordings. Beside it as beside the backup is a `.sha256`. */
export const LIST_NAME = /^tradeline-\d{8}T\d{6}Z\.recordings$/;
const BACKUP_NAME = /^tradeline-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.backup$/;

/** Where backups are, unless an option says otherwise. */
export function backupDir(env: Environment, root = ROOT): string {
  return env("BACKUP_DIR") ??
    join(resolve(root, env("TRADELINE_DATA_DIR") ?? ".tradeline"), "backups");
}

/**
 * Backs a database up into one file beside its checksum: an archive for pg_restore, sealed when there is a key.
 *
 * @param key `BACKUP_KEY`; without it the file is not encrypted.
 */
export async function backUp(
  database: Database,
  dir: string,
  { key, now = new Date() }: { key?: string | undefined; now?: Date } = {},
): Promise<Backup> {
  const stamp = now.toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `tradeline-${stamp}.backup`);
  const sql = connectTo(database);
  try {
    let dumped: Dumped | undefined;
    const written = await write(path, key, async (out) => {
      dumped = await dump(sql, now, out);
    });
    return { ...dumped!, ...written, path };
  } finally {
    await sql.end();
  }
}

/**
 * Writes a file and its checksum, encrypted when there is a key, readable by its owner only. The file gets its name last,
 * so a file of that name is complete.
 *
 * @param content Hands its pieces over.
 */
export async function write(
  path: string,
  key: string | undefined,
  content: (out: (bytes: Uint8Array<ArrayBuffer>) => Promise<void>) => Promise<void>,
): Promise<{ bytes: number; sha256: string }> {
  const lock = key === undefined ? undefined : seal(await importKey(key), basename(path));
  const unfinished = `${path}.part`;
  const file = await Deno.open(unfinished, {
    write: true,
    create: true,
    truncate: true,
    mode: 0o600,
  });
  const hash = createHash("sha256");
  let bytes = 0;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, out) {
      hash.update(chunk);
      bytes += chunk.length;
      out.enqueue(chunk);
    },
  });
  const source = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const sealed = lock === undefined ? source.readable : source.readable.pipeThrough(lock);
  const written = sealed.pipeThrough(counted).pipeTo(file.writable);
  const writer = source.writable.getWriter();
  try {
    await content((piece) => writer.write(piece));
    await writer.close();
    await written;
  } catch (error) {
    await writer.abort(error).catch(() => {});
    await written.catch(() => {});
    await Deno.remove(unfinished).catch(() => {});
    throw error;
  }
  const sha256 = hash.digest("hex");
  // As `sha256sum` writes it and checks it.
  await Deno.writeTextFile(`${path}.sha256`, `${sha256}  ${basename(path)}\n`);
  // Last, so that a file of that name is complete.
  await Deno.rename(unfinished, path);
  return { bytes, sha256 };
}

/**
 * The content of a backup or of a list of recordings, after its checksum was verified.
 *
 * @throws {BackupError | SealError} when the file is missing or damaged, or the key does not open it.
 */
export async function open(
  path: string,
  key: string | undefined,
): Promise<ReadableStream<Uint8Array>> {
  const there = await Deno.stat(path).catch(() => undefined);
  if (!there?.isFile) throw new BackupError(`There is no file ${path}`);
  const expected = (await Deno.readTextFile(`${path}.sha256`).catch(() => {
    throw new BackupError(
      `There is no ${path}.sha256: without its checksum a backup cannot be verified`,
    );
  })).split(" ")[0]!;
  const hash = createHash("sha256");
  for await (const chunk of (await Deno.open(path)).readable) hash.update(chunk);
  if (hash.digest("hex") !== expected) {
    throw new BackupError(`${path} is damaged: it does not match its checksum. Take an older one`);
  }

  const head = new Uint8Array(MAGIC.length);
  const file = await Deno.open(path);
  await file.read(head);
  file.close();
  const sealed = head.every((byte, index) => byte === MAGIC[index]);
  if (sealed && key === undefined) {
    throw new SealError(`${path} is encrypted: set BACKUP_KEY to the key that it was made with`);
  }
  // A restore runs the file's SQL, and anyone with write access to the folder could have placed it.
  if (!sealed && key !== undefined) {
    throw new SealError(
      `${path} is not encrypted, but BACKUP_KEY is set. To restore it all the same, check where it comes from and unset BACKUP_KEY`,
    );
  }
  const opener = sealed ? unseal(await importKey(key!), basename(path)) : undefined;
  const { readable } = await Deno.open(path);
  return opener === undefined ? readable : readable.pipeThrough(opener);
}

const DAILY = 7;
const WEEKLY = 5;

/**
 * The backups that have expired: all but the newest of each of the last 7 days with a backup, and of each of the last 5
 * weeks. Files with other names are ignored.
 */
export function expired(names: readonly string[]): string[] {
  const backups = names.filter((name) => BACKUP_NAME.test(name)).toSorted().reverse();
  const newestOf = (period: (day: Date) => number, most: number) => {
    const kept = new Map<number, string>();
    for (const name of backups) {
      const [, year, month, date] = BACKUP_NAME.exec(name)!;
      const which = period(new Date(Date.UTC(Number(year), Number(month) - 1, Number(date))));
      if (!kept.has(which)) kept.set(which, name);
    }
    return [...kept.values()].slice(0, most);
  };
  const day = (date: Date) => Math.floor(date.getTime() / 86_400_000);
  // Weeks begin on Monday; day 0 was a Thursday.
  const week = (date: Date) => Math.floor((day(date) + 3) / 7);
  const keep = new Set([...newestOf(day, DAILY), ...newestOf(week, WEEKLY)]);
  return backups.filter((name) => !keep.has(name)).toSorted();
}

/**
 * Deletes expired backups and the lists of recordings without a backup. The newest list stays, because the next one is
 * made from it.
 *
 * @returns the names of the backups.
 */
export async function rotate(dir: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(dir)) if (isFile) names.push(name);
  const gone = expired(names);
  const kept = new Set(names.filter((name) => BACKUP_NAME.test(name) && !gone.includes(name)));
  const lists = names.filter((name) => LIST_NAME.test(name)).toSorted();
  const orphans = lists.filter((name) =>
    name !== lists.at(-1) && !kept.has(name.replace(/recordings$/, "backup"))
  );
  for (const name of [...gone, ...orphans]) {
    // deno-lint-ignore no-await-in-loop
    await Deno.remove(join(dir, name));
    // deno-lint-ignore no-await-in-loop
    await Deno.remove(join(dir, `${name}.sha256`)).catch(() => {});
  }
  return gone;
}
