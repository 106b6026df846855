// Between two steps of a call everything can change: settings, the line, whose it is, the release, what is reachable.
// A call is recorded, or counted as agreed, only where the words that were heard were answered by what agrees to them.

import { assert } from "@std/assert/assert.js";
import { assertEquals } from "@std/assert/equals.js";
import fc from "fast-check";
import { createHash } from "node:crypto";
import type { VoiceEvent } from "../../supabase/functions/_shared/calls/events.ts";
import type { TenantRow } from "../../supabase/functions/_shared/db/tenants.ts";
import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import { unpack } from "../../supabase/functions/_shared/flows/shipped.ts";
import type { Deps } from "../../supabase/functions/_shared/deps.ts";
import type { FunctionName } from "../../supabase/functions/_shared/functions.ts";
import { sealBy } from "../../supabase/functions/_shared/onboarding/seal.ts";
import { createLines, type Lines } from "../../supabase/functions/_shared/tenancy/lines.ts";
import { createTenants, type Tenants } from "../../supabase/functions/_shared/tenancy/tenants.ts";
import type { Handler } from "../../supabase/functions/_shared/webhook.ts";
import { cases } from "../support/cases.ts";
import {
  accepted,
  ACCOUNT_SID,
  AUTH_TOKEN,
  dialEnded,
  type Element,
  incomingCall,
  onTheLine,
  parseTwiml,
  pathOf,
  pressed,
  publication,
  said,
  signedRequest,
  testDeps,
  testSettings,
  UNAVAILABLE,
} from "../support/webhook.ts";
import { STEPS } from "./cases.ts";

const TENANT = "AC" + "7".repeat(32);
const TOKEN = "token-of-the-sub-account";
const HANDLERS = new Map<string, (deps: Deps) => Handler>(
  STEPS.map(({ name, createHandler }) => [name, createHandler]),
);

/** How everything is while one step is answered. */
interface Moment {
  readonly policy: "opt_out" | "opt_in";
  /** What is published for the called number; `undefined`: nothing, so that the settings answer. */
  readonly flow: Flow | undefined;
  readonly database: "up" | "away" | "fails";
  /** An isolate that has served nobody yet. */
  readonly cold: boolean;
  /** The URL as a release wrote it that told nothing of what was heard. */
  readonly oldUrl: boolean;
  /** With an identifier that is none, so that nothing of the webhook is understood. */
  readonly malformed: boolean;
}

const BOTH = ["opt_out", "opt_in"] as const;

/** A line's flow: what it says of recording, and which key means what. */
function flowOf(
  { policy, disclosure, language, swapped, without }: {
    policy: "opt_out" | "opt_in";
    disclosure: string | undefined;
    language: string;
    swapped: boolean;
    /** Callers are told nothing. */
    without: boolean;
  },
): Flow {
  const ring = (to: string) => ({ type: "ring" as const, to, answered: "end", unanswered: "note" });
  const [one, two] = swapped ? ["support", "sales"] : ["sales", "support"];
  return {
    schema: 1,
    zone: "America/Edmonton",
    languages: [language],
    start: without ? "menu" : "recording",
    prompts: {
      menu: { [language]: "Sales or support?" },
      note: { [language]: "Please leave a message." },
      ...(disclosure && { own: { [language]: disclosure } }),
    },
    nodes: {
      ...(!without && {
        recording: { type: "consent", policy, ...(disclosure && { prompt: "own" }), next: "menu" },
      }),
      menu: {
        type: "menu",
        prompt: "menu",
        options: [
          { key: "1", words: [one!], next: one! },
          { key: "2", words: [two!], next: two! },
        ],
        tries: 2,
        otherwise: "note",
      },
      sales: { ...ring("+15875550133"), mode: "sales" },
      support: { ...ring("+15875550134"), mode: "support" },
      note: { type: "voicemail", prompt: "note", next: "end" },
      end: { type: "end" },
    },
  };
}

