import type { MembershipOf } from "./db/members.ts";
import { HttpError, invalid } from "./errors.ts";
import { bearerToken, isOperator } from "./operator.ts";
import type { Settings } from "./settings.ts";
import { UUID } from "./text.ts";
import type { ReadUserToken, UserClaims } from "./user_token.ts";

/** Who asks for something that operators and an organisation's own administrators may do. */
export type Administrator =
  | { readonly kind: "operator" }
  /** `orgId` null: of the main account. */
  | { readonly kind: "admin"; readonly orgId: string | null; readonly userId: string | undefined };

/** What a function needs in order to tell who asks. */
export interface Access {
  readonly settings: Pick<Settings, "secretKeys">;
  readonly readUserToken: ReadUserToken;
  readonly membershipOf: MembershipOf;
  readonly now: () => Date;
}

/**
 * The operator by a secret key, or a signed-in owner or admin by a token of Supabase Auth. The token says who it is; the
 * database says whose member, at this moment.
 *
 * @throws {HttpError} 401 for anybody else, 403 for a member who is no administrator.
 * @throws {DatabaseFailure}
 */
export async function administratorOf(request: Request, access: Access): Promise<Administrator> {
  if (isOperator(request, access.settings.secretKeys)) return { kind: "operator" };
  const token = bearerToken(request);
  const user = token === undefined ? undefined : await access.readUserToken(token, access.now());
  if (user === undefined) throw new HttpError(401, "unauthorized");
  const membership = await access.membershipOf(user);
  if (membership === null || !["owner", "admin"].includes(membership.role)) {
    throw new HttpError(403, "forbidden");
  }
  return { kind: "admin", orgId: membership.org_id, userId: user.userId };
}

/** Who asks for what every member of an organisation may see. */
export type Asker =
  | { readonly kind: "operator" }
  /** The database says by the claims whose member it is. */
  | { readonly kind: "member"; readonly userId: string; readonly claims: UserClaims };

/**
 * The operator by a secret key, or a signed-in person by a token of Supabase Auth.
 *
 * @throws {HttpError} 401 for anybody else.
 */
export async function askerOf(
  request: Request,
  { settings, readUserToken, now }: Omit<Access, "membershipOf">,
): Promise<Asker> {
  if (isOperator(request, settings.secretKeys)) return { kind: "operator" };
  const token = bearerToken(request);
  const user = token === undefined ? undefined : await readUserToken(token, now());
  if (user?.userId === undefined) throw new HttpError(401, "unauthorized");
  return { kind: "member", userId: user.userId, claims: user };
}

/** The owner whom a request names. @returns null: the main account. @throws {HttpError} 400, or 403 for a stranger. */
export function ownerOf(asks: Administrator, asked: string | null): string | null {
  if (asked !== null && !UUID.test(asked)) {
    throw invalid([{ field: "org_id", message: "must be a UUID" }]);
  }
  const org_id = asked?.toLowerCase();
  if (asks.kind === "operator") return org_id ?? null;
  if (org_id !== undefined && org_id !== asks.orgId) throw new HttpError(403, "forbidden");
  return asks.orgId;
}

/** The sender's name in what is written. */
export function nameOf(asks: Administrator): string {
  return asks.kind === "operator" ? "operator" : asks.userId ?? "an administrator";
}

/** Bounds the requests of a signed-in person. */
export interface Room {
  /** Counts a request. @returns the seconds to wait if there were too many. */
  readonly takeRoom: (userId: string) => Promise<number | undefined>;
}

/** @throws {HttpError} 429. */
export async function requireRoom({ takeRoom }: Room, userId: string): Promise<void> {
  const wait = await takeRoom(userId);
  if (wait !== undefined) throw new HttpError(429, "rate_limited", { "retry-after": String(wait) });
}
