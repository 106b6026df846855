import { dataApi, PATIENT } from "../_shared/db/client.ts";
import { type ClaimedMail, type Outbox, outbox } from "../_shared/db/outbox.ts";
import { type Log, logOf } from "../_shared/log.ts";
import { missingMailSettings, type SendMail, type SendOutcome } from "../_shared/mail/mail.ts";
import { type MailContext, renderMail } from "../_shared/mail/render.ts";
import { resendMailer } from "../_shared/mail/resend.ts";
import type { Settings } from "../_shared/settings.ts";
import type { Handler } from "../_shared/webhook.ts";
import { worker } from "../_shared/worker.ts";

export interface WorkerDeps {
  readonly settings: Settings;
  readonly outbox: Outbox;
  /** Absent without `RESEND_API_KEY`: mails are kept. */
  readonly send: SendMail | undefined;
  readonly log: Log;
  readonly now: () => Date;
}

export function workerDeps(settings: Settings): WorkerDeps {
  const { resendApiKey, resendUrl } = settings.mail;
  return {
    settings,
    outbox: outbox(dataApi(settings.supabaseUrl, settings.secretKey, PATIENT)),
    send: resendApiKey === undefined ? undefined : resendMailer(resendApiKey, resendUrl),
    log: logOf(settings),
    now: () => new Date(),
  };
}

/** What one run did. */
interface Report {
  /** Settings without which some mails, or all, are kept. */
  missing: string[];
  sent: number;
  /** Failed, to be tried again. */
  retried: number;
  /** Given up; see the view outbox_dead. */
  dead: number;
  /** Given back untried. */
  held: number;
  /** The lease was lost, or the mark could not be set: the next run finds out. */
  unmarked: number;
  /** Why the run ended early. */
  stopped: "busy" | "misconfigured" | null;
  purged: number;
}

/** Bounds of one run. A batch is done long before the lease of 2 minutes ends. */
const BATCH = 10;
const AT_ONCE = 4;
const RUN_MAILS = 1000;
/** No further batch is claimed after this long. Milliseconds. */
const RUN_MS = 40_000;
/** Nobody changes a setting sooner. Seconds. */
const MISCONFIGURED_WAIT_SEC = 5 * 60;

/**
 * Sends the mails that are due. Run every few seconds, or by hand; two runs at once share the work. A run that
 * dies leaves its mails to the end of their lease, and the key that goes with each keeps Resend from
 * sending it again.
 */
export function createHandler(deps: WorkerDeps): Handler {
  return worker("notify-worker", { ...deps, retryAfterSec: 10 }, async () => {
    const report = await run(deps);
    const { missing, ...counts } = report;
    const idle = counts.sent + counts.retried + counts.dead + counts.held + counts.unmarked === 0;
    // Every few seconds nothing happens: that is no line.
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

async function run({ settings, outbox, send, now, log }: WorkerDeps): Promise<Report> {
  const { mail, publicFunctionsUrl, secretKey } = settings;
  const report: Report = {
    missing: missingMailSettings(mail),
    sent: 0,
    retried: 0,
    dead: 0,
    held: 0,
    unmarked: 0,
    stopped: null,
    purged: 0,
  };
  if (send !== undefined && mail.from !== undefined) {
    const { runbookUrl } = settings.alerts;
    const context = { from: mail.from, functionsUrl: publicFunctionsUrl, secretKey, runbookUrl };
    const until = now().getTime() + RUN_MS;
    for (let claimed = 0; claimed < RUN_MAILS && now().getTime() < until;) {
      // deno-lint-ignore no-await-in-loop -- A batch at a time: a lease is for what is being sent.
      const batch = await outbox.claim(BATCH, mail.notifyTo, mail.maxPerHour);
      claimed += batch.length;
      // deno-lint-ignore no-await-in-loop
      await sendBatch(batch, { outbox, send, context, report, log });
      if (batch.length < BATCH || report.stopped !== null) break;
    }
  }
  report.purged = await outbox.purge();
  await outbox.ended();
  return report;
}

interface Sending extends Pick<WorkerDeps, "outbox" | "log"> {
  readonly send: SendMail;
  readonly context: MailContext;
  readonly report: Report;
}

/** Sends a batch, several mails at once, until it is done or Resend takes no more. */
async function sendBatch(batch: ClaimedMail[], sending: Sending): Promise<void> {
  const { outbox, report } = sending;
  const waiting = [...batch];
  const refused: ClaimedMail[] = [];
  let stop: Extract<SendOutcome, { kind: "busy" | "misconfigured" }> | undefined;

  const lane = async () => {
    while (stop === undefined) {
      const mail = waiting.shift();
      if (mail === undefined) return;
      // deno-lint-ignore no-await-in-loop -- One after the other in each lane.
      const outcome = await trySending(mail, sending);
      if (outcome.kind === "busy" || outcome.kind === "misconfigured") {
        refused.push(mail);
        stop ??= outcome;
        return;
      }
      // deno-lint-ignore no-await-in-loop
      await mark(mail, outcome, sending);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));

  if (stop !== undefined) {
    const back = [...refused, ...waiting];
    report.stopped = stop.kind;
    report.held += back.length;
    const waitSec = stop.kind === "busy" ? stop.retryAfterSec : MISCONFIGURED_WAIT_SEC;
    // Nothing is taken with a wrong setting; else what is more urgent than all that was refused may go on.
    const urgency = stop.kind === "busy" ? Math.min(...refused.map((mail) => mail.urgency)) : 0;
    await outbox.hold(back, stop.error, waitSec, urgency);
  }
}

async function trySending(mail: ClaimedMail, { send, context }: Sending): Promise<SendOutcome> {
  const rendered = renderMail(mail.kind, mail.recipient, mail.content, context);
  return rendered === undefined
    ? { kind: "refused", error: "nothing_to_say" }
    : await send(rendered, mail.idempotency_key);
}

/** Sets down what became of a try. What cannot be set down is found out when the lease has ended. */
async function mark(
  mail: ClaimedMail,
  outcome: Extract<SendOutcome, { kind: "sent" | "refused" | "failed" }>,
  { outbox, report, log }: Sending,
): Promise<void> {
  try {
    if (outcome.kind === "sent") {
      if (await outbox.sent(mail, outcome.id)) report.sent++;
      else report.unmarked++;
      return;
    }
    const became = await outbox.failed(mail, {
      error: outcome.error,
      permanent: outcome.kind === "refused",
      uncertain: outcome.kind === "failed",
    });
    if (became === "dead") report.dead++;
    else if (became === "pending") report.retried++;
    else report.unmarked++;
  } catch (error) {
    report.unmarked++;
    const reason = error instanceof Error ? error.message : "unknown";
    log("error", { function: "notify-worker", mail_id: mail.id, reason });
  }
}
