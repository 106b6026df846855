import { join } from "@std/path/join.js";
import { parseEnv } from "node:util";
import { SettingError } from "../../supabase/functions/_shared/errors.ts";
import { createConsole } from "../console/server.ts";
import { abandoned } from "./ending.ts";
import { MigrationError } from "./migrate.ts";
import { StartError } from "./postgres.ts";
import {
  LOCAL_AUTH_TOKEN,
  LOCAL_OWNER,
  LOCAL_SECRET_KEY,
  ROOT,
  type Stack,
  startStack,
} from "./stack.ts";

/** Runs the whole system until it is asked to stop. @returns the exit code */
export async function runSystem(): Promise<number> {
  const asked = Promise.withResolvers<string>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => asked.resolve("Stopping"));
  }
  abandoned("start").then(() => asked.resolve("Stopping, as what started this is gone"));
  // A function's forgotten promise ends an isolate when hosted, but not the phone line here.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    print(`A promise was rejected and nobody saw: ${event.reason}`);
  });

  try {
    const stack = await startStack({
      env: await environment(),
      log: print,
      ui: createConsole,
      services: true,
    });
    print(summary(stack));
    print(await asked.promise);
    await stack.stop();
    return 0;
  } catch (error) {
    const expected = error instanceof SettingError || error instanceof StartError;
    if (error instanceof MigrationError) console.error(`Cannot start: ${error.message}`);
    else console.error(expected ? error.message : error);
    return 1;
  }
}

/** What reads our lines may be gone before us. */
function print(line: string): void {
  try {
    console.log(line);
  } catch {
    // Then no terminal is left to print to.
  }
}

/** `.env`, and before it the real environment; a blank counts as not set in either. */
async function environment(): Promise<Record<string, string>> {
  const file = await Deno.readTextFile(join(ROOT, ".env")).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw new StartError(`Cannot start: .env cannot be read: ${error.message}`);
  });
  const env = parseEnv(file) as Record<string, string>;
  const unknown = unknownIn(file, await Deno.readTextFile(join(ROOT, ".env.example")));
  if (unknown.length > 0) {
    print(`Ignored in .env, as .env.example has no such setting: ${unknown.join(", ")}`);
  }
  for (const [name, value] of Object.entries(Deno.env.toObject())) {
    if (value.trim() !== "") env[name] = value;
  }
  return env;
}

/** The names in a file of settings that the example of it does not have: misspelt ones, as a rule. */
export function unknownIn(file: string, example: string): string[] {
  const known = new Set(
    [...example.matchAll(/^(?:# )?([A-Z][A-Z0-9_]*)=/gm)].map(([, name]) => name),
  );
  return Object.keys(parseEnv(file)).filter((name) => !known.has(name));
}

/** Whose models agents use. */
function modelsOf(env: Readonly<Record<string, string>>): string {
  const set = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"].filter((name) => env[name]);
  return set.length > 0
    ? `by the models of their flows (${set.join(", ")})`
    : "embedded: neither OPENAI_API_KEY nor ANTHROPIC_API_KEY is set";
}

function summary({ apiUrl, databaseUrl, uiUrl, mailUrl, dataDir, env }: Stack): string {
  const local = (name: string, value: string) =>
    env[name]?.includes(value) ? value : `from the setting ${name}`;
  const secretKeys = env["SUPABASE_SECRET_KEYS"]
    ? "SUPABASE_SECRET_KEYS"
    : "SUPABASE_SERVICE_ROLE_KEY";
  const rows = [
    ["Edge functions", `${apiUrl}/functions/v1/<name>`],
    ["Data API", `${apiUrl}/rest/v1/`],
    ["Secret key", local(secretKeys, LOCAL_SECRET_KEY)],
    ["PostgreSQL", databaseUrl],
    ...(uiUrl === undefined ? [] : [
      ["Web phone", `${uiUrl}/`],
      ["Console", `${uiUrl}/console/`],
      ["Sign in as", `${LOCAL_OWNER.email}, ${LOCAL_OWNER.password}`],
    ]),
    ...(mailUrl === undefined ? [] : [["Sent e-mails", `${mailUrl}/inbox`]]),
    ["AI agents", modelsOf(env)],
    ["Twilio auth token", local("TWILIO_AUTH_TOKEN", LOCAL_AUTH_TOKEN)],
    ["Data directory", dataDir],
  ];
  const width = Math.max(...rows.map(([name = ""]) => name.length));
  return [
    "",
    "TradeLine is ready to take a call.",
    "",
    ...rows.map(([name = "", value]) => `  ${name.padEnd(width)}  ${value}`),
    "",
    `Ring it in the browser${
      uiUrl === undefined ? "" : ` at ${uiUrl}/`
    }, or from another terminal:`,
    "npx -y deno@2.9.6 task phone",
    "Ctrl-C stops it; the data stays.",
  ].join("\n");
}
