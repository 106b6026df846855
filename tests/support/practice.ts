// What the tests of people, queues and call backs share: a practice with a published flow, verified people, and the
// telephones of a simulator behind the stand-in for Twilio's REST API.

import { startTwilioApi, type TwilioApi } from "../../scripts/local/twilio_api.ts";
import {
  LOCAL_AUTH_TOKEN,
  LOCAL_SECRET_KEY,
  withLocalDefaults,
} from "../../scripts/local/stack.ts";
import {
  type RingOffer,
  Simulator,
  type SimulatorOptions,
  type Telephone,
  VirtualClock,
} from "../../scripts/phone/mod.ts";
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import { dialling } from "../../supabase/functions/_shared/db/dialling.ts";
import { readSettings } from "../../supabase/functions/_shared/settings.ts";
import { twilioClient } from "../../supabase/functions/_shared/twilio/client.ts";
import { twilioLegs } from "../../supabase/functions/_shared/twilio/legs.ts";
import { liveDeps } from "../../supabase/functions/dial-worker/deps.ts";
import {
  createHandler,
  type DialWorkerDeps,
} from "../../supabase/functions/dial-worker/handler.ts";
import { startTestStack, type TestStack } from "./database.ts";

export const ACCOUNT = `AC${"1".repeat(32)}`;
export const LINE = "+15874059000";
/** The telephone of person 1, 2, and so on. */
export const phoneOf = (nth: number) => `+1403555${1000 + nth}`;

export interface Practice extends TestStack {
  readonly twilio: TwilioApi;
  readonly simulator: Simulator;
  /** How each person's telephone is answered; by default after 4 s, with key 1. */
  telephones: (offer: RingOffer) => Telephone | undefined;
  /** Changes the worker's dependencies for the runs that follow. */
  change: (deps: DialWorkerDeps) => DialWorkerDeps;
  /** How long the worker waits for Twilio; a busy machine may take its time. */
  deadlineMs: number;
  /** A run of dial-worker. @returns its report. */
  work(): Promise<Record<string, unknown>>;
  /** A run of dial-worker so many seconds later, as far as its jobs and attempts know. */
  later(seconds: number): Promise<Record<string, unknown>>;
}

/** A flow that holds callers for `desk`, and rings `all` at once. */
export function practiceFlow(
  members: readonly string[],
  changes: Record<string, unknown> = {},
  // deno-lint-ignore no-explicit-any
): any {
  const said = (text: string) => ({ "en-US": text });
  return {
    schema: 1,
    zone: "America/Edmonton",
    business: "Prairie Dental",
    languages: ["en-US"],
    start: "main",
    prompts: {
      menu: said("For the desk, press 1. For a call back, press 2. For anybody, press 3."),
      leave: said("Please leave a message."),
      bye: said("Goodbye."),
    },
    groups: {
      desk: { members, seconds: 20, confirm: true },
      all: { members, ring: "all", seconds: 20, confirm: true },
    },
    nodes: {
      main: {
        type: "menu",
        prompt: "menu",
        tries: 1,
        options: [{ key: "1", next: "hold" }, { key: "2", next: "back" }, {
          key: "3",
          next: "any",
        }],
        otherwise: "bye",
      },
      hold: {
        type: "queue",
        group: "desk",
        mode: "desk",
        max_seconds: 300,
        key: "2",
        offer: "back",
        answered: "bye",
        gave_up: "note",
        full: "note",
      },
      any: { type: "ring", group: "all", answered: "bye", unanswered: "note" },
      back: { type: "callback", group: "desk", next: "bye", refused: "note" },
      note: { type: "voicemail", prompt: "leave", mode: "voicemail", next: "bye" },
      bye: { type: "end", prompt: "bye" },
    },
    ...changes,
  };
}

/** Starts a practice with so many verified people, `p1` and on. */
export async function startPractice(
  options: {
    people?: number;
    functions?: boolean;
    simulator?: Partial<SimulatorOptions>;
    env?: Record<string, string>;
  } = {},
): Promise<Practice> {
  const { people = 3 } = options;
  const twilio = startTwilioApi({ accountSid: ACCOUNT, authToken: LOCAL_AUTH_TOKEN });
  const given = { TWILIO_ACCOUNT_SID: ACCOUNT, TWILIO_API_URL: twilio.url, ...options.env };
  // The simulator runs the worker after each webhook, in virtual time.
  const stack = await startTestStack({
    functions: options.functions ?? false,
    env: given,
    asleep: "dial-worker",
  });
  const env = withLocalDefaults(
    given,
    stack.url,
    stack.db.url,
  );
  const settings = readSettings((name) => env[name]);
  const { sql } = stack.db;
  for (let nth = 1; nth <= people; nth++) {
    // deno-lint-ignore no-await-in-loop -- few
    await sql`
      insert into people (handle, name, phone, verified_at)
      values (${`p${nth}`}, ${`Person ${nth}`}, ${phoneOf(nth)}, now())`;
  }
  const base = `${stack.url}/functions/v1`;
  let ahead = 0;
  const api = dataApi(stack.url, settings.secretKey);
  const client = () =>
    twilioClient({
      baseUrl: twilio.url,
      accountSid: ACCOUNT,
      authToken: LOCAL_AUTH_TOKEN,
      attempts: 1,
      deadlineMs: practice.deadlineMs,
    });
  const deps = (): DialWorkerDeps =>
    practice.change({
      ...liveDeps(settings),
      dialling: dialling(api),
      twilio: (account) => twilioLegs(client(), account ?? ACCOUNT),
      log: () => {},
      now: () => new Date(Date.now() + ahead * 1000),
      wait: () => Promise.resolve(),
    });
  const practice: Practice = {
    ...stack,
    twilio,
    telephones: () => undefined,
    change: (same) => same,
    deadlineMs: 30_000,
    simulator: new Simulator({
      accountSid: ACCOUNT,
      authToken: LOCAL_AUTH_TOKEN,
      voiceUrl: `${base}/voice-frontdoor`,
      statusCallback: `${base}/voice-status#rc=4&rp=5xx,ct,rt`,
      fallbackUrl: `${base}/voice-voicemail`,
      clock: new VirtualClock(new Date(), { shared: true }),
      telephones: (offer) => practice.telephones(offer),
      ...(options.functions && {
        async fetch(...request) {
          const response = await fetch(...request);
          await practice.work();
          return response;
        },
      }),
      ...options.simulator,
    }),
    async work() {
      const response = await createHandler(deps())(
        new Request("http://localhost/dial-worker", {
          method: "POST",
          headers: { apikey: LOCAL_SECRET_KEY },
        }),
      );
      return await response.json();
    },
    async later(seconds) {
      ahead += seconds;
      await sql`update jobs set run_at = run_at - make_interval(secs => ${seconds})`;
      return await practice.work();
    },
    async stop() {
      await practice.simulator.settle();
      await stack.stop();
      await twilio.stop();
    },
  };
  twilio.connect(ACCOUNT, practice.simulator);
  return practice;
}
