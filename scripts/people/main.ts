/**
 * `deno task people`: whom lines ring, kept through the Data API.
 *
 * Imports nothing that has to be fetched: so there is help at once.
 *
 * @module
 */
import {
  ADDRESS,
  command,
  type CommandContext,
  E164,
  environment,
  FLAG,
  type Project,
  projectOf,
  textThat,
  UsageError,
} from "../command.ts";
import { CommandFailure, request } from "../flow/api.ts";

const HELP = `Say whom lines ring: the people that the groups of a flow name by their handles.

  npx -y deno@2.9.6 task people list
  npx -y deno@2.9.6 task people add anna --name "Anna Bell" --phone +14035550110
  npx -y deno@2.9.6 task people change anna --code 11
    --name, --phone       as for add; another number has to be verified again
    --code <digits>       one to four: * and the code pass a caller on to the person. Also for add
  npx -y deno@2.9.6 task people verify anna         calls the number; key 1 there proves whose it is
    --line <number>       the line that shows. Default: one of the owner's
  npx -y deno@2.9.6 task people available anna no   or yes
    --until <time>        with no: until then, with the zone, such as 2026-12-24T17:00:00-07:00
  npx -y deno@2.9.6 task people remove anna

  --org <uuid>            the organisation that the person belongs to. Default: the main account
  --url <url>             the project, such as https://YOUR_PROJECT.supabase.co, with SUPABASE_SECRET_KEYS or
                          SUPABASE_SERVICE_ROLE_KEY in the environment or .env. Default: this machine
  --json                  print the answer as JSON and nothing else
  --help

Callers are put through to a person only once the number is verified. A person calls a line from the verified
telephone to hear whether calls come, and to change it by key.
Exit code 0: done. 1: it was not done, and why. 2: an option is wrong.
`;

const HANDLE = /^[a-z][a-z0-9_]{0,31}$/;
const TIME = textThat(
  "be a time with its zone, such as 2026-12-24T17:00:00-07:00",
  (time) => /T.*(Z|[+-]\d\d:\d\d)$/.test(time) && !Number.isNaN(Date.parse(time)),
);

const OPTIONS = {
  org: textThat(
    "be the organisation's UUID",
    /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i,
  ),
  url: ADDRESS,
  json: FLAG,
  name: textThat("have 200 characters at most", (name) => name.length <= 200 && name.trim() !== ""),
  phone: E164,
  code: textThat("be one to four digits", /^[0-9]{1,4}$/),
  line: E164,
  until: TIME,
} as const;

interface Options {
  readonly org?: string | undefined;
  readonly json: boolean;
  readonly name?: string | undefined;
  readonly phone?: string | undefined;
  readonly code?: string | undefined;
  readonly line?: string | undefined;
  readonly until?: string | undefined;
}

interface Person {
  readonly handle: string;
  readonly name: string;
  readonly phone: string;
  readonly verified_at: string | null;
  readonly available: boolean;
  readonly dnd_until: string | null;
  readonly code: string | null;
  /** Working hours, as a calendar of a flow; `null`: at all hours. */
  readonly calendar:
    | {
      readonly zone: string;
      readonly weekly?: Readonly<Record<string, readonly (readonly [string, string])[]>>;
      readonly dates?: Readonly<Record<string, unknown>>;
    }
    | null;
}

const COLUMNS = "handle,name,phone,verified_at,available,dnd_until,code,calendar";
/** How long a telephone is waited for that is called to be verified, and between two looks. Milliseconds. */
const LONGEST_VERIFY = 120_000;
const LOOK_AGAIN = 1000;

interface Context {
  readonly project: Project;
  readonly options: Options;
  readonly print: (line: string) => void;
}

type Verb = (context: Context, handle: string, value: string) => Promise<number>;

const VERBS: Readonly<
  Record<string, { readonly takes: string[]; readonly own?: string[]; readonly run: Verb }>
