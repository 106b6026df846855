import { HttpError } from "./errors.ts";
import { bearerToken, isOperator } from "./operator.ts";
import type { Settings } from "./settings.ts";
import type { ReadUserToken } from "./user_token.ts";

/** Who asks for something that operators and an organisation's own administrators may do. */
export type Administrator =
  | { readonly kind: "operator" }
  | { readonly kind: "admin"; readonly orgId: string; readonly userId: string | undefined };

/** What may act for an organisation: `app_metadata.role`, of which an owner is more than an admin. */
const ADMIN_ROLES: ReadonlySet<string | undefined> = new Set(["owner", "admin"]);

/**
 * The operator by a secret key, or a signed-in administrator by a token of Supabase Auth.
 *
 * @throws {HttpError} 401 for anybody else, 403 for a member who is no administrator.
 */
export async function administratorOf(
  request: Request,
  { settings, readUserToken, now }: {
    readonly settings: Pick<Settings, "secretKeys">;
    readonly readUserToken: ReadUserToken;
    readonly now: () => Date;
  },
): Promise<Administrator> {
  if (isOperator(request, settings.secretKeys)) return { kind: "operator" };
  const token = bearerToken(request);
  const user = token === undefined ? undefined : await readUserToken(token, now());
  if (user === undefined) throw new HttpError(401, "unauthorized");
  const { orgId, orgRole, userId } = user;
  if (!ADMIN_ROLES.has(orgRole) || orgId === undefined) throw new HttpError(403, "forbidden");
  return { kind: "admin", orgId, userId };
}
