import * as z from "zod/mini";
import { type DataApi, run } from "./client.ts";

/** A contact of a file. An absent field is left as it is. */
export interface ContactRow {
  readonly phone: string;
  readonly name?: string;
  readonly company?: string;
  readonly notes?: string;
}

/**
 * Adds contacts to an owner (`null`: the main account), and fills in what theirs lack.
 *
 * @returns how many were added and changed; the others were as they are.
 * @throws {DatabaseFailure} after storing some of them, perhaps: the same contacts again add the rest.
 */
export type ImportContacts = (
  owner: string | null,
  contacts: readonly ContactRow[],
) => Promise<{ readonly added: number; readonly changed: number }>;

/** So many are stored in some 2 s, and the database ends a statement after 8 s. */
const AT_ONCE = 500;

export function contactImport(api: DataApi, deadlineMs = 20_000): ImportContacts {
  const counts = z.object({ added: z.number(), changed: z.number() });
  return async (owner, contacts) => {
    let [added, changed] = [0, 0];
    for (let from = 0; from < contacts.length; from += AT_ONCE) {
      const p_contacts = contacts.slice(from, from + AT_ONCE);
      const args = { p_contacts, p_org_id: owner };
      // deno-lint-ignore no-await-in-loop -- The database has other work too.
      const stored = await run(api, "import_contacts", args, counts, deadlineMs);
      added += stored.added;
      changed += stored.changed;
    }
    return { added, changed };
  };
}
