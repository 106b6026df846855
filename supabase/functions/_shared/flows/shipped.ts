/**
 * The versions that answered the lines when this code was deployed: what an isolate that never reached the database goes
 * by. `deno task deploy` writes them here in what it uploads, as gzip in base64, which costs nothing until it is read.
 */
const SNAPSHOT: string = "none";

/** A published version. */
export interface ShippedVersion {
  /** SHA-256 of its canonical JSON, in hexadecimal. */
  readonly hash: string;
  readonly name: string;
  readonly version: number;
  readonly definition: unknown;
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

/** @param packed What `pack` made, or `none`. */
export async function unpack(packed: string): Promise<Shipped> {
  const { versions, lines } = packed === "none"
    ? { versions: [], lines: {} }
    : await inflated(packed);
  const ofHash = (prefix: string) =>
    versions.find(({ hash }) => prefix !== "" && hash.startsWith(prefix));
  const byLine = new Map(Object.entries(lines));
  return { ofHash, ofLine: (line) => ofHash(byLine.get(line) ?? "") };
}

/** A snapshot as `shipped.ts` holds it. */
export async function pack(snapshot: Snapshot): Promise<string> {
  const stream = new Blob([JSON.stringify(snapshot)]).stream()
    .pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

async function inflated(packed: string): Promise<Snapshot> {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).json();
}
