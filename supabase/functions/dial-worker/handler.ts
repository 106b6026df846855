import type { Callback } from "../_shared/calls/reply.ts";
import { ARRIVAL } from "../_shared/calls/state.ts";
import { isFinal } from "../_shared/twilio/reconcile.ts";
import {
  type Dial,
  dial,
  type Dialling,
  type DialOutcome,
  heldCall,
  missedCallText,
  ofAccount,
} from "../_shared/db/dialling.ts";
import type { Jobs } from "../_shared/db/jobs.ts";
import { dialable } from "../_shared/destinations.ts";
import { versionName } from "../_shared/flows/version.ts";
import type { Handler } from "../_shared/http.ts";
import { isSubscriberNumber } from "../_shared/phone.ts";
import { type Outcome, runJobs, type Tally, type Work } from "../_shared/jobs/run.ts";
import { worker } from "../_shared/jobs/worker.ts";
import type { Log } from "../_shared/log.ts";
import type { Delay } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import { callbackUrl } from "../_shared/twilio/callback_url.ts";
import { TwilioError } from "../_shared/twilio/client.ts";
import type { NewLeg, TwilioLegs } from "../_shared/twilio/legs.ts";

export interface DialWorkerDeps {
  readonly settings: Settings;
  readonly jobs: Jobs;
  readonly dialling: Dialling;
  /** Of an account; `null`: the main one. Absent without `TWILIO_ACCOUNT_SID`: the jobs wait. */
  readonly twilio: ((accountSid: string | null) => TwilioLegs) | undefined;
  readonly log: Log;
  readonly now: () => Date;
  readonly wait: Delay;
}

/** A batch begins long before its lease of 30 s ends, at one leg a second. */
const BOUNDS = { batch: 8, atOnce: 8, most: 1000 };
/** No further job is begun after this long. Milliseconds. */
const RUN_MS = 40_000;
/** A job's lease covers no longer wait for the account's next turn. Milliseconds. */
const MOST_WAIT_MS = 8000;
/** A leg that Twilio's list does not show after this long was not made. Milliseconds. */
const LISTED_AFTER_MS = 20_000;
/** So long a job is certainly this run's: its lease is 30 s. Milliseconds. */
const LEASED_MS = 20_000;
/** Until Twilio is asked again. Seconds. */
const ASK_AGAIN_SEC = 2;
/** So many queues are deleted while a job's lease lasts. */
const QUEUES_A_RUN = 50;
/** How long everything waits for a setting to be corrected. Seconds. */
const MISCONFIGURED_WAIT_SEC = 5 * 60;

/** The report of one run. */
interface Report extends Tally {
  /** Missing settings that keep telephones from being rung. */
  missing: string[];
}

/**
 * Has Twilio ring the telephones that are to be dialled, and ends legs that nobody waits for. Runs as soon as a webhook has
 * decided to dial, and every few seconds; runs share the work. Before Twilio is asked for a leg, the attempt is marked; where
 * Twilio's answer is lost, Twilio is asked whether there is a leg before another one is made.
 */
export function createHandler(deps: DialWorkerDeps): Handler {
  return worker("dial-worker", { ...deps, retryAfterSec: 5, overlapping: true }, async () => {
    const report = await run(deps);
    const { missing, ...counts } = report;
    // An idle run is not logged.
    if (Object.values(counts).some((count) => count > 0)) {
      deps.log(counts.dead > 0 ? "error" : "info", {
        function: "dial-worker",
        ...counts,
        missing: missing.join(","),
      });
    }
    return report;
  });
}

async function run(deps: DialWorkerDeps): Promise<Report> {
  const { twilio, now } = deps;
  const tally: Tally = { done: 0, retried: 0, dead: 0, held: 0, unmarked: 0 };
  if (twilio === undefined) {
    await deps.jobs.ended("dial-worker");
    return { missing: ["TWILIO_ACCOUNT_SID"], ...tally };
  }
  const until = now().getTime() + RUN_MS;
  /** Others are to be dialled since: of a telephone that is free again, or a promise that is due. */
  let woken = 0;
  const works = worksOf(deps, twilio, (count) => woken += count);
  const { dial, ...quick } = works;
  const go = async (some: Readonly<Record<string, Work>>) => {
    const made = await runJobs("dial-worker", some, { ...BOUNDS, until }, deps);
    for (const each of Object.keys(tally) as (keyof Tally)[]) tally[each] += made[each];
  };
  do {
    woken = 0;
    // Legs are made one a second. To end one does not wait for that.
    // deno-lint-ignore no-await-in-loop -- Again, for those who are to be dialled since.
    await Promise.all([go({ dial: dial! }), go(quick)]);
  } while (woken > 0 && now().getTime() <= until);
  await deps.jobs.ended("dial-worker");
  return { missing: [], ...tally };
}