> = {
  list: {
    takes: [],
    async run({ project, options, print }) {
      const people: Person[] = await rest(
        project,
        "GET",
        `people?${owner(options)}&select=${COLUMNS}&order=handle`,
      );
      if (options.json) print(JSON.stringify(people, null, 2));
      else if (people.length === 0) print("Nobody yet: add a person with `task people add`.");
      else for (const person of people) print(lineOf(person));
      return 0;
    },
  },
  add: {
    takes: ["HANDLE"],
    own: ["name", "phone", "code"],
    async run({ project, options, print }, handle) {
      const { name, phone, code, org = null } = options;
      if (name === undefined || phone === undefined) {
        throw new UsageError("--name and --phone must be given");
      }
      const [added] = await rest(project, "POST", `people?select=${COLUMNS}`, {
        handle,
        name,
        phone,
        code,
        org_id: org,
      });
      print(
        options.json
          ? JSON.stringify(added, null, 2)
          : `${name} is added. Callers are put through once the number is verified: ` +
            `npx -y deno@2.9.6 task people verify ${handle}`,
      );
      return 0;
    },
  },
  change: {
    takes: ["HANDLE"],
    own: ["name", "phone", "code"],
    async run({ project, options, print }, handle) {
      const { name, phone, code } = options;
      if ((name ?? phone ?? code) === undefined) {
        throw new UsageError("--name, --phone or --code must be given");
      }
      const person = await one(project, "PATCH", options, handle, { name, phone, code });
      print(options.json ? JSON.stringify(person, null, 2) : lineOf(person));
      return 0;
    },
  },
  available: {
    takes: ["HANDLE", "yes|no"],
    own: ["until"],
    async run({ project, options, print }, handle, value) {
      if (value !== "yes" && value !== "no") {
        throw new UsageError(`available takes yes or no: "${value}"`);
      }
      const { until } = options;
      if (value === "yes" && until !== undefined) {
        throw new UsageError("--until is for no: until when no calls come");
      }
      if (until !== undefined && Date.parse(until) <= Date.now()) {
        throw new UsageError(`--until must be a time that is still to come: "${until}"`);
      }
      // Until a moment: do not disturb. Otherwise until it is changed.
      const change = value === "no" && until !== undefined
        ? { dnd_until: until }
        : { available: value === "yes", dnd_until: null };
      const person = await one(project, "PATCH", options, handle, change);
      print(options.json ? JSON.stringify(person, null, 2) : lineOf(person));
      return 0;
    },
  },
  verify: { takes: ["HANDLE"], own: ["line"], run: verify },
  remove: {
    takes: ["HANDLE"],
    async run({ project, options, print }, handle) {
      const person = await one(project, "DELETE", options, handle);
      print(options.json ? JSON.stringify(person, null, 2) : `${person.name} is removed.`);
      return 0;
    },
  },
};

/** Has the person called, and waits for what comes of it. */
async function verify({ project, options, print }: Context, handle: string): Promise<number> {
  const person = await one(project, "GET", options, handle);
  const line = options.line ?? await lineFor(project, options);
  const token: string | null = await rest(project, "POST", "rpc/verify_person", {
    p_org_id: options.org ?? null,
    p_handle: handle,
    p_line: line,
  });
  if (token === null) throw new CommandFailure(`${person.phone} is in use: try again later`);
  // The scheduler would come too, seconds later.
  const woken = await request(`${project.url}/functions/v1/dial-worker`, project, {
    method: "POST",
  });
  await woken.body?.cancel();
  if (!options.json) print(`${person.phone} rings. Key 1 there proves whose it is.`);
  const deadline = Date.now() + LONGEST_VERIFY;
  while (Date.now() < deadline) {
    // deno-lint-ignore no-await-in-loop -- until the call is over
    const [attempt] = await rest(
      project,
      "GET",
      `dial_attempts?token=eq.${token}&select=accepted_at,ended_at,result`,
    );
    if (attempt?.accepted_at !== null && attempt !== undefined) {
      print(options.json ? JSON.stringify({ verified: true }) : `${person.name} is verified.`);
      return 0;
    }
    if (attempt === undefined || attempt.ended_at !== null) {
      const why = attempt?.result ?? "no_answer";
      print(
        options.json
          ? JSON.stringify({ verified: false, result: why })
          : `${person.name} is not verified: ${RESULTS[why] ?? why.replaceAll("_", " ")}.`,
      );
      return 1;
    }
    // deno-lint-ignore no-await-in-loop
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN));
  }
  throw new CommandFailure("The call has not ended yet: see `task people list` in a while");
}

const RESULTS: Readonly<Record<string, string>> = {
  declined: "the call was answered, and not accepted by key 1",
  busy: "the line was busy",
  no_answer: "nobody answered",
  mailbox: "the call was answered, and no key was pressed",
  unreachable: "the number could not be called, or ALLOWED_DESTINATIONS does not allow it",
  canceled: "the call was not made in time: see `task doctor`",
};

/** The number that shows when the owner's people are called. */
async function lineFor(project: Project, options: Options): Promise<string> {
  const [found] = await rest(project, "GET", `lines?${owner(options)}&select=line&limit=1`);
  if (found !== undefined) return found.line;
  throw new UsageError("--line must be given: no line follows a flow yet");
}

