import * as z from "zod/mini";
import {
  type ArgumentsOf,
  type DataApi,
  refusalOf,
  returned,
  rpc,
  type RpcAnswer,
  type SqlFunction,
} from "./client.ts";
import { Refused } from "../errors.ts";

/** Whose flow it is: an organisation, or `null` for the main account. */
export type Owner = string | null;

const answering = z.object({
  /** The flow's name. */
  flow: z.string(),
  version: z.number(),
  /** SHA-256 of the definition's canonical JSON, in hexadecimal. */
  hash: z.string(),
  /** All lines that follow the flow, in E.164 form. */
  lines: z.array(z.string()),
});
/** The version that answers after a publish or a rollback. */
export type Answering = Readonly<z.infer<typeof answering>>;

const definitionOf = z.extend(z.omit(answering, { lines: true }), { definition: z.unknown() });

export interface Publication {
  readonly owner: Owner;
  readonly name: string;
  readonly definition: unknown;
  readonly hash: string;
  /** Lines that follow the flow from now on, beside those that do already. */
  readonly lines?: readonly string[] | undefined;
  readonly note?: string | undefined;
  /** Who publishes. */
  readonly by?: string | undefined;
  /** The disclosures that callers hear: rows of `disclosures`. */
  readonly disclosures?: readonly Disclosure[] | undefined;
}

export interface Disclosure {
  readonly name: string;
  readonly policy: string;
  readonly key: string;
  readonly language: string;
  readonly words: string;
}

const versionRow = z.object({
  flow: z.string(),
  version: z.number(),
  hash: z.string(),
  /** ISO 8601. */
  published_at: z.string(),
  published_by: z.nullable(z.string()),
  note: z.nullable(z.string()),
  /** Whether it is the one that answers. */
  current: z.boolean(),
  /** Those that answer by this very version. */
  lines: z.array(z.string()),
});
/** A version as a list of them has it. */
export type VersionRow = Readonly<z.infer<typeof versionRow>>;

const checkFacts = z.object({
  zone_known: z.boolean(),
  /** Of the audio that it names, what its owner has stored: seconds by hash. */
  audio: z.record(z.string(), z.number()),
  /** Of the people whom it names, those whom its owner has: their handles. */
  people: z.array(z.string()),
  /** Numbers that it may ring and that are answered here, those of people included. */
  own_lines: z.array(z.string()),
  /** The definitions of all flows that it leads to; `null`: none of that name is published. */
  flows: z.record(z.string(), z.unknown()),
});
/** What the database knows that a check of a definition asks. */
export type CheckFacts = Readonly<z.infer<typeof checkFacts>>;

const switches = z.object({
  from: z.string(),
  until: z.string(),
  /** At `from`; each switch ends the state before it. */
  state: z.enum(["open", "closed"]),
  switches: z.array(z.string()),
});

export const flowBody = z.object({
  hash: z.string(),
  name: z.string(),
  version: z.number(),
  definition: z.unknown(),
  /** The hashes of the flows that it goes on in, by name: as they were when it was published. */
  flows: z.record(z.string(), z.string()),
  /** By calendar; one of a flow that it goes on in is named `<flow>/<calendar>`. */
  hours: z.record(z.string(), switches),
  /** Hashes of audio that its owner has not stored: its text is spoken instead. */
  missing_audio: z.array(z.string()),
});
/** A version as an isolate keeps it for good. */
export type FlowBody = Readonly<z.infer<typeof flowBody>>;

/** The sub-account of an owner; `null`: the main account. */
const account = z.nullable(z.string());
const publishedFlows = z.object({
  /** The hash of the version that each line answers by. */
  lines: z.array(z.object({ account, line: z.string(), hash: z.string() })),
  versions: z.array(z.extend(flowBody, { account })),
});
/** What answers now, for a deploy to take along. */
export type PublishedFlows = Readonly<z.infer<typeof publishedFlows>>;

export interface Override {
  readonly owner: Owner;
  readonly name: string;
  readonly calendar: string;
  /** `null`: by the calendar again. */
  readonly state: "open" | "closed" | null;
  /** ISO 8601, within 366 days; needed for a state. */
  readonly until?: string | undefined;
  readonly by?: string | undefined;
}

