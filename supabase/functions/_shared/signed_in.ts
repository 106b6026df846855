import type { Access, Room } from "./access.ts";
import type { DataApi } from "./db/client.ts";
import { memberships } from "./db/members.ts";
import { rateLimiter } from "./db/rate_limits.ts";
import { type Log, logOf } from "./log.ts";
import { clock } from "./runtime.ts";
import type { Settings } from "./settings.ts";
import { userTokens } from "./user_token.ts";

/** The wiring that all functions for signed-in people have in common. */
export function signedInDeps(
  settings: Settings,
  api: DataApi,
): Access & { readonly settings: Settings; readonly log: Log } {
  return {
    settings,
    readUserToken: userTokens(settings.userTokens),
    membershipOf: memberships(api),
    log: logOf(settings),
    now: clock,
  };
}

/**
 * Admits `max` requests of each signed-in person in any `window_sec` seconds.
 *
 * @param endpoint What is limited; refusals are listed by it.
 */
export function roomOf(
  api: DataApi,
  endpoint: string,
  limit: { readonly max: number; readonly window_sec: number },
): Room["takeRoom"] {
  const take = rateLimiter(api, endpoint);
  return (userId) => take({ identifier_type: "user", identifier: userId, ...limit });
}
