import type { Jobs } from "../_shared/db/jobs.ts";
import { runJobs, type Tally, type Work } from "../_shared/jobs/run.ts";
import type { Log } from "../_shared/log.ts";
import { missingMailSettings, type SendMail } from "../_shared/mail/mail.ts";
import { renderMail } from "../_shared/mail/render.ts";
import { tellMatch } from "../_shared/search/alert.ts";
import { type Embedding, embedDocument } from "../_shared/search/embed.ts";
import type { HookDeps } from "../_shared/search/hook.ts";
import type { Settings } from "../_shared/settings.ts";
import type { Handler } from "../_shared/http.ts";
import { worker } from "../_shared/jobs/worker.ts";

export interface WorkerDeps {
  readonly settings: Settings;
  readonly jobs: Jobs;
  /** Has Supabase Auth mail an invitation. */
  readonly invite: Work;
  /** Absent without `RESEND_API_KEY`: mails wait. */
  readonly send: SendMail | undefined;
  /** Posts to the addresses of word alerts. */
  readonly hooks: HookDeps;
  /** Absent where there is no model: documents are found by their words only. */
  readonly embedding: Embedding | undefined;
  readonly log: Log;
  readonly now: () => Date;
}

/** The report of one run. */
interface Report extends Omit<Tally, "done"> {
  /** Missing settings that keep some or all mails waiting. */
  missing: string[];
  sent: number;
  /** Why mails were held. */
  stopped: "busy" | "misconfigured" | null;
}

/** Bounds of one run. A batch is done long before the lease of 2 minutes ends. */
const BOUNDS = { batch: 10, atOnce: 4, most: 1000 };
/** No further mail is begun after this long. Milliseconds. */
const RUN_MS = 40_000;
/** How long mails wait for a setting to be corrected. Seconds. */
const MISCONFIGURED_WAIT_SEC = 5 * 60;

/**
 * Sends the mails and the messages of word alerts that are due, and makes embeddings. Runs every few seconds, or by hand; two runs at once share the work. The mails of a run that
 * dies wait for the end of their lease, and each mail's key keeps Resend from sending it again.
 */
export function createHandler(deps: WorkerDeps): Handler {
  return worker("notify-worker", { ...deps, retryAfterSec: 10 }, async () => {
    const report = await run(deps);
    const { missing, ...counts } = report;
    const idle = counts.sent + counts.retried + counts.dead + counts.held + counts.unmarked === 0;
    // An idle run is not logged.
    if (!idle) {
      deps.log(counts.dead > 0 || counts.stopped === "misconfigured" ? "error" : "info", {
        function: "notify-worker",
        ...counts,
        missing: missing.join(","),
      });
    }
    return report;
  });
}

async function run(deps: WorkerDeps): Promise<Report> {
  const { settings: { mail }, now } = deps;
  let stopped: Report["stopped"] = null;
  const { done: sent, ...rest } = await runJobs(
    "notify-worker",
    works(deps, (why) => stopped = why),
    { ...BOUNDS, until: now().getTime() + RUN_MS, perHour: mail.maxPerHour },
    deps,
  );
  await deps.jobs.ended("notify-worker");
  return { missing: missingMailSettings(mail), sent, ...rest, stopped };
}

/** The kinds of jobs that can be done by these settings, and how. */
function works(deps: WorkerDeps, stop: (why: "busy" | "misconfigured") => void) {
  const { embedding, hooks, invite } = deps;
  return {
    ...mails(deps, stop),
    invite,
    search_alert: tellMatch(hooks),
    ...(embedding !== undefined && { embedding: embedDocument(embedding) }),
  };
}

/** The kinds of mail that can be sent, and how. */
function mails(
  { settings, send }: WorkerDeps,
  stop: (why: "busy" | "misconfigured") => void,
): Record<string, Work> {
  const { mail: { from, notifyTo }, publicFunctionsUrl, secretKey, alerts } = settings;
  if (send === undefined || from === undefined) return {};
  const { runbookUrl } = alerts;
  const context = { from, notifyTo, functionsUrl: publicFunctionsUrl, secretKey, runbookUrl };
  const sendMail: Work = async ({ kind, key, content }) => {
    // The caller has been served since.
    if (kind === "mail_missed_call" && content === null) return { kind: "done" };
    const mail = renderMail(kind, content, context);
    if (mail === undefined) return { kind: "failed", error: "nothing_to_say", permanent: true };
    const outcome = await send(mail, key);
    switch (outcome.kind) {
      case "sent":
        return { kind: "done", result: outcome.id };
      case "failed":
        return { ...outcome, uncertain: true };
      case "refused":
        return { kind: "failed", error: outcome.error, permanent: true };
      case "busy":
        stop("busy");
        // Mails that are more urgent than every refused one may go on.
        return {
          kind: "held",
          error: outcome.error,
          seconds: outcome.retryAfterSec,
          scope: "no more urgent",
        };
      case "misconfigured":
        stop("misconfigured");
        return {
          kind: "held",
          error: outcome.error,
          seconds: MISCONFIGURED_WAIT_SEC,
          scope: "all",
        };
    }
  };
  const toOthers = { mail_contact_auto_reply: sendMail, mail_search_alert: sendMail };
  if (notifyTo === undefined) return toOthers;
  return {
    ...toOthers,
    mail_alert: sendMail,
    mail_voicemail: sendMail,
    mail_missed_call: sendMail,
    mail_contact_notification: sendMail,
  };
}
