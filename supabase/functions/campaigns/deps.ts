import { campaignDatabase } from "../_shared/db/campaigns.ts";
import { dataApi } from "../_shared/db/client.ts";
import { memberships } from "../_shared/db/members.ts";
import { rateLimiter } from "../_shared/db/rate_limits.ts";
import { logOf } from "../_shared/log.ts";
import { clock } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import { userTokens } from "../_shared/user_token.ts";
import type { CampaignsDeps } from "./handler.ts";

/** Requests in any 60 s of one signed-in person: a page that shows live figures, and a list that comes in slices. */
const PER_MINUTE = 180;

export function liveDeps(settings: Settings): CampaignsDeps {
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  const takeRoom = rateLimiter(api, "campaigns");
  return {
    settings,
    database: campaignDatabase(api),
    takeRoom: (userId) =>
      takeRoom({ identifier_type: "user", identifier: userId, max: PER_MINUTE, window_sec: 60 }),
    readUserToken: userTokens(settings.userTokens),
    membershipOf: memberships(api),
    log: logOf(settings),
    now: clock,
  };
}
