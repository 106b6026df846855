/**
 * `deno task phone`: rings the hotline from this terminal, by hand or by script.
 *
 * @module
 */
import {
  ACCOUNT,
  ADDRESS,
  command,
  dataDirOf,
  E164,
  type Environment,
  environment,
  FLAG,
  localUrl,
  nothingAnswers,
  numberFrom,
  type Parsed,
  projectOf,
  TEXT,
  textThat,
  UsageError,
} from "../command.ts";
import { type LocalLine, localLines } from "./lines.ts";
import { LOCAL_ACCOUNT_SID, LOCAL_AUTH_TOKEN, LOCAL_SECRET_KEY } from "../defaults.ts";
import type { Answer, Caller, DialScript, Script } from "./caller.ts";
import { realClock, VirtualClock } from "./clock.ts";
import { join } from "./joined.ts";
import { Simulator } from "./simulator.ts";
import {
  eventLine,
  interactive,
  Lines,
  message,
  paint,
  summary,
  webhookLines,
} from "./terminal.ts";

const HELP = `Ring the hotline from this terminal, as Twilio would.

  npx -y deno@2.9.6 task phone                         type keys or words as you listen
  npx -y deno@2.9.6 task phone --keys 1                press 1 at the first menu
  npx -y deno@2.9.6 task phone --say "no recording" --keys 2
  npx -y deno@2.9.6 task phone --keys 1 --dial no-answer --message "Please call me back"

The caller (any of these makes it a scripted call; without: you are asked)
  --keys <keys>           keys, one gather after the other: 1 or "*,1" (nothing between commas: silence)
  --say <words>           words for the next gather; --keys and --say are used in the order given
  --dial <outcome>        answered, busy, no-answer, failed or canceled (default answered)
  --talk <seconds>        length of the conversation (default 20)
  --message <text>        what is said on the voicemail (default: 8 s, then hangs up)
  --hangup-after <s>      hang up so many seconds after the call began
  --from <number>         default +14035550123; "anonymous" withholds it
  --to <number>           default +15874059000; a number that \`task onboard\` gave rings that organisation's line

The line
  --url <url>             default http://127.0.0.1:$TRADELINE_API_PORT/functions/v1/voice-frontdoor
  --account <sid>         an onboarded organisation's sub-account, if TWILIO_AUTH_TOKEN is its token

Beside the telephones of \`task start\` (in real time: needed for queues, people and calls back)
  --join                  the call meets the web phone's telephones, and those of other terminals
  --as <who>              be the telephone of a person of \`task people\`, or of a number, and wait for calls;
                          --keys, --talk and --dial say what it does, without them you are asked. A star among
                          the keys is pressed while talking, to transfer: --keys "1,*12"
  --calls <n>             with --as: end after so many calls

Time and output
  --real-time             pauses and ringing take as long as on a real call
  --fast                  they take no time (the default)
  --webhooks              show each request with its status, time and TwiML
  --json                  print the whole call as JSON and nothing else
  --help

Interactive: keys 0-9 * #, or words, then Enter. Enter alone stays silent, h or Ctrl-C hangs up.
Exit code 0: the caller was served. 1: nothing answered, or the caller heard an application error.
2: an option is wrong.
`;

const OUTCOMES = ["answered", "busy", "no-answer", "failed", "canceled"] as const;

function isOutcome(value: string): value is typeof OUTCOMES[number] {
  return (OUTCOMES as readonly string[]).includes(value);
}

