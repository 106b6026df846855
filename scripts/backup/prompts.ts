// Copies of the prompts' files, which are in Storage and not in the database. A file is named by the SHA-256 of its bytes
// and never changes, so that all backups of a folder share one copy, in its folder `prompts`.

import { createHash } from "node:crypto";
import { join } from "@std/path/join.js";
import { retry } from "@std/async/retry.js";
import { PROMPT_BUCKET, promptUrl } from "../../supabase/functions/_shared/flows/prompt_audio.ts";
import type { Project } from "../command.ts";
import { storeAudio } from "../../supabase/functions/_shared/storage.ts";
import { BackupError, type PromptName } from "./dump.ts";
import { open, write } from "./files.ts";

/** For one file, of 2 MB at most. Milliseconds. */
const DEADLINE_MS = 60_000;

/** What became of the files that a database names. */
export interface Copied {
  /** How many have a copy. */
  readonly copied: number;
  /** Their hashes; Storage does not have them. */
  readonly gone: readonly string[];
  /** Their hashes; Storage did not hand them out. */
  readonly unknown: readonly string[];
  /** Why the first unknown one was not read; undefined: none was requested. */
  readonly reason?: string;
}

/**
 * Copies the files that the folder lacks, or has damaged or under another key.
 *
 * @param backup The backup's file.
 * @param options `key`: `BACKUP_KEY`; `url`: the project's, absent: nothing is fetched; `patienceMs`: before a second
 * attempt; the third waits twice that.
 */
export async function copyPrompts(
  backup: string,
  prompts: readonly PromptName[],
  { key, url, patienceMs = 1000 }: {
    readonly key?: string | undefined;
    readonly url?: string | undefined;
    readonly patienceMs?: number;
  },
): Promise<Copied> {
  const gone: string[] = [];
  const unknown: string[] = [];
  let reason: string | undefined;
  for (const { hash } of prompts) {
    const path = copyOf(backup, hash);
    // deno-lint-ignore no-await-in-loop -- One after the other: there are few, and most are there.
    if (await readCopy(path, hash, key).catch(() => undefined)) continue;
    if (url === undefined) {
      unknown.push(hash);
      continue;
    }
    try {
      // deno-lint-ignore no-await-in-loop
      const bytes = await retry(() => fetched(url, hash), {
        maxAttempts: 3,
        minTimeout: patienceMs,
      });
      if (bytes === undefined) gone.push(hash);
      else {
        // deno-lint-ignore no-await-in-loop
        await Deno.mkdir(join(path, ".."), { recursive: true, mode: 0o700 });
        // deno-lint-ignore no-await-in-loop
        await write(path, key, (out) => out(bytes));
      }
    } catch (error) {
      // `retry` gives the last attempt's reason as the cause.
      reason ??= ((error as Error).cause as Error | undefined ?? error as Error).message;
      unknown.push(hash);
    }
  }
  return {
    copied: prompts.length - gone.length - unknown.length,
    gone,
    unknown,
    ...(reason !== undefined && { reason }),
  };
}

/**
 * Verifies the copies beside a backup by their hashes, and stores them in a project.
 *
 * @returns the hashes that have no copy.
 * @throws {BackupError | SealError | StorageFailure} when a copy is damaged, or Storage refuses it.
 */
export async function restorePrompts(
  backup: string,
  prompts: readonly PromptName[],
  { key, project }: { readonly key: string | undefined; readonly project: Project | undefined },
): Promise<string[]> {
  const missing: string[] = [];
  for (const { hash, mime } of prompts) {
    // deno-lint-ignore no-await-in-loop -- One after the other.
    const bytes = await readCopy(copyOf(backup, hash), hash, key);
    if (bytes === undefined) missing.push(hash);
    // deno-lint-ignore no-await-in-loop
    else if (project !== undefined) await storeAudio(project, hash, mime, bytes);
  }
  return missing;
}

function copyOf(backup: string, hash: string): string {
  return join(backup, "..", PROMPT_BUCKET, hash);
}

/** @returns undefined where there is no copy. */
async function readCopy(path: string, hash: string, key: string | undefined) {
  if (!await Deno.stat(path).then(() => true, () => false)) return undefined;
  const bytes = new Uint8Array(await new Response(await open(path, key)).arrayBuffer());
  if (sha256(bytes) !== hash) throw new BackupError(`${path} is damaged: its name is not its hash`);
  return bytes;
}

/** @returns undefined where Storage has no such file. */
async function fetched(url: string, hash: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const response = await fetch(
    promptUrl({ publicFunctionsUrl: `${url}/functions/v1`, supabaseUrl: url }, hash),
    { signal: AbortSignal.timeout(DEADLINE_MS) },
  );
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (!response.ok) {
    // Storage answers HTTP 400, and tells the status proper in the body.
    if (/"statusCode":\s*"404"/.test(new TextDecoder().decode(bytes)) || response.status === 404) {
      return undefined;
    }
    throw new Error(`Storage answered ${response.status}`);
  }
  if (sha256(bytes) !== hash) throw new Error("Storage answered with other bytes");
  return bytes;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
