import { join } from "@std/path/join.js";
import { createHash } from "node:crypto";
import { connectTo, dump, type Trailer } from "./dump.ts";
import { importKey, MAGIC, seal, SealError, unseal } from "./seal.ts";

/** A backup is not what it must be; the message says what to do. */
export class BackupError extends Error {
  override name = "BackupError";
}

export interface Backup {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly trailer: Trailer;
}

const NAME = /^tradeline-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.backup$/;

/**
 * Backs a database up into one file beside its checksum: compressed, and sealed when there is a key.
 *
 * @param key `BACKUP_KEY`; absent: whoever has the file can read it.
 */
export async function backUp(
  databaseUrl: string,
  dir: string,
  options: { key?: string | undefined; now?: Date } = {},
): Promise<Backup> {
  const key = options.key === undefined ? undefined : await importKey(options.key);
  const stamp = (options.now ?? new Date()).toISOString().replace(/\.\d+/, "").replaceAll(
    /[-:]/g,
    "",
  );
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, `tradeline-${stamp}.backup`);
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
  const zipped = source.readable.pipeThrough(new CompressionStream("gzip"));
  const written = (key === undefined ? zipped : zipped.pipeThrough(seal(key)))
    .pipeThrough(counted).pipeTo(file.writable);
  const writer = source.writable.getWriter();
  const encoder = new TextEncoder();
  const sql = connectTo(databaseUrl);
  let trailer: Trailer;
  try {
    trailer = await dump(sql, async (text) => {
      await writer.write(typeof text === "string" ? encoder.encode(text) : new Uint8Array(text));
    });
    await writer.close();
    await written;
  } catch (error) {
    await writer.abort(error).catch(() => {});
    await written.catch(() => {});
    await Deno.remove(unfinished).catch(() => {});
    throw error;
  } finally {
    await sql.end();
  }
  const sha256 = hash.digest("hex");
  await Deno.writeTextFile(`${path}.sha256`, `${sha256}  ${path.split(/[\\/]/).at(-1)}\n`);
  // Last: a file of that name is whole.
  await Deno.rename(unfinished, path);
  return { path, bytes, sha256, trailer };
}

/**
 * The text of a backup, once its checksum is proven.
 *
 * @throws {BackupError | SealError} when it is not whole, or the key does not open it.
 */
export async function readBackup(
  path: string,
  key: string | undefined,
): Promise<ReadableStream<Uint8Array>> {
  const expected = (await Deno.readTextFile(`${path}.sha256`).catch(() => {
    throw new BackupError(
      `There is no ${path}.sha256: a backup without its checksum proves nothing`,
    );
  })).split(" ")[0];
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
  const opener = sealed ? unseal(await importKey(key!)) : undefined;
  const { readable } = await Deno.open(path);
  const zipped: ReadableStream<Uint8Array<ArrayBuffer>> = opener === undefined
    ? readable
    : readable.pipeThrough(opener);
  return zipped.pipeThrough(new DecompressionStream("gzip"));
}

const DAILY = 7;
const WEEKLY = 5;

/**
 * Which backups have served their time: all but the newest of each of the last 7 days that have one, and of each of
 * the last 5 weeks. Files of other names are nobody's business here.
 */
export function expired(names: readonly string[]): string[] {
  const backups = names.filter((name) => NAME.test(name)).toSorted().reverse();
  const newestOf = (period: (day: Date) => number, most: number) => {
    const kept = new Map<number, string>();
    for (const name of backups) {
      const [, year, month, date] = NAME.exec(name)!;
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

/** Deletes the backups that have served their time; returns their names. */
export async function rotate(dir: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(dir)) if (isFile) names.push(name);
  const gone = expired(names);
  for (const name of gone) {
    // deno-lint-ignore no-await-in-loop
    await Deno.remove(join(dir, name));
    // deno-lint-ignore no-await-in-loop
    await Deno.remove(join(dir, `${name}.sha256`)).catch(() => {});
  }
  return gone;
}
