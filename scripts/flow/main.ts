/**
 * `deno task flow`: how a line answers, as a document that is checked, tried, published and taken back.
 *
 * Imports nothing that has to be fetched: so there is help at once.
 *
 * @module
 */
import {
  ADDRESS,
  command,
  E164,
  environment,
  FLAG,
  TEXT,
  textThat,
  UsageError,
} from "../command.ts";
import { CommandFailure, type FlowContext, type Verb } from "./api.ts";

const HELP =
  `Say how a line answers: check a flow, try it, publish it, take it back. docs/flows.md has the language.

Without a server:
  npx -y deno@2.9.6 task flow check FILE            every fault, or how long a caller can be kept
  npx -y deno@2.9.6 task flow try FILE --keys 1,9   what a caller hears who presses these, one a question
    --say "sales"         what the caller says once the keys are used up; may come again
    --at 2026-12-25T10:00 when, in the flow's zone. Default: every calendar is open
    --caller <number>     who calls
    --returning           the caller has called before
    --no-answer           no telephone that rings is answered
    --people refuse       what happens where key 1 accepts a call: accept (default), refuse or mailbox
    --withheld            the caller shows no number: no call back can be promised
    --all                 every way through the flow instead, the longest first
  npx -y deno@2.9.6 task flow import FILE --zone America/Edmonton
                          a Twilio Studio flow as one of ours, and what is otherwise here
  npx -y deno@2.9.6 task flow holidays FILE CALENDAR --region CA-AB
                          the statutory holidays of a province, or of US, that the calendar lacks
    --year 2027           of that year. Default: next year
    --add                 put them into the file as closed days
  npx -y deno@2.9.6 task flow schema                the language as a JSON Schema, for editors that complete

At a project, by default the one of \`task start\`:
  npx -y deno@2.9.6 task flow publish FILE --name dental --line +15877428885
    --name <name>         the flow's name, of 1 to 64 characters
    --line <number>       a line that answers by it from the next call on; may come again
    --note "text"         what has changed, for the list of versions
  npx -y deno@2.9.6 task flow show NAME             the version that answers, as JSON
    --version <number>    that version
    --mermaid             as a drawing, for https://mermaid.live
  npx -y deno@2.9.6 task flow versions NAME         who published what, and which version answers which line
  npx -y deno@2.9.6 task flow diff NAME 3 4         what changed from version 3 to 4
  npx -y deno@2.9.6 task flow rollback NAME         back to the version before
    --version <number>    or to that one
  npx -y deno@2.9.6 task flow override NAME CALENDAR open|closed|normal
    --until <time>        when it ends, with the zone: 2026-12-24T17:00:00-07:00
  npx -y deno@2.9.6 task flow prompt FILE           store a WAV or MP3 file, and print what names it in a flow

  --org <uuid>            the organisation that the flow belongs to. Default: the main account
  --url <url>             the project, such as https://YOUR_PROJECT.supabase.co, with SUPABASE_SECRET_KEYS or
                          SUPABASE_SERVICE_ROLE_KEY in the environment or .env. Default: this machine
  --json                  print the answer as JSON and nothing else
  --help

Exit code 0: done. 1: the flow has faults, or it was not done, and why. 2: an option is wrong.
`;

const ORGANISATION = textThat(
  "be the organisation's UUID",
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
);
const VERSION = textThat("be a version's number", /^[1-9]\d{0,8}$/);
const MANY = { multiple: true } as const;
const AT_PROJECT = { org: ORGANISATION, url: ADDRESS, json: FLAG };

