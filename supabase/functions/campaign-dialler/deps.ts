import { campaignDialling } from "../_shared/db/campaigns.ts";
import { dataApi } from "../_shared/db/client.ts";
import { jobs } from "../_shared/db/jobs.ts";
import { logOf } from "../_shared/log.ts";
import { clock, delay } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import { accessOf } from "../_shared/twilio/account.ts";
import { twilioClient } from "../_shared/twilio/client.ts";
import { twilioLegs } from "../_shared/twilio/legs.ts";
import type { CampaignDiallerDeps } from "./handler.ts";

export function liveDeps(settings: Settings): CampaignDiallerDeps {
  const api = dataApi(settings.supabaseUrl, settings.secretKey);
  const access = accessOf(settings);
  // Each request has its own time and none is repeated, as a repetition would be a call too many in its second.
  const client = access && twilioClient({ ...access, deadlineMs: 10_000, attempts: 1 });
  return {
    settings,
    jobs: jobs(api),
    campaigns: campaignDialling(api),
    twilio: client && ((accountSid) => twilioLegs(client, accountSid ?? access.accountSid)),
    log: logOf(settings),
    now: clock,
    wait: delay,
  };
}
