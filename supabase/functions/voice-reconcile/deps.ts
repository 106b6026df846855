import { dataApi, PATIENT } from "../_shared/db/client.ts";
import { jobs } from "../_shared/db/jobs.ts";
import { reconciliation } from "../_shared/db/reconciliation.ts";
import type { Deps } from "../_shared/deps.ts";
import { sagaDeps } from "../_shared/onboarding/live.ts";
import { accessOf } from "../_shared/twilio/account.ts";
import { twilioClient } from "../_shared/twilio/client.ts";
import { twilioRest } from "../_shared/twilio/rest.ts";
import type { ReconcileDeps } from "./handler.ts";

export function reconcileDeps(deps: Deps): ReconcileDeps {
  const { supabaseUrl, secretKey } = deps.settings;
  const api = dataApi(supabaseUrl, secretKey, PATIENT);
  const access = accessOf(deps.settings);
  return {
    ...deps,
    saga: sagaDeps(deps.settings, deps.log),
    database: reconciliation(api),
    jobs: jobs(api),
    // A failed question is asked again by a later run.
    twilio: access &&
      twilioRest(twilioClient({ ...access, deadlineMs: 5000, attempts: 1 }), access.accountSid),
  };
}
