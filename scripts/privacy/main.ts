/** `deno task forget`: one person's data, exported or erased everywhere. */
import type { PostgrestClient } from "@supabase/postgrest-js";
import * as z from "zod/mini";
import {
  type ArgumentsOf,
  dataApi,
  rpc,
  type SqlFunction,
} from "../../supabase/functions/_shared/db/client.ts";
import { type Jobs, jobs } from "../../supabase/functions/_shared/db/jobs.ts";
import { runJobs, type Work } from "../../supabase/functions/_shared/jobs/run.ts";
import { clock } from "../../supabase/functions/_shared/runtime.ts";
import { deleteErased } from "../../supabase/functions/_shared/twilio/erased.ts";
import {
  ADDRESS,
  command,
  type CommandContext,
  environment,
  FLAG,
  localUrl,
  type Parsed,
  projectOf,
  TEXT,
  textThat,
  twilioAccess,
  UsageError,
} from "../command.ts";
import {
  NOT_COMPLETE,
  twilioClient,
  TwilioError,
} from "../../supabase/functions/_shared/twilio/client.ts";
import {
  type TwilioRecording,
  type TwilioRest,
  twilioRest,
} from "../../supabase/functions/_shared/twilio/rest.ts";

const HELP = `Erase, or export, everything that is known of one person.

  npx -y deno@2.9.6 task forget +14165550123 --export person.json     what is known, for the person; changes nothing
  npx -y deno@2.9.6 task forget +14165550123 --yes                    erases it, here and at Twilio, and prints the receipt
  npx -y deno@2.9.6 task forget --email jane@example.com --yes
  npx -y deno@2.9.6 task forget --pending                             deletes at Twilio what is erased here, and says what is left

  --email    the person's e-mail address, instead of a number or beside it
  --export   a file (-: the output) that gets the data as JSON
  --yes      erase: it cannot be taken back
  --url      the project's address; default SUPABASE_URL, else this machine's
  --help

The project's secret key is read from SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY (environment, then .env).
At Twilio it needs TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN. Without them an export lacks the recordings that only
Twilio knows of, and says so; and nobody who has called is erased, as Twilio's records of the calls have the number.
Exit code 0: done. 1: not, or not all of it, and why. 2: wrong usage.`;

const receiptRow = z.object({
  receipt: z.string(),
  erased_at: z.string(),
  counts: z.record(z.string(), z.number()),
  open_calls: z.number(),
});

/** What Twilio does not delete yet, or cannot be asked for, is tried again by voice-reconcile after so many seconds. */
const TOO_EARLY_SEC = 6 * 3600;
const AWAY_SEC = 60;

const CONFIG = {
  allowPositionals: true,
  options: {
    email: textThat("be an address such as jane@example.com", /^[^@\s]+@[^@\s]+$/),
    export: TEXT,
    yes: FLAG,
    pending: FLAG,
    url: ADDRESS,
  },
} as const;

/** @returns the exit code. */
export function main(args: string[], context: CommandContext): Promise<number> {
  return command(
    { task: "forget", help: HELP, print: context.print },
    { args, ...CONFIG },
    (commandLine) => forget(commandLine, context),
  );
}

async function forget(
  { values, positionals: [number, ...more] }: Parsed<typeof CONFIG>,
  { env, print }: CommandContext,
): Promise<number> {
  if (number !== undefined && !/^\+[1-9]\d{1,14}$/.test(number) || more.length > 0) {
    throw new UsageError(
      "The number must be one, in E.164 form such as +14165550123; an e-mail address follows --email",
    );
  }
  const names = number !== undefined || values.email !== undefined;
  if (names === values.pending || (names && values.yes === (values.export !== undefined))) {
    throw new UsageError(
      "forget needs a person and either --export or --yes; or --pending alone",
    );
  }

  const project = projectOf(env, values.url ?? env("SUPABASE_URL"));
  const records = recordsAt(project.url, project.key);
  const person = { p_number: number ?? null, p_email: values.email ?? null };
  const twilio = twilioOf(env, project.url === localUrl(env));
  try {
    if (values.pending) return await deletePending(records, twilio, print) ? 0 : 1;
    const known = await records.call("export_person", person, knownRows);
    if (values.export !== undefined) {
      return await tell(known, values.export, records, twilio, print) ? 0 : 1;
    }
    return await erase(person, known["calls"] ?? [], records, twilio, print) ? 0 : 1;
  } catch (error) {
    const change = error instanceof TwilioError
      ? ". Nothing was changed by it. Run it again when Twilio answers"
      : "";
    print(`Cannot finish: ${(error as Error).message}${change}`);
    return 1;
  }
}

