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
  const keyOf = (account: string | null, hash: string) => `${account} ${hash}`;
  const flowsOf = new Map(
    versions.map(({ account, hash, flows }) => [
      keyOf(account, hash),
      Object.values(flows).map((used) => keyOf(account, used)),
    ]),
  );
  for (let count = lines.length;; count = Math.floor(count * 0.8)) {
    const taken = lines.slice(0, count);
    const keys = new Set(taken.map(({ account, hash }) => keyOf(account, hash)));
    // A set that grows is walked to its end.
    for (const key of keys) {
      for (const used of flowsOf.get(key) ?? []) keys.add(used);
    }
    // deno-lint-ignore no-await-in-loop -- Until it fits.
    const packed = await pack({
      lines: taken,
      versions: versions.filter(({ account, hash }) => keys.has(keyOf(account, hash))),
    });
    if (packed.length > most) continue;
    const left = lines.length - count;
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
