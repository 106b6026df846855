import * as z from "zod/mini";
import type { UserClaims } from "../user_token.ts";
import { type DataApi, returned, rpc } from "./client.ts";

const MEMBERSHIP = z.nullable(z.object({
  org_id: z.nullable(z.string()),
  role: z.enum(["viewer", "agent", "admin", "owner"]),
}));

/** Whom a signed-in person acts for, and as what; `org_id` null: the main account. */
export type Membership = NonNullable<z.infer<typeof MEMBERSHIP>>;

/** A verified token's claims, as the database reads them. */
export function claimsOf({ userId, appMetadata, aal }: UserClaims) {
  return { sub: userId, app_metadata: appMetadata, aal };
}

/**
 * Asks the database whose member a user is, by the claims of a verified token; `null`: no membership.
 *
 * @throws {DatabaseFailure}
 */
export type MembershipOf = (claims: UserClaims) => Promise<Membership | null>;

export function memberships(api: DataApi, deadlineMs = 10_000): MembershipOf {
  return async (user) => {
    const p_claims = claimsOf(user);
    return returned(
      "membership_of",
      await rpc(api, "membership_of", { p_claims }, deadlineMs),
      MEMBERSHIP,
    );
  };
}

/** An open invitation. */
export interface Invitation {
  readonly email: string;
  /** Whether a user of Supabase Auth has the address. */
  readonly known: boolean;
}

/**
 * The open invitation of a member; `null`: it was accepted or taken back.
 *
 * @throws {DatabaseFailure}
 */
export type ReadInvitation = (memberId: string) => Promise<Invitation | null>;

export function invitations(api: DataApi, deadlineMs = 10_000): ReadInvitation {
  const INVITATION = z.nullable(z.object({ email: z.string(), known: z.boolean() }));
  return async (memberId) => {
    const answer = await rpc(api, "invitation", { p_member_id: memberId }, deadlineMs);
    return returned("invitation", answer, INVITATION);
  };
}
