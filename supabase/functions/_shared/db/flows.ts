import { type DataApi, DatabaseFailure } from "./client.ts";

/** Whose flow it is: an organisation, or `null` for the main account. */
export type Owner = string | null;

/** The version that answers after a publish or a rollback. */
export interface Answering {
  /** The flow's name. */
  readonly flow: string;
  readonly version: number;
  /** SHA-256 of the definition's canonical JSON, in hexadecimal. */
  readonly hash: string;
  /** All lines that follow the flow, in E.164 form. */
  readonly lines: readonly string[];
}

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
  /** What callers are told about recording: rows of `disclosures`. */
  readonly disclosures?: readonly Disclosure[] | undefined;
}

export interface Disclosure {
  readonly name: string;
  readonly policy: string;
  readonly key: string;
  readonly language: string;
  readonly words: string;
}

/** A version as a list of them has it. */
export interface VersionRow {
  readonly flow: string;
  readonly version: number;
  readonly hash: string;
  /** ISO 8601. */
  readonly published_at: string;
  readonly published_by: string | null;
  readonly note: string | null;
  /** Whether it is the one that answers. */
  readonly current: boolean;
  /** Those that answer by this very version. */
  readonly lines: readonly string[];
}

/** What the database knows that a check of a definition asks. */
export interface CheckFacts {
  readonly zone_known: boolean;
  /** Of the audio that it names, what its owner has stored: seconds by hash. */
  readonly audio: Readonly<Record<string, number>>;
  /** Of the people whom it names, those whom its owner has: their handles. */
  readonly people: readonly string[];
  /** Numbers that it may ring and that are answered here, those of people included. */
  readonly own_lines: readonly string[];
  /** The definitions of all flows that it leads to; `null`: none of that name is published. */
  readonly flows: Readonly<Record<string, unknown>>;
}

/** When a calendar opens and closes: what serves while the database is away. Instants are ISO 8601. */
export interface Switches {
  readonly from: string;
  readonly until: string;
  /** At `from`; each switch ends the state before it. */
  readonly state: "open" | "closed";
  readonly switches: readonly string[];
}

/** A version as an isolate keeps it for good. */
export interface FlowBody {
  readonly hash: string;
  readonly name: string;
  readonly version: number;
  readonly definition: unknown;
  /** The hashes of the flows that it goes on in, by name: as they were when it was published. */
  readonly flows: Readonly<Record<string, string>>;
  /** By calendar; one of a flow that it goes on in is named `<flow>/<calendar>`. */
  readonly hours: Readonly<Record<string, Switches>>;
  /** Hashes of audio that its owner has not stored: its text is spoken instead. */
  readonly missing_audio: readonly string[];
}

/** What answers now, for a deploy to take along. */
export interface PublishedFlows {
  /** The hash of the version that each line answers by. */
  readonly lines: Readonly<Record<string, string>>;
  readonly versions: readonly FlowBody[];
}

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

/** The database will not do what was asked: a fault of the request, which the message names. */
export class FlowRefused extends Error {
  override name = "FlowRefused";

  constructor(
    /** 400: the request is at fault. 404: there is no such flow, version or calendar. */
    readonly status: 400 | 404,
    /** The field at fault, as far as there is one. */
    readonly field: string | undefined,
    message: string,
  ) {
    super(message);
  }
}

/** Published flows in the database. Each rejects with `FlowRefused`, or with `DatabaseFailure`. */
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
  saveDraft(owner: Owner, name: string, draft: unknown, by?: string): Promise<void>;
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
  const run = async (name: string, args: Readonly<Record<string, unknown>>) => {
    const { data, error } = await api.rpc(name, args)
      .abortSignal(AbortSignal.timeout(deadlineMs));
    if (error === null) return data;
    const status = { PT400: 400, PT404: 404 }[error.code] as 400 | 404 | undefined;
    if (status !== undefined) {
      throw new FlowRefused(status, error.details || undefined, error.message);
    }
    if (error.code === "23514" && error.message.includes("call_flows_name_form")) {
      throw new FlowRefused(400, "name", 'must be 1 to 64 characters, and not "default"');
    }
    throw new DatabaseFailure(name, error.code);
  };
  return {
    checkFacts: (owner, definition) =>
      run("flow_check_facts", { p_org_id: owner, p_definition: definition }),
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
      }),
    rollback: (owner, name, version, by) =>
      run("rollback_flow", { p_org_id: owner, p_name: name, p_version: version, p_by: by }),
    async override({ owner, name, calendar, state, until, by }) {
      await run("set_override", {
        p_org_id: owner,
        p_name: name,
        p_calendar: calendar,
        p_state: state,
        p_until: until ?? null,
        p_by: by,
      });
    },
    versions: (owner, name) => run("flow_versions", { p_org_id: owner, p_name: name }),
    definition: (owner, name, version) =>
      run("flow_definition", { p_org_id: owner, p_name: name, p_version: version }),
    async saveDraft(owner, name, draft, by) {
      await run("save_flow_draft", { p_org_id: owner, p_name: name, p_draft: draft, p_by: by });
    },
    async storePrompt({ owner, hash, mime, seconds, bytes, by }) {
      await run("store_prompt", {
        p_org_id: owner,
        p_hash: hash,
        p_mime: mime,
        p_seconds: seconds,
        p_bytes: bytes,
        p_by: by,
      });
    },
    body: (account, hash) =>
      run("flow_of_account", { p_account_sid: account ?? null, p_hash: hash }),
    published: () => run("published_flows", {}),
  };
}
