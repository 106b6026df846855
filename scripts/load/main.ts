/**
 * `deno task load`: many callers at once, on different branches of the menu.
 *
 * @module
 */
import {
  ADDRESS,
  command,
  environment,
  FLAG,
  nothingAnswers,
  numberFrom,
  type Parsed,
  projectOf,
} from "../command.ts";
import { LOCAL_AUTH_TOKEN } from "../defaults.ts";
import {
  holds,
  isOverloaded,
  LEAST_SUCCESS,
  type LoadReport,
  type Progress,
  runLoad,
  UnansweredError,
} from "./load.ts";

const HELP = `Put the hotline under load, as Twilio would on a busy day.

  npx -y deno@2.9.6 task load                 1000 calls that begin within 15 s
  npx -y deno@2.9.6 task load --calls 100 --ramp 5

  --calls <n>      how many (default 1000)
  --ramp <s>       seconds over which they begin (default 15)
  --speed <n>      how many times faster than life pauses and conversations pass (default 2)
  --seed <n>       repeats a run: who does what (default: another one each time)
  --url <url>      the functions; default http://127.0.0.1:$TRADELINE_API_PORT/functions/v1
  --json           print the report as JSON and nothing else
  --help

Twilio's token is read from TWILIO_AUTH_TOKEN, the project's secret key from SUPABASE_SECRET_KEYS or
SUPABASE_SERVICE_ROLE_KEY (environment, then .env); on this machine both have a default.
Exit code 0: ${
  LEAST_SUCCESS * 100
} % of the callers got what they came for, and no call is left open. 1: not so, or
nothing answered. 2: an option is wrong.
`;

const OPTIONS = {
  calls: numberFrom(1, true),
  ramp: numberFrom(0),
  speed: numberFrom(0.1),
  seed: numberFrom(0, true),
  url: ADDRESS,
  json: FLAG,
};

type Options = Parsed<{ options: typeof OPTIONS }>["values"];

async function load(options: Options): Promise<number> {
  const calls = Number(options.calls ?? 1000);
  const rampSec = Number(options.ramp ?? 15);
  const speed = Number(options.speed ?? 2);
  const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 31));
  const env = environment();
  const project = projectOf(env, options.url);
  const secretKey = project.key;
  const functionsUrl = `${project.url}/functions/v1`;
  if (!await answers(functionsUrl)) {
    console.error(nothingAnswers(functionsUrl));
    return 1;
  }

  const display = new Display(options.json);
  display.line(
    `${calls} calls to ${functionsUrl} within ${rampSec} s, time ${speed} times as fast, seed ${seed}`,
  );
  const report = await runLoad({
    functionsUrl,
    authToken: env("TWILIO_AUTH_TOKEN") ?? LOCAL_AUTH_TOKEN,
    secretKey,
    calls,
    rampSec,
    speed,
    seed,
    onProgress: (progress) => display.show(progress),
  });
  display.clear();
  console.log(options.json ? JSON.stringify(report, null, 2) : summary(report));
  if (isOverloaded(report)) {
    display.line(
      `This machine is overloaded: timers were ${report.lagMs} ms late, and ${report.loadPerCore} programs wanted ` +
        "each of its cores, so the figures are its own. " +
        "Call fewer (--calls), or more slowly (--ramp, --speed)",
    );
  }
  return holds(report) ? 0 : 1;
}

/** Progress: one changing line on a terminal, otherwise a new line from time to time. */
class Display {
  readonly #silent: boolean;
  readonly #terminal = Deno.stderr.isTerminal();
  #shownAt = -Infinity;

  constructor(silent: boolean) {
    this.#silent = silent;
  }

  line(text: string): void {
    if (!this.#silent) console.error(text);
  }

  show({ calls, begun, over, webhooks }: Progress): void {
    const now = performance.now();
    if (this.#silent || now - this.#shownAt < (this.#terminal ? 200 : 5000)) return;
    this.#shownAt = now;
    const text = `${begun} of ${calls} begun, ${begun - over} going on, ${over} over, ` +
      `${webhooks} webhooks`;
    this.#write(this.#terminal ? `\r\x1b[K${text}` : `${text}\n`);
  }

  clear(): void {
    if (!this.#silent && this.#terminal) this.#write("\r\x1b[K");
  }

  #write(text: string): void {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  }
}

function summary(report: LoadReport): string {
  const { calls, successes, peak, seconds, webhooks, webhooksPerSec, webhookMs, open } = report;
  const ms = Object.entries(webhookMs).map(([name, value]) => `${name} ${Math.round(value)} ms`);
  const rows = [
    ["calls", `${calls} in ${seconds.toFixed(1)} s, at most ${peak} at once`],
    ["success", `${(100 * successes / calls).toFixed(2)} %`],
    ["webhooks", `${webhooks}, ${webhooksPerSec.toFixed(0)} a second`],
    ["webhook", ms.join(", ")],
    ["errors", `${calls - successes}`],
    ...report.errors.slice(0, 10).map(([reason, count]) => ["", `${count} x ${reason}`]),
    ["left open", `${open}`],
  ];
  return rows.map(([name = "", value]) => `${name.padEnd(10)} ${value}`).join("\n");
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(url, { redirect: "manual" }).catch(() => undefined);
  await response?.body?.cancel();
  return response !== undefined;
}

if (import.meta.main) {
  Deno.exit(
    await command(
      { task: "load", help: HELP },
      { args: Deno.args, options: OPTIONS },
      ({ values }) => load(values),
    ).catch((error) => {
      if (!(error instanceof UnansweredError)) throw error;
      console.error(error.message);
      return 1;
    }),
  );
}
