// What the repository promises of itself: nothing here runs a call, each test holds two places together.

import { assertEquals } from "@std/assert/equals.js";
import { assertMatch } from "@std/assert/match.js";
import { assertStringIncludes } from "@std/assert/string_includes.js";
import { parse as parseToml } from "@std/toml/parse.js";
import { SCHEMA_VERSION } from "../supabase/functions/_shared/db/schema_version.ts";
import { FUNCTIONS } from "../supabase/functions/_shared/functions.ts";
import { readSettings } from "../supabase/functions/_shared/settings.ts";
import { closedPort } from "./support/fake_data_api.ts";
import { ENVIRONMENT } from "./support/webhook.ts";
import { addressOf, runFunction } from "./support/function_process.ts";

const ROOT = new URL("../", import.meta.url);

const read = (path: string) => Deno.readTextFileSync(new URL(path, ROOT));
const names = (path: string) => [...Deno.readDirSync(new URL(path, ROOT))];

/** Every file below a folder, as paths from the root. */
function filesBelow(folder: string): string[] {
  return names(folder).flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}${name}/`) : [`${folder}${name}`]
  );
}

/** Whether a Markdown table has a row of this first cell, with something said in a later one. */
function isRowOf(markdown: string, cell: RegExp): boolean {
  return markdown.split("\n").some((line) => {
    const [before, first = "", ...rest] = line.split("|");
    return before === "" && cell.test(first) && rest.some((text) => text.trim().length > 10);
  });
}

const functions = names("supabase/functions/")
  .filter(({ name, isDirectory }) => isDirectory && name !== "_shared")
  .map(({ name }) => name)
  .sort();
const config = parseToml(read("supabase/config.toml")) as {
  functions: Record<string, Record<string, unknown>>;
};

// --- each function ------------------------------------------------------------------------------------------

Deno.test("functions.ts and supabase/config.toml name each function, and no other", () => {
  assertEquals(Object.values(FUNCTIONS).flat().sort(), functions);
  assertEquals(Object.keys(config.functions).sort(), functions);
});

for (const name of functions) {
  Deno.test(`${name} is an index.ts that wires and a handler.ts that does`, () => {
    const files = filesBelow(`supabase/functions/${name}/`);
    for (const file of ["index.ts", "handler.ts"]) {
      assertEquals(files.includes(`supabase/functions/${name}/${file}`), true, file);
    }
  });

  Deno.test(`${name} has a test of its own`, () => {
    const test = new RegExp(`/${name.replaceAll("-", "[-_]")}(_[a-z_]+)?_test\\.ts$`);
    assertEquals(filesBelow("tests/").some((file) => test.test(file)), true);
  });

  Deno.test(`${name} is deployed by name, with the import map, and checks its callers itself`, () => {
    assertEquals(config.functions[name], {
      enabled: true,
      verify_jwt: false,
      import_map: "../import_map.json",
      entrypoint: `./functions/${name}/index.ts`,
    });
  });

  Deno.test(`${name} has a row in the table of functions in docs/functions.md`, () => {
    assertEquals(isRowOf(read("docs/functions.md"), new RegExp(`^\\s*\`${name}\`\\s*$`)), true);
  });
}

// --- each setting -------------------------------------------------------------------------------------------

/** The variables that are asked for, whichever of the two forms of the secret key is set. */
function settingsRead(): string[] {
  const asked = new Set<string>();
  const legacy = { SUPABASE_SECRET_KEYS: undefined, SUPABASE_SERVICE_ROLE_KEY: "ey" };
  for (const changes of [{}, legacy]) {
    const env: Record<string, string | undefined> = { ...ENVIRONMENT, ...changes };
    readSettings((name) => {
      asked.add(name);
      return env[name];
    });
  }
  return [...asked].sort();
}

