import { join } from "@std/path/join.js";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { CommandError, git } from "./commands.ts";
import type { Target } from "./target.ts";

/** Which commit each function was last deployed from. */
export type Versions = Readonly<Record<string, string>>;

/** One row of the deploy log, which is kept in `analytics_events`. */
export interface LogEntry {
  readonly event: "deploy_succeeded" | "deploy_failed" | "rollback_succeeded" | "rollback_failed";
  /** What serves after it. */
  readonly versions: Versions;
  /** What served before it. */
  readonly previous: Versions;
  /** Why it failed. */
  readonly reason?: string;
}

/** The deploy log of a project, over its Data API. */
export interface DeployLog {
  write(entry: LogEntry): Promise<void>;
  /** The newest entries that changed what serves, newest first. */
  read(): Promise<LogEntry[]>;
}

const DEADLINE_MS = 15_000;

/** @throws {SettingError} when there is no secret key to write it with; `write` and `read` reject when nobody answers. */
export function deployLog({ projectUrl, secretKey }: Target): DeployLog {
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
  const ask = async (path: string, init: RequestInit): Promise<Response> => {
    const response = await fetch(`${projectUrl}/rest/v1/${path}`, {
      ...init,
      headers,
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    if (response.ok) return response;
    const text = await response.text();
    throw new Error(`The Data API answered ${response.status}: ${text.slice(0, 200)}`);
  };
  return {
    async write({ event, ...data }) {
      const severity = event.endsWith("_failed") ? "error" : "info";
      const response = await ask("rpc/record_analytics_event", {
        method: "POST",
        body: JSON.stringify({ p_event_type: event, p_severity: severity, p_event_data: data }),
      });
      await response.body?.cancel();
    },
    async read() {
      const query = new URLSearchParams({
        select: "event_type,event_data",
        event_type: "in.(deploy_succeeded,rollback_succeeded)",
        order: "id.desc",
        limit: "50",
      });
      const response = await ask(`analytics_events?${query}`, { method: "GET" });
      const rows: { event_type: LogEntry["event"]; event_data: Omit<LogEntry, "event"> }[] =
        await response.json();
      return rows.map(({ event_type, event_data }) => ({ event: event_type, ...event_data }));
    },
  };
}

/** What serves now, as far as the log knows; `{}`: nothing was ever deployed by it. */
export function servingNow(log: readonly LogEntry[]): Versions {
  return log[0]?.versions ?? {};
}

/** What a rollback goes back to: what served before the deploy that brought what serves now. */
export function beforeThat(log: readonly LogEntry[]): Versions {
  const now = JSON.stringify(sorted(servingNow(log)));
  const deploy = log.find((entry) =>
    entry.event === "deploy_succeeded" && JSON.stringify(sorted(entry.versions)) === now &&
    JSON.stringify(sorted(entry.previous)) !== now
  );
  return deploy?.previous ?? {};
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
 * Does something with the files of a commit, in a folder of its own: what is deployed is what was committed, and
 * an older version is deployed without touching the files that somebody works on.
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
    // Forgets the worktrees whose folder is gone.
    await git(["worktree", "prune"], root);
  }
}
