import * as z from "zod/mini";
import { type DataApi, returned, rpc } from "./client.ts";

/** The people of an owner; `null`: of the main account. */
export interface People {
  /**
   * Has a person called, who proves by a key that the number is theirs.
   *
   * @param line The number that the telephone shows.
   * @returns The attempt's token; `busy`: that telephone is being dialled already; `unknown`: nobody has this handle.
   * @throws {DatabaseFailure}
   */
  verify(
    owner: string | null,
    handle: string,
    line: string,
  ): Promise<{ readonly token: string } | "busy" | "unknown">;
}

export function people(api: DataApi, deadlineMs = 10_000): People {
  return {
    async verify(owner, handle, line) {
      const args = { p_org_id: owner, p_handle: handle, p_line: line };
      const answer = await rpc(api, "verify_person", args, deadlineMs);
      if (answer.error?.code === "PT404") return "unknown";
      const token = returned("verify_person", answer, z.nullable(z.string()));
      return token === null ? "busy" : { token };
    },
  };
}
