import type { Callback } from "../_shared/calls/reply.ts";
import { ARRIVAL } from "../_shared/calls/state.ts";
import { nextOpening, type Week } from "../_shared/campaigns/hours.ts";
import { linesToDial } from "../_shared/campaigns/pacing.ts";
import type {
  CampaignDialling,
  PausedBecause,
  Reserved,
  ReservedDial,
  RunningCampaign,
  Settled,
} from "../_shared/db/campaigns.ts";
import type { Jobs } from "../_shared/db/jobs.ts";
import { dialable } from "../_shared/destinations.ts";
import { reasonOf } from "../_shared/errors.ts";
import { linesThatLoop } from "../_shared/flows/known.ts";
import { versionName } from "../_shared/flows/version.ts";
import type { Handler } from "../_shared/http.ts";
import { worker } from "../_shared/jobs/worker.ts";
import type { Log } from "../_shared/log.ts";
import type { Delay } from "../_shared/runtime.ts";
import type { Settings } from "../_shared/settings.ts";
import { callbackUrl } from "../_shared/twilio/callback_url.ts";
import { TwilioError } from "../_shared/twilio/client.ts";
import type { NewLeg, TwilioLegs } from "../_shared/twilio/legs.ts";

export interface CampaignDiallerDeps {
  readonly settings: Settings;
  readonly jobs: Pick<Jobs, "ended">;
  readonly campaigns: CampaignDialling;
  /** Of an account; `null`: the main one. Absent without `TWILIO_ACCOUNT_SID`: nothing is dialled. */
  readonly twilio: ((accountSid: string | null) => Pick<TwilioLegs, "make">) | undefined;
  readonly log: Log;
  readonly now: () => Date;
  readonly wait: Delay;
}

/** No tick is begun after this long. Milliseconds. */
const RUN_MS = 45_000;
/** A tick's dials, so far ahead; of people fewer, as who is free changes. Seconds. */
const HORIZON_SEC = 5;
const PEOPLE_HORIZON_SEC = 2;
const MOST_A_TICK = 5000;
/** How long before its time a dial is begun, and how many are begun together. Milliseconds. */
const LEAD_MS = 150;
const TOGETHER_MS = 75;
/** A dial that is later than this is not made: it would meet others in its second. Milliseconds. */
const LATE_MS = 400;
/** Between two looks at campaigns that have started, and at lines or people that are free again. Milliseconds. */
const LOOK_MS = 1000;

/** The report of one run. */
interface Report {
  created: number;
  refused: number;
  /** Given back: too late, or Twilio was busy. */
  not_made: number;
  /** Twilio's answer was lost; its lists and webhooks tell. */
  unknown: number;
  /** Campaigns that were paused, as the account cannot dial. */
  paused: number;
  /** Campaigns that the database did not answer for. */
  failed: number;
  /** Missing settings that keep campaigns from being dialled. */
  missing: string[];
}

/**
 * Dials the campaigns that run, each dial at its own time, which the database has reserved for it among all of the account's. A
 * dial is begun in the database just before Twilio is asked, once, and nothing is asked twice: where the answer is lost, the dial
 * stays in doubt until Twilio's list or a webhook tells. Runs at once share the work.
 */
export function createHandler(deps: CampaignDiallerDeps): Handler {
  return worker("campaign-dialler", { ...deps, retryAfterSec: 5 }, async () => {
    const report = await run(deps);
    const { missing, ...counts } = report;
    if (Object.values(counts).some((count) => count > 0)) {
      const isBad = counts.paused + counts.failed + counts.unknown > 0;
      deps.log(isBad ? "warn" : "info", {
        function: "campaign-dialler",
        ...counts,
        missing: missing.join(","),
      });
    }
    return report;
  });
}

