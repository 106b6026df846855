/**
 * `deno task onboard`: gives an organisation a Twilio sub-account and a number, or takes them back, and shows each step.
 *
 * @module
 */
import { delay } from "@std/async/delay.js";
import { retry } from "@std/async/retry.js";
import {
  ADDRESS,
  command,
  environment,
  FLAG,
  type Parsed,
  projectOf,
  TEXT,
  textThat,
  UsageError,
} from "../command.ts";

const HELP = `Give an organisation a number of its own, bound to the hotline.

  npx -y deno@2.9.6 task onboard --org <uuid> --name "Prairie Dental" --country CA --area 587
  npx -y deno@2.9.6 task onboard --release <uuid>

  --org <uuid>        the organisation
  --name <text>       the business's name
  --country <CA|US>   default CA
  --area <code>       the area code; default any
  --flow <name>       the organisation's published flow that answers; default: as the settings say, in its name
  --again <key>       a further number for an organisation that has one; one number a key, however often it is sent

  --release <uuid>    instead: the organisation's numbers are released and its sub-account is closed, for good.
                      Its calls and their records stay. It can be onboarded anew.

  --url <url>         the project's address; default http://127.0.0.1:$TRADELINE_API_PORT
  --json              print the answer as JSON and nothing else
  --help

The project's secret key is read from SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY (environment, then .env).
The same command again tells what came of it and buys nothing.
Exit code 0: it has its number, or is released. 1: it has not, or is not, and why. 2: an option is wrong.
`;

const ORGANISATION = textThat(
  "be the organisation's UUID",
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
);

const OPTIONS = {
  org: ORGANISATION,
  name: TEXT,
  country: textThat("be CA or US", /^(CA|US)$/i),
  area: textThat("be an area code of three digits", /^[2-9]\d\d$/),
  flow: TEXT,
  again: TEXT,
  release: ORGANISATION,
  url: ADDRESS,
  json: FLAG,
};

/** Options that make no sense with --release. They are refused, because a release cannot be undone. */
const ONBOARDING = ["org", "name", "country", "area", "flow", "again"];

type Options = Parsed<{ options: typeof OPTIONS }>["values"];

async function onboard(options: Options): Promise<number> {
  const env = environment();
  const project = projectOf(env, options.url);
  const url = `${project.url}/functions/v1/telephony-onboard`;
  const key = project.key;
  const say = (line: string) => options.json || console.log(line);
  const { release } = options;
  const body = release === undefined ? requestBody(options) : undefined;
  say(
    body === undefined
      ? `Releasing organisation ${release}`
      : `Onboarding ${body.business_name} (${body.country}${
        body.area_code === undefined ? "" : `, area code ${body.area_code}`
      })`,
  );
  const progress = await watchProgress(url, key, body?.org_id ?? release!, say);
  let response: Response;
  try {
    response = body === undefined
      ? await fetch(`${url}?${new URLSearchParams({ org_id: release! })}`, {
        method: "DELETE",
        headers: { apikey: key },
      })
      : await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          apikey: key,
          ...(options.again !== undefined && { "idempotency-key": options.again }),
        },
        body: JSON.stringify(body),
      });
  } catch {
    console.error(
      `Nothing answers at ${url}: run \`npx -y deno@2.9.6 task start\` first, or pass the project's address with --url`,
    );
    return 1;
  } finally {
    await progress.stop();
  }
  const answer = await response.json().catch(() => ({})) as Record<string, unknown>;
  if (options.json) console.log(JSON.stringify(answer, null, 2));
  const replayed = response.headers.has("idempotent-replayed");
  if (response.ok && body === undefined) {
    say(
      replayed ? "  already released by an earlier request:" : "  released, and closed for good:",
    );
    for (const number of answer.phone_numbers as string[]) say(`  number           ${number}`);
    say(`  sub-account      ${answer.subaccount_sid}`);
    return 0;
  }
  if (response.ok) {
    if (replayed) say("  nothing was bought: the organisation already has its number:");
    say(`  number           ${answer.phone_number}`);
    say(`  sub-account      ${answer.subaccount_sid}`);
    say(`  voice URL        ${answer.voice_url}`);
    say(`  status callback  ${answer.status_callback}`);
    return 0;
  }
  for (const line of explain(response, answer)) console.error(line);
  return 1;
}