/** The settings of `.env.example`, each with the line of comment above it, or above its group. */
function settingsDescribed(): Map<string, string> {
  const lines = read(".env.example").split("\n");
  const nameOf = (line: string) => /^(?:# ?)?([A-Z][A-Z0-9_]+)=/.exec(line)?.[1];
  const described = new Map<string, string>();
  for (const [index, line] of lines.entries()) {
    const name = nameOf(line);
    if (name === undefined) continue;
    const above = lines.slice(0, index).findLast((other) => nameOf(other) === undefined);
    described.set(name, above ?? "");
  }
  return described;
}

Deno.test("the settings that are read are found by asking for them", () => {
  for (const name of Object.keys(ENVIRONMENT)) assertEquals(settingsRead().includes(name), true);
});

for (const name of settingsRead()) {
  Deno.test(`the setting ${name} is described in .env.example`, () => {
    assertMatch(settingsDescribed().get(name) ?? "(absent)", /^# (?!---)\S.{10,}/);
  });

  Deno.test(`the setting ${name} is described in docs/settings.md`, () => {
    assertEquals(isRowOf(read("docs/settings.md"), new RegExp(`\`${name}\``)), true);
  });
}

// --- migrations and packages --------------------------------------------------------------------------------

const migrations = names("supabase/migrations/").map(({ name }) => name).sort();

Deno.test("every migration has a name that the Supabase CLI takes, and a time of its own", () => {
  for (const name of migrations) assertMatch(name, /^\d{14}_[a-z_]+\.sql$/);
  const versions = migrations.map((name) => name.slice(0, 14));
  assertEquals(versions, [...new Set(versions)]);
});

Deno.test("the functions ask for the newest migration", () => {
  assertEquals(SCHEMA_VERSION, migrations.at(-1)?.slice(0, 14));
});

const importMap: Record<string, string> = JSON.parse(read("import_map.json")).imports;

for (const [name, target] of Object.entries(importMap)) {
  Deno.test(`the package ${name} is pinned to one version`, () => {
    assertMatch(
      target,
      /^npm:\/?(@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+(-[a-z]+(\.\d+)*)?(\/[\w/.-]*)?$/,
    );
  });
}

Deno.test("packages are named in the import map and nowhere else", () => {
  const deno = JSON.parse(read("deno.json"));
  assertEquals(["imports", "scopes"].filter((key) => key in deno), []);
});

// --- each function by itself --------------------------------------------------------------------------------

for (const name of functions) {
  Deno.test({
    name: `${name} starts alone and answers`,
    // The pipes of a process that was stopped close when it is gone, which is awaited.
    sanitizeResources: false,
    sanitizeOps: false,
    async fn() {
      const child = runFunction(name, { ...ENVIRONMENT, SUPABASE_URL: closedPort() });
      try {
        const url = await addressOf(child);
        const ask = async (method: string) => {
          const response = await fetch(`${url}/${name}`, { method });
          await response.body?.cancel();
          return response.status;
        };
        const answers = [await ask("GET"), await ask("POST")];
        if (name === "voice-health") {
          // Open to everybody, and finds no database.
          assertEquals(answers, [503, 405]);
        } else if (name === "voice-agent") {
          // Its address has a token.
          assertEquals(answers, [401, 405]);
        } else if (name.startsWith("voice-")) {
          assertEquals(answers, [405, 401]);
        } else {
          // Nobody is served who does not show who they are, or does not ask in the right form.
          assertEquals(answers.filter((status) => ![400, 401, 405, 415].includes(status)), []);
        }
      } finally {
        child.kill("SIGKILL");
        await child.status;
      }
    },
  });
}

Deno.test("a function without a setting that it needs does not start, and names it", async () => {
  const { TWILIO_AUTH_TOKEN: _, ...env } = ENVIRONMENT;
  const { success, stderr } = await runFunction("voice-frontdoor", env).output();
  assertEquals(success, false);
  assertStringIncludes(
    new TextDecoder().decode(stderr),
    "Cannot start: TWILIO_AUTH_TOKEN must be set",
  );
});