async function run(deps: CampaignDiallerDeps): Promise<Report> {
  const { campaigns, jobs, twilio, now, wait, log } = deps;
  const report: Report = {
    created: 0,
    refused: 0,
    not_made: 0,
    unknown: 0,
    paused: 0,
    failed: 0,
    missing: [],
  };
  if (twilio === undefined) {
    await jobs.ended("campaign-dialler");
    return { ...report, missing: ["TWILIO_ACCOUNT_SID"] };
  }
  const until = now().getTime() + RUN_MS;
  const active = new Map<string, Promise<unknown>>();
  /** Those that had nothing to dial. */
  const idle = new Set<string>();
  do {
    // deno-lint-ignore no-await-in-loop -- Campaigns start while others run.
    for (const campaign of await campaigns.running()) {
      const { id } = campaign;
      if (active.has(id) || idle.has(id)) continue;
      const dialled = dialCampaign(campaign, twilio(campaign.account_sid), until, deps, report)
        .catch((error) => {
          report.failed++;
          log("error", { function: "campaign-dialler", campaign: id, reason: reasonOf(error) });
        }).finally(() => {
          active.delete(id);
          idle.add(id);
        });
      active.set(id, dialled);
    }
    // deno-lint-ignore no-await-in-loop
    await Promise.race([wait(LOOK_MS), Promise.all(active.values())]);
  } while (active.size > 0 && now().getTime() < until);
  await Promise.all(active.values());
  await jobs.ended("campaign-dialler", report.failed === 0);
  return report;
}

/** Dials a campaign, tick after tick, until it has nothing to dial or the run's time is over. */
async function dialCampaign(
  campaign: RunningCampaign,
  twilio: Pick<TwilioLegs, "make">,
  until: number,
  deps: CampaignDiallerDeps,
  report: Report,
): Promise<void> {
  const { campaigns, settings, log } = deps;
  const now = () => deps.now().getTime();
  /** Outcomes that the database has not been told yet. */
  const settled: Settled[] = [];
  const sends = new Set<Promise<void>>();
  /** Why nothing more is sent in this run. */
  let stopped: "busy" | "paused" | undefined;

  const settle = (outcome: Settled) => {
    settled.push(outcome);
    report[outcome.state === "busy" ? "not_made" : outcome.state]++;
  };

  const begin = async (tokens: readonly string[]): Promise<ReadonlySet<string>> => {
    const telling = settled.splice(0);
    try {
      return new Set(await campaigns.begin(tokens, telling));
    } catch (error) {
      // Perhaps begun, and certainly not sent.
      settled.push(...telling, ...tokens.map((token) => ({ token, state: "not_made" }) as const));
      throw error;
    }
  };

  const send = async (dial: ReservedDial, at: number): Promise<void> => {
    const { token } = dial;
    const early = at - now();
    if (early > 0) await deps.wait(early);
    if (stopped !== undefined || now() > at + LATE_MS) return settle({ token, state: "not_made" });
    try {
      const leg_sid = await twilio.make(legOf(dial, campaign, settings));
      settle({ token, state: "created", leg_sid });
    } catch (error) {
      const { kind, status, code, message } = error instanceof TwilioError
        ? error
        : { kind: "unknown" as const, status: 0, code: "", message: reasonOf(error) };
      const why = ACCOUNT_STOPS[code] ??
        (status === 401 || status === 403 ? "credentials" : undefined);
      if (why !== undefined) {
        settle({ token, state: "not_made" });
        if (stopped === "paused") return;
        stopped = "paused";
        report.paused++;
        log("error", { function: "campaign-dialler", campaign: campaign.id, reason: message });
        await campaigns.pause(campaign.id, why);
      } else if (kind === "busy") {
        stopped ??= "busy";
        settle({ token, state: "busy" });
      } else if (kind === "refused") settle({ token, state: "refused" });
      else {
        // Nothing is said of it: whether there is a call is not known.
        report.unknown++;
        log("warn", { function: "campaign-dialler", campaign: campaign.id, reason: message });
      }
    }
  };

  /** Begins and sends a tick's dials, each at its time after `from`. */
  const sendAll = async (dials: readonly ReservedDial[], from: number): Promise<void> => {
    const waiting = dials.filter((dial) => {
      if (mayBeDialled(dial, settings)) return true;
      settle({ token: dial.token, state: "refused" });
      return false;
    });
    while (waiting.length > 0) {
      const due = from + waiting[0]!.send_in_ms;
      const group = waiting.splice(
        0,
        waiting.findIndex(({ send_in_ms }) => from + send_in_ms > due + TOGETHER_MS) >>> 0,
      );
      const early = due - LEAD_MS - now();
      // deno-lint-ignore no-await-in-loop -- Each at its time.
      if (early > 0) await deps.wait(early);
      if (stopped !== undefined) {
        for (const { token } of [...group, ...waiting]) settle({ token, state: "not_made" });
        return;
      }
      // deno-lint-ignore no-await-in-loop
      const begun = await begin(group.map(({ token }) => token));
      for (const dial of group.filter(({ token }) => begun.has(token))) {
        const sent: Promise<void> = send(dial, from + dial.send_in_ms)
          .catch((error) => log("error", { function: "campaign-dialler", reason: reasonOf(error) }))
          .finally(() => sends.delete(sent));
        sends.add(sent);
      }
    }
  };

  try {
    while (now() < until && stopped === undefined) {
      // deno-lint-ignore no-await-in-loop -- Tick after tick.
      const reserved = await reserve(campaign, deps);
      const from = now();
      if (reserved.state !== "running") break;
      // deno-lint-ignore no-await-in-loop
      await sendAll(reserved.dials, from);
      if (reserved.dials.length > 0) continue;
      // Nobody to dial; else lines or people are free again soon.
      if (!reserved.full) break;
      // deno-lint-ignore no-await-in-loop
      await deps.wait(LOOK_MS);
      // deno-lint-ignore no-await-in-loop
      if (settled.length > 0) await begin([]);
    }
  } finally {
    await Promise.all(sends);
    if (settled.length > 0) await begin([]);
  }
}