const moment: fc.Arbitrary<Moment> = fc.record({
  policy: fc.constantFrom("opt_out", "opt_in"),
  flow: fc.option(
    fc.record({
      policy: fc.constantFrom(...BOTH),
      disclosure: fc.constantFrom(undefined, "Welcome to Acme.", "Calls help us learn"),
      language: fc.constantFrom("en-US", "en-GB"),
      swapped: fc.boolean(),
      without: fc.boolean(),
    }).map(flowOf),
    { nil: undefined, freq: 3 },
  ),
  database: fc.constantFrom("up", "up", "up", "away", "fails"),
  cold: fc.boolean(),
  oldUrl: fc.constantFrom(false, false, false, false, false, true),
  malformed: fc.constantFrom(false, false, false, false, false, true),
});

/** A caller's possible answers, with their meaning after each disclosure. */
interface Answer {
  readonly params: Readonly<Record<string, string>>;
  readonly agrees: readonly ("opt_out" | "opt_in")[];
  readonly refuses?: readonly ("opt_out" | "opt_in")[];
  /** Goes on, where that is what the disclosure asks for. */
  readonly goesOn?: true;
  /** May have been a refusal. */
  readonly unclear?: true;
}
const ANSWERS: readonly Answer[] = [
  { params: onTheLine, agrees: [], goesOn: true },
  ...["1", "2"].map((key): Answer => ({ params: pressed(key), agrees: [], goesOn: true })),
  ...["7", "*", "#"].map((key): Answer => ({ params: pressed(key), agrees: [] })),
  { params: pressed("3"), agrees: ["opt_in"], refuses: ["opt_out"] },
  { params: said("three"), agrees: ["opt_in"], refuses: ["opt_out"] },
  { params: said("press 3"), agrees: ["opt_in"], refuses: ["opt_out"] },
  { params: said("I agree"), agrees: BOTH },
  { params: said("yes, record"), agrees: BOTH },
  { params: said("yes"), agrees: BOTH },
  ...["sales", "one", "press 2 please"].map((words): Answer => ({
    params: said(words),
    agrees: [],
    goesOn: true,
  })),
  ...["no recording", "don't record, sales", "no", "No, no.", "please don't"].map((
    words,
  ): Answer => ({
    params: said(words),
    agrees: [],
    refuses: BOTH,
  })),
  ...["nein", "sales nicht aufnehmen", "yes, but", "hello?"].map((words): Answer => ({
    params: said(words),
    agrees: [],
    unclear: true,
  })),
];

const step = fc.record({
  moment,
  answer: fc.constantFrom(...ANSWERS),
  to: fc.constantFrom("next", "next", "next", "next", "voice-action", "voice-route"),
});

/** The policy of the disclosure that a caller hears, as a person would tell it, and the words. */
function heardIn(verbs: readonly Element[]) {
  for (const { name, text } of verbs) {
    if (name !== "Say") continue;
    if (text.includes("By staying on the line you agree")) {
      return { policy: "opt_out", text } as const;
    }
    if (text.includes("To agree, say yes")) return { policy: "opt_in", text } as const;
  }
  return undefined;
}

/** One call, over whatever changes; throws where it is recorded without an agreement to what was heard. */
class CallUnderChange {
  readonly #isMain: boolean;
  #row: { given: boolean | null; order: number } = { given: null, order: 0 };
  #warm = new Map<string, { tenants: Tenants; lines: Lines }>();
  readonly #published = new Map<string, ReturnType<typeof publication>>();
  readonly #faults: string[] = [];
  #moment: Moment | undefined;
  #now = 0;
  #heard: ReturnType<typeof heardIn>;
  #agreed = -1;
  #refused = -1;
  #stayed = false;
  #unclear = false;
  /** How many people were dialled with recording on. */
  dialsRecorded = 0;

  constructor(isMain: boolean) {
    this.#isMain = isMain;
  }

