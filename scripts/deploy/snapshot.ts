import {
  dataApi,
  DatabaseFailure,
  untilKnown,
} from "../../supabase/functions/_shared/db/client.ts";
import { flowDatabase } from "../../supabase/functions/_shared/db/flows.ts";
import type { Snapshot } from "../../supabase/functions/_shared/flows/shipped.ts";
import { messageOf } from "./preflight.ts";
import type { Target } from "./target.ts";

/** Characters of a snapshot in a function's code, which may have a million bytes: some thousand small flows. */
const MOST = 200_000;

/** A snapshot in the form of `shipped.ts`, and how to tell a person of it. */
export interface Shipment {
  readonly packed: string;
  readonly told: string;
}

/**
 * The published versions of a project, for its functions to take along. A database that does not answer holds up no
 * deploy, least of all the way back from one: then nothing goes along.
 */
export async function publishedFlows({ projectUrl, secretKey }: Target): Promise<Shipment> {
  if (secretKey === undefined) return { packed: "none", told: "no flows (no secret key is set)" };
  const database = flowDatabase(dataApi(projectUrl, secretKey));
  try {
    const answer = await untilKnown(
      () => database.published().catch((error: Error) => error),
      (answer) => answer instanceof DatabaseFailure ? answer.code : undefined,
    );
    if (answer instanceof Error) throw answer;
    return await shipment(answer);
  } catch (error) {
    return { packed: "none", told: `no flows (${messageOf(error)})` };
  }
}

/** What goes along of a snapshot: the first lines, as many as there is room for, with all that they lead to. */
export async function shipment({ lines, versions }: Snapshot, most = MOST): Promise<Shipment> {
  const byHash = new Map(versions.map((version) => [version.hash, version]));
  const all = Object.entries(lines);
  for (let count = all.length;; count = Math.floor(count * 0.8)) {
    const taken = all.slice(0, count);
    const hashes = new Set(taken.map(([, hash]) => hash));
    // A set that grows is walked to its end.
    for (const hash of hashes) {
      for (const next of Object.values(byHash.get(hash)?.flows ?? {})) hashes.add(next);
    }
    // deno-lint-ignore no-await-in-loop -- Until it fits.
    const packed = await pack({
      lines: Object.fromEntries(taken),
      versions: versions.filter(({ hash }) => hashes.has(hash)),
    });
    if (packed.length > most) continue;
    const left = all.length - count;
    const told = count === 1 ? "1 line's published flow" : `${count} lines' published flows`;
    return {
      packed,
      told: left === 0
        ? told
        : `${told}; ${left} more do not fit, and take messages while the database is away,`,
    };
  }
}

/** A snapshot as gzip in base64. */
export async function pack(snapshot: Snapshot): Promise<string> {
  const stream = new Blob([JSON.stringify(snapshot)]).stream()
    .pipeThrough(new CompressionStream("gzip"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
