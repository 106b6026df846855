/**
 * `deno task campaign`: calling out, from the terminal.
 *
 * @module
 */
import { attemptsOf } from "../../supabase/functions/_shared/campaigns/retry.ts";
import { CAMPAIGN_COMMANDS } from "../../supabase/functions/_shared/campaigns/states.ts";
import { UUID } from "../../supabase/functions/_shared/text.ts";
import {
  ADDRESS,
  command,
  type CommandContext,
  E164,
  environment,
  FLAG,
  numberFrom,
  type Parsed,
  projectOf,
  TEXT,
  textThat,
  UsageError,
} from "../command.ts";
import { CommandFailure } from "../flow/api.ts";
import { create, importList, notesOf, read, type RunContext, save, send, shown } from "./run.ts";
import { type Model, simulate } from "./simulate.ts";

const HELP = `Call a list of people, who agreed to be called.

  npx -y deno@2.9.6 task campaign create --name Reminders --flow main --line +14035550123 --consent express_written
  npx -y deno@2.9.6 task campaign import ID list.csv     columns: phone, and name, zone, postal_code, consent_at,
                                                         consent_source where they are known
  npx -y deno@2.9.6 task campaign start ID               or pause, resume, stop; dial: the next of a preview
  npx -y deno@2.9.6 task campaign status [ID]
  npx -y deno@2.9.6 task campaign simulate               works out how long it takes, before anybody is called

create:
  --name <text>           what it is called here
  --flow <name>           the published flow that serves an answer
  --other-flow <name>     a second one that is tried beside it; results and status are by flow
  --other-share <n>       ... on so many percent of the contacts (default 50)
  --line <number>         a number that called telephones show; also several
  --consent <text>        on what consent: express_written, existing_business or none_needed
  --mode <text>           broadcast, to the flow (default); progressive or predictive, to people; preview
  --machine <text>        what an answering machine gets: hang_up (default), message or flow
  --calls-per-second <n>  (default 1) as far as TWILIO_CALLS_PER_SECOND allows
  --max-concurrent <n>    calls at once (default 10)
  --per-line <n>          dials that each of the numbers makes a day (default 500)
  --window <json>         hours in the called party's zone, within the law's: {"mon": [["09:00", "20:00"]]}
  --max-attempts <n>      dials of a contact (default 3)
  --per-day <n>           dials of a number in 24 hours, over all campaigns (default 1)
  --max-minutes <n>       minutes of talk after which it pauses
  --starts-at <time>      nobody is dialled before, such as 2026-12-01T09:00:00-07:00
  --caller-name <text>    who calls: an answered call begins with it. Default: the flow's business, or the organisation
  --org <uuid>            the organisation that calls; also for status. Default: the main account
import:
  --from <line>           goes on there. The same list again adds nothing
resume:
  --max-minutes <n>       the new budget of all its minutes of talk
status:
  --watch                 again each 2 seconds, until no campaign that it shows may dial
  --results <file>        writes how each contact stands to a CSV file
simulate:
  --contacts <n>          those to be called (default 300000), over the four zones of the mainland
  --mode <text>           broadcast (default), progressive or predictive
  --people <n>            who talk (default 30); not in a broadcast
  --calls-per-second <n>  what the account may do (default 10)
  --max-concurrent <n>    calls at once (default 1000)
  --max-attempts, --per-day  as for create
  --answered <part>       dials that a person answers, 0 to 1 (default 0.25)
  --machine <part>        ... a machine answers (default 0.25)
  --busy <part>           ... that are busy (default 0.05)
  --failed <part>         ... that fail (default 0.02)
  --ring-seconds <n>      how long it rings (default 25)
  --talk-seconds <n>      the mean of a talk, or of what the flow says (default 40)
  --wrap-seconds <n>      what a person does after a talk (default 15)
  --seed <n>              of chance (default 1): the same seed gives the same figures

  --url <url>             the project, such as https://YOUR_PROJECT.supabase.co, with SUPABASE_SECRET_KEYS or
                          SUPABASE_SERVICE_ROLE_KEY in the environment or .env. Default: this machine
  --json                  prints the answer as JSON and nothing else
  --help

Exit code 0: done. 1: it was not done, and why; of import, also where lines were rejected. 2: an option is wrong.`;

