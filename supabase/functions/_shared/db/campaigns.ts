import * as z from "zod/mini";
import type { CampaignCommand } from "../campaigns/states.ts";
import type { CampaignContact } from "../campaigns/contacts_file.ts";
import type { Opening, Week } from "../campaigns/hours.ts";
import type { Attempts } from "../campaigns/retry.ts";
import {
  type ArgumentsOf,
  type DataApi,
  refusalOf,
  returned,
  rpc,
  run,
  type SqlFunction,
} from "./client.ts";

const mode = z.enum(["broadcast", "progressive", "predictive", "preview"]);
/** What an answering machine gets. */
const machine = z.enum(["hang_up", "message", "flow"]);
/** On what consent its people are called. */
const consent = z.enum(["express_written", "existing_business", "none_needed"]);

/** The hours that narrow the law's; `null`: those. Checked when it was stored. */
const window = z.nullable(z.custom<Week>());

/**
 * Why a campaign was paused where no person has: its minutes are used up, or its dials mostly fail; Twilio's account is not
 * active, its credentials are wrong, or it has its maximum of calls at once.
 */
const PAUSED_BECAUSE = ["budget", "failures", "account", "credentials", "concurrency"] as const;
export type PausedBecause = typeof PAUSED_BECAUSE[number];

const playing = z.object({
  /** The hash of the flow's current version, which the calls go by, and its first language. */
  flow: z.string(),
  language: z.string(),
  /** Who calls, as it is spoken. */
  who: z.string(),
});