/** What each verb takes after its name, its options, and where it is. */
const VERBS = {
  check: {
    takes: ["FILE"],
    options: AT_PROJECT,
    load: async () => (await import("./check.ts")).check,
  },
  try: {
    takes: ["FILE"],
    options: {
      keys: textThat("be keys such as 1,9", /^[0-9*#]([\s,]+[0-9*#])*$/),
      say: { ...TEXT, ...MANY },
      at: textThat("be a date and time such as 2026-12-25T10:00", /^\d{4}-\d\d-\d\dT\d\d:\d\d$/),
      caller: E164,
      returning: FLAG,
      "no-answer": FLAG,
      people: textThat("be accept, refuse or mailbox", /^(accept|refuse|mailbox)$/),
      withheld: FLAG,
      all: FLAG,
      json: FLAG,
    },
    load: async () => (await import("./try.ts")).tryOut,
  },
  import: {
    takes: ["FILE"],
    options: { zone: TEXT },
    load: async () => (await import("./studio.ts")).studio,
  },
  holidays: {
    takes: ["FILE", "CALENDAR"],
    options: { region: TEXT, year: textThat("be a year such as 2027", /^2\d{3}$/), add: FLAG },
    load: async () => (await import("./holidays.ts")).propose,
  },
  schema: {
    takes: [],
    options: {},
    load: async () => (await import("./schema.ts")).schema,
  },
  publish: {
    takes: ["FILE"],
    options: { ...AT_PROJECT, name: TEXT, line: { ...E164, ...MANY }, note: TEXT },
    load: async () => (await import("./publish.ts")).publish,
  },
  show: {
    takes: ["NAME"],
    options: { ...AT_PROJECT, version: VERSION, mermaid: FLAG },
    load: async () => (await import("./versions.ts")).show,
  },
  versions: {
    takes: ["NAME"],
    options: AT_PROJECT,
    load: async () => (await import("./versions.ts")).versions,
  },
  diff: {
    takes: ["NAME", "VERSION", "VERSION"],
    options: AT_PROJECT,
    load: async () => (await import("./versions.ts")).diff,
  },
  rollback: {
    takes: ["NAME"],
    options: { ...AT_PROJECT, version: VERSION },
    load: async () => (await import("./versions.ts")).rollback,
  },
  override: {
    takes: ["NAME", "CALENDAR", "STATE"],
    options: {
      ...AT_PROJECT,
      until: textThat(
        "be when it ends, with the zone, such as 2026-12-24T17:00:00-07:00",
        (time) => /T.*(Z|[+-]\d\d:\d\d)$/.test(time) && !Number.isNaN(Date.parse(time)),
      ),
    },
    load: async () => (await import("./versions.ts")).override,
  },
  prompt: {
    takes: ["FILE"],
    options: AT_PROJECT,
    load: async () => (await import("./prompt.ts")).prompt,
  },
} as const;

/** Runs `task flow` with these arguments. @returns the exit code */
export async function flow(
  args: readonly string[],
  context: FlowContext,
): Promise<number> {
  const [name = "", ...rest] = args;
  const about = {
    task: "flow",
    help: HELP,
    ...(context.complain && { print: context.complain }),
  };
  const verb = Object.hasOwn(VERBS, name) ? VERBS[name as keyof typeof VERBS] : undefined;
  if (verb === undefined) {
    return await command(about, { args: [...args], allowPositionals: true, strict: false }, () => {
      const names = Object.keys(VERBS).join(", ");
      throw new UsageError(
        name === "" ? `Say what to do: ${names}` : `"${name}" must be one of ${names}`,
      );
    });
  }
  const { takes, options, load } = verb;
  return await command(
    about,
    { args: rest, allowPositionals: true, options },
    async ({ positionals, values }) => {
      if (positionals.length !== takes.length) {
        throw new UsageError(`flow ${name} takes ${takes.join(" ") || "nothing more"}`);
      }
      const run = await load() as Verb<typeof values>;
      try {
        return await run(positionals, values, context);
      } catch (error) {
        if (!(error instanceof CommandFailure)) throw error;
        (context.complain ?? console.error)(error.message);
        return 1;
      }
    },
  );
}

if (import.meta.main) {
  Deno.exit(
    await flow(Deno.args, { env: environment(), print: (line) => console.log(line) }),
  );
}
