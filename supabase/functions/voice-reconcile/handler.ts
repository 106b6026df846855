import {
  childEvent,
  endedEvent,
  isFinal,
  lastState,
  lostEvent,
  recordingEvent,
  settledEvent,
  unknownEvent,
} from "../_shared/twilio/reconcile.ts";
import type { VoiceEvent } from "../_shared/calls/events.ts";
import { DAY_MS } from "../_shared/calls/webhook_form.ts";
import type { Job, Jobs } from "../_shared/db/jobs.ts";
import {
  type CallToAsk,
  callToAsk,
  type Purged,
  type Reconciliation,
} from "../_shared/db/reconciliation.ts";
import type { Deps } from "../_shared/deps.ts";
import { type Outcome, runJobs, type Work } from "../_shared/jobs/run.ts";
import { recoverOnboarding } from "../_shared/onboarding/recover.ts";
import type { SagaDeps } from "../_shared/onboarding/saga.ts";
import { NOT_COMPLETE, TwilioError } from "../_shared/twilio/client.ts";
import { deleteErased } from "../_shared/twilio/erased.ts";
import type { TwilioCall, TwilioRest } from "../_shared/twilio/rest.ts";
import type { Handler } from "../_shared/http.ts";
import { worker } from "../_shared/jobs/worker.ts";

export interface ReconcileDeps
  extends Pick<Deps, "settings" | "tenants" | "accept" | "log" | "now"> {
  readonly database: Reconciliation;
  readonly jobs: Jobs;
  /** Absent without `TWILIO_ACCOUNT_SID`: then calls can only be closed by their age. */
  readonly twilio: TwilioRest | undefined;
  /** Finishes or undoes the onboardings that were left behind. Absent without `TWILIO_ACCOUNT_SID`. */
  readonly saga: SagaDeps | undefined;
}

/** The report of one run. */
interface Report {
  /** Calls asked about. */
  asked: number;
  /** New events. */
  recovered: number;
  /** Calls that were missing here. */
  found: number;
  /** Requests without an answer, which a later run repeats. */
  failed: number;
  /** Twilio answered 429; the rest waits for the next run. */
  backed_off: boolean;
  /** Abandoned onboardings that were completed or undone. */
  onboarded: number;
  undone: number;
  /** Abandoned releases that were completed. */
  released: number;
  purged: Purged;
  /** Recordings of erased calls, deleted at Twilio. */
  recordings_deleted: number;
}

/**
 * Bounds of one run. Few requests run at once, compared with Twilio's limit of an account, and each job of a batch begins
 * long before its lease of 2 minutes expires.
 */
const BOUNDS = { batch: 20, atOnce: 8, most: 10_000 };
const ACCOUNTS_PER_RUN = 5;
const RECENT_CALLS = 100;
/** Where those do not reach back far enough; the most that Twilio lists at once. */
const MORE_CALLS = 1000;
const PAGES_PER_RUN = 10;
/** A run looks back as far as this at least: the runs before it cannot have seen calls that ended later. Milliseconds. */
const LOOK_BACK_MS = 15 * 60 * 1000;
/** No request to Twilio begins after this long. Milliseconds. */
const RUN_MS = 40_000;
/** A call that ended this recently may still have its callbacks on the way. Milliseconds. */
const SETTLED_AFTER_MS = 5 * 60 * 1000;
/** Twilio's log of a call is there 15 minutes after its end. Milliseconds. */
const LOGGED_AFTER_MS = 20 * 60 * 1000;
/** Until the next run. Seconds. */
const BUSY_WAIT_SEC = 50;
/** The interval of asking about an open call. Seconds. */
const OPEN_WAIT_SEC = 5 * 60;

/**
 * Fetches missing data from Twilio: the ends of open calls, recordings of incomplete calls, and calls that arrived during an
 * outage. Deletes the recordings of erased calls there. Finishes or undoes abandoned onboardings. Runs each minute, or by
 * hand. Each answer is folded as an event, so two runs at once have the effect of one.
 */
export function createHandler(deps: ReconcileDeps): Handler {
  return worker("voice-reconcile", { ...deps, retryAfterSec: 60 }, async () => {
    const report = await reconcile(deps);
    deps.log("info", {
      function: "voice-reconcile",
      ...report,
      purged: JSON.stringify(report.purged),
    });
    return report;
  });
}