/** A campaign that dials. */
const runningCampaign = z.object({
  id: z.string(),
  /** `null`: the main account. */
  account_sid: z.nullable(z.string()),
  org_id: z.nullable(z.string()),
  mode,
  machine,
  calls_per_second: z.number(),
  window,
  ...playing.shape,
  /** The flow that is tried beside it. */
  other: z.nullable(playing),
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
    /** The number is a line of ours. */
    own: z.optional(z.boolean()),
    /** It gets the other flow. */
    other: z.optional(z.boolean()),
  })),
  /** As many lines ring as may: more may be dialled in a moment. */
  full: z.optional(z.boolean()),
  /** Of a campaign whose calls go to people. */
  floor: z.optional(z.object({
    free: z.number(),
    busy: z.number(),
    ringing: z.number(),
    answerRate: z.number(),
    ringSec: z.number(),
    talkSec: z.number(),
    answered: z.number(),
    abandoned: z.number(),
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

/** What became of a dial. Of one in doubt nothing is said: it stays `unknown` until Twilio's list or a webhook tells. */
export type Settled =
  | { readonly token: string; readonly state: "created"; readonly leg_sid: string }
  | { readonly token: string; readonly state: "refused" }
  /** No call was made, and the same dial is still to be made. `busy`: Twilio has said so, and its account rests for a moment. */
  | { readonly token: string; readonly state: "not_made" | "busy" };

/** How campaigns dial; each call rejects when the database does not answer. What a leg tells: `Dialling.legTold`. */
export interface CampaignDialling {
  /** The campaigns that dial, the longest running first. */
  running(): Promise<RunningCampaign[]>;
  /**
   * Reserves at most `most` dials, or of a campaign to people so many that as many lines ring, each at its own time within
   * `horizonSec`. To be begun before each is sent.
   */
  reserve(id: string, most: number, horizonSec: number): Promise<Reserved>;
  /** @param openings `undefined`: within the days that are looked at there is none. */
  setOpenings(
    id: string,
    openings: readonly { readonly area: number; readonly opening: Opening | undefined }[],
  ): Promise<void>;
  /** @returns the tokens that may be sent now, each once. `settled`: what became of those before. */
  begin(tokens: readonly string[], settled?: readonly Settled[]): Promise<string[]>;
  /** Pauses it for a reason of the dialler's; a person resumes it. */
  pause(id: string, because: PausedBecause): Promise<void>;
}

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
    async pause(id, because) {
      const args = { p_campaign_id: id, p_command: "pause", p_because: because };
      await run(api, "command_campaign", args, state, deadlineMs);
    },
  };
}

/** A campaign as it is created. */
export interface NewCampaign {
  /** `null`: the main account. */
  readonly org_id: string | null;
  readonly name: string;
  /** Who calls, with which an answered call begins; `null`: the name of the flow's business, or the organisation's. */
  readonly caller_name: string | null;
  readonly mode: z.infer<typeof mode>;
  /** Who creates it. */
  readonly changed_by: string;
  /** A published flow's name. */
  readonly flow: string;
  /** A second one that is tried beside it, and how many percent of the contacts get it. */
  readonly other_flow: string | null;
  readonly other_share: number | null;
  readonly caller_numbers: readonly string[];
  readonly calls_per_second: number;
  readonly max_concurrent: number;
  readonly window_hours: Week | null;
  readonly attempts: Attempts;
  readonly machine: z.infer<typeof machine>;
  readonly consent: z.infer<typeof consent>;
  readonly max_minutes: number | null;
  /** ISO 8601. */
  readonly starts_at: string | null;
  /** That each of the numbers makes a day; `null`: 500. */
  readonly dials_per_line: number | null;
}

const time = z.nullable(z.string());
const campaignNow = z.object({
  id: z.string(),
  org_id: z.nullable(z.string()),
  name: z.string(),
  mode,
  state,
  /** Why it is paused, where no person has paused it. */
  paused_because: z.nullable(z.enum(PAUSED_BECAUSE)),
  starts_at: time,
  created_at: z.string(),
  started_at: time,
  ended_at: time,
  /** When the first of those who wait may be called, as far as it is worked out; in the past: now. */
  next_opening: time,
  /** What its account makes, where an operator has said so; `null`: as the setting says. */
  account_calls_per_second: z.nullable(z.number()),
  /** That its numbers may still make. */
  dials_left_today: z.number(),
  // The contacts, by how they stand.
  contacts: z.number(),
  waiting: z.number(),
  ringing: z.number(),
  answered: z.number(),
  machine: z.number(),
  busy: z.number(),
  no_answer: z.number(),
  failed: z.number(),
  opted_out: z.number(),
  suppressed: z.number(),
  abandoned: z.number(),
  unknown: z.number(),
  /** Dials made. */
  dialled: z.number(),
  /** Of talk, as Twilio bills it. */
  minutes: z.number(),
  /** Where two flows are tried: the contacts of each, by how they stand; what is absent is 0. */
  by_flow: z.nullable(z.array(z.catchall(z.object({ flow: z.string() }), z.number()))),
  settings: z.object({
    flow: z.string(),
    /** Two that are tried, with their shares in percent. */
    flows: z.nullable(z.array(z.object({ flow: z.string(), share: z.number() }))),
    caller_numbers: z.array(z.string()),
    calls_per_second: z.number(),
    max_concurrent: z.number(),
    window,
    attempts: z.looseObject({}),
    machine,
    consent,
    ring_seconds: z.number(),
    max_minutes: z.nullable(z.number()),
    caller_name: z.nullable(z.string()),
  }),
});
/** A campaign, its live figures, and how it was created. */
export type CampaignNow = Readonly<z.infer<typeof campaignNow>>;

const imported = z.object({
  added: z.number(),
  /** Contacts whose number the campaign has. */
  duplicates: z.number(),
  /** Contacts whose number has said stop: they are taken, and never dialled. */
  suppressed: z.number(),
  /** Numbers that are lines themselves, which are not taken. */
  lines: z.array(z.string()),
});

const result = z.object({
  e164: z.string(),
  name: z.nullable(z.string()),
  state: z.string(),
  tries: z.number(),
  /** How the dials that did not reach the person ended. */
  ends: z.array(z.string()),
  due_at: time,
  dialled_at: time,
  answered_at: time,
  ended_at: time,
  line: z.nullable(z.string()),
  call_sid: z.nullable(z.string()),
  /** That was, or will be, heard. */
  flow: z.string(),
});
/** A contact of a campaign, and its last dial. */
export type CampaignResult = Readonly<z.infer<typeof result>>;

/** How campaigns are run by people. Each rejects with `Refused`, or with `DatabaseFailure`. */
export interface CampaignDatabase {
  /** @returns the id. */
  create(campaign: NewCampaign): Promise<string>;
  now(id: string): Promise<CampaignNow | null>;
  /** The newest 200 of an owner; `null`: of the main account. */
  list(owner: string | null): Promise<CampaignNow[]>;
  importContacts(
    id: string,
    contacts: readonly CampaignContact[],
  ): Promise<Readonly<z.infer<typeof imported>>>;
  /**
   * @param by Who asks.
   * @param rate The calls a second that Twilio makes for an account, unless an operator has said otherwise for it.
   * @param maxMinutes Of `resume`: the new budget.
   */
  command(
    id: string,
    command: CampaignCommand,
    by: string,
    rate: number,
    maxMinutes?: number,
  ): Promise<CampaignState>;
  /** By number, at most `most` after this one. */
  results(id: string, after: string | null, most: number): Promise<CampaignResult[]>;
}

/** @param deadlineMs For each call by itself. */
export function campaignDatabase(api: DataApi, deadlineMs = 10_000): CampaignDatabase {
  const run = async <Name extends SqlFunction, Returned>(
    name: Name,
    args: ArgumentsOf<Name>,
    returns: z.ZodMiniType<Returned>,
  ) => {
    const answer = await rpc(api, name, args, deadlineMs);
    const refusal = answer.error && refusalOf(answer.error);
    if (refusal) throw refusal;
    return returned(name, answer, returns);
  };
  return {
    create: (campaign) => run("create_campaign", { p_campaign: campaign }, z.string()),
    now: (id) => run("campaign_now", { p_campaign_id: id }, z.nullable(campaignNow)),
    list: (owner) => run("campaigns_of", { p_org_id: owner }, z.array(campaignNow)),
    importContacts(id, contacts) {
      const p_contacts = contacts.map(({ place, line: _, ...rest }) => ({ ...rest, ...place }));
      return run("import_campaign_contacts", { p_campaign_id: id, p_contacts }, imported);
    },
    command: (id, command, by, rate, maxMinutes) =>
      run("command_campaign", {
        p_campaign_id: id,
        p_command: command,
        p_by: by,
        p_rate: rate,
        ...(maxMinutes !== undefined && { p_max_minutes: maxMinutes }),
      }, state),
    results: (id, after, most) =>
      run(
        "campaign_results_page",
        { p_campaign_id: id, p_after: after, p_most: most },
        z.array(result),
      ),
  };
}
