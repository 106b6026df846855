/**
 * `deno task onboard`: gives an organisation a Twilio sub-account and a number, and shows how it goes.
 *
 * @module
 */
import {
  ADDRESS,
  command,
  environment,
  FLAG,
  localUrl,
  type Parsed,
  secretKey,
  TEXT,
  textThat,
  UsageError,
} from "../command.ts";
import { LOCAL_SECRET_KEY } from "../local/defaults.ts";

const HELP = `Give an organisation a number of its own, bound to the hotline.

  npx -y deno@2.9.6 task onboard --org <uuid> --name "Prairie Dental" --country CA --area 587

  --org <uuid>        the organisation
  --name <text>       the business's name
  --country <CA|US>   default CA
  --area <code>       the area code; default any
  --profile <file>    JSON: what callers of this number hear otherwise than on the main line (see README)
  --again <key>       a further number for an organisation that has one; one number a key, however often it is sent

  --url <url>         default http://127.0.0.1:$TRADELINE_API_PORT/functions/v1/telephony-onboard
  --key <key>         the project's secret key; default SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY
                      (environment, then .env), else sb_secret_local
  --json              print the answer as JSON and nothing else
  --help

The same command again tells what came of it and buys nothing.
Exit code 0: it has its number. 1: it has not, and why. 2: an option is wrong.
`;

const OPTIONS = {
  org: textThat(
    "be the organisation's UUID",
    /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
  ),
  name: TEXT,
  country: textThat("be CA or US", /^(CA|US)$/i),
  area: textThat("be an area code of three digits", /^[2-9]\d\d$/),
  profile: TEXT,
  again: TEXT,
  url: ADDRESS,
  key: TEXT,
  json: FLAG,
};

type Options = Parsed<{ options: typeof OPTIONS }>["values"];

async function onboard(options: Options): Promise<number> {
  const env = environment();
  const url = options.url ?? `${localUrl(env)}/functions/v1/telephony-onboard`;
  const key = options.key ?? secretKey(env) ?? LOCAL_SECRET_KEY;
  const body = await requestBody(options);

  const say = (line: string) => options.json || console.log(line);
  say(
    `Onboarding ${body.business_name} (${body.country}${
      body.area_code === undefined ? "" : `, area code ${body.area_code}`
    })`,
  );
  const progress = new Progress(url, key, body.org_id, say);
  let response: Response;
  try {
    response = await fetch(url, {
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
  if (response.ok) {
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
    lines.push("The secret key is not this project's: pass it with --key");
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
  if (answer.undone === true) lines.push("Nothing is left of it.");
  if (wait !== null) lines.push(`Run the same command again in ${wait} s.`);
  return lines;
}

const STEPS: Readonly<Record<string, string>> = {
  subaccount: "sub-account opened",
  number: "number bought",
  bind: "bound to the hotline",
  store: "stored",
};

/** Tells each step once it is done, as `telephony_transactions` has it, while the request is under way. */
class Progress {
  readonly #ended = Promise.withResolvers<void>();
  readonly #told = new Set<string>();
  readonly #watching: Promise<void>;

  constructor(
    private readonly url: string,
    private readonly key: string,
    private readonly orgId: string,
    private readonly say: (line: string) => void,
  ) {
    this.#watching = this.#watch(new Date());
  }

  async stop(): Promise<void> {
    this.#ended.resolve();
    await this.#watching;
  }

  async #watch(since: Date): Promise<void> {
    let ended = false;
    void this.#ended.promise.then(() => ended = true);
    while (!ended) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const pause = new Promise<void>((done) => timer = setTimeout(done, 500));
      // deno-lint-ignore no-await-in-loop -- It polls.
      await Promise.race([pause, this.#ended.promise]);
      clearTimeout(timer);
      // deno-lint-ignore no-await-in-loop
      await this.#look(since).catch(() => {});
    }
  }

  async #look(since: Date): Promise<void> {
    const api = new URL("/rest/v1/telephony_transactions", this.url);
    api.search = String(
      new URLSearchParams({
        org_id: `eq.${this.orgId}`,
        // Clocks may differ a little.
        started_at: `gt.${new Date(since.getTime() - 60_000).toISOString()}`,
        order: "started_at.desc",
        limit: "1",
        select: "steps_completed",
      }),
    );
    const response = await fetch(api, { headers: { apikey: this.key } });
    const rows = await response.json() as {
      steps_completed?: { step: string; state: string }[];
    }[];
    for (const { step, state } of rows[0]?.steps_completed ?? []) {
      const line = state === "done"
        ? STEPS[step]
        : state === "undone"
        ? `undone: ${STEPS[step]}`
        : undefined;
      if (line === undefined || this.#told.has(line)) continue;
      this.#told.add(line);
      this.say(`  ${line}`);
    }
  }
}

interface Body {
  readonly org_id: string;
  readonly business_name: string;
  readonly country: string;
  readonly area_code?: string;
  readonly profile?: unknown;
}

async function requestBody(options: Options): Promise<Body> {
  const { org, name, country, area, profile } = options;
  if (org === undefined) throw new UsageError("--org must be given: the organisation's UUID");
  if (name === undefined) throw new UsageError("--name must be given: the business's name");
  return {
    org_id: org,
    business_name: name,
    country: (country ?? "CA").toUpperCase(),
    ...(area !== undefined && { area_code: area }),
    ...(profile !== undefined && { profile: await readProfile(profile) }),
  };
}

async function readProfile(path: string): Promise<unknown> {
  const text = await Deno.readTextFile(path).catch(() => {
    throw new UsageError(`--profile must be a file that can be read: "${path}"`);
  });
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(`--profile must be a file of JSON: "${path}"`);
  }
}

if (import.meta.main) {
  Deno.exit(
    await command(
      { task: "onboard", help: HELP },
      { args: Deno.args, options: OPTIONS },
      ({ values }) => onboard(values),
    ),
  );
}
