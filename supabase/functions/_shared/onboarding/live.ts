import { dataApi } from "../db/client.ts";
import { onboardings } from "../db/onboarding.ts";
import type { Log } from "../log.ts";
import type { Settings } from "../settings.ts";
import { provisioning } from "../twilio/provisioning.ts";
import type { SagaDeps } from "./saga.ts";
import { sealBy } from "./seal.ts";

/** What onboarding works with, as a deployment has it; `undefined` without `TWILIO_ACCOUNT_SID`. */
export function sagaDeps(settings: Settings, log: Log): SagaDeps | undefined {
  const { supabaseUrl, secretKey, secretKeys, twilioApiUrl, twilioAccountSid, twilioAuthToken } =
    settings;
  if (twilioAccountSid === undefined) return undefined;
  return {
    database: onboardings(dataApi(supabaseUrl, secretKey)),
    twilio: provisioning({
      baseUrl: twilioApiUrl,
      accountSid: twilioAccountSid,
      authToken: twilioAuthToken,
    }),
    seal: sealBy(...secretKeys),
    functionsUrl: settings.publicFunctionsUrl,
    log,
    now: () => new Date(),
  };
}