const PART = numberFrom(0, false, 1);
const COUNT = numberFrom(1, true, 10_000_000);
const JSON_OBJECT = textThat('be JSON such as {"mon": [["09:00", "20:00"]]}', (text) => {
  try {
    return typeof JSON.parse(text) === "object";
  } catch {
    return false;
  }
});
const oneOf = (...words: string[]) =>
  textThat(
    `be ${words.slice(0, -1).join(", ")} or ${words.at(-1)}`,
    (word) => words.includes(word),
  );
const ORG = textThat("be the organisation's UUID", UUID);
const ASKING = { url: ADDRESS, json: FLAG } as const;
const PACE = {
  "calls-per-second": numberFrom(0.1, false, 1000),
  "max-concurrent": numberFrom(1, true, 100_000),
  "max-attempts": numberFrom(1, true, 10),
  "per-day": numberFrom(1, true, 10),
} as const;

/** What each verb takes. */
const OPTIONS = {
  create: {
    name: TEXT,
    "caller-name": TEXT,
    flow: TEXT,
    "other-flow": TEXT,
    "other-share": numberFrom(1, true, 99),
    line: { ...E164, multiple: true },
    consent: oneOf("express_written", "existing_business", "none_needed"),
    mode: oneOf("broadcast", "progressive", "predictive", "preview"),
    machine: oneOf("hang_up", "message", "flow"),
    ...PACE,
    "per-line": numberFrom(1, true, 100_000),
    window: JSON_OBJECT,
    "max-minutes": numberFrom(1, true),
    "starts-at": TEXT,
    org: ORG,
    ...ASKING,
  },
  import: { from: COUNT, ...ASKING },
  status: { org: ORG, results: TEXT, watch: FLAG, ...ASKING },
  command: ASKING,
  resume: { "max-minutes": numberFrom(1, true), ...ASKING },
  simulate: {
    contacts: COUNT,
    mode: oneOf("broadcast", "progressive", "predictive"),
    people: numberFrom(1, true, 10_000),
    ...PACE,
    answered: PART,
    machine: PART,
    busy: PART,
    failed: PART,
    "ring-seconds": numberFrom(5, false, 600),
    "talk-seconds": numberFrom(1, false, 14_400),
    "wrap-seconds": numberFrom(0, false, 3600),
    seed: numberFrom(0, true, 2 ** 32 - 1),
    json: FLAG,
  },
} as const;

/** What `main` is handed. */
export interface CampaignContext extends CommandContext {
  /** Tells what is wrong. Default: on the error output. */
  readonly complain?: (line: string) => void;
  /** Default: that of this machine. */
  readonly wait?: RunContext["wait"];
}

/** Between two pictures of `status --watch`, in milliseconds. */
const WATCH_MS = 2000;

type Verb = (args: string[], context: CampaignContext) => Promise<number>;

