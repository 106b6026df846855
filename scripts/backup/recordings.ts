// The recordings that a backup refers to, with their checksums, in the form that `sha256sum --check` reads. The audio
// stays at Twilio; the list verifies any copy of it.

import { createHash } from "node:crypto";
import { join } from "@std/path/join.js";
import { pooledMap } from "@std/async/pool.js";
import { retry } from "@std/async/retry.js";
import { type TwilioAccess, twilioClient } from "../../supabase/functions/_shared/twilio/client.ts";
import { BackupError, type RecordingName } from "./dump.ts";
import { LIST_NAME, open, write } from "./files.ts";

/** A SHA-256 in hexadecimal digits; or why there is none: deleted at Twilio, or not fetched. */
export type Checksum = string;
const GONE = "# gone from Twilio";
const UNKNOWN = "# not fetched";
const LINE = /^([0-9a-f]{64}|# gone from Twilio|# not fetched) {2}(RE[0-9a-fA-F]{32})\.wav$/;

/** By recording SID. */
export type RecordingList = ReadonlyMap<string, Checksum>;

/** The result of listing them. */
export interface Listed {
  readonly list: RecordingList;
  /** How many were fetched now; the others come from an earlier list. */
  readonly fetched: number;
  readonly gone: readonly string[];
  readonly unknown: readonly string[];
  /** Why the first unknown one could not be fetched; undefined: none was requested. */
  readonly reason?: string;
}

/** @returns the checksum; undefined where Twilio has no such recording (any more). Rejects when Twilio does not answer. */
export type FetchChecksum = (recording: RecordingName) => Promise<string | undefined>;

/** For one recording, with its audio. Milliseconds. */
const DEADLINE_MS = 60_000;

/**
 * Fetches the original recordings (WAV) and keeps only their checksums.
 *
 * @param access The main account's, whose credentials open its sub-accounts too.
 */
export function checksumsAt(access: TwilioAccess): FetchChecksum {
  const client = twilioClient(access);
  return async ({ recording_sid, account_sid }) => {
    const recording = `/Accounts/${account_sid ?? access.accountSid}/Recordings/${recording_sid}`;
    const audio = await client.media(recording, AbortSignal.timeout(DEADLINE_MS));
    if (audio === undefined) return undefined;
    const hash = createHash("sha256");
    for await (const chunk of audio) hash.update(chunk);
    return hash.digest("hex");
  };
}

/** How many are fetched at once; Twilio answers 429 to more. */
const AT_ONCE = 4;

/**
 * Writes the list of a backup's recordings beside the backup. Recordings in the folder's newest list are not fetched
 * again, because a recording never changes.
 *
 * @param backup The backup's file.
 * @param options `key`: `BACKUP_KEY`; `checksum`: absent: nothing is fetched; `patienceMs`: before a second attempt; the
 * third waits twice that.
 */
export async function listRecordings(
  backup: string,
  recordings: readonly RecordingName[],
  { key, checksum, patienceMs = 1000 }: {
    readonly key?: string | undefined;
    readonly checksum?: FetchChecksum | undefined;
    readonly patienceMs?: number;
  },
): Promise<Listed> {
  const known = await newestList(join(backup, ".."), key);
  const list = new Map(recordings.map(({ recording_sid }) => [recording_sid, UNKNOWN]));
  for (const [sid, sum] of known) if (list.has(sid)) list.set(sid, sum);

  let fetched = 0;
  let reason: string | undefined;
  if (checksum !== undefined) {
    const wanted = recordings.filter(({ recording_sid }) =>
      list.get(recording_sid)!.startsWith("#")
    );
    const asked = pooledMap(AT_ONCE, wanted, async (recording: RecordingName) => {
      try {
        const sum = await retry(() => checksum(recording), {
          maxAttempts: 3,
          minTimeout: patienceMs,
        });
        list.set(recording.recording_sid, sum ?? GONE);
        if (sum !== undefined) fetched++;
      } catch (error) {
        // `retry` gives the last attempt's reason as the cause.
        reason ??= ((error as Error).cause as Error).message;
      }
    });
    for await (const _ of asked);
  }
  const lines = [...list].map(([sid, sum]) => `${sum}  ${sid}.wav\n`);
  await write(listOf(backup), key, (out) => out(new TextEncoder().encode(lines.join(""))));
  const those = (sum: string) => [...list].filter((each) => each[1] === sum).map(([sid]) => sid);
  return {
    list,
    fetched,
    gone: those(GONE),
    unknown: those(UNKNOWN),
    ...(reason !== undefined && { reason }),
  };
}

/** Where the list of a backup's recordings is. */
function listOf(backup: string): string {
  return `${backup.replace(/\.backup$/, "")}.recordings`;
}

/**
 * The list beside a backup, after its checksum was verified.
 *
 * @returns undefined where there is none.
 * @throws {BackupError | SealError} when it is damaged, or the key does not open it.
 */
export async function readList(
  backup: string,
  key: string | undefined,
): Promise<RecordingList | undefined> {
  const path = listOf(backup);
  const there = await Deno.stat(path).then(() => true, () => false);
  return there ? await read(path, key) : undefined;
}

async function read(path: string, key: string | undefined): Promise<RecordingList> {
  const text = await new Response(await open(path, key)).text();
  return new Map(
    text.split("\n").filter((line) => line !== "").map((line) => {
      const [, sum, sid] = LINE.exec(line) ?? [];
      if (sum === undefined || sid === undefined) {
        throw new BackupError(`${path} is damaged: ${line.slice(0, 80)}`);
      }
      return [sid, sum];
    }),
  );
}

/** The newest list that is complete; empty when there is none. */
async function newestList(dir: string, key: string | undefined): Promise<RecordingList> {
  const lists: string[] = [];
  for await (const { name } of Deno.readDir(dir)) {
    if (LIST_NAME.test(name)) lists.push(join(dir, name));
  }
  for (const path of lists.toSorted().reverse()) {
    // deno-lint-ignore no-await-in-loop -- The newest that is whole.
    const list = await read(path, key).catch(() => undefined);
    if (list !== undefined) return list;
  }
  return new Map();
}
