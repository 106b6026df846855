import { pooledMap } from "@std/async/pool.js";
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
import { dataApi, PATIENT } from "../_shared/db/client.ts";
import { DAY_MS } from "../_shared/calls/webhook_form.ts";
import {
  type ClaimedCall,
  type Purged,
  type Reconciliation,
  reconciliation,
  type TwilioDeletion,
} from "../_shared/db/reconciliation.ts";
import type { Deps } from "../_shared/deps.ts";
import { sagaDeps } from "../_shared/onboarding/live.ts";
import { type Recovered, recoverOnboardings } from "../_shared/onboarding/recover.ts";
import { accessOf } from "../_shared/twilio/account.ts";
import { NOT_COMPLETE, twilioClient, TwilioError } from "../_shared/twilio/client.ts";
import { type TwilioCall, type TwilioRest, twilioRest } from "../_shared/twilio/rest.ts";
import type { Handler } from "../_shared/webhook.ts";
import { worker } from "../_shared/worker.ts";

export interface ReconcileDeps
  extends Pick<Deps, "settings" | "tenants" | "accept" | "log" | "now"> {
  readonly database: Reconciliation;
  /** Absent without `TWILIO_ACCOUNT_SID`: then calls can only be closed by their age. */
  readonly twilio: TwilioRest | undefined;
  /** Finishes or undoes the onboardings that were left behind. Absent without `TWILIO_ACCOUNT_SID`. */
  readonly onboardings?: (() => Promise<Recovered>) | undefined;
}

export function reconcileDeps(deps: Deps): ReconcileDeps {
  const { supabaseUrl, secretKey } = deps.settings;
  const access = accessOf(deps.settings);
  const saga = sagaDeps(deps.settings, deps.log);
  return {
    ...deps,
    onboardings: saga && (() => recoverOnboardings(saga)),
    database: reconciliation(dataApi(supabaseUrl, secretKey, PATIENT)),
    // A failed question is asked again by a later run.
    twilio: access &&
      twilioRest(twilioClient({ ...access, deadlineMs: 5000, attempts: 1 }), access.accountSid),
  };
}

/** What one run did. */
interface Report {
  /** Calls asked about. */
  asked: number;
  /** Events that were news. */
  recovered: number;
  /** Calls that Twilio had and we had not. */
  found: number;
  /** Questions that had no answer, to be asked again later. */
  failed: number;
  /** Twilio asked us to slow down; the rest waits for the next run. */
  backed_off: boolean;
  /** Onboardings left behind that are complete now, or undone. */
  onboarded: number;
  undone: number;
  /** Organisations whose release was left behind, and that have nothing any more. */
  released: number;
  purged: Purged;
  /** Recordings of erased calls, deleted at Twilio. */
  recordings_deleted: number;
}

/** How many calls are claimed at a time; a run claims again while there are more and there is time. */
const CALLS_PER_CLAIM = 20;
/** How many calls, and beside them recordings, are asked about at once: few beside what Twilio lets an account ask. */
const AT_ONCE = 4;
/** Missed calls that a run asks about at once. The others get their row, and are asked about when it is their turn. */
const MISSED_PER_RUN = 20;
const ACCOUNTS_PER_RUN = 5;
const DELETIONS_PER_RUN = 50;
const RECENT_CALLS = 100;
/** Where those do not reach back far enough; the most that Twilio lists at once. */
const MORE_CALLS = 1000;
const PAGES_PER_RUN = 10;
/** A run looks back as far as this at least: the runs before it cannot have seen calls that ended later. Milliseconds. */
const LOOK_BACK_MS = 15 * 60 * 1000;
/** Twilio is asked nothing further after this long. Milliseconds. */
const RUN_MS = 40_000;
/** A call that ended this recently may still have its callbacks on the way. Milliseconds. */
const SETTLED_AFTER_MS = 5 * 60 * 1000;
/** Twilio's log of a call is there 15 minutes after its end. Milliseconds. */
const LOGGED_AFTER_MS = 20 * 60 * 1000;

