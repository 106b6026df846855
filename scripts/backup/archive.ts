// The part of pg_dump's custom format that a logical backup needs, in version 1.14, as pg_dump 12 to 15 write it.
// `pg_restore` of PostgreSQL 12 and newer lists and restores these files.
//
// A file is a header, a table of contents (TOC) and the data of its entries, in the order of the TOC. The data of an
// entry is one zlib stream in chunks. A chunk begins with its length, and a length of 0 ends the stream.
// Source: src/bin/pg_dump/pg_backup_archiver.c and pg_backup_custom.c of PostgreSQL.

import { concat } from "@std/bytes/concat.js";

/** The bytes are not a complete archive. */
export class ArchiveError extends Error {
  override name = "ArchiveError";
}

/** When an entry is restored: pg_restore's `--section`. */
export type Section = "pre-data" | "data" | "post-data";

/** One line of the table of contents. */
export interface Entry {
  /** What `pg_restore --list` shows: the kind of object, and its name. */
  readonly desc: string;
  readonly tag: string;
  readonly section: Section;
  /** SQL that makes it. Empty for data. */
  readonly defn: string;
  /** The `COPY ... FROM stdin` that loads the entry's data; absent for an entry without data. */
  readonly copy?: string;
  readonly schema?: string;
}

/** The header, before the table of contents. */
export interface Head {
  /** Whole seconds; the format has no time zone, here it is UTC. */
  readonly createdAt: Date;
  readonly database: string;
  /** PostgreSQL's, such as `17.5`. */
  readonly serverVersion: string;
}

type Bytes = Uint8Array<ArrayBuffer>;

const MAGIC = new TextEncoder().encode("PGDMP");
const VERSION = [1, 14, 0] as const;
const INT_SIZE = 4;
const OFFSET_SIZE = 8;
const CUSTOM = 1;
const SECTIONS: readonly (Section | undefined)[] = [
  undefined,
  undefined,
  "pre-data",
  "data",
  "post-data",
];
const BLOCK_OF_DATA = 1;
const OFFSET_NOT_SET = 1;
const OFFSET_NO_DATA = 3;
/** zlib's own choice. */
const COMPRESSION = -1;
/** The longest accepted text or chunk, in bytes: more means a damaged file. */
const LONGEST = 256 * 1024 * 1024;

/**
 * Writes an archive in chunks.
 *
 * @param rows What `COPY ... TO stdout` gives for an entry that has `copy`; asked for in the order of the entries.
 */
export async function writeArchive(
  out: (bytes: Bytes) => Promise<void>,
  head: Head,
  entries: readonly Entry[],
  rows: (entry: Entry) => AsyncIterable<Uint8Array>,
): Promise<void> {
  await out(concat([
    MAGIC,
    Uint8Array.of(...VERSION, INT_SIZE, OFFSET_SIZE, CUSTOM),
    int(COMPRESSION),
    ...tm(head.createdAt).map(int),
    text(head.database),
    text(head.serverVersion),
    text(`${VERSION[0]}.${VERSION[1]}`),
    int(entries.length),
    ...entries.flatMap(contents),
  ]));
  for (const [index, entry] of entries.entries()) {
    if (entry.copy === undefined) continue;
    // deno-lint-ignore no-await-in-loop -- In their order.
    await out(concat([Uint8Array.of(BLOCK_OF_DATA), int(index + 1)]));
    await writeData(out, copied(rows(entry)));
  }
}

async function writeData(
  out: (bytes: Bytes) => Promise<void>,
  data: AsyncGenerator<Bytes>,
): Promise<void> {
  try {
    const zipped = ReadableStream.from(data).pipeThrough(new CompressionStream("deflate"));
    for await (const piece of zipped) {
      if (piece.length > 0) await out(concat([int(piece.length), piece]));
    }
    await out(int(0));
  } finally {
    // A cancelled stream does not wait for its source, but the connection that sends the rows is busy until they end.
    await data.return(undefined);
  }
}

/** The rows in the form of a psql script, which pg_restore sends. */
async function* copied(rows: AsyncIterable<Uint8Array>): AsyncGenerator<Bytes> {
  for await (const chunk of rows) yield new Uint8Array(chunk);
  yield new TextEncoder().encode("\\.\n\n\n");
}

function contents(entry: Entry, index: number): Bytes[] {
  const data = entry.copy !== undefined;
  return [
    int(index + 1),
    int(data ? 1 : 0),
    text("0"), // The object's identity in the catalogue: for pg_dump's own use.
    text("0"),
    text(entry.tag),
    text(entry.desc),
    int(SECTIONS.indexOf(entry.section)),
    text(entry.defn),
    text(""), // What drops it.
    text(entry.copy),
    text(entry.schema),
    text(undefined), // Tablespace.
    text(undefined), // Table access method.
    text(""), // Owner: the role that restores.
    text("false"), // With OIDs.
    text(undefined), // End of the list of dependencies.
    Uint8Array.of(data ? OFFSET_NOT_SET : OFFSET_NO_DATA),
    new Uint8Array(OFFSET_SIZE),
  ];
}

/** An archive being read: the table of contents, then the data, once and in order. */
export interface Archive {
  readonly head: Head;
  readonly entries: readonly Entry[];
  /**
   * The rows to send after the entry's `copy`. Read them to the end before asking for the next entry's.
   *
   * @throws {ArchiveError} for an entry that is not the next one with data, and where the archive is cut off.
   */
  rows(entry: Entry): AsyncIterable<Uint8Array>;
  /** Stops reading. */
  close(): Promise<void>;
}