async function reconcile(deps: ReconcileDeps): Promise<Report> {
  const { database, twilio, now } = deps;
  const report: Report = {
    asked: 0,
    recovered: 0,
    found: 0,
    failed: 0,
    backed_off: false,
    onboarded: 0,
    undone: 0,
    released: 0,
    purged: {},
    recordings_deleted: 0,
  };
  const until = now().getTime() + RUN_MS;
  const missed = twilio === undefined ? [] : await missedEverywhere(deps, twilio, report);
  report.found = missed.length;
  await database.enqueueCalls(await acceptMissed(deps, missed, report));
  if (!report.backed_off) {
    const bounds = { ...BOUNDS, until };
    const { unmarked } = await runJobs("voice-reconcile", works(deps, report), bounds, deps);
    report.failed += unmarked;
  }
  report.purged = await database.purge();
  return report;
}

/** Where an onboarding is counted. */
const BECAME = {
  completed: "onboarded",
  rolled_back: "undone",
  released: "released",
  failed: "failed",
} as const;

/** What to do with each kind of job. */
function works(deps: ReconcileDeps, report: Report): Record<string, Work> {
  const { twilio, saga } = deps;
  const askAboutCall = attempted(report, (job) => ask(deps, job, report));
  return {
    open_call: askAboutCall,
    incomplete_call: askAboutCall,
    ...(twilio && {
      twilio_deletion: attempted(report, async (job) => {
        await deleteErased(twilio, job);
        if (job.key.startsWith("RE")) report.recordings_deleted++;
        return { kind: "done" };
      }),
    }),
    ...(saga && {
      onboarding: recoverOnboarding(saga, (kind) => report[BECAME[kind]]++),
    }),
  };
}

/** Asks Twilio about a call, and accepts what it says. */
async function ask(deps: ReconcileDeps, { kind, key, content }: Job, report: Report) {
  if (content === null) return { kind: "done" } as const;
  const call = callToAsk.parse(content);
  report.asked++;
  let last: VoiceEvent | undefined;
  for (const event of await eventsOfClaimed(deps, key, call)) {
    // deno-lint-ignore no-await-in-loop -- In their order: the end of a call must not be known before the rest.
    const outcome = await deps.accept(event);
    if (outcome.kind === "unavailable") throw new Error("Cannot accept: the database is away");
    if (outcome.kind === "accepted" && !outcome.duplicate) report.recovered++;
    last = outcome.kind === "accepted" ? event : undefined;
  }
  if (kind === "open_call") {
    return last === undefined
      ? { kind: "postponed", error: "it goes on", seconds: OPEN_WAIT_SEC } as const
      : { kind: "done" } as const;
  }
  return last?.event === "settled"
    ? { kind: "done" } as const
    : { kind: "failed", error: "not settled" } as const;
}

/** Requests without an answer are left to a later run. */
function attempted(report: Report, work: Work): Work {
  return async (job) => {
    try {
      return await work(job);
    } catch (error) {
      return fault(report, error);
    }
  };
}

/** Counts a request without an answer. @returns the outcome for its job. */
function fault(report: Report, error: unknown): Outcome {
  if (!(error instanceof TwilioError)) {
    report.failed++;
    return { kind: "failed", error: error instanceof Error ? error.name : "unknown" };
  }
  if (error.status === 429) {
    report.backed_off = true;
    return { kind: "held", error: error.message, seconds: BUSY_WAIT_SEC, scope: "all" };
  }
  // It is waited for, and is no failure.
  if (error.code !== NOT_COMPLETE) report.failed++;
  // Of wrong credentials too: somebody mends them.
  return { kind: "failed", error: error.message };
}

/** A call without a row here, with the account that has it. */
interface MissedCall {
  readonly call: TwilioCall;
  readonly account: Account;
}

/** The account whose calls are asked about, with its client. */
interface Account {
  /** `undefined`: the main account. */
  readonly sid: string | undefined;
  readonly twilio: TwilioRest;
}

/** Missed calls of the main account, and of the sub-accounts whose turn it is. */
async function missedEverywhere(
  deps: ReconcileDeps,
  twilio: TwilioRest,
  report: Report,
): Promise<MissedCall[]> {
  const accounts: Account[] = [
    { sid: undefined, twilio },
    ...(await deps.database.accounts(ACCOUNTS_PER_RUN))
      .map((sid) => ({ sid, twilio: twilio.ofAccount(sid) })),
  ];
  const missed: MissedCall[] = [];
  for (const account of accounts) {
    if (report.backed_off) break;
    const calls = await missedCalls(deps, account.twilio).catch((error) => {
      fault(report, error);
      return [];
    });
    missed.push(...calls.map((call) => ({ call, account })));
  }
  return missed;
}

