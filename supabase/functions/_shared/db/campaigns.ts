import * as z from "zod/mini";
import type { Opening } from "../campaigns/hours.ts";
import type { Place } from "../campaigns/zones.ts";
import { type DataApi, run } from "./client.ts";

/** A campaign that dials. */
const runningCampaign = z.object({
  id: z.string(),
  /** `null`: the main account. */
  account_sid: z.nullable(z.string()),
  org_id: z.nullable(z.string()),
  mode: z.enum(["broadcast", "progressive", "predictive", "preview"]),
  /** What an answering machine gets. */
  machine: z.enum(["hang_up", "message", "flow"]),
  calls_per_second: z.number(),
  /** The hours that narrow the law's; `null`: those. As `Week` of campaigns/hours.ts: it was checked when it was stored. */
  window: z.nullable(z.looseObject({})),
});
export type RunningCampaign = Readonly<z.infer<typeof runningCampaign>>;

const state = z.enum(["draft", "running", "paused", "stopping", "done"]);
export type CampaignState = z.infer<typeof state>;

const reserved = z.object({
  /** `null`: there is no such campaign. */
  state: z.nullable(state),
  dials: z.array(z.object({
    /** Goes into the addresses of the call's webhooks. */
    token: z.string(),
    to: z.string(),
    /** Whose number the telephone shows. */
    line: z.string(),
    /** How long it rings. */
    seconds: z.number(),
    /** From the database's answer on. */
    send_in_ms: z.number(),
  })),
  /** Areas whose opening is over: none of their contacts is dialled until `setOpenings`. */
  stale: z.array(z.object({
    area: z.number(),
    rules: z.enum(["US", "CA", "UK", "EU"]),
    region: z.string(),
    zones: z.array(z.string()),
  })),
});
export type Reserved = Readonly<z.infer<typeof reserved>>;
export type ReservedDial = Reserved["dials"][number];
/** A place, and the area's number. */
export type StaleArea = Reserved["stale"][number] & Place;

/** What became of a dial. Of one in doubt nothing is said: it stays `unknown` until Twilio's list or a webhook tells. */
export type Settled =
  | { readonly token: string; readonly state: "created"; readonly leg_sid: string }
  | { readonly token: string; readonly state: "refused" }
  /** Twilio was busy, has said so, and has made no call. */
  | { readonly token: string; readonly state: "not_made" };

/** How campaigns dial; each call rejects when the database does not answer. What a leg tells: `Dialling.legTold`. */
export interface CampaignDialling {
  /** The campaigns that dial, the longest running first. */
  running(): Promise<RunningCampaign[]>;
  /** Reserves at most `most` dials, each at its own time within `horizonSec`. To be begun before each is sent. */
  reserve(id: string, most: number, horizonSec: number): Promise<Reserved>;
  /** @param openings `undefined`: within the days that are looked at there is none. */
  setOpenings(
    id: string,
    openings: readonly { readonly area: number; readonly opening: Opening | undefined }[],
  ): Promise<void>;
  /** @returns the tokens that may be sent now, each once. `settled`: what became of those before. */
  begin(tokens: readonly string[], settled?: readonly Settled[]): Promise<string[]>;
  /** Starts, pauses, resumes or stops. @returns the new state. */
  command(id: string, command: CampaignCommand): Promise<CampaignState>;
}

export const CAMPAIGN_COMMANDS = ["start", "pause", "resume", "stop"] as const;
export type CampaignCommand = typeof CAMPAIGN_COMMANDS[number];

/** @param deadlineMs For each call by itself. */
export function campaignDialling(api: DataApi, deadlineMs = 4000): CampaignDialling {
  return {
    running: () => run(api, "running_campaigns", {}, z.array(runningCampaign), deadlineMs),
    reserve: (id, most, horizonSec) =>
      run(
        api,
        "reserve_campaign_dials",
        { p_campaign_id: id, p_most: most, p_horizon: `${horizonSec} seconds` },
        reserved,
        deadlineMs,
      ),
    async setOpenings(id, openings) {
      const p_openings = openings.map(({ area, opening }) => ({
        area,
        opens_at: opening?.from.toISOString() ?? null,
        closes_at: opening?.until.toISOString() ?? null,
      }));
      const args = { p_campaign_id: id, p_openings };
      await run(api, "set_campaign_openings", args, z.unknown(), deadlineMs);
    },
    begin: (tokens, settled = []) =>
      run(
        api,
        "begin_campaign_dials",
        { p_tokens: tokens, p_settled: settled },
        z.array(z.string()),
        deadlineMs,
      ),
    command: (id, command) =>
      run(
        api,
        "command_campaign",
        { p_campaign_id: id, p_command: command },
        state,
        deadlineMs,
      ),
  };
}
