import { dataApi } from "../_shared/db/client.ts";
import { flowDatabase } from "../_shared/db/flows.ts";
import type { Settings } from "../_shared/settings.ts";
import { roomOf, signedInDeps } from "../_shared/signed_in.ts";
import { storeAudio } from "../_shared/storage.ts";
import type { CallFlowsDeps } from "./handler.ts";

/** Of one signed-in person. An editor that checks at each pause in typing asks less often. */
const LIMIT = { max: 60, window_sec: 60 };

export function liveDeps(settings: Settings): CallFlowsDeps {
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  return {
    ...signedInDeps(settings, api),
    database: flowDatabase(api),
    storeAudio: (hash, type, bytes) =>
      storeAudio({ url: settings.supabaseUrl, key: settings.secretKey }, hash, type, bytes),
    takeRoom: roomOf(api, "call-flows", LIMIT),
  };
}
