import type { Switches } from "../calls/events.ts";

/**
 * The versions that answered the lines at the time of the deploy, for an isolate that has never reached the database.
 * `deno task deploy` writes them into the uploaded file, as gzip in base64, which costs nothing until it is read.
 */
const SNAPSHOT: string = "none";

/** A published version, as the database gives it to an isolate. */
export interface ShippedVersion {
  /** SHA-256 of its canonical JSON, in hexadecimal. */
  readonly hash: string;
  readonly name: string;
  readonly version: number;
  readonly definition: unknown;
  /** The hashes of the flows that it goes on in, by name. */
  readonly flows: Readonly<Record<string, string>>;
  /** When each calendar opens and closes in the two weeks after the deploy: see `Switches` in db/flows.ts. */
  readonly hours: Readonly<Record<string, Switches>>;
  /** Hashes of audio that its owner has not stored. */
  readonly missing_audio: readonly string[];
}

/** As the snapshot has it. */
export interface Snapshot {
  readonly versions: readonly ShippedVersion[];
  /** The hash of the version that a line answers by, by its number in E.164 form. */
  readonly lines: Readonly<Record<string, string>>;
}

/** The snapshot, by what one looks up. */
export interface Shipped {
  /** What the line answers by. */
  ofLine(line: string): ShippedVersion | undefined;
  /** The version whose hash begins so. */
  ofHash(prefix: string): ShippedVersion | undefined;
}

let read: Promise<Shipped> | undefined;

/** The versions that this code was deployed with; none where it was not deployed. */
export function shipped(): Promise<Shipped> {
  return read ??= unpack(SNAPSHOT);
}

/** @param packed A snapshot as JSON, gzip and base64; or `none`. */
export async function unpack(packed: string): Promise<Shipped> {
  const { versions, lines } = packed === "none"
    ? { versions: [], lines: {} }
    : await inflated(packed);
  const ofHash = (prefix: string) =>
    versions.find(({ hash }) => prefix !== "" && hash.startsWith(prefix));
  const byLine = new Map(Object.entries(lines));
  return { ofHash, ofLine: (line) => ofHash(byLine.get(line) ?? "") };
}

async function inflated(packed: string): Promise<Snapshot> {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).json();
}
