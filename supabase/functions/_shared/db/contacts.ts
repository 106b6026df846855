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
 * @throws {DatabaseFailure}
 */
export type ImportContacts = (
  owner: string | null,
  contacts: readonly ContactRow[],
) => Promise<{ readonly added: number; readonly changed: number }>;

export function contactImport(api: DataApi, deadlineMs = 20_000): ImportContacts {
  return (owner, contacts) =>
    run(
      api,
      "import_contacts",
      { p_contacts: contacts, p_org_id: owner },
      z.object({ added: z.number(), changed: z.number() }),
      deadlineMs,
    );
}