/** Gives each missed call its row, the oldest first. @returns those that have one, to be asked about. */
async function acceptMissed(deps: ReconcileDeps, missed: readonly MissedCall[], report: Report) {
  const known: string[] = [];
  for (const { call, account } of missed) {
    // deno-lint-ignore no-await-in-loop
    const outcome = await deps.accept({ ...endedEvent(call), account_sid: account.sid });
    if (outcome.kind === "unavailable") {
      report.failed++;
      break;
    }
    if (outcome.kind === "accepted" && !outcome.duplicate) report.recovered++;
    known.push(call.sid);
  }
  return known;
}

/** Ended calls to our numbers without a row here, the oldest first. */
async function missedCalls(deps: ReconcileDeps, twilio: TwilioRest): Promise<TwilioCall[]> {
  const settled = deps.now().getTime() - SETTLED_AFTER_MS;
  const missed = new Map<string, TwilioCall>();
  let next: string | undefined;
  for (let page = 0; page < PAGES_PER_RUN; page++) {
    // deno-lint-ignore no-await-in-loop -- Each page begins where the one before ends; the second one anew, and larger.
    const { calls, next: following } = await twilio.recentCalls(
      page === 0 ? RECENT_CALLS : MORE_CALLS,
      page < 2 ? undefined : next,
    );
    const ended = calls.filter((call) =>
      call.direction === "inbound" && isFinal(call.status) && call.to &&
      endOf(call) < settled
    );
    const unknown = new Set(
      // deno-lint-ignore no-await-in-loop
      await deps.database.unknown(ended.map((call) => ({ call_sid: call.sid, to_e164: call.to! }))),
    );
    for (const call of ended) if (unknown.has(call.sid)) missed.set(call.sid, call);
    const last = calls.at(-1);
    if (last === undefined || following === undefined) break;
    next = following;
    const begun = new Date(last.start_time ?? 0).getTime();
    if (begun < settled - LOOK_BACK_MS && unknown.size === 0) break;
  }
  return [...missed.values()].reverse();
}

function endOf(call: TwilioCall): number {
  return new Date(call.end_time ?? 0).getTime();
}

async function eventsOfClaimed(
  deps: ReconcileDeps,
  callSid: string,
  claimed: CallToAsk,
): Promise<VoiceEvent[]> {
  const sid = claimed.account_sid ?? undefined;
  const twilio = sid === undefined ? deps.twilio : deps.twilio?.ofAccount(sid);
  const call = await twilio?.call(callSid) ?? null;
  if (call !== null) {
    return isFinal(call.status) ? await eventsOf(deps, call, { sid, twilio: twilio! }) : [];
  }
  const age = deps.now().getTime() - new Date(claimed.started_at).getTime();
  if (age <= DAY_MS) return [];
  return claimed.open
    ? [lostEvent(callSid, claimed.last_event_at)]
    : [unknownEvent(callSid, claimed.last_event_at)];
}

/** Twilio's data about an ended call. */
async function eventsOf(
  deps: ReconcileDeps,
  call: TwilioCall,
  account: Account,
): Promise<VoiceEvent[]> {
  const { settings, now } = deps;
  const { twilio } = account;
  const logged = endOf(call) < now().getTime() - LOGGED_AFTER_MS;
  const [legs, recordings, log] = await Promise.all([
    twilio.childCalls(call.sid),
    twilio.recordings(call.sid),
    logged ? twilio.exchanges(call.sid) : [],
  ]);
  const recorded = await Promise.all(recordings.map(async (recording) => {
    const transcript = (await twilio.transcriptions(recording.sid))
      .find((transcription) => transcription.status === "completed")?.transcription_text ??
      undefined;
    return recordingEvent(call.sid, recording, twilio.recordingUrl(recording.sid), transcript);
  }));
  const events = [
    ...legs.filter((leg) => isFinal(leg.status)).map((leg) => childEvent(call.sid, leg)),
    ...recorded.filter((event) => event !== undefined),
    // Last: a run that dies in between leaves the call to be claimed again.
    endedEvent(call),
    ...(logged ? [settledEvent(call, lastState(log, settings.publicFunctionsUrl))] : []),
  ];
  return events.map((event) => ({ ...event, account_sid: account.sid }));
}