function worksOf(
  deps: DialWorkerDeps,
  twilio: (accountSid: string | null) => TwilioLegs,
  wake: (count: number) => void,
): Record<string, Work> {
  const { dialling, settings, now } = deps;

  /** Writes down what Twilio said, and ends a leg that is not wanted any more. */
  const told = async (token: string, leg: Claimed, outcome: DialOutcome) => {
    const { over, other, wake: count } = await dialling.told(token, outcome);
    wake(count);
    if (other) return "other";
    if (over && outcome.state === "created") await end(token, leg, outcome.leg);
    return DONE;
  };

  const settled = async (...args: Parameters<typeof told>): Promise<Outcome> => {
    await told(...args);
    return DONE;
  };

  /** Ends a leg; where it is over already, says so, in case its callbacks were lost. */
  const end = async (
    token: string,
    { account_sid, purpose, talks }: Claimed,
    sid: string,
  ): Promise<void> => {
    const account = twilio(account_sid);
    // A talk is not ended. Of a campaign's the webhook that says so may be lost.
    const isCampaign = purpose === "campaign";
    const leg = await (talks ? account.find(sid) : account.end(sid, isCampaign));
    const status = leg === undefined ? "failed" : leg.status;
    if (!isFinal(status) && !isCampaign) return;
    const answer = await dialling.legTold(account_sid, token, sid, status);
    wake(answer?.wake ?? 0);
  };

  /** Looks for the leg that Twilio may have made. */
  const asked = async (token: string, leg: Claimed): Promise<Outcome | "none"> => {
    const dialledAt = new Date(leg.dialled_at ?? leg.decided_at);
    const found = await twilio(leg.account_sid).made(
      leg.to,
      dialledAt,
      // A person's telephone may show the caller's number.
      leg.purpose === "campaign" ? leg.line : undefined,
    );
    if (found !== undefined) {
      // A telephone may have rung for another attempt a moment before.
      const outcome = await told(token, leg, { state: "created", leg: found.sid });
      if (outcome !== "other") return outcome;
    }
    const time = now().getTime();
    // What another worker may have done since is not known here.
    const isStale = time > leg.claimedAt + LEASED_MS;
    if (isStale || time < dialledAt.getTime() + LISTED_AFTER_MS) {
      return { kind: "postponed", error: "no answer yet", seconds: ASK_AGAIN_SEC };
    }
    await dialling.told(token, { state: "intended" }).then(({ wake: count }) => wake(count));
    return "none";
  };

  const make = async (token: string, leg: Claimed): Promise<Outcome> => {
    const to = dialable(leg.to, settings.destinations);
    if (to === undefined || to === leg.line) return await settled(token, leg, { state: "refused" });
    const ms = await dialling.slot(token, MOST_WAIT_MS);
    if (ms === null) return { kind: "postponed", error: "its turn", seconds: 1 };
    if (ms > 0) await deps.wait(ms);
    const begun = await dialling.begin(token);
    if (begun === "over") return DONE;
    if (begun === "ask") {
      const outcome = await asked(token, leg);
      return outcome === "none" ? await make(token, leg) : outcome;
    }
    let sid: string;
    try {
      sid = await ring(leg, {
        to,
        ...addresses(token, leg, settings),
        seconds: leg.seconds,
        timeLimit: settings.maxCallMinutes * 60,
      });
    } catch (error) {
      if (!(error instanceof TwilioError) || error.kind === "unknown") throw error;
      return await refused(token, leg, error);
    }
    return await settled(token, leg, { state: "created", leg: sid });
  };

  /** Shows the caller's own number, where Twilio gives leave; else the line. */
  const ring = async (
    { account_sid, caller, call_token, line }: Claimed,
    leg: Omit<NewLeg, "from" | "callToken">,
  ): Promise<string> => {
    const legs = twilio(account_sid);
    if (caller !== null && call_token !== null && isSubscriberNumber(caller)) {
      try {
        return await legs.make({ ...leg, from: caller, callToken: call_token });
      } catch (error) {
        // No leg was made. How long a token holds is not documented.
        if (!(error instanceof TwilioError) || !NOT_SHOWN.includes(error.code)) throw error;
      }
    }
    return await legs.make({ ...leg, from: line });
  };

  /** Twilio made no leg, and said so. */
  const refused = async (token: string, leg: Claimed, error: TwilioError): Promise<Outcome> => {
    const isOurs = error.status === 401 || error.status === 403;
    if (error.kind === "refused" && !isOurs) return await settled(token, leg, { state: "refused" });
    await dialling.told(token, { state: "intended" });
    const seconds = isOurs ? MISCONFIGURED_WAIT_SEC : ASK_AGAIN_SEC;
    return { kind: "held", error: error.message, seconds, scope: "kind" };
  };

  /** The work on an attempt, by its token; what has come to nothing is done. */
  const about =
    (work: (token: string, leg: Claimed) => Promise<Outcome>): Work => async ({ key, content }) =>
      content === null
        ? DONE
        : await work(key, { ...dial.parse(content), claimedAt: now().getTime() });

  /** Whether a caller of whom nothing was heard still holds. */
  const check: Work = async ({ content }) => {
    if (content === null) return DONE;
    const held = heldCall.parse(content);
    const account = twilio(held.account_sid);
    const waits = (await account.waiting(held.queue)).includes(held.call_sid);
    const call = waits ? undefined : await account.find(held.call_sid);
    const state = waits ? "waiting" : call === undefined || isFinal(call.status) ? "ended" : "left";
    wake(await dialling.queueTold(held.call_sid, state));
    return DONE;
  };

  /** A text to a caller whom nobody answered. One whose answer was lost is not sent again. */
  const text: Work = async ({ content }) => {
    if (content === null) return DONE;
    const { account_sid, text: body, ...ends } = missedCallText.parse(content);
    if (dialable(ends.to, settings.destinations) === undefined) return DONE;
    try {
      return { kind: "done", result: await twilio(account_sid).text({ ...ends, body }) };
    } catch (error) {
      if (!(error instanceof TwilioError) || error.kind === "busy") throw error;
      if (error.code === STOPPED) await dialling.suppress(account_sid, ends.to, "sms");
      return error.code === STOPPED
        ? DONE
        : { kind: "failed", error: error.message, permanent: true };
    }
  };

  return {
    queue_check: check,
    queue_delete: async ({ content }) => {
      const { account_sid } = ofAccount.parse(content);
      return await twilio(account_sid).deleteQueues(QUEUES_A_RUN)
        ? DONE
        : { kind: "postponed", error: "there are more", seconds: ASK_AGAIN_SEC };
    },
    missed_call_sms: text,
    dial: about(make),
    dial_end: about(async (token, leg) => {
      if (leg.leg_sid !== null) await end(token, leg, leg.leg_sid);
      else {
        const outcome = await asked(token, leg);
        if (outcome !== "none") return outcome;
      }
      return DONE;
    }),
    callback: async ({ key }) => {
      wake(await dialling.keepPromise(key));
      return DONE;
    },
  };
}

