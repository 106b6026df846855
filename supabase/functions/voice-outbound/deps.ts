import { dataApi } from "../_shared/db/client.ts";
import { dialling } from "../_shared/db/dialling.ts";
import type { Deps } from "../_shared/deps.ts";
import { accessOf } from "../_shared/twilio/account.ts";
import { twilioClient } from "../_shared/twilio/client.ts";
import { twilioLegs } from "../_shared/twilio/legs.ts";
import type { OutboundDeps } from "./handler.ts";

export function outboundDeps(deps: Deps): OutboundDeps {
  const { settings } = deps;
  const access = accessOf(settings);
  // Twilio waits 15 s for a callback, and repeats it where it failed.
  const client = access && twilioClient({ ...access, deadlineMs: 4000, attempts: 2 });
  return {
    ...deps,
    dialling: dialling(dataApi(settings.supabaseUrl, settings.secretKey)),
    twilio: client && ((accountSid) => twilioLegs(client, accountSid ?? access.accountSid)),
  };
}
