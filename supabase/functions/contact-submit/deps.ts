import { dataApi } from "../_shared/db/client.ts";
import { contactMessages } from "../_shared/db/contact.ts";
import { logOf } from "../_shared/log.ts";
import { wakeWorker } from "../_shared/jobs/wake.ts";
import { isSending } from "../_shared/mail/mail.ts";
import type { Settings } from "../_shared/settings.ts";
import type { ContactDeps } from "./handler.ts";

export function liveDeps(settings: Settings): ContactDeps {
  return {
    settings,
    submit: contactMessages(dataApi(settings.supabaseUrl, settings.secretKey)),
    wake: () => isSending(settings.mail) && wakeWorker(settings, "notify-worker"),
    log: logOf(settings),
  };
}
