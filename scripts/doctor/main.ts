/** `deno task doctor`: what is wrong with a line, and what to do about it. Exit code 1 when calls are not served. */
import { parseArgs } from "node:util";
import { LOCAL_SECRET_KEY } from "../local/stack.ts";
import { diagnose, type Finding, isHealthy } from "./diagnose.ts";
import { examine } from "./examine.ts";

const HELP = `What is wrong with the line, and what to do about it.

  deno task doctor                                          this machine's
  deno task doctor --url https://YOUR_PROJECT.supabase.co   a deployed one

  --url   the project's address
  --key   its secret key: tells the alerts in full. Default: from SUPABASE_SECRET_KEYS or SUPABASE_SERVICE_ROLE_KEY;
          for this machine the local key

Exit code 0: calls are served; 1: they are not, or a critical alert fires; 2: wrong usage.`;

/** One finding, and beneath it what to do. */
export function formatFinding({ level, what, advice }: Finding): string {
  const mark = { ok: "ok      ", warning: "warning ", fault: "FAULT   " }[level];
  return advice === undefined ? `${mark}${what}` : `${mark}${what}\n        -> ${advice}`;
}

/** @returns the exit code. */
export async function main(
  args: string[],
  env: (name: string) => string | undefined,
  print: (line: string) => void,
): Promise<number> {
  let values: { url?: string; key?: string; help?: boolean };
  try {
    values = parseArgs({
      args,
      options: {
        url: { type: "string" },
        key: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    print(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (values.help) {
    print(HELP);
    return 0;
  }
  const url = (values.url ?? `http://127.0.0.1:${env("TRADELINE_API_PORT") || "54321"}`)
    .replace(/\/+$/, "").replace(/\/functions\/v1$/, "");
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url)) {
    print(`--url must be an http(s) address such as https://YOUR_PROJECT.supabase.co: "${url}"`);
    return 2;
  }
  const local = values.url === undefined;
  const findings = diagnose(await examine(url, values.key ?? keyFrom(env, local)));

  print(`The line at ${url}\n`);
  for (const finding of findings) print(formatFinding(finding));
  const count = (level: Finding["level"]) => findings.filter((each) => each.level === level).length;
  print(
    `\n${isHealthy(findings) ? "Calls are served" : "Not healthy"}: ` +
      `${count("fault")} faults, ${count("warning")} warnings`,
  );
  return isHealthy(findings) ? 0 : 1;
}

function keyFrom(env: (name: string) => string | undefined, local: boolean): string | undefined {
  try {
    const key = JSON.parse(env("SUPABASE_SECRET_KEYS") || "{}")["default"];
    if (typeof key === "string" && key !== "") return key;
  } catch {
    // Not JSON: voice-health says so, by the setting's name.
  }
  return env("SUPABASE_SERVICE_ROLE_KEY") || (local ? LOCAL_SECRET_KEY : undefined);
}

if (import.meta.main) {
  Deno.exit(await main(Deno.args, (name) => Deno.env.get(name), (line) => console.log(line)));
}