const VERBS: Readonly<Record<string, Verb>> = {
  create: verb("create", 0, async ({ values }, context) => {
    const { name, flow, line, consent, window } = values;
    for (const needed of ["name", "flow", "line", "consent"] as const) {
      if (values[needed] === undefined) throw new UsageError(`--${needed} must be given`);
    }
    const number = (option: keyof typeof PACE | "per-line" | "max-minutes") =>
      values[option] === undefined ? undefined : Number(values[option]);
    const other = values["other-flow"];
    if (other === undefined && values["other-share"] !== undefined) {
      throw new UsageError("--other-share needs --other-flow");
    }
    const share = Number(values["other-share"] ?? 50);
    const id = await create(context, {
      name,
      caller_name: values["caller-name"],
      org_id: values.org,
      mode: values.mode ?? "broadcast",
      flow,
      flows: other === undefined
        ? undefined
        : [{ flow, share: 100 - share }, { flow: other, share }],
      caller_numbers: line,
      calls_per_second: number("calls-per-second") ?? 1,
      max_concurrent: number("max-concurrent") ?? 10,
      window: window === undefined ? undefined : JSON.parse(window),
      attempts: { max: number("max-attempts"), per_day: number("per-day") },
      machine: values.machine ?? "hang_up",
      consent,
      max_minutes: number("max-minutes"),
      starts_at: values["starts-at"],
      dials_per_line: number("per-line"),
    });
    if (values.json) context.print(JSON.stringify({ id }));
    else {
      context.print(
        `${id} is created. Its list: npx -y deno@2.9.6 task campaign import ${id} list.csv`,
      );
      await printNotes(context, id);
    }
    return 0;
  }),
  import: verb("import", 2, async ({ values, positionals: [id, file] }, context) => {
    const text = await Deno.readTextFile(file!).catch(() => {
      throw new CommandFailure(`Cannot read ${file}`);
    });
    const quiet = { ...context, print: values.json ? () => {} : context.print };
    const all = await importList(quiet, id!, text, Number(values.from ?? 1));
    if (values.json) context.print(JSON.stringify(all, null, 2));
    else {
      for (const { line, reason } of all.rejected) context.print(`Line ${line}: ${reason}`);
    }
    return all.rejected.length === 0 ? 0 : 1;
  }),
  status: verb("status", [0, 1], async ({ values, positionals: [id] }, context) => {
    const { results, org, json, watch } = values;
    if (watch && json) throw new UsageError("--watch and --json do not go together");
    if (results !== undefined) {
      if (id === undefined) throw new UsageError("--results needs the campaign's ID");
      await save(context, id, results);
    }
    let campaigns = await read(context, id, org);
    const isRunning = () =>
      campaigns.some(({ state }) => state === "running" || state === "stopping");
    while (watch && isRunning()) {
      for (const line of campaigns.flatMap((each) => shown(each, new Date()))) context.print(line);
      context.print("");
      // deno-lint-ignore no-await-in-loop -- One picture after the other.
      await context.wait(WATCH_MS);
      // deno-lint-ignore no-await-in-loop
      campaigns = await read(context, id, org);
    }
    if (json) context.print(JSON.stringify(id === undefined ? campaigns : campaigns[0], null, 2));
    else if (campaigns.length === 0) {
      context.print("No campaign yet: create one with `task campaign create`.");
    } else {
      for (const campaign of campaigns) {
        for (const line of shown(campaign, new Date())) context.print(line);
      }
    }
    return 0;
  }),
  ...Object.fromEntries(
    CAMPAIGN_COMMANDS.filter((word) => word !== "resume").map((word) => [
      word,
      verb("command", 1, async ({ values, positionals: [id] }, context) => {
        await commanded(context, id!, await send(context, id!, word), values.json);
        return 0;
      }, word),
    ]),
  ),
  resume: verb("resume", 1, async ({ values, positionals: [id] }, context) => {
    const minutes = values["max-minutes"];
    const state = await send(
      context,
      id!,
      "resume",
      minutes === undefined ? undefined : { max_minutes: Number(minutes) },
    );
    await commanded(context, id!, state, values.json);
    return 0;
  }),
  simulate: (args, { print, complain }) =>
    command(
      { task: "campaign", help: HELP, print: complain ?? print },
      { args, allowPositionals: true, options: OPTIONS.simulate },
      (parsed) => simulated(parsed, print),
    ),
};

/** Prints the state that followed a command, and what keeps a campaign that runs from dialling. */
async function commanded(
  context: RunContext,
  id: string,
  state: string,
  json: boolean | undefined,
): Promise<void> {
  if (json) return context.print(JSON.stringify({ id, state }));
  context.print(`The campaign is ${state}.`);
  if (state === "running") await printNotes(context, id);
}

/** Prints why a campaign is slower than it asks to be, or does not dial at all. */
async function printNotes(context: RunContext, id: string): Promise<void> {
  const [campaign] = await read(context, id, undefined);
  for (const note of notesOf(campaign!, new Date())) context.print(note);
}

/** A verb that asks a project. `takes`: arguments, the first of them an ID. */
function verb<Name extends Exclude<keyof typeof OPTIONS, "simulate">>(
  name: Name,
  takes: number | readonly number[],
  run: (
    parsed: Parsed<{ allowPositionals: true; options: typeof OPTIONS[Name] }>,
    context: RunContext,
  ) => Promise<number>,
  word: string = name,
): Verb {
  return (args, { env, print, complain, wait }) =>
    command(
      { task: "campaign", help: HELP, ...(complain && { print: complain }) },
      { args, allowPositionals: true as const, options: OPTIONS[name] },
      async (parsed) => {
        const { positionals: [, ...rest], values } = parsed as unknown as {
          positionals: string[];
          values: { url?: string };
        };
        if (![takes].flat().includes(rest.length)) {
          throw new UsageError(`campaign ${word} takes ${TAKES[name]}`);
        }
        if (rest[0] !== undefined && !UUID.test(rest[0])) {
          throw new UsageError(`ID must be a campaign's, as create printed it: "${rest[0]}"`);
        }
        const context = {
          project: projectOf(env, values.url),
          print,
          wait: wait ?? ((ms: number) => new Promise((resolve) => setTimeout(resolve, ms))),
        };
        try {
          return await run({ ...parsed, positionals: rest } as never, context);
        } catch (error) {
          if (!(error instanceof CommandFailure)) throw error;
          (complain ?? console.error)(error.message);
          return 1;
        }
      },
    );
}