const OPTIONS = {
  keys: textThat("be keys 0-9, * and #, with commas between gathers", /^[0-9*#, ]+$/),
  say: { ...TEXT, multiple: true },
  dial: textThat(`be one of ${OUTCOMES.join(", ")}`, isOutcome),
  talk: numberFrom(0),
  message: TEXT,
  "hangup-after": numberFrom(0),
  from: textThat(
    "be a number such as +14035550123, or anonymous",
    (value) => /^(anonymous|unknown|restricted|client:.+|sip:.+)$/i.test(value) || E164.is(value),
  ),
  to: E164,
  url: ADDRESS,
  account: ACCOUNT,
  join: FLAG,
  as: textThat(
    "be a person's handle, or a number such as +14035550110",
    (value) => /^[a-z][a-z0-9_]{0,31}$/.test(value) || E164.is(value),
  ),
  calls: numberFrom(1, true),
  "real-time": FLAG,
  fast: FLAG,
  webhooks: FLAG,
  json: FLAG,
} as const;

type CommandLine = Parsed<{ tokens: true; options: typeof OPTIONS }>;

async function ring(commandLine: CommandLine): Promise<number> {
  const options = commandLine.values;
  const script = readScript(commandLine);
  const env = environment();
  if (options.join || options.as !== undefined) return await joined(options, script, env);
  const voiceUrl = options.url ?? `${localUrl(env)}/functions/v1/voice-frontdoor`;
  if (!await somethingListens(voiceUrl)) {
    console.error(nothingAnswers(voiceUrl));
    return 1;
  }

  const line = await onboarded(options, env);
  const simulator = new Simulator({
    voiceUrl,
    statusCallback: new URL("voice-status#rc=4&rp=5xx,ct,rt", voiceUrl).href,
    authToken: line?.authToken ?? env("TWILIO_AUTH_TOKEN") ?? LOCAL_AUTH_TOKEN,
    accountSid: options.account ?? line?.accountSid ?? env("TWILIO_ACCOUNT_SID") ??
      LOCAL_ACCOUNT_SID,
    ...(options["real-time"]
      ? { clock: realClock() }
      : { clock: new VirtualClock(), timestamps: true }),
  });
  const colours = paint(Deno.stdout.isTerminal() && !Deno.noColor);
  const show = (line: string | undefined) => {
    if (line !== undefined && !options.json) console.log(line);
  };
  const call = simulator.place({
    ...(options.from !== undefined && { from: options.from }),
    ...(options.to !== undefined && { to: options.to }),
    ...caller(script, (question) => show(colours.dim(`        ?  ${question}`))),
    onEvent: (event) => show(eventLine(event, colours)),
    onWebhook: (webhook) => options.webhooks && show(webhookLines(webhook, colours)),
  });
  const hangUp = () => call.hangUp();
  Deno.addSignalListener("SIGINT", hangUp);
  show(`Calling ${call.record.to} from ${call.record.from}`);
  const record = await call.done;
  await simulator.settle();
  Deno.removeSignalListener("SIGINT", hangUp);

  if (options.json) console.log(JSON.stringify(record, null, 2));
  show(summary(record));
  const unauthorized = record.webhooks.find(({ status }) => status === 401 || status === 403);
  if (unauthorized) {
    console.error(
      `${unauthorized.url} refused the signature: set TWILIO_AUTH_TOKEN to the line's, in the environment or in .env`,
    );
  }
  if (record.all("queued").length > 0) {
    show("This call held alone: with --join it meets the people whom task start rings.");
  }
  show(colours.dim(`Its row: ${rowCommand(voiceUrl, record.callSid)}`));
  return record.applicationError ? 1 : 0;
}

/** A telephone of `task start`. */
async function joined(
  options: CommandLine["values"],
  script: Script | undefined,
  env: Environment,
): Promise<number> {
  const url = `http://127.0.0.1:${env("TRADELINE_UI_PORT") ?? "54323"}`;
  if (!await somethingListens(url)) {
    console.error(nothingAnswers(url));
    return 1;
  }
  const ended = new AbortController();
  const end = () => ended.abort();
  Deno.addSignalListener("SIGINT", end);
  Deno.addSignalListener("SIGTERM", end);
  try {
    const served = await join({
      url,
      errand: options.as === undefined
        ? { call: { from: options.from ?? "+14035550123", to: options.to ?? "+15874059000" } }
        : {
          as: options.as.startsWith("+") ? options.as : await phoneOf(options.as, env),
          calls: Number(options.calls ?? Infinity),
        },
      script,
      paint: paint(Deno.stdout.isTerminal() && !Deno.noColor),
      print: (line) => console.log(line),
      webhooks: options.webhooks,
      signal: ended.signal,
    });
    return served ? 0 : 1;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 1;
  }
}

/** The number of a person of the main account. */
async function phoneOf(handle: string, env: Environment): Promise<string> {
  const { url, key } = projectOf(env);
  const query = `handle=eq.${handle}&org_id=is.null&select=phone`;
  const response = await fetch(`${url}/rest/v1/people?${query}`, { headers: { apikey: key } });
  const [person] = response.ok ? await response.json() : [];
  if (person !== undefined) return person.phone;
  throw new UsageError(`--as must be a person of \`task people list\`: "${handle}"`);
}

/** The line of this machine's stand-in for Twilio that is rung, where an organisation was given it. */
async function onboarded(
  { to, url, account }: CommandLine["values"],
  env: Environment,
): Promise<LocalLine | undefined> {
  if (url !== undefined || account !== undefined) return undefined;
  if (to === undefined || env("TWILIO_ACCOUNT_SID") !== undefined) return undefined;
  const lines = await localLines(dataDirOf(env));
  return lines.find(({ number }) => number === to);
}

function caller(
  script: Script | undefined,
  prompt: (question: string) => void,
): { script: Script } | { caller: Caller } {
  return script ? { script } : { caller: interactive(new Lines(), prompt) };
}

function rowCommand(voiceUrl: string, callSid: string): string {
  const { origin } = new URL(voiceUrl);
  return `curl "${origin}/rest/v1/call_logs?call_sid=eq.${callSid}" -H "apikey: ${LOCAL_SECRET_KEY}"`;
}

/** The script of the caller; undefined: a person is asked. */
function readScript({ values, tokens }: CommandLine): Script | undefined {
  const answers = tokens.flatMap((token): Answer[] => {
    if (token.kind !== "option" || token.value === undefined) return [];
    if (token.name === "keys") return token.value.split(",").map((keys) => keys.trim());
    return token.name === "say" ? [{ speech: token.value }] : [];
  });
  const outcome = values.dial !== undefined && isOutcome(values.dial) ? values.dial : undefined;
  const [talkSeconds, hangUpAfter] = [values.talk, values["hangup-after"]].map((text) =>
    text === undefined ? undefined : Number(text)
  );
  const isScripted = answers.length > 0 ||
    [outcome, talkSeconds, hangUpAfter, values.message].some((value) => value !== undefined);
  if (!isScripted) return undefined;
  return {
    answers,
    ...(outcome !== undefined && { dial: outcome satisfies DialScript }),
    ...(talkSeconds !== undefined && { talkSeconds }),
    ...(hangUpAfter !== undefined && { hangupAt: hangUpAfter * 1000 }),
    ...(values.message !== undefined && { voicemail: message(values.message) }),
  };
}

async function somethingListens(url: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url);
  try {
    const connection = await Deno.connect({
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: Number(port) || (protocol === "https:" ? 443 : 80),
    });
    connection.close();
    return true;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  // A question that is still open would keep the process alive.
  Deno.exit(
    await command(
      { task: "phone", help: HELP },
      {
        args: Deno.args,
        tokens: true,
        options: OPTIONS,
        either: [
          ["fast", "real-time"],
          ...["join", "as"].flatMap((one) =>
            ["fast", "url", "account", "json"].map((other) => [one, other])
          ),
          ["as", "to"],
        ],
      },
      ring,
    ),
  );
}
