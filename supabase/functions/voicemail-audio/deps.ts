import { dataApi } from "../_shared/db/client.ts";
import { voicemailRecordingUrl } from "../_shared/db/voicemail.ts";
import { logOf } from "../_shared/log.ts";
import { clock } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import type { AudioDeps } from "./handler.ts";

export function liveDeps(settings: Settings): AudioDeps {
  return {
    settings,
    recordingUrl: voicemailRecordingUrl(dataApi(settings.supabaseUrl, settings.secretKey)),
    fetch,
    log: logOf(settings),
    now: clock,
  };
}
