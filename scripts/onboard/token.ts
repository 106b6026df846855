/** `deno task token`: stores a sub-account's auth token anew, after it was replaced at Twilio. */
import * as z from "zod/mini";
import { dataApi, run } from "../../supabase/functions/_shared/db/client.ts";
import { tenantDatabase } from "../../supabase/functions/_shared/db/tenants.ts";
import { sealBy } from "../../supabase/functions/_shared/onboarding/seal.ts";
import {
  type TwilioAccess,
  twilioClient,
  TwilioError,
} from "../../supabase/functions/_shared/twilio/client.ts";
import {
  type Provisioning,
  provisioning,
} from "../../supabase/functions/_shared/twilio/provisioning.ts";
import {
  ACCOUNT,
  ADDRESS,
  command,
  type CommandContext,
  environment,
  FLAG,
  type Parsed,
  projectOf,
  UsageError,
} from "../command.ts";

const HELP =
  `Store the auth token of an organisation's sub-account anew, after it was replaced at Twilio.

  npx -y deno@2.9.6 task token --account AC... --url https://YOUR_PROJECT.supabase.co

  --account <sid>   the sub-account: number_provisioning_status shows it
  --stdin           the token is typed, or comes from a pipe. Default: Twilio is asked for it, with TWILIO_ACCOUNT_SID and
                    TWILIO_AUTH_TOKEN of the main account (environment, then .env)
  --url <url>       the project's address; default http://127.0.0.1:$TRADELINE_API_PORT
  --help

The project's secret key is read from SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY (environment, then .env).
The token is tried at Twilio before it is stored. It has to be the primary one: Twilio signs by no other.
Exit code 0: it is stored, and functions use it within a minute. 1: it is not, and why. 2: an option is wrong.
`;

const OPTIONS = { account: ACCOUNT, stdin: FLAG, url: ADDRESS };

const DEADLINE_MS = 10_000;

async function store(
  options: Parsed<{ options: typeof OPTIONS }>["values"],
  { env, print }: CommandContext,
): Promise<number> {
  const { account } = options;
  if (account === undefined) throw new UsageError("--account must be given: the sub-account's SID");
  const project = projectOf(env, options.url);
  const { url } = project;
  const key = project.key;
  const baseUrl = env("TWILIO_API_URL") ?? "https://api.twilio.com";

  try {
    const token = options.stdin ? await typed() : await asked(baseUrl, account, env);
    if (!await opens(baseUrl, account, token)) {
      throw new Error(`Nothing was stored: Twilio refuses this token for ${account}.`);
    }
    const api = dataApi(url, key);
    const vault = await run(api, "has_vault", {}, z.boolean(), DEADLINE_MS);
    await tenantDatabase(api, DEADLINE_MS).keepToken(
      account,
      vault ? { token } : { sealed: await sealBy(key).close(token, account) },
    );
    print(`The auth token of ${account} is stored${vault ? " in Vault" : ", sealed"}.`);
    return 0;
  } catch (error) {
    if (error instanceof UsageError || !(error instanceof Error)) throw error;
    console.error(explained(error.message, account, url));
    return 1;
  }
}

async function typed(): Promise<string> {
  const token = (await new Response(Deno.stdin.readable).text()).trim();
  if (!/^[\x21-\x7e]{8,}$/.test(token)) {
    throw new UsageError("--stdin needs exactly one auth token on standard input");
  }
  return token;
}

async function asked(
  baseUrl: string,
  account: string,
  env: CommandContext["env"],
): Promise<string> {
  const [accountSid, authToken] = [env("TWILIO_ACCOUNT_SID"), env("TWILIO_AUTH_TOKEN")];
  if (accountSid === undefined || authToken === undefined) {
    throw new UsageError(
      "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN must be set, to ask Twilio; or give the token with --stdin",
    );
  }
  try {
    const token = await accountsBy({ baseUrl, accountSid, authToken }).authToken(account);
    if (token !== undefined) return token;
  } catch (error) {
    if (!(error instanceof TwilioError)) throw error;
    throw new Error(
      `Nothing was stored: ${error.message}. Copy the token from Twilio's console (the sub-account, API keys & tokens) and give it with --stdin.`,
    );
  }
  throw new Error(`Nothing was stored: ${accountSid} has no sub-account ${account} at Twilio.`);
}

/** Whether Twilio accepts the token for the account. */
async function opens(baseUrl: string, accountSid: string, authToken: string): Promise<boolean> {
  try {
    return await accountsBy({ baseUrl, accountSid, authToken }).account(accountSid) !== undefined;
  } catch (error) {
    if (error instanceof TwilioError && error.kind === "refused") return false;
    throw error;
  }
}

function accountsBy(access: TwilioAccess): Provisioning {
  return provisioning(twilioClient({ ...access, deadlineMs: DEADLINE_MS }), access.accountSid);
}

function explained(message: string, account: string, url: string): string {
  if (/answered 23503/.test(message)) {
    return `Nothing was stored: ${account} was not onboarded at ${url}.`;
  }
  return message.startsWith("Nothing was stored")
    ? message
    : `Nothing was stored: ${message}. Is ${url} the project, and SUPABASE_SECRET_KEYS its own?`;
}

if (import.meta.main) {
  Deno.exit(
    await command(
      { task: "token", help: HELP },
      { args: Deno.args, options: OPTIONS },
      ({ values }) => store(values, { env: environment(), print: (line) => console.log(line) }),
    ),
  );
}