/** What went wrong, in words. */
function explain(response: Response, answer: Record<string, unknown>): string[] {
  const lines: string[] = [];
  const wait = response.headers.get("retry-after");
  const message = typeof answer.message === "string" ? answer.message : undefined;
  if (response.status === 401) {
    lines.push("SUPABASE_SECRET_KEYS is not this project's");
  } else if (response.status === 400) {
    lines.push("The request is not valid:");
    for (const issue of answer.issues as { field: string; message: string }[] ?? []) {
      lines.push(`  ${issue.field} ${issue.message}`);
    }
  } else {
    lines.push(message ?? `It failed: the function answered ${response.status}`);
  }
  for (
    const { area_code, locality, region } of answer.alternatives as Record<string, string>[] ?? []
  ) {
    lines.push(`  --area ${area_code}  ${[locality, region].filter(Boolean).join(", ")}`);
  }
  if (message?.includes("Idempotency-Key")) lines.push("Here that is --again with a new key.");
  if (answer.undone === true) lines.push("Nothing is left of it.");
  if (wait !== null) lines.push(`Run the same command again in ${wait} s.`);
  return lines;
}

/** A step of a transaction, as `telephony_transactions` has it. */
interface Step {
  readonly step: string;
  readonly state: string;
  readonly undo: string | null;
  readonly subaccount_sid?: string;
  readonly number?: string;
  readonly number_sid?: string;
}

interface Transaction {
  readonly id: string;
  readonly transaction_type: string;
  readonly steps_completed: readonly Step[];
}

/** The step in words; `undefined` for a step without effect. */
function done(transaction: Transaction, step: Step): string | undefined {
  if (step.state === "undone") {
    // A step that was undone before it was done had no effect.
    if (step.subaccount_sid !== undefined) return "sub-account closed";
    return step.number_sid === undefined ? undefined : "number released";
  }
  if (step.state !== "done" || transaction.transaction_type === "release") return undefined;
  switch (step.step) {
    case "subaccount":
      return step.undo === null ? "sub-account found" : "sub-account opened";
    case "number":
      return "number bought";
    case "bind":
      return "bound to the hotline";
    case "store":
      return "stored";
  }
}

/** Prints each finished step of an organisation's newest transaction, until it is stopped. */
async function watchProgress(
  url: string,
  key: string,
  orgId: string,
  say: (line: string) => void,
): Promise<{ stop(): Promise<void> }> {
  const newest = async (): Promise<Transaction | undefined> => {
    const api = new URL("/rest/v1/telephony_transactions", url);
    api.search = String(
      new URLSearchParams({
        org_id: `eq.${orgId}`,
        order: "started_at.desc",
        limit: "1",
        select: "id,transaction_type,steps_completed",
      }),
    );
    const response = await fetch(api, { headers: { apikey: key } });
    const rows = await response.json();
    if (!Array.isArray(rows)) throw new Error(`The Data API answered ${response.status}`);
    return rows[0];
  };
  const linesOf = (transaction: Transaction | undefined): string[] => {
    const steps = transaction?.steps_completed ?? [];
    const undone = steps.filter(({ state }) => state === "undone").toReversed();
    return [...steps.filter(({ state }) => state !== "undone"), ...undone]
      .flatMap((step) => done(transaction!, step) ?? []);
  };
  // Steps from before this run are not printed again.
  const before = await newest().catch(() => undefined);
  const told = new Map([[before?.id, linesOf(before)]]);
  const look = async () => {
    const now = await newest();
    const lines = linesOf(now);
    const known = [...told.get(now?.id) ?? []];
    for (const line of lines) {
      const at = known.indexOf(line);
      if (at < 0) say(`  ${line}`);
      else known.splice(at, 1);
    }
    told.set(now?.id, lines);
  };

  const ended = new AbortController();
  const watching = (async () => {
    while (!ended.signal.aborted) {
      // deno-lint-ignore no-await-in-loop -- It polls.
      await delay(500, { signal: ended.signal }).catch(() => {});
      // deno-lint-ignore no-await-in-loop
      if (!ended.signal.aborted) await look().catch(() => {});
    }
  })();
  return {
    async stop() {
      ended.abort();
      await watching;
      // How it ended is worth more than one attempt. The answer says it too.
      await retry(look, { maxAttempts: 3, minTimeout: 200 }).catch(() => {});
    },
  };
}

interface Body {
  readonly org_id: string;
  readonly business_name: string;
  readonly country: string;
  readonly area_code?: string;
  readonly flow?: string;
}

function requestBody(options: Options): Body {
  const { org, name, country, area, flow } = options;
  if (org === undefined) throw new UsageError("--org must be given: the organisation's UUID");
  if (name === undefined) throw new UsageError("--name must be given: the business's name");
  return {
    org_id: org,
    business_name: name,
    country: (country ?? "CA").toUpperCase(),
    ...(area !== undefined && { area_code: area }),
    ...(flow !== undefined && { flow }),
  };
}

if (import.meta.main) {
  Deno.exit(
    await command(
      { task: "onboard", help: HELP },
      { args: Deno.args, options: OPTIONS, either: ONBOARDING.map((name) => ["release", name]) },
      ({ values }) => onboard(values),
    ),
  );
}