/**
 * Fetches what Twilio never delivered: the end of calls that stay open, recordings of calls that ended with
 * nothing to show, calls that arrived while nothing could be written; and deletes there the recordings of calls
 * that are erased here. Run each minute, or by hand. Each
 * answer is folded in as an event, so that two runs at once have the effect of one. Onboardings that their
 * process left behind are finished or undone.
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
  // Side by side: however much there is of one kind of work, the others go on.
  await Promise.all([
    askAboutCalls(deps, report, until),
    twilio && deleteAtTwilio(deps, twilio, report, until),
  ]);
  const recovered = await attempt(report, async () => await deps.onboardings?.(), undefined);
  if (recovered !== undefined) {
    report.onboarded = recovered.onboarded;
    report.undone = recovered.undone;
    report.released = recovered.released;
    report.failed += recovered.failed;
  }
  report.purged = await database.purge();
  return report;
}

/** Asks about missed calls, and about calls that are due until there are no more or time is up. */
async function askAboutCalls(deps: ReconcileDeps, report: Report, until: number): Promise<void> {
  const { database, twilio, now } = deps;
  let away = false;
  const stopped = () => away || report.backed_off || now().getTime() > until;
  const ask = async (eventsOfCall: () => Promise<VoiceEvent[]>) => {
    if (stopped()) return;
    report.asked++;
    for (const event of await attempt(report, eventsOfCall, [])) {
      const outcome = await deps.accept(event);
      if (outcome.kind === "accepted" && !outcome.duplicate) report.recovered++;
      if (outcome.kind === "unavailable") {
        report.failed++;
        away = true;
        // Its end must not be known before the rest: an ended call is not asked about for it again.
        return;
      }
    }
  };

  let claimed = await database.claim(CALLS_PER_CLAIM);
  const missed = twilio === undefined ? [] : await missedEverywhere(deps, twilio, report);
  report.found = missed.length;
  let due = missed.map(({ call, account }, nth) => async () =>
    nth < MISSED_PER_RUN
      ? await eventsOf(deps, call, account)
      : [{ ...endedEvent(call), account_sid: account.sid }]
  );
  while (claimed.length + due.length > 0 && !stopped()) {
    due.push(...claimed.map((call) => () => eventsOfClaimed(deps, call)));
    // deno-lint-ignore no-await-in-loop -- What is claimed is asked about before more is claimed.
    await Array.fromAsync(pooledMap(AT_ONCE, due, ask));
    due = [];
    // deno-lint-ignore no-await-in-loop
    claimed = stopped() ? [] : await database.claim(CALLS_PER_CLAIM);
  }
}

/** Deletes at Twilio what is erased here. */
async function deleteAtTwilio(
  { database, now }: ReconcileDeps,
  twilio: TwilioRest,
  report: Report,
  until: number,
): Promise<void> {
  const claimed = await database.claimDeletions(DELETIONS_PER_RUN);
  const remove = async ({ sid, subaccount_sid }: TwilioDeletion) => {
    if (report.backed_off || now().getTime() > until) return;
    await attempt(report, async () => {
      const account = subaccount_sid === null ? twilio : twilio.ofAccount(subaccount_sid);
      if (sid.startsWith("RE")) {
        await account.deleteRecording(sid);
        report.recordings_deleted++;
      } else {
        await account.deleteCall(sid);
      }
      await database.deleted(sid);
    }, undefined);
  };
  await Array.fromAsync(pooledMap(AT_ONCE, claimed, remove));
}

/** Asks; what has no answer is left to a later run. */
async function attempt<T>(report: Report, ask: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof TwilioError)) report.failed++;
    else if (error.status === 429) report.backed_off = true;
    // It is waited for, and is no failure.
    else if (error.code !== NOT_COMPLETE) report.failed++;
    return otherwise;
  }
}

/** A call that we have no row of, and where it was found. */
interface MissedCall {
  readonly call: TwilioCall;
  readonly account: Account;
}

/** Whose calls are asked about: the main account, or a sub-account, and how to ask. */
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
    const calls = await attempt(report, () => missedCalls(deps, account.twilio), []);
    missed.push(...calls.map((call) => ({ call, account })));
  }
  return missed;
}

/** Calls to our numbers that have ended without a trace here, the oldest first. */
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
  claimed: ClaimedCall,
): Promise<VoiceEvent[]> {
  const sid = claimed.account_sid ?? undefined;
  const twilio = sid === undefined ? deps.twilio : deps.twilio?.ofAccount(sid);
  const call = await twilio?.call(claimed.call_sid) ?? null;
  if (call !== null) {
    return isFinal(call.status) ? await eventsOf(deps, call, { sid, twilio: twilio! }) : [];
  }
  const age = deps.now().getTime() - new Date(claimed.started_at).getTime();
  if (age <= DAY_MS) return [];
  const { call_sid, last_event_at } = claimed;
  return claimed.open
    ? [lostEvent(call_sid, last_event_at)]
    : [unknownEvent(call_sid, last_event_at)];
}

/** Everything that Twilio has of an ended call. */
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