/** Requests to the database; errors name the request and the address. */
interface Records {
  call<Name extends SqlFunction, Returned>(
    name: Name,
    args: ArgumentsOf<Name>,
    returns: z.ZodMiniType<Returned>,
  ): Promise<Returned>;
  /** The keys of the jobs of a kind, the oldest first. */
  keysOf(kind: string): Promise<string[]>;
  /** The SIDs of all sub-accounts, by organisation. */
  subaccounts(): Promise<Map<string, string>>;
  readonly jobs: Jobs;
}

/** A person's whole history may take the database a while. */
const DATABASE_DEADLINE_MS = 60_000;

const subaccountRows = z.array(z.object({ org_id: z.string(), subaccount_sid: z.string() }));

function recordsAt(url: string, key: string): Records {
  const api = dataApi(url, key);
  const tables: PostgrestClient = api;
  const failed = (what: string, error: { message: string }) =>
    new Error(`${what} at ${url}: ${error.message || "no answer"}`);
  return {
    async call(name, args, returns) {
      const { data, error } = await rpc(api, name, args, DATABASE_DEADLINE_MS);
      if (error !== null) throw failed(name, error);
      return returns.parse(data);
    },
    jobs: jobs(api),
    async keysOf(kind) {
      const { data, error } = await tables.from("jobs").select("key").eq("kind", kind)
        .order("created_at");
      if (error !== null) throw failed("jobs", error);
      return z.array(z.object({ key: z.string() })).parse(data).map((job) => job.key);
    },
    async subaccounts() {
      const { data, error } = await tables.from("telephony_subaccounts")
        .select("org_id,subaccount_sid");
      if (error !== null) throw failed("telephony_subaccounts", error);
      return new Map(subaccountRows.parse(data).map((row) => [row.org_id, row.subaccount_sid]));
    },
  };
}

type Print = CommandContext["print"];

const knownRows = z.record(z.string(), z.array(z.record(z.string(), z.unknown())));
/** A person's data by kind. */
type Known = z.infer<typeof knownRows>;

/** Twilio does not delete the record of a call yet. */
function isTooEarly(error: unknown): boolean {
  return error instanceof TwilioError && error.code === NOT_COMPLETE;
}

const NO_ACCOUNT = "TWILIO_ACCOUNT_SID or TWILIO_AUTH_TOKEN is not set";

/** Deadlines for a command, longer than those of a call. */
const DEADLINE_MS = 15_000;

function twilioOf(env: CommandContext["env"], local: boolean): TwilioRest | undefined {
  const access = twilioAccess(env, local);
  if (access === undefined) return undefined;
  return twilioRest(twilioClient({ ...access, deadlineMs: DEADLINE_MS }), access.accountSid);
}

/** @returns whether the export is complete. */
async function tell(
  known: Known,
  path: string,
  records: Records,
  twilio: TwilioRest | undefined,
  print: Print,
): Promise<boolean> {
  const calls = known["calls"] ?? [];
  if (twilio === undefined) {
    await writeExport(known, path, print);
    if (calls.length === 0) return true;
    print(`NOT ASKED: Twilio, for recordings of ${calls.length} calls, as ${NO_ACCOUNT}`);
    return false;
  }
  const recordings = [];
  for (const { account, callSid, recordings: listed } of await atTwilio(twilio, calls, records)) {
    for (const recording of listed) {
      // deno-lint-ignore no-await-in-loop -- One after the other, as Twilio limits how much at once.
      const transcriptions = await account.transcriptions(recording.sid);
      const url = account.recordingUrl(recording.sid);
      recordings.push({ call_sid: callSid, ...recording, url, transcriptions });
    }
  }
  await writeExport({ ...known, recordings_at_twilio: recordings }, path, print);
  return true;
}