/** The caller's number may not be shown: https://www.twilio.com/docs/api/errors/21210, .../21212 */
const NOT_SHOWN: readonly string[] = ["21210", "21212"];

/** The recipient has told Twilio to stop: https://www.twilio.com/docs/api/errors/21610 */
const STOPPED = "21610";

const DONE: Outcome = { kind: "done" };

/** What a job is about, with the time of its claim. Milliseconds since 1970. */
type Claimed = Dial & { readonly claimedAt: number };

/** Where Twilio asks on behalf of the leg: the token and, of one for a waiting caller, the call are in the signed address. */
function addresses(
  token: string,
  { purpose, call_sid, flow, node, returned, transferred_by }: Dial,
  { publicFunctionsUrl }: Settings,
) {
  const at = (event: string): Callback => ({
    to: "voice-person",
    event,
    token,
    ...(purpose === "person" && call_sid !== null && { call: call_sid }),
    state: {
      ...ARRIVAL,
      ...(flow !== null && { flow: versionName(flow) }),
      ...(node !== null && { node }),
    },
  });
  return {
    url: callbackUrl(
      publicFunctionsUrl,
      at(returned ? "returned" : transferred_by !== null ? "transferred" : "answered"),
      "step",
    ),
    fallbackUrl: callbackUrl(publicFunctionsUrl, at("failed"), "step"),
    statusCallback: callbackUrl(publicFunctionsUrl, at("status"), "callback"),
  };
}
