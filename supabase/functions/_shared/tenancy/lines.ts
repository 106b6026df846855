import type { AcceptOutcome, Facts } from "../calls/events.ts";
import { MESSAGE_ONLY } from "../flows/builtin.ts";
import type { Shipped } from "../flows/shipped.ts";
import { isBuiltIn, type Version, versionName, withoutAudio } from "../flows/version.ts";
import type { Log } from "../log.ts";

// Which version of a flow answers on which number, as this isolate knows it.

/** One number of ours, and what answers there. */
export interface Line {
  /** Hashes of the versions whose body the database need not send. */
  readonly have: readonly string[];
  /**
   * The version that a URL names. A version that this isolate lacks is read once; an unavailable one is replaced by taking a
   * message. Without a name: the line's current version, as known without the database.
   */
  version(name: string | undefined): Promise<Version>;
  /** The version for a call whose event was just accepted; without an answer from the database, the one known here. */
  answering(outcome: AcceptOutcome): Promise<Version>;
  /** The people of a version's groups as the database has them; while it is away, as it had them last. */
  people(version: Version, outcome: AcceptOutcome): Facts["people"];
}

type Published = NonNullable<Facts["flow"]>;

export interface LinesOptions {
  /** The version whose hash begins so, if the account may use it; rejects where the database does not answer. */
  read(account: string | undefined, hash: string): Promise<Published | null>;
  shipped(): Promise<Shipped>;
  readonly log: Log;
}

export interface Lines {
  /**
   * @param account The sub-account that signed; `undefined`: the main account.
   * @param settled What answers where no flow is published for the line; `undefined`: nothing is known of the account.
   */
  line(
    account: string | undefined,
    number: string | undefined,
    settled: Version | undefined,
  ): Line;
}

/** Versions that an isolate keeps. One of a hundred nodes takes some 200 kB. */
const MOST_VERSIONS = 300;
const MOST_LINES = 10_000;

export function createLines({ read, shipped, log }: LinesOptions): Lines {
  // Immutable, and so kept for good. By account: what one has read, another may not name.
  const versions = new Map<string, { readonly hash: string; readonly version: Version }>();
  /** The hash of what answered last; `null`: no published flow. */
  const pointers = new Map<string, string | null>();
  const people = new Map<string, Facts["people"]>();

  const keyOf = (account: string | undefined, hash: string) =>
    `${account ?? ""} ${versionName(hash)}`;

  const keep = async (
    account: string | undefined,
    { hash, definition, flows = {}, hours, missing_audio = [] }: Published,
  ): Promise<Version | undefined> => {
    // Loaded by the first published flow: where the settings answer, no call waits for the language's schema.
    const { parseFlow } = await import("../flows/parse.ts");
    const { flow, issues } = parseFlow(definition);
    if (flow === undefined || issues.length > 0) {
      // A version that an earlier release let through.
      log("error", { function: "lines", outcome: "flow_not_read", reason: hash });
      return undefined;
    }
    const uses = new Map<string, Version>();
    for (const [name, used] of Object.entries(flows)) {
      // deno-lint-ignore no-await-in-loop -- once an isolate, and hardly ever more than one
      const version = await find(account, used);
      if (version !== undefined) uses.set(name, version);
    }
    const playable = withoutAudio(flow, new Set(missing_audio));
    const version: Version = { name: versionName(hash), flow: playable, uses, hours };
    put(versions, keyOf(account, hash), { hash, version }, MOST_VERSIONS);
    return version;
  };

  /** The version whose hash begins so. */
  const find = async (account: string | undefined, hash: string): Promise<Version | undefined> => {
    const key = keyOf(account, hash);
    const kept = versions.get(key);
    if (kept !== undefined) {
      put(versions, key, kept, MOST_VERSIONS);
      return kept.version;
    }
    let body: Published | null | undefined;
    try {
      body = await read(account, hash);
    } catch (error) {
      const reason = error instanceof Error ? error.name : "unknown";
      log("error", { function: "lines", outcome: "flow_not_answered", reason });
      body = (await shipped()).ofHash(account, hash);
    }
    return body ? await keep(account, body) : undefined;
  };

  return {
    line(account, number, settled) {
      const place = `${account ?? ""} ${number ?? ""}`;
      const pointer = () => number === undefined ? undefined : pointers.get(place);
      const isKept = (hash: string | null | undefined) =>
        typeof hash === "string" && versions.has(keyOf(account, hash));

      /** Without the database. */
      const current = async (): Promise<Version> => {
        const hash = pointer();
        const kept = typeof hash === "string" ? versions.get(keyOf(account, hash)) : undefined;
        if (kept !== undefined) return kept.version;
        const old = hash === null || number === undefined
          ? undefined
          : (await shipped()).ofLine(account, number);
        return (old && await keep(account, old)) ?? settled ?? MESSAGE_ONLY;
      };

      return {
        get have() {
          const hash = pointer();
          return isKept(hash) ? [hash!] : [];
        },
        async version(name) {
          if (name === undefined) return await current();
          if (!isBuiltIn(name)) return await find(account, name) ?? { ...MESSAGE_ONLY, name };
          return settled ?? MESSAGE_ONLY;
        },
        async answering(outcome) {
          if (outcome.kind !== "accepted") return await current();
          const { flow } = outcome.call.facts ?? {};
          if (number !== undefined) put(pointers, place, flow?.hash ?? null, MOST_LINES);
          if (flow === undefined) return settled ?? MESSAGE_ONLY;
          const version = flow.definition === undefined || isKept(flow.hash)
            ? await find(account, flow.hash)
            : await keep(account, flow);
          return version ?? { ...MESSAGE_ONLY, name: versionName(flow.hash) };
        },
        people({ name }, outcome) {
          const key = keyOf(account, name);
          const told = outcome.kind === "accepted" ? outcome.call.facts?.people : undefined;
          if (told !== undefined) put(people, key, told, MOST_VERSIONS);
          return told ?? (outcome.kind === "unavailable" ? people.get(key) : undefined);
        },
      };
    },
  };
}

/** Keeps an entry as the newest, and forgets the oldest where there are too many. */
function put<T>(entries: Map<string, T>, key: string, value: T, most: number): void {
  entries.delete(key);
  entries.set(key, value);
  if (entries.size > most) entries.delete(entries.keys().next().value!);
}