async function writeExport(known: Known, path: string, print: Print): Promise<void> {
  const text = JSON.stringify({ exported_at: new Date().toISOString(), ...known }, null, 2);
  if (path === "-") print(text);
  else await Deno.writeTextFile(path, `${text}\n`, { mode: 0o600 });
  for (const [kind, rows] of Object.entries(known)) print(`${kind}: ${rows.length}`);
}

/** @returns whether nothing is left of the person. */
async function erase(
  person: { readonly p_number: string | null; readonly p_email: string | null },
  calls: NonNullable<Known[string]>,
  records: Records,
  twilio: TwilioRest | undefined,
  print: Print,
): Promise<boolean> {
  if (twilio === undefined && calls.length > 0) {
    print(
      `Cannot erase: Twilio has records of ${calls.length} calls with this number, which only the rows here can find. ` +
        "Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN. Nothing was erased.",
    );
    return false;
  }
  // Twilio first: after the calls are erased here, nothing names their records at Twilio.
  const done = { calls: 0, recordings: 0 };
  let there: CallThere[];
  try {
    there = twilio === undefined ? [] : await eraseAtTwilio(twilio, calls, records, done);
  } catch (error) {
    if (!(error instanceof TwilioError)) throw error;
    print(
      `NOT ERASED: ${error.message}. Already deleted there: ${done.calls} of ${calls.length} calls, ${done.recordings} recordings.\n` +
        "Nothing was erased here, because only these rows find the rest at Twilio. Run it again when Twilio answers.",
    );
    return false;
  }
  const receipt = await records.call("forget_person", person, receiptRow);
  print(`\nReceipt ${receipt.receipt}, ${receipt.erased_at}`);
  for (const [table, count] of Object.entries(receipt.counts)) print(`  ${table}: ${count}`);
  const recordings = there.reduce((sum, each) => sum + each.recordings.length, 0);
  print(`  at Twilio: ${there.length} calls, ${recordings} recordings`);
  if (receipt.open_calls === 0 && Object.values(receipt.counts).every((count) => count === 0)) {
    print("Nothing is known of this person: are the number and the address right?");
  }
  print("Evidence of consent is kept without the person. Backups keep the data until they expire.");
  if (receipt.open_calls > 0) {
    print(
      `NOT ERASED: ${receipt.open_calls} calls are going on. Run this again when they are over.`,
    );
  }
  const meanwhile = (receipt.counts["call_logs"] ?? 0) - there.length;
  if (meanwhile > 0) {
    print(
      `STILL AT TWILIO: the records of ${meanwhile} calls that ended meanwhile. Delete them in Twilio's console, by the number.`,
    );
  }
  const clean = twilio === undefined || await deletePending(records, twilio, print);
  return receipt.open_calls === 0 && meanwhile <= 0 && clean;
}

/** A sub-account by its SID; `null` or `undefined`: the main account. */
function accountOf(twilio: TwilioRest, sid: string | null | undefined): TwilioRest {
  return sid === null || sid === undefined ? twilio : twilio.ofAccount(sid);
}

