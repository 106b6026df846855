/**
 * `deno task start`: the whole system on this machine, until Ctrl-C, SIGTERM, or the end of what started it.
 *
 * Imports nothing that has to be fetched: so there is help at once, and a line of progress on a first start.
 *
 * @module
 */
import { command } from "../command.ts";

const HELP =
  `Run the whole hotline on this machine: PostgreSQL, edge functions, Data API, web phone.

  npx -y deno@2.9.6 task start

It takes no options; its settings, ports and data directory are read from the environment and from .env, see
.env.example. Ctrl-C stops it, and so does SIGTERM, to npx too. The data stays in TRADELINE_DATA_DIR (.tradeline).

  --help
`;

/** How long loading may take before a line about fetching packages is printed, in milliseconds. */
const QUIET = 1_000;

async function start(): Promise<number> {
  const timer = setTimeout(() => console.log("Fetching packages (first start only)"), QUIET);
  // Not written out: a module that is named here would be fetched before any line of this runs.
  const system: string = "./system.ts";
  const { runSystem } = await import(system).finally(() => clearTimeout(timer));
  return await runSystem();
}

Deno.exit(await command({ task: "start", help: HELP }, { args: Deno.args }, start));