export interface StoredPrompt {
  readonly owner: Owner;
  /** SHA-256 of the file, in hexadecimal. */
  readonly hash: string;
  readonly mime: "audio/wav" | "audio/mpeg";
  /** Up to 2400, Twilio's longest. */
  readonly seconds: number;
  readonly bytes: number;
  readonly by?: string | undefined;
}

/** Published flows in the database. Each rejects with `Refused`, or with `DatabaseFailure`. */
export interface FlowDatabase {
  checkFacts(owner: Owner, definition: unknown): Promise<CheckFacts>;
  publish(publication: Publication): Promise<Answering>;
  /** @param version By default the one that the present one replaced. */
  rollback(owner: Owner, name: string, version?: number, by?: string): Promise<Answering>;
  override(override: Override): Promise<void>;
  /** Newest first; without a name those of all flows of the owner. */
  versions(owner: Owner, name?: string): Promise<VersionRow[]>;
  /** @param version By default the one that answers. */
  definition(
    owner: Owner,
    name: string,
    version?: number,
  ): Promise<Omit<Answering, "lines"> & { readonly definition: unknown } | null>;
  /** @param draft `null`: no more. @returns when it was kept, as ISO 8601 */
  saveDraft(owner: Owner, name: string, draft: unknown, by?: string): Promise<string | null>;
  storePrompt(prompt: StoredPrompt): Promise<void>;
  /**
   * The version that a call's URL names.
   *
   * @param account The sub-account that signed the URL; `undefined`: the main account.
   * @param hash Its hash, or the first 8 digits or more.
   */
  body(account: string | undefined, hash: string): Promise<FlowBody | null>;
  published(): Promise<PublishedFlows>;
}

/** @param deadlineMs Without an answer for this long it counts as a failure. */
export function flowDatabase(api: DataApi, deadlineMs = 5000): FlowDatabase {
  const run = async <Name extends SqlFunction, Returned>(
    name: Name,
    args: ArgumentsOf<Name>,
    returns: z.ZodMiniType<Returned>,
  ) => {
    const answer = await rpc(api, name, args, deadlineMs);
    const refusal = answer.error && refused(answer.error);
    if (refusal) throw refusal;
    return returned(name, answer, returns);
  };
  return {
    checkFacts: (owner, definition) =>
      run("flow_check_facts", { p_org_id: owner, p_definition: definition }, checkFacts),
    publish: ({ owner, name, definition, hash, lines = [], note, by, disclosures = [] }) =>
      run("publish_flow", {
        p_org_id: owner,
        p_name: name,
        p_definition: definition,
        p_hash: hash,
        p_lines: lines,
        p_note: note,
        p_by: by,
        p_disclosures: disclosures,
      }, answering),
    rollback: (owner, name, version, by) =>
      run(
        "rollback_flow",
        { p_org_id: owner, p_name: name, p_version: version, p_by: by },
        answering,
      ),
    async override({ owner, name, calendar, state, until, by }) {
      await run("set_override", {
        p_org_id: owner,
        p_name: name,
        p_calendar: calendar,
        p_state: state,
        p_until: until ?? null,
        p_by: by,
      }, z.unknown());
    },
    versions: (owner, name) =>
      run("flow_versions", { p_org_id: owner, p_name: name }, z.array(versionRow)),
    definition: (owner, name, version) =>
      run(
        "flow_definition",
        { p_org_id: owner, p_name: name, p_version: version },
        z.nullable(definitionOf),
      ),
    saveDraft: (owner, name, draft, by) =>
      run(
        "save_flow_draft",
        { p_org_id: owner, p_name: name, p_draft: draft, p_by: by },
        z.nullable(z.string()),
      ),
    async storePrompt({ owner, hash, mime, seconds, bytes, by }) {
      await run("store_prompt", {
        p_org_id: owner,
        p_hash: hash,
        p_mime: mime,
        p_seconds: seconds,
        p_bytes: bytes,
        p_by: by,
      }, z.unknown());
    },
    body: (account, hash) =>
      run(
        "flow_of_account",
        { p_account_sid: account ?? null, p_hash: hash },
        z.nullable(flowBody),
      ),
    published: () => run("published_flows", {}, publishedFlows),
  };
}

/** What is the request's own fault. */
function refused(error: NonNullable<RpcAnswer["error"]>) {
  const { code, message } = error;
  return code === "23514" && message.includes("call_flows_name_form")
    ? new Refused(400, "name", 'must be 1 to 64 characters, and not "default"')
    : refusalOf(error);
}