/** Deletes erased calls and recordings at Twilio. @returns whether nothing is left to delete. */
async function deletePending(
  records: Records,
  twilio: TwilioRest | undefined,
  print: Print,
): Promise<boolean> {
  const kind = "twilio_deletion";
  const left = () => records.keysOf(kind);
  if (twilio === undefined) {
    const queued = await left();
    if (queued.length > 0) {
      print(`STILL AT TWILIO, as ${NO_ACCOUNT}: ${queued.length} recordings and records of calls`);
      for (const key of queued) print(`  ${key}`);
    }
    return queued.length === 0;
  }
  const deleted = { recordings: 0, calls: 0, refused: 0 };
  let away: TwilioError | undefined;
  const work: Work = async (job) => {
    try {
      await deleteErased(twilio, job);
    } catch (error) {
      if (!(error instanceof TwilioError)) throw error;
      const { message } = error;
      if (isTooEarly(error)) {
        deleted.refused++;
        return { kind: "postponed", error: message, seconds: TOO_EARLY_SEC };
      }
      away = error;
      return { kind: "held", error: message, seconds: AWAY_SEC, scope: "all" };
    }
    deleted[job.key.startsWith("RE") ? "recordings" : "calls"]++;
    return { kind: "done" };
  };
  await records.call("hurry_jobs", { p_kind: kind }, z.unknown());
  // One after the other, as Twilio limits how much at once.
  const bounds = { batch: 50, atOnce: 1, most: Infinity, until: Infinity };
  await runJobs("forget", { [kind]: work }, bounds, {
    jobs: records.jobs,
    log: (_level, { reason }) => print(String(reason)),
    now: clock,
  });
  const waiting = (await left()).length;
  if (waiting > deleted.refused) {
    const reason = away === undefined ? "another run is deleting them" : away.message;
    print(
      `STILL AT TWILIO: ${
        waiting - deleted.refused
      } recordings or records of calls: ${reason}. voice-reconcile tries again by itself; npx -y deno@2.9.6 task forget --pending does it at once`,
    );
  }
  if (deleted.refused > 0) {
    print(
      `STILL AT TWILIO: the records of ${deleted.refused} calls or legs, which Twilio refuses to delete as yet (20009, up to 14 days). voice-reconcile deletes them when it can`,
    );
  }
  print(`Deleted at Twilio: ${deleted.recordings} recordings, ${deleted.calls} records of calls`);
  return waiting === 0;
}

/** A call in its account at Twilio. */
interface CallThere {
  readonly account: TwilioRest;
  /** Absent: the main account. */
  readonly accountSid: string | undefined;
  readonly callSid: string;
  /** Including those without a row here. */
  readonly recordings: readonly TwilioRecording[];
}

async function atTwilio(
  twilio: TwilioRest,
  calls: NonNullable<Known[string]>,
  records: Records,
): Promise<CallThere[]> {
  const accounts = await records.subaccounts();
  const there: CallThere[] = [];
  for (const { call_sid, org_id } of calls) {
    const accountSid = accounts.get(String(org_id));
    const account = accountOf(twilio, accountSid);
    const callSid = String(call_sid);
    // deno-lint-ignore no-await-in-loop -- One after the other, as Twilio limits how much at once.
    there.push({ account, accountSid, callSid, recordings: await account.recordings(callSid) });
  }
  return there;
}

/** Deletes the calls that are over, their legs and their recordings. */
async function eraseAtTwilio(
  twilio: TwilioRest,
  calls: NonNullable<Known[string]>,
  records: Records,
  done: { calls: number; recordings: number },
): Promise<CallThere[]> {
  const ended = calls.filter((call) => call["ended_at"] !== null);
  const there = await atTwilio(twilio, ended, records);
  for (const { account, accountSid, callSid, recordings } of there) {
    for (const { sid } of recordings) {
      // deno-lint-ignore no-await-in-loop
      await account.deleteRecording(sid);
      done.recordings++;
    }
    // A leg dialled for the caller has the caller's number as its caller id.
    // deno-lint-ignore no-await-in-loop
    for (const { sid } of [...await account.childCalls(callSid), { sid: callSid }]) {
      try {
        // deno-lint-ignore no-await-in-loop
        await account.deleteCall(sid);
      } catch (error) {
        if (!isTooEarly(error)) throw error;
        // Queued until it is deleted: after the call is erased here, nothing else names it.
        // deno-lint-ignore no-await-in-loop
        await records.call("enqueue_job", {
          p_kind: "twilio_deletion",
          p_key: sid,
          p_payload: { account: accountSid ?? null },
          p_run_at: new Date(Date.now() + TOO_EARLY_SEC * 1000).toISOString(),
        }, z.unknown());
      }
    }
    done.calls++;
  }
  return there;
}

if (import.meta.main) {
  Deno.exit(await main(Deno.args, { env: environment(), print: (line) => console.log(line) }));
}
