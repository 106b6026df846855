import { dataApi, PATIENT } from "../_shared/db/client.ts";
import { jobs } from "../_shared/db/jobs.ts";
import { invitations } from "../_shared/db/members.ts";
import { storeEmbedding } from "../_shared/db/search_meaning.ts";
import { logOf } from "../_shared/log.ts";
import { inviteMember } from "../_shared/mail/invite.ts";
import { resendMailer } from "../_shared/mail/resend.ts";
import { embedderOf } from "../_shared/search/embed.ts";
import { hookDeps } from "../_shared/search/hook.ts";
import { clock } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import type { WorkerDeps } from "./handler.ts";

export function liveDeps(settings: Settings): WorkerDeps {
  const { resendApiKey, resendUrl } = settings.mail;
  const api = dataApi(settings.supabaseUrl, settings.secretKey, PATIENT);
  const embedder = embedderOf(settings.models.openai);
  return {
    settings,
    jobs: jobs(api),
    hooks: hookDeps,
    embedding: embedder && { embedder, store: storeEmbedding(api) },
    invite: inviteMember({
      supabaseUrl: settings.supabaseUrl,
      secretKey: settings.secretKey,
      read: invitations(api),
      fetch,
    }),
    send: resendApiKey === undefined ? undefined : resendMailer(resendApiKey, resendUrl),
    log: logOf(settings),
    now: clock,
  };
}
