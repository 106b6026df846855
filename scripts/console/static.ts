/**
 * The console as static files: locally the page server hands them out, `task deploy --console DIR` writes them for any
 * static host. The page has the project's address and its publishable key, and no secret.
 *
 * @module
 */
import { fromFileUrl } from "@std/path/from_file_url.js";
import { dirname } from "@std/path/dirname.js";
import { join } from "@std/path/join.js";

const PAGE = fromFileUrl(new URL("page/console", import.meta.url));

/** The project that a console is for. */
export interface ConsoleProject {
  /** Without a trailing slash. */
  readonly url: string;
  readonly publishableKey: string;
  /** The web phone, where there is one: locally. */
  readonly phone?: string;
}

/** What a page of the console may load and reach. Trusted Types: a script that writes HTML from a string is stopped. */
export function consolePolicy({ url }: Pick<ConsoleProject, "url">): string {
  return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src blob:; " +
    `connect-src 'self' ${url}; base-uri 'none'; form-action 'none'; ` +
    "require-trusted-types-for 'script'; trusted-types 'none'";
}

/** The scripts of the page's libraries, by their names there: modules that import each other by name would need a build. */
const LIBRARIES: Readonly<Record<string, () => Promise<string[]>>> = {
  "vendor/supabase.js": async () => {
    // Resolved once it is on this machine.
    await import("@supabase/supabase-js");
    return [beside(import.meta.resolve("@supabase/supabase-js"), "umd/supabase.js")];
  },
  "vendor/preact.js": async () => {
    const scripts = { preact: "preact.umd.js", "preact/hooks": "hooks.umd.js", htm: "htm.umd.js" };
    return await Promise.all(
      Object.entries(scripts).map(async ([name, script]) => {
        // Not by a literal: Preact's types would give all that is checked the browser's.
        await import(name);
        return beside(import.meta.resolve(name), script);
      }),
    );
  },
};

const beside = (module: string, path: string) => join(dirname(fromFileUrl(module)), path);

/** The content of a file of the console; `undefined`: there is none of that name. */
export async function consoleFile(
  name: string,
  project: ConsoleProject,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (name === "config.json") return new TextEncoder().encode(JSON.stringify(project));
  const library = LIBRARIES[name];
  if (library === undefined && !/^(pages\/)?[a-z_]+\.(html|css|js|svg)$/.test(name)) {
    return undefined;
  }
  try {
    if (library === undefined) return await Deno.readFile(join(PAGE, name));
    const scripts = await Promise.all((await library()).map((path) => Deno.readTextFile(path)));
    return new TextEncoder().encode(scripts.join("\n"));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Writes the console into a folder, which a static host serves as it is. The policy stands in the page, because a static
 * host may send no headers.
 *
 * @returns the names of the files.
 */
export async function writeConsole(dir: string, project: ConsoleProject): Promise<string[]> {
  const names = ["config.json", ...Object.keys(LIBRARIES)];
  for (const folder of ["", "pages/"]) {
    // deno-lint-ignore no-await-in-loop
    for await (const entry of Deno.readDir(join(PAGE, folder))) {
      if (!entry.isDirectory) names.push(folder + entry.name);
    }
  }
  for (const name of names) {
    // deno-lint-ignore no-await-in-loop
    let content = (await consoleFile(name, project))!;
    if (name === "index.html") {
      const policy = `<meta http-equiv="Content-Security-Policy" content="${
        consolePolicy(project)
      }">`;
      const page = new TextDecoder().decode(content).replace("<head>", `<head>\n    ${policy}`);
      content = new TextEncoder().encode(page);
    }
    const path = join(dir, name);
    // deno-lint-ignore no-await-in-loop
    await Deno.mkdir(dirname(path), { recursive: true });
    // deno-lint-ignore no-await-in-loop
    await Deno.writeFile(path, content);
  }
  return names.toSorted();
}
