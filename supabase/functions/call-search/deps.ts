import { dataApi } from "../_shared/db/client.ts";
import { contactImport } from "../_shared/db/contacts.ts";
import { memberships } from "../_shared/db/members.ts";
import { rateLimiter } from "../_shared/db/rate_limits.ts";
import { searchCalls } from "../_shared/db/search.ts";
import { logOf } from "../_shared/log.ts";
import { clock } from "../_shared/runtime.ts";
import { embedderOf, meaningBy } from "../_shared/search/embed.ts";
import type { Settings } from "../_shared/settings.ts";
import { userTokens } from "../_shared/user_token.ts";
import type { CallSearchDeps } from "./handler.ts";

/** Requests in any 60 s of one signed-in person, who may search while typing. */
const PER_MINUTE = 120;
/** Exports in any ten minutes of one signed-in person. */
const EXPORTS = { max: 6, window_sec: 600 };

export function liveDeps(settings: Settings): CallSearchDeps {
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  const takeRoom = rateLimiter(api, "call-search");
  const takeExport = rateLimiter(api, "call-search export");
  return {
    settings,
    // Under the secret key either way: a gateway may take the role from `apikey`, whatever token stands beside it.
    search: (asker, search) =>
      searchCalls(api, asker.kind === "operator" ? null : asker.claims, search),
    importContacts: contactImport(api),
    meaningOf: meaningBy(embedderOf(settings.models.openai)),
    takeRoom: (userId) =>
      takeRoom({ identifier_type: "user", identifier: userId, max: PER_MINUTE, window_sec: 60 }),
    takeExport: (userId) => takeExport({ identifier_type: "user", identifier: userId, ...EXPORTS }),
    readUserToken: userTokens(settings.userTokens),
    membershipOf: memberships(api),
    log: logOf(settings),
    now: clock,
  };
}