const TAKES = {
  create: "no argument",
  import: "ID FILE",
  status: "ID or nothing",
  command: "ID",
  resume: "ID",
};

/** Runs `task campaign` with these arguments. @returns the exit code. */
export async function main(args: string[], context: CampaignContext): Promise<number> {
  const [word = ""] = args;
  const run = Object.hasOwn(VERBS, word) ? VERBS[word] : undefined;
  if (run !== undefined) return await run(args, context);
  return await command(
    {
      task: "campaign",
      help: HELP,
      ...((context.complain ?? undefined) && { print: context.complain! }),
    },
    { args, strict: false, allowPositionals: true },
    () => {
      const names = Object.keys(VERBS).join(", ");
      throw new UsageError(
        word === "" ? `Say what to do: ${names}` : `"${word}" must be one of ${names}`,
      );
    },
  );
}

/** Prints what a campaign would need. */
function simulated(
  { values, positionals }: Parsed<{ allowPositionals: true; options: typeof OPTIONS.simulate }>,
  print: (line: string) => void,
): Promise<number> {
  if (positionals.length !== 1) throw new UsageError("campaign simulate takes no argument");
  const number = (name: Exclude<keyof typeof values, "mode" | "json">, unset: number) =>
    Number(values[name] ?? unset);
  const mode = (values.mode ?? "broadcast") as Model["mode"];
  if (mode === "broadcast" && values.people !== undefined) {
    throw new UsageError(
      "--people needs --mode progressive or predictive: nobody talks in a broadcast",
    );
  }
  const model: Model = {
    mode,
    contacts: number("contacts", 300_000),
    people: mode === "broadcast" ? 0 : number("people", 30),
    callsPerSecond: number("calls-per-second", 10),
    maxConcurrent: number("max-concurrent", 1000),
    attempts: attemptsOf({
      max: number("max-attempts", 3),
      per_day: number("per-day", 1),
      // The day's cap is what is asked for.
      per_week: 7 * number("per-day", 1),
    }),
    answered: number("answered", 0.25),
    machine: number("machine", 0.25),
    busy: number("busy", 0.05),
    failed: number("failed", 0.02),
    ringSec: number("ring-seconds", 25),
    talkSec: number("talk-seconds", 40),
    wrapSec: number("wrap-seconds", 15),
    // A Monday in New York.
    start: new Date("2026-06-01T04:00:00Z"),
    seed: number("seed", 1),
  };
  if (model.answered + model.machine + model.busy + model.failed > 1) {
    throw new UsageError(
      "--answered, --machine, --busy and --failed must be at most 1 together",
    );
  }
  const result = simulate(model);
  if (values.json) print(JSON.stringify(result, null, 2));
  else {
    const part = (value: number) => `${(value * 100).toFixed(1)} %`;
    for (
      const [what, value] of [
        ["days until the last call", (result.elapsedSec / 86_400).toFixed(1)],
        ["hours in which calls are made", (result.dialledSec / 3600).toFixed(1)],
        ["dials", result.dials],
        ["dials a second, on average", result.callsPerSecond.toFixed(1)],
        ["most calls at once", result.peakConcurrent],
        ["persons reached", `${result.reached}, ${part(result.reached / model.contacts)}`],
        ["machines that answered", result.machines],
        ...(mode === "broadcast" ? [] : [
          ["time that people are busy", part(result.busyPart)],
          ["answers that found nobody", `${result.abandoned}, ${part(result.abandonedPart)}`],
        ]),
      ]
    ) print(`${String(what).padEnd(32)}${value}`);
  }
  return Promise.resolve(0);
}

if (import.meta.main) Deno.exit(await main(Deno.args, { env: environment(), print: console.log }));