  async run(first: Moment, steps: readonly { moment: Moment; answer: Answer; to: string }[]) {
    let verbs = await this.#ask("voice-frontdoor", "", incomingCall, first);
    this.#heard = heardIn(verbs);
    for (const [n, { moment, answer, to }] of steps.entries()) {
      const asked = verbs.find(({ name }) => name === "Gather");
      const dial = verbs.find(({ name }) => name === "Dial");
      const url = (asked ?? dial)?.attributes["action"];
      if (url === undefined) return;
      const own = new URL(url);
      const name = to === "next" ? pathOf(url).split("?")[0]! : to;
      if (moment.oldUrl) {
        own.searchParams.delete("disclosed");
        own.searchParams.delete("flow");
        own.searchParams.delete("node");
        // From here on nobody knows any more what this caller heard.
        this.#heard = undefined;
      }
      // voice-route is where a call is redirected: nothing was asked.
      const isAnswer = (asked !== undefined && to === "next") || name === "voice-action";
      const params = isAnswer ? answer.params : dial ? dialEnded("busy") : onTheLine;
      if (isAnswer && !moment.malformed) this.#hear(n, answer, name);
      // deno-lint-ignore no-await-in-loop -- one step after the other
      verbs = await this.#ask(name, own.search, params, moment);
    }
  }