/**
 * Reads what `writeArchive` wrote.
 *
 * @throws {ArchiveError} when the bytes are not an archive.
 */
export async function readArchive(stream: ReadableStream<Uint8Array>): Promise<Archive> {
  const input = new Input(stream);
  try {
    const head = await readHead(input);
    const entries: Entry[] = [];
    const count = await input.int();
    for (let id = 1; id <= count; id++) {
      // deno-lint-ignore no-await-in-loop -- One after the other.
      entries.push(await readEntry(input, id));
    }
    return {
      head,
      entries,
      rows: (entry) => readRows(input, entries.indexOf(entry) + 1),
      close: () => input.close(),
    };
  } catch (error) {
    await input.close();
    throw error;
  }
}

async function readHead(input: Input): Promise<Head> {
  const magic = await input.bytes(MAGIC.length);
  if (MAGIC.some((byte, index) => magic[index] !== byte)) {
    throw new ArchiveError("This is not an archive in pg_dump's custom format");
  }
  const [major, minor, revision, ...sizes] = await input.bytes(6);
  if (`${[major, minor, revision]}` !== `${VERSION}` || `${sizes}` !== `4,8,1`) {
    throw new ArchiveError(
      `The archive has version ${major}.${minor} of the format; \`deno task backup\` writes ${
        VERSION[0]
      }.${VERSION[1]}. Restore it with pg_restore`,
    );
  }
  await input.int();
  const fields: number[] = [];
  for (let field = 0; field < 7; field++) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    fields.push(await input.int());
  }
  const [second, minute, hour, day, month, year] = fields as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const createdAt = new Date(Date.UTC(1900 + year, month, day, hour, minute, second));
  const database = await input.text() ?? "";
  const serverVersion = await input.text() ?? "";
  await input.text();
  return { createdAt, database, serverVersion };
}

async function readEntry(input: Input, id: number): Promise<Entry> {
  if (await input.int() !== id) throw new ArchiveError(`Entry ${id} of the archive is not there`);
  const data = await input.int() === 1;
  await input.text();
  await input.text();
  const tag = await input.text() ?? "";
  const desc = await input.text() ?? "";
  const section = SECTIONS[await input.int()];
  const defn = await input.text() ?? "";
  await input.text();
  const copy = await input.text();
  const schema = await input.text();
  for (let unused = 0; unused < 4; unused++) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    await input.text();
  }
  // deno-lint-ignore no-await-in-loop
  while (await input.text() !== undefined);
  await input.bytes(1 + OFFSET_SIZE);
  if (section === undefined || data !== (copy !== undefined)) {
    throw new ArchiveError(`Entry ${id} of the archive is not one that \`deno task backup\` makes`);
  }
  return {
    desc,
    tag,
    section,
    defn,
    ...(copy !== undefined && { copy }),
    ...(schema !== undefined && { schema }),
  };
}

async function* readRows(input: Input, id: number): AsyncGenerator<Uint8Array> {
  const [kind] = await input.bytes(1);
  if (kind !== BLOCK_OF_DATA || await input.int() !== id) {
    throw new ArchiveError(`The archive is damaged: the data of entry ${id} is out of place`);
  }
  const pieces = async function* (): AsyncGenerator<Bytes> {
    for (;;) {
      const length = await input.int();
      if (length === 0) return;
      yield await input.bytes(length);
    }
  };
  yield* ReadableStream.from(pieces()).pipeThrough(new DecompressionStream("deflate"));
}

/** Seconds, minutes, hours, day, month, year, daylight saving: C's `struct tm`. */
function tm(date: Date): number[] {
  return [
    date.getUTCSeconds(),
    date.getUTCMinutes(),
    date.getUTCHours(),
    date.getUTCDate(),
    date.getUTCMonth(),
    date.getUTCFullYear() - 1900,
    0,
  ];
}

/** A sign and four bytes, the lowest first. */
function int(value: number): Bytes {
  const bytes = new Uint8Array(1 + INT_SIZE);
  bytes[0] = value < 0 ? 1 : 0;
  new DataView(bytes.buffer).setUint32(1, Math.abs(value), true);
  return bytes;
}

/** The length in bytes, then the bytes. An absent text has the length -1. */
function text(value: string | undefined): Bytes {
  if (value === undefined) return int(-1);
  const bytes = new TextEncoder().encode(value);
  return concat([int(bytes.length), bytes]);
}

/** A stream, read by numbers of bytes. */
class Input {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  async bytes(count: number): Promise<Bytes> {
    const parts: Uint8Array[] = [];
    let missing = count;
    while (missing > 0) {
      if (this.#rest.length === 0) {
        // deno-lint-ignore no-await-in-loop -- In order.
        const { value, done } = await this.#reader.read();
        if (done) throw new ArchiveError("The archive is cut off");
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, missing);
      parts.push(part);
      missing -= part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return concat(parts);
  }

  async int(): Promise<number> {
    const bytes = await this.bytes(1 + INT_SIZE);
    const size = new DataView(bytes.buffer).getUint32(1, true);
    if (size > LONGEST) throw new ArchiveError("The archive is damaged");
    return bytes[0] === 0 ? size : -size;
  }

  async text(): Promise<string | undefined> {
    const length = await this.int();
    return length < 0 ? undefined : new TextDecoder().decode(await this.bytes(length));
  }

  async close(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}
