import type { Switches } from "../calls/events.ts";

/**
 * The versions that answered the lines at the time of the deploy, for an isolate that has never reached the database.
 * `deno task deploy` writes them into the uploaded file, as gzip in base64, which costs nothing until it is read.
 */
const SNAPSHOT: string = "none";

/** A published version, as the database gives it to an isolate. */
export interface ShippedVersion {
  /** The sub-account of its owner; `null`: the main account. Owners may publish the same document. */
  readonly account: string | null;
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

/** As the snapshot has it, what is the main account's first. */
export interface Snapshot {
  readonly versions: readonly ShippedVersion[];
  /** Each line, in E.164 form, and the hash of its owner's version that it answers by. */
  readonly lines: readonly {
    readonly account: string | null;
    readonly line: string;
    readonly hash: string;
  }[];
}

/**
 * The snapshot, by what one looks up. An account finds what is its own; the main account (`undefined`) also what its
 * organisations have, whose numbers may be its own.
 */
export interface Shipped {
  /** What the line answers by; of a number that the main account had before an organisation, the organisation's. */
  ofLine(account: string | undefined, line: string): ShippedVersion | undefined;
  /** The version whose hash begins so; of equal documents the main account's own. */
  ofHash(account: string | undefined, prefix: string): ShippedVersion | undefined;
}

let read: Promise<Shipped> | undefined;

/** The versions that this code was deployed with; none where it was not deployed. */
export function shipped(): Promise<Shipped> {
  return read ??= unpack(SNAPSHOT);
}

/** @param packed A snapshot as JSON, gzip and base64; or `none`. */
export async function unpack(packed: string): Promise<Shipped> {
  const { versions, lines } = packed === "none"
    ? { versions: [], lines: [] }
    : await inflated(packed);
  const mayUse = (account: string | undefined, owner: string | null) =>
    account === undefined || account === owner;
  return {
    ofHash: (account, prefix) =>
      versions.find((version) =>
        prefix !== "" && version.hash.startsWith(prefix) && mayUse(account, version.account)
      ),
    ofLine(account, line) {
      const found = lines.findLast((each) => each.line === line && mayUse(account, each.account));
      return versions.find((version) =>
        version.hash === found?.hash && version.account === found.account
      );
    },
  };
}

async function inflated(packed: string): Promise<Snapshot> {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).json();
}