/** One row, as it is or as it is then. */
async function one(
  project: Project,
  method: string,
  options: Options,
  handle: string,
  change?: unknown,
): Promise<Person> {
  const path = `people?${owner(options)}&handle=eq.${handle}&select=${COLUMNS}`;
  const [person] = await rest(project, method, path, change);
  if (person === undefined) throw new CommandFailure(`Nobody has the handle "${handle}"`);
  return person;
}

function owner({ org }: Options): string {
  return `org_id=${org === undefined ? "is.null" : `eq.${org}`}`;
}

/**
 * Asks the Data API.
 *
 * @throws {CommandFailure} for any answer but 2xx, with the database's reason.
 */
// deno-lint-ignore no-explicit-any
async function rest(project: Project, method: string, path: string, body?: unknown): Promise<any> {
  const response = await request(`${project.url}/rest/v1/${path}`, project, {
    method,
    headers: { prefer: "return=representation", "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer = await response.json().catch(() => undefined);
  if (response.ok) return answer;
  if (response.status === 401) {
    throw new CommandFailure(
      `The secret key is not that of ${project.url}: set SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY`,
    );
  }
  if (answer?.code === "23505") {
    throw new CommandFailure(
      answer.message.includes("code")
        ? "Somebody else has this code"
        : "There is a person of this handle already",
    );
  }
  throw new CommandFailure(
    answer?.message ?? `It failed: the Data API answered ${response.status}`,
  );
}

function lineOf(
  { handle, name, phone, verified_at, available, dnd_until, code, calendar }: Person,
): string {
  const state = verified_at === null
    ? "not verified: no calls come"
    : dnd_until !== null && Date.parse(dnd_until) > Date.now()
    ? `no calls until ${new Date(dnd_until).toISOString().slice(0, 16).replace("T", " ")} UTC`
    : available
    ? "available"
    : "not available";
  const whom = `${handle.padEnd(12)}  ${phone.padEnd(14)}  ${name.padEnd(20)}`;
  return `${whom}  ${state}${code === null ? "" : `, code ${code}`}${hoursOf(calendar)}`;
}

const WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

function hoursOf(calendar: Person["calendar"]): string {
  if (calendar === null) return "";
  const { zone, weekly = {}, dates = {} } = calendar;
  const days = WEEK.flatMap((day) => {
    const periods = (weekly[day] ?? []).map((period) => period.join("-"));
    return periods.length === 0 ? [] : `${day} ${periods.join(" and ")}`;
  });
  const others = Object.keys(dates).length;
  return `, works ${days.length === 0 ? "on no weekday" : days.join(", ")} (${zone})` +
    (others === 0 ? "" : `, other hours on ${others} ${others === 1 ? "date" : "dates"}`);
}

/** Runs `task people` with these arguments. @returns the exit code */
export async function people(
  args: readonly string[],
  { env, print, complain }: CommandContext & { readonly complain?: (line: string) => void },
): Promise<number> {
  return await command(
    { task: "people", help: HELP, ...(complain && { print: complain }) },
    { args: [...args], allowPositionals: true, options: OPTIONS },
    async ({ positionals: [name = "", ...rest], values }) => {
      const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined;
      if (verb === undefined) {
        const names = Object.keys(VERBS).join(", ");
        throw new UsageError(
          name === "" ? `Say what to do: ${names}` : `"${name}" must be one of ${names}`,
        );
      }
      if (rest.length !== verb.takes.length) {
        throw new UsageError(
          `people ${name} takes ${verb.takes.length === 0 ? "no name" : verb.takes.join(" ")}`,
        );
      }
      const [handle = "", value = ""] = rest;
      if (verb.takes.length > 0 && !HANDLE.test(handle)) {
        throw new UsageError(
          `HANDLE must be lower-case letters, digits and underscores, such as anna: "${handle}"`,
        );
      }
      for (const option of ["name", "phone", "code", "line", "until"] as const) {
        if (values[option] !== undefined && !verb.own?.includes(option)) {
          throw new UsageError(`--${option} is not for people ${name}`);
        }
      }
      try {
        return await verb.run(
          { project: projectOf(env, values.url), options: values, print },
          handle,
          value,
        );
      } catch (error) {
        if (!(error instanceof CommandFailure)) throw error;
        (complain ?? console.error)(error.message);
        return 1;
      }
    },
  );
}

if (import.meta.main) {
  Deno.exit(
    await people(Deno.args, { env: environment(), print: (line) => console.log(line) }),
  );
}
