import { dataApi, PATIENT } from "../_shared/db/client.ts";
import { jobs } from "../_shared/db/jobs.ts";
import { logOf } from "../_shared/log.ts";
import { resendMailer } from "../_shared/mail/resend.ts";
import { clock } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import type { WorkerDeps } from "./handler.ts";

export function liveDeps(settings: Settings): WorkerDeps {
  const { resendApiKey, resendUrl } = settings.mail;
  return {
    settings,
    jobs: jobs(dataApi(settings.supabaseUrl, settings.secretKey, PATIENT)),
    send: resendApiKey === undefined ? undefined : resendMailer(resendApiKey, resendUrl),
    log: logOf(settings),
    now: clock,
  };
}
