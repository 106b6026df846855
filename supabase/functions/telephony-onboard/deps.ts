import { dataApi } from "../_shared/db/client.ts";
import { memberships } from "../_shared/db/members.ts";
import { logOf } from "../_shared/log.ts";
import { sagaDeps } from "../_shared/onboarding/live.ts";
import { clock } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import { userTokens } from "../_shared/user_token.ts";
import type { OnboardDeps } from "./handler.ts";

export function liveDeps(settings: Settings): OnboardDeps {
  const log = logOf(settings);
  return {
    settings,
    saga: sagaDeps(settings, log),
    readUserToken: userTokens(settings.userTokens),
    membershipOf: memberships(dataApi(settings.supabaseUrl, settings.secretKey)),
    log,
    now: clock,
  };
}
