/** `deno task forget`: one person's data, exported or erased everywhere. */
import { dataApi } from "../../supabase/functions/_shared/db/client.ts";
import {
  command,
  type CommandContext,
  environment,
  FLAG,
  localUrl,
  type Parsed,
  secretKey,
  TEXT,
  UsageError,
} from "../command.ts";
import { LOCAL_SECRET_KEY } from "../local/defaults.ts";
import { type TwilioDeletion, twilioDeletion, TwilioDeletionError } from "./twilio.ts";

const HELP = `Erase, or export, everything that is known of one person.

  deno task forget +14165550123 --export person.json     what is known, for the person; changes nothing
  deno task forget +14165550123 --yes                    erases it, here and at Twilio, and prints the receipt
  deno task forget --email jane@example.com --yes
  deno task forget --pending                             deletes at Twilio the recordings whose calls are erased here

  --email    the person's e-mail address, instead of a number or beside it
  --export   a file (-: the output) that gets the data as JSON
  --yes      erase: it cannot be taken back
  --url      the project's address; default SUPABASE_URL, else this machine's
  --key      its secret key; default SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY
  --help

At Twilio it needs TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN; without them recordings stay there, and are listed.
Exit code 0: done. 1: not, or not all of it, and why. 2: wrong usage.`;

interface Receipt {
  readonly receipt: string;
  readonly erased_at: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly open_calls: number;
}

interface QueuedRecording {
  readonly recording_sid: string;
  readonly subaccount_sid: string | null;
}

const CONFIG = {
  allowPositionals: true,
  options: { email: TEXT, export: TEXT, yes: FLAG, pending: FLAG, url: TEXT, key: TEXT },
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
    throw new UsageError("The number must be one, in E.164 form such as +14165550123");
  }
  const names = number !== undefined || values.email !== undefined;
  if (names === values.pending || (names && values.yes === (values.export !== undefined))) {
    throw new UsageError(
      "forget needs a person and either --export or --yes; or --pending alone",
    );
  }

  const url = (values.url ?? env("SUPABASE_URL") ?? localUrl(env)).replace(/\/+$/, "");
  const api = dataApi(url, values.key ?? secretKey(env) ?? LOCAL_SECRET_KEY);
  const call = async <T>(name: string, args: Record<string, unknown>): Promise<T> => {
    const { data, error } = await api.rpc(name, args);
    if (error !== null) throw new Error(`${name} at ${url}: ${error.message || "no answer"}`);
    return data as T;
  };
  const person = { p_number: number ?? null, p_email: values.email ?? null };
  const main = env("TWILIO_ACCOUNT_SID");
  const token = env("TWILIO_AUTH_TOKEN");
  const twilio = main === undefined || token === undefined
    ? undefined
    : twilioDeletion(env("TWILIO_API_URL") ?? "https://api.twilio.com", main, token);

  const deletePending = async (): Promise<boolean> => {
    const { data, error } = await api.from("recordings_to_delete")
      .select("recording_sid,subaccount_sid").order("queued_at");
    if (error !== null) throw new Error(`recordings_to_delete at ${url}: ${error.message}`);
    const queued = data as QueuedRecording[];
    if (twilio === undefined) {
      if (queued.length > 0) {
        print(
          `STILL AT TWILIO, as TWILIO_ACCOUNT_SID or TWILIO_AUTH_TOKEN is not set: ${queued.length} recordings`,
        );
        for (const { recording_sid } of queued) print(`  ${recording_sid}`);
      }
      return queued.length === 0;
    }
    for (const { recording_sid, subaccount_sid } of queued) {
      // deno-lint-ignore no-await-in-loop -- One after the other, as Twilio limits how much at once.
      await twilio.deleteRecording(subaccount_sid ?? main!, recording_sid);
      // deno-lint-ignore no-await-in-loop
      await call("recording_deleted", { p_recording_sid: recording_sid });
    }
    print(`Recordings deleted at Twilio: ${queued.length}`);
    return true;
  };

  try {
    if (values.pending) return await deletePending() ? 0 : 1;
    const known = await call<Record<string, Record<string, unknown>[]>>("export_person", person);
    if (values.export !== undefined) {
      const text = JSON.stringify({ exported_at: new Date().toISOString(), ...known }, null, 2);
      if (values.export === "-") print(text);
      else await Deno.writeTextFile(values.export, `${text}\n`, { mode: 0o600 });
      for (const [kind, rows] of Object.entries(known)) print(`${kind}: ${rows.length}`);
      return 0;
    }

    // Twilio first: once the calls are erased here, nobody knows what to ask for there.
    const there = twilio === undefined
      ? []
      : await callsAtTwilio(twilio, main!, known["calls"] ?? [], await subaccounts(api));
    for (const { account, callSid, recordings } of there) {
      for (const sid of recordings) {
        // deno-lint-ignore no-await-in-loop
        await twilio!.deleteRecording(account, sid);
      }
      // deno-lint-ignore no-await-in-loop
      await twilio!.deleteCall(account, callSid);
    }
    const receipt = await call<Receipt>("forget_person", person);
    const complete = await deletePending();
    print(`\nReceipt ${receipt.receipt}, ${receipt.erased_at}`);
    for (const [table, count] of Object.entries(receipt.counts)) print(`  ${table}: ${count}`);
    const recordings = there.reduce((sum, each) => sum + each.recordings.length, 0);
    print(`  at Twilio: ${there.length} calls, ${recordings} recordings`);
    print("Evidence of consent is kept without the person. Backups forget as they expire.");
    if (receipt.open_calls > 0) {
      print(
        `NOT ERASED: ${receipt.open_calls} calls are going on. Run this again when they are over.`,
      );
    }
    return complete && receipt.open_calls === 0 ? 0 : 1;
  } catch (error) {
    const where = error instanceof TwilioDeletionError
      ? ". Run it again: what is done stays done, and nothing was erased that Twilio still needs to be asked about"
      : "";
    print(`Cannot finish: ${(error as Error).message}${where}`);
    return 1;
  }
}

interface CallAtTwilio {
  readonly account: string;
  readonly callSid: string;
  readonly recordings: readonly string[];
}

async function callsAtTwilio(
  twilio: TwilioDeletion,
  main: string,
  calls: readonly Record<string, unknown>[],
  accounts: ReadonlyMap<string, string>,
): Promise<CallAtTwilio[]> {
  const found: CallAtTwilio[] = [];
  for (const { call_sid, org_id, ended_at } of calls) {
    if (ended_at === null) continue;
    const account = accounts.get(String(org_id)) ?? main;
    const callSid = String(call_sid);
    // deno-lint-ignore no-await-in-loop
    found.push({ account, callSid, recordings: await twilio.recordings(account, callSid) });
  }
  return found;
}

async function subaccounts(api: ReturnType<typeof dataApi>): Promise<Map<string, string>> {
  const { data, error } = await api.from("telephony_subaccounts").select("org_id,subaccount_sid");
  if (error !== null) throw new Error(`telephony_subaccounts: ${error.message}`);
  const rows = data as { org_id: string; subaccount_sid: string }[];
  return new Map(rows.map(({ org_id, subaccount_sid }) => [org_id, subaccount_sid]));
}

if (import.meta.main) {
  Deno.exit(await main(Deno.args, { env: environment(), print: (line) => console.log(line) }));
}