/** A tick's dials; areas whose opening is over get their next one before. */
async function reserve(
  campaign: RunningCampaign,
  { campaigns, now }: Pick<CampaignDiallerDeps, "campaigns" | "now">,
): Promise<Reserved> {
  const { id, mode, calls_per_second } = campaign;
  const ask = async (most: number, seconds: number) => {
    const reserved = await campaigns.reserve(id, most, seconds);
    if (reserved.stale.length === 0) return reserved;
    await campaigns.setOpenings(
      id,
      reserved.stale.map(({ area, ...place }) => ({
        area,
        opening: nextOpening(place, now(), campaign.window as Week | undefined ?? undefined),
      })),
    );
    return reserved.dials.length > 0 ? reserved : await campaigns.reserve(id, most, seconds);
  };
  if (mode === "broadcast" || mode === "preview") {
    return await ask(Math.min(MOST_A_TICK, Math.ceil(calls_per_second * HORIZON_SEC)), HORIZON_SEC);
  }
  const before = await ask(0, PEOPLE_HORIZON_SEC);
  if (before.floor === undefined) return before;
  const lines = linesToDial(mode, before.floor);
  // The most that ring at once, another run of the dialler included.
  return lines === 0 ? before : await ask(lines + before.floor.ringing, PEOPLE_HORIZON_SEC);
}

/** Whether a number is an allowed destination, and no line of ours. */
function mayBeDialled({ to, own }: ReservedDial, settings: Settings): boolean {
  return dialable(to, settings.destinations) !== undefined &&
    (own !== true || linesThatLoop([to], settings).length === 0);
}

function legOf(
  { token, to, line, seconds, other }: ReservedDial,
  campaign: RunningCampaign,
  { publicFunctionsUrl, maxCallMinutes }: Settings,
): NewLeg {
  const { machine } = campaign;
  const { flow, language, who } = (other && campaign.other) || campaign;
  const at = (event: string): Callback => ({
    to: "voice-outbound",
    event,
    token,
    who,
    state: { ...ARRIVAL, flow: versionName(flow), language },
  });
  const callback = (event: string) => callbackUrl(publicFunctionsUrl, at(event), "callback");
  return {
    to,
    from: line,
    url: callbackUrl(publicFunctionsUrl, at("answered"), "step"),
    fallbackUrl: callbackUrl(publicFunctionsUrl, at("failed"), "step"),
    statusCallback: callback("status"),
    seconds,
    timeLimit: maxCallMinutes * 60,
    detection: { untilBeep: machine === "message", callback: callback("amd") },
  };
}

/** Of the account, whatever the number. Source: https://www.twilio.com/docs/api/errors */
const ACCOUNT_STOPS: Readonly<Record<string, PausedBecause>> = {
  "10001": "account",
  "10004": "concurrency",
};
