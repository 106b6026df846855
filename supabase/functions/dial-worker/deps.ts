import { dataApi, PATIENT } from "../_shared/db/client.ts";
import { dialling } from "../_shared/db/dialling.ts";
import { jobs } from "../_shared/db/jobs.ts";
import { logOf } from "../_shared/log.ts";
import { clock, delay } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import { accessOf } from "../_shared/twilio/account.ts";
import { twilioClient } from "../_shared/twilio/client.ts";
import { twilioLegs } from "../_shared/twilio/legs.ts";
import type { DialWorkerDeps } from "./handler.ts";

export function liveDeps(settings: Settings): DialWorkerDeps {
  const api = dataApi(settings.supabaseUrl, settings.secretKey, PATIENT);
  const access = accessOf(settings);
  // A failed request is repeated by the job, which asks Twilio first what became of it.
  const client = access && twilioClient({ ...access, deadlineMs: 5000, attempts: 1 });
  return {
    settings,
    jobs: jobs(api),
    dialling: dialling(api),
    twilio: client && ((accountSid) => twilioLegs(client, accountSid ?? access.accountSid)),
    log: logOf(settings),
    now: clock,
    wait: delay,
  };
}
