// A campaign that calls the telephones of a simulator, through the functions and the stand-in for Twilio's REST API.

import { LOCAL_SECRET_KEY, withLocalDefaults } from "../../scripts/local/stack.ts";
import { attemptsOf } from "../../supabase/functions/_shared/campaigns/retry.ts";
import { campaignDialling } from "../../supabase/functions/_shared/db/campaigns.ts";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { jobs } from "../../supabase/functions/_shared/db/jobs.ts";
import { delay } from "../../supabase/functions/_shared/runtime.ts";
import { hashOf } from "../../supabase/functions/_shared/flows/hash.ts";
import { readSettings } from "../../supabase/functions/_shared/settings.ts";
import { twilioClient } from "../../supabase/functions/_shared/twilio/client.ts";
import { twilioLegs } from "../../supabase/functions/_shared/twilio/legs.ts";
import {
  type CampaignDiallerDeps,
  createHandler,
} from "../../supabase/functions/campaign-dialler/handler.ts";
import { LOCAL_AUTH_TOKEN } from "../../scripts/local/stack.ts";
import { ACCOUNT, LINE, type Practice, startPractice } from "./practice.ts";

/** Says a sentence and ends. */
export function noticeFlow(changes: Record<string, unknown> = {}) {
  return {
    schema: 1,
    zone: "America/Edmonton",
    business: "Prairie Dental",
    languages: ["en-US"],
    start: "notice",
    prompts: {
      notice: { "en-US": "Your appointment is tomorrow." },
      bye: { "en-US": "Goodbye." },
    },
    nodes: {
      notice: { type: "say", prompt: "notice", next: "bye" },
      bye: { type: "end", prompt: "bye" },
    },
    ...changes,
  };
}

export interface CampaignChanges {
  readonly mode?: string;
  readonly machine?: string;
  readonly flow?: Record<string, unknown>;
  readonly concurrent?: number;
  readonly attempts?: Parameters<typeof attemptsOf>[0];
  /** A flow that is tried beside it, on half of the contacts. */
  readonly other?: Record<string, unknown>;
}

/** A practice that calls out. */
export interface Calling extends Practice {
  /** A running campaign, whose contacts may be called now. @returns its id. */
  campaign(numbers: readonly string[], changes?: CampaignChanges): Promise<string>;
  /** A run of campaign-dialler. @returns its report. */
  dial(
    change?: (deps: CampaignDiallerDeps) => CampaignDiallerDeps,
  ): Promise<Record<string, unknown>>;
  /** The figures of `campaign_live` that are not 0. */
  live(id: string): Promise<Record<string, number>>;
  /** The creates that Twilio has got, in order. */
  created(): Readonly<Record<string, string>>[];
}

export async function startCalling(
  options: Parameters<typeof startPractice>[0] = {},
): Promise<Calling> {
  const practice = await startPractice({
    people: 0,
    functions: true,
    ...options,
    env: { LOG_LEVEL: "error", ...options.env },
  });
  const { sql } = practice.db;
  const env = withLocalDefaults(
    { TWILIO_ACCOUNT_SID: ACCOUNT, TWILIO_API_URL: practice.twilio.url, ...options.env },
    practice.url,
    practice.db.url,
  );
  const settings = readSettings((name) => env[name]);
  const api = dataApi(practice.url, settings.secretKey);
  const client = twilioClient({
    baseUrl: practice.twilio.url,
    accountSid: ACCOUNT,
    authToken: LOCAL_AUTH_TOKEN,
    attempts: 1,
    deadlineMs: 500,
  });
  return {
    ...practice,
    async campaign(numbers, changes = {}) {
      const { mode = "broadcast", machine = "hang_up", concurrent = 1000 } = changes;
      const flow = noticeFlow(changes.flow);
      await sql`select publish_flow(null, 'notices', ${sql.json(flow as never)}, ${
        hashOf(flow)
      }, null)`;
      if (changes.other !== undefined) {
        const other = noticeFlow(changes.other);
        await sql`select publish_flow(null, 'others', ${sql.json(other as never)}, ${
          hashOf(other)
        }, null)`;
      }
      const [made] = await sql<{ id: string }[]>`
        insert into campaigns (name, mode, flow, other_flow, other_share, calls_per_second, max_concurrent, attempts, machine, consent)
        values ('Reminders', ${mode}, 'notices', ${changes.other ? "others" : null}, ${
        changes.other ? 50 : null
      }, 1000, ${concurrent},
          ${sql.json(attemptsOf(changes.attempts) as never)}, ${machine}, 'express_written')
        returning id`;
      const { id } = made!;
      await sql`insert into campaign_lines (campaign_id, line, per_day) values (${id}, ${LINE}, 100000)`;
      const contacts = numbers.map((phone) => ({
        phone,
        rules: "CA",
        region: "AB",
        zones: ["America/Edmonton"],
      }));
      await sql`select import_campaign_contacts(${id}, ${sql.json(contacts)})`;
      await sql`
        update campaign_areas set opens_at = now() - interval '1 hour', closes_at = now() + interval '9 hours'
        where campaign_id = ${id}`;
      await sql`select command_campaign(${id}, 'start', p_rate => 1000)`;
      return id;
    },
    async dial(change = (same) => same) {
      const deps = change({
        settings,
        jobs: jobs(api),
        campaigns: campaignDialling(api),
        twilio: (account) => twilioLegs(client, account ?? ACCOUNT),
        log: () => {},
        now: () => new Date(),
        wait: delay,
      });
      const response = await createHandler(deps)(
        new Request("http://localhost/campaign-dialler", {
          method: "POST",
          headers: { apikey: LOCAL_SECRET_KEY },
        }),
      );
      return await response.json();
    },
    async live(id) {
      const [row] = await sql<Record<string, number>[]>`
        select contacts, waiting, dialled, ringing, answered, machine, busy, no_answer, failed, opted_out, suppressed,
          abandoned, unknown
        from campaign_live where campaign_id = ${id}`;
      return Object.fromEntries(Object.entries(row!).filter(([, count]) => count !== 0));
    },
    created: () =>
      practice.twilio.requests.filter(({ method, path }) =>
        method === "POST" && /\/Calls$/.test(path)
      ).map(({ params }) => params),
  };
}