  #hear(n: number, answer: Answer, at: string) {
    const policy = this.#heard?.policy;
    if (policy === undefined) return;
    if (answer.refuses?.includes(policy)) this.#refused = n;
    if (at === "voice-action") return;
    if (answer.agrees.includes(policy)) this.#agreed = n;
    if (answer.unclear) this.#unclear = true;
    if (answer.goesOn) this.#stayed = true;
  }

  /** Whether this call may be recorded: what a person who listens to it would say. */
  #mayBeRecorded(): boolean {
    if (this.#heard === undefined) return false;
    if (this.#agreed > this.#refused) return true;
    return this.#heard.policy === "opt_out" && this.#stayed && !this.#unclear && this.#refused < 0;
  }

  async #ask(
    name: string,
    query: string,
    params: Readonly<Record<string, string>>,
    moment: Moment,
  ): Promise<readonly Element[]> {
    this.#moment = moment;
    this.#now += 40_000;
    const request = signedRequest(
      name as FunctionName,
      {
        ...params,
        AccountSid: this.#isMain ? ACCOUNT_SID : TENANT,
        ...(moment.malformed && { RecordingSid: "on fire" }),
      },
      { query, token: this.#isMain ? AUTH_TOKEN : TOKEN },
    );
    const response = await HANDLERS.get(name)!(this.#deps(moment))(request);
    const xml = await response.text();
    assertEquals([response.status, this.#faults], [200, []], xml);
    const verbs = parseTwiml(xml);
    for (const dial of verbs.filter((verb) => verb.name === "Dial")) {
      if (dial.attributes["record"] === undefined) continue;
      assert(this.#mayBeRecorded(), `recorded: ${query}`);
      this.dialsRecorded++;
    }
    return verbs;
  }

  #deps(moment: Moment): Deps {
    const env = { RECORDING_CONSENT: moment.policy, TWILIO_ACCOUNT_SID: ACCOUNT_SID };
    const deps = testDeps({ env });
    const flow = moment.flow && publication(moment.flow);
    if (flow) this.#published.set(flow.hash, flow);
    const { tenants, lines } = this.#isolate(moment);
    return {
      ...deps,
      tenants,
      flows: () => Promise.resolve(lines),
      accept: (event) => {
        const sent = JSON.parse(JSON.stringify(event)) as VoiceEvent;
        this.#check(sent);
        if (moment.database === "fails") return Promise.reject(new Error("fails"));
        if (moment.database === "away") return Promise.resolve(UNAVAILABLE);
        if ((sent.consent_order ?? 0) > this.#row.order) {
          this.#row = { given: sent.consent_given ?? null, order: sent.consent_order! };
        }
        return Promise.resolve(
          accepted({
            mode: sent.mode ?? "menu",
            consent_given: this.#row.given,
            ...(flow && sent.ask?.line && { facts: { flow } }),
          }),
        );
      },
    };
  }

  #check(event: VoiceEvent) {
    if (event.consent_given !== true) return;
    const { policy, text = "" } = this.#heard ?? {};
    const { disclosure } = event.meta["consent"] as { disclosure: string };
    const words = createHash("sha256").update(text).digest("hex").slice(0, 32);
    const isOfHeard = disclosure.startsWith(`${policy}-3-`) && disclosure.endsWith(words);
    // Thrown here, it would be answered like any failure of the database.
    if (!this.#mayBeRecorded() || !isOfHeard) this.#faults.push(JSON.stringify(event));
  }

  /** The real look-ups, over a database that is as the moment has it; a warm isolate remembers the moments before. */
  #isolate({ policy, cold }: Moment) {
    const isUp = () => this.#moment!.database === "up";
    const read = (): Promise<TenantRow> =>
      isUp()
        ? Promise.resolve({ org_id: "o", token: TOKEN, sealed_token: null, business_name: "Acme" })
        : Promise.reject(new Error("away"));
    const make = () => ({
      lines: createLines({
        read: (_account, hash) =>
          isUp()
            ? Promise.resolve(
              [...this.#published.values()].find((each) => each.hash.startsWith(hash)) ?? null,
            )
            : Promise.reject(new Error("away")),
        shipped: () => unpack("none"),
        log: () => {},
      }),
      tenants: createTenants({
        settings: testSettings({ RECORDING_CONSENT: policy, TWILIO_ACCOUNT_SID: ACCOUNT_SID }),
        database: {
          read,
          accounts: () => Promise.reject(new Error("away")),
          keepToken: () => Promise.resolve(),
        },
        seal: sealBy("sb_secret_of_the_tests"),
        twilio: {
          activeSubaccounts: () => Promise.resolve({ sids: [TENANT], more: false }),
          authToken: () => Promise.resolve(TOKEN),
        },
        log: () => {},
        report: () => Promise.resolve(),
        now: () => this.#now,
      }),
    });
    const isolate = cold ? make() : this.#warm.get(policy) ?? make();
    this.#warm.set(policy, isolate);
    return isolate;
  }
}

Deno.test("whatever changes between two steps, only what was heard and answered under its own policy is recorded", async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), moment, fc.array(step, { minLength: 1, maxLength: 5 }), (
      isMain,
      first,
      steps,
    ) => new CallUnderChange(isMain).run(first, steps)),
    { numRuns: cases(500) },
  );
});

Deno.test("a call over which nothing changes is recorded, once it was agreed to", async () => {
  const still: Moment = {
    policy: "opt_out",
    flow: undefined,
    database: "up",
    cold: false,
    oldUrl: false,
    malformed: false,
  };
  const recorded: string[] = [];
  for (const [policy, Digits] of [["opt_out", "1"], ["opt_in", "3"]] as const) {
    const own = {
      policy,
      disclosure: undefined,
      language: "en-US",
      swapped: false,
      without: false,
    };
    for (const flow of [undefined, flowOf(own)]) {
      for (const isMain of [true, false]) {
        const moment = { ...still, policy, flow };
        const call = new CallUnderChange(isMain);
        // deno-lint-ignore no-await-in-loop -- one call after the other
        await call.run(moment, [
          { moment, answer: answerOf(Digits), to: "next" },
          { moment, answer: answerOf("1"), to: "next" },
        ]);
        recorded.push(`${policy} ${call.dialsRecorded}`);
      }
    }
  }
  assertEquals(recorded, [...Array(4).fill("opt_out 1"), ...Array(4).fill("opt_in 1")]);
});

function answerOf(key: string): Answer {
  return ANSWERS.find(({ params }) => params["Digits"] === key)!;
}
