import { join } from "@std/path/join.js";
import { errorCodeOf, untilKnown } from "../../supabase/functions/_shared/db/client.ts";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import type { Delay } from "../../supabase/functions/_shared/runtime.ts";
import { CommandError, git } from "./commands.ts";
import type { Target } from "./target.ts";

/** The commit that each function was last deployed from. */
export type Versions = Readonly<Record<string, string>>;

const EVENTS = [
  "deploy_started",
  "deploy_succeeded",
  "deploy_failed",
  "rollback_succeeded",
  "rollback_failed",
] as const;

/** One entry of the deploy log, in `analytics_events`. */
export interface LogEntry {
  readonly event: (typeof EVENTS)[number];
  /** The intended versions after it. */
  readonly versions: Versions;
  /** The versions before it. */
  readonly previous: Versions;
  /** Functions that `versions` lacks and that could not be deleted. */
  readonly undeleted?: readonly string[];
  /** Why it failed. */
  readonly reason?: string;
}

/** The deploy log of a project, over its Data API. */
export interface DeployLog {
  write(entry: LogEntry): Promise<void>;
  /** The newest entries, newest first. */
  read(): Promise<LogEntry[]>;
}

const DEADLINE_MS = 15_000;

class DataApiError extends Error {
  override name = "DataApiError";

  constructor(status: number, text: string) {
    super(`The Data API answered ${status}: ${text.slice(0, 200)}`);
  }
}

/** @throws {SettingError} without a secret key to write it with; `write` and `read` reject when the project does not answer. */
export function deployLog(
  { projectUrl, secretKey }: Pick<Target, "projectUrl" | "secretKey">,
  wait?: Delay,
): DeployLog {
  if (secretKey === undefined) {
    throw new SettingError(
      "SUPABASE_SECRET_KEYS",
      'must be set: {"default": "sb_secret_..."}, from the project\'s API settings; the deploy log is kept with it',
    );
  }
  const headers = {
    apikey: secretKey,
    "content-type": "application/json",
    ...(secretKey.startsWith("ey") && { authorization: `Bearer ${secretKey}` }),
  };
  const send = (path: string, init: RequestInit): Promise<Response> =>
    fetch(`${projectUrl}/rest/v1/${path}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  const requireOk = async (response: Response): Promise<void> => {
    if (response.ok) return;
    const text = await response.text();
    if (response.status === 401 || response.status === 403) {
      throw new SettingError(
        "SUPABASE_SECRET_KEYS",
        `is refused by ${projectUrl}: its "default" must be the secret key (sb_secret_...) of this project's API settings. A key that was just made or replaced may take minutes to open`,
      );
    }
    throw new DataApiError(response.status, text);
  };
  return {
    async write({ event, ...data }) {
      const severity = event.endsWith("_failed") ? "error" : "info";
      const body = JSON.stringify({
        p_event_type: event,
        p_severity: severity,
        p_event_data: data,
      });
      // The Data API may not have noticed the migrations yet.
      const response = await untilKnown(
        () => send("rpc/record_analytics_event", { method: "POST", body }),
        errorCodeOf,
        wait,
      );
      await requireOk(response);
      await response.body?.cancel();
    },
    async read() {
      const query = new URLSearchParams({
        select: "event_type,event_data",
        event_type: `in.(${EVENTS.join()})`,
        order: "id.desc",
        limit: "50",
      });
      const response = await send(`analytics_events?${query}`, { method: "GET" });
      // Before the first migration there is nothing to read.
      if (await errorCodeOf(response) === "PGRST205") {
        await response.body?.cancel();
        return [];
      }
      await requireOk(response);
      const rows: { event_type: LogEntry["event"]; event_data: Omit<LogEntry, "event"> }[] =
        await response.json();
      return rows.map(({ event_type, event_data }) => ({ event: event_type, ...event_data }));
    },
  };
}

/** The newest version in the log that passed the smoke test; `{}`: none. */
export function servingNow(log: readonly LogEntry[]): Versions {
  const newest = standing(log);
  return (newest !== undefined && failed(newest) ? newest.previous : newest?.versions) ?? {};
}

/** The names of our functions in the project, including leftovers of a failed deploy. */
export function deployedNow(log: readonly LogEntry[]): string[] {
  const since = log.slice(0, log.indexOf(standing(log)!) + 1);
  return [
    ...new Set([
      ...Object.keys(servingNow(log)),
      ...since.flatMap(({ versions, undeleted = [] }) => [...Object.keys(versions), ...undeleted]),
    ]),
  ].sort();
}

/**
 * The target of a rollback: the versions before the deploy of the current ones; after a failed rollback, its target.
 */
export function beforeThat(log: readonly LogEntry[]): Versions {
  const now = servingNow(log);
  const newest = standing(log);
  if (newest?.undeleted?.length) return now;
  if (newest !== undefined && failed(newest) && !same(newest.versions, now)) return now;
  const deploy = log.find(({ event, versions, previous }) =>
    event === "deploy_succeeded" && same(versions, now) && !same(previous, now)
  );
  return deploy?.previous ?? {};
}

/** The entry that describes the current state. A failed rollback is to be run again. */
function standing(log: readonly LogEntry[]): LogEntry | undefined {
  return log.find(({ event }) => event !== "rollback_failed");
}

/** Whether it is a deploy that failed or has no recorded end. */
function failed({ event }: LogEntry): boolean {
  return event === "deploy_failed" || event === "deploy_started";
}

function same(one: Versions, other: Versions): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

function sorted(versions: Versions): [string, string][] {
  return Object.entries(versions).toSorted();
}

/** The functions of each commit, so that each commit is checked out once. */
export function byCommit(versions: Versions): Map<string, string[]> {
  const commits = new Map<string, string[]>();
  for (const [name, commit] of Object.entries(versions).toSorted()) {
    commits.set(commit, [...commits.get(commit) ?? [], name]);
  }
  return commits;
}

/**
 * Runs with the files of a commit in a separate folder, so that only committed files are deployed, and an older version
 * is deployed without touching the working tree.
 */
export async function withCommit<T>(
  root: string,
  commit: string,
  use: (dir: string) => Promise<T>,
): Promise<T> {
  const parent = await Deno.makeTempDir({ prefix: "tradeline-deploy-" });
  const dir = join(parent, "tree");
  try {
    await git(["worktree", "add", "--detach", "--quiet", dir, commit], root).catch((error) => {
      if (!(error instanceof CommandError)) throw error;
      throw new CommandError(
        `Commit ${commit} is not in this clone (git fetch --unshallow brings all of them): ${error.message}`,
      );
    });
    return await use(dir);
  } finally {
    await Deno.remove(parent, { recursive: true });
    // Removes worktrees whose folder is gone.
    await git(["worktree", "prune"], root);
  }
}
