import { dataApi } from "../_shared/db/client.ts";
import { recordingUrl } from "../_shared/db/voicemail.ts";
import { logOf } from "../_shared/log.ts";
import { clock } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import { userTokens } from "../_shared/user_token.ts";
import type { AudioDeps } from "./handler.ts";

export function liveDeps(settings: Settings): AudioDeps {
  return {
    settings,
    recordingUrl: recordingUrl(dataApi(settings.supabaseUrl, settings.secretKey)),
    readUserToken: userTokens(settings.userTokens),
    fetch,
    log: logOf(settings),
    now: clock,
  };
}
