import { dataApi } from "../_shared/db/client.ts";
import { flowDatabase } from "../_shared/db/flows.ts";
import { memberships } from "../_shared/db/members.ts";
import { rateLimiter } from "../_shared/db/rate_limits.ts";
import { logOf } from "../_shared/log.ts";
import { clock } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import { storeAudio } from "../_shared/storage.ts";
import { userTokens } from "../_shared/user_token.ts";
import type { CallFlowsDeps } from "./handler.ts";

/** Requests in any 60 s of one signed-in person: an editor that checks while one types asks less often. */
const PER_MINUTE = 60;

export function liveDeps(settings: Settings): CallFlowsDeps {
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  const takeRoom = rateLimiter(api, "call-flows");
  return {
    settings,
    database: flowDatabase(api),
    storeAudio: (hash, type, bytes) =>
      storeAudio({ url: settings.supabaseUrl, key: settings.secretKey }, hash, type, bytes),
    takeRoom: (userId) =>
      takeRoom({ identifier_type: "user", identifier: userId, max: PER_MINUTE, window_sec: 60 }),
    readUserToken: userTokens(settings.userTokens),
    membershipOf: memberships(api),
    log: logOf(settings),
    now: clock,
  };
}
