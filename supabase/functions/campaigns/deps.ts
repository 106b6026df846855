import { campaignDatabase } from "../_shared/db/campaigns.ts";
import { dataApi } from "../_shared/db/client.ts";
import type { Settings } from "../_shared/settings.ts";
import { roomOf, signedInDeps } from "../_shared/signed_in.ts";
import type { CampaignsDeps } from "./handler.ts";

/** Of one signed-in person: a page shows live figures, and a list comes in slices. */
const LIMIT = { max: 180, window_sec: 60 };

export function liveDeps(settings: Settings): CampaignsDeps {
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  return {
    ...signedInDeps(settings, api),
    database: campaignDatabase(api),
    takeRoom: roomOf(api, "campaigns", LIMIT),
  };
}
