import { dataApi } from "../db/client.ts";
import { onboardings } from "../db/onboarding.ts";
import type { Log } from "../log.ts";
import { clock } from "../runtime.ts";
import type { Settings } from "../settings.ts";
import { accessOf } from "../twilio/account.ts";
import { twilioClient } from "../twilio/client.ts";
import { provisioning } from "../twilio/provisioning.ts";
import type { SagaDeps } from "./saga.ts";
import { sealBy } from "./seal.ts";

/** A deployment's dependencies of onboarding; `undefined` without `TWILIO_ACCOUNT_SID`. */
export function sagaDeps(settings: Settings, log: Log): SagaDeps | undefined {
  const access = accessOf(settings);
  if (access === undefined) return undefined;
  return {
    database: onboardings(dataApi(settings.supabaseUrl, settings.secretKey)),
    twilio: provisioning(twilioClient(access), access.accountSid),
    seal: sealBy(...settings.secretKeys),
    functionsUrl: settings.publicFunctionsUrl,
    log,
    now: clock,
  };
}
