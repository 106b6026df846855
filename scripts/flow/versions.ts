import type { Flow } from "../../supabase/functions/_shared/flows/language.ts";
import { projectOf, UsageError } from "../command.ts";
import { callFlows, type Verb } from "./api.ts";

interface Options {
  readonly org?: string | undefined;
  readonly url?: string | undefined;
  readonly json?: boolean;
}

/** A version as `GET /call-flows` has it. */
interface Version {
  readonly version: number;
  readonly hash: string;
  readonly published_at: string;
  readonly published_by: string | null;
  readonly note: string | null;
  readonly lines: readonly string[];
  readonly current: boolean;
}

/** The version that answers, or another one: as JSON, or drawn. */
export const show: Verb<Options & { version?: string; mermaid?: boolean }> = async (
  [name = ""],
  options,
  { env, print },
) => {
  if (options.mermaid && options.json) {
    throw new UsageError("--mermaid and --json exclude each other: a drawing is no JSON");
  }
  const { definition } = await versionOf(projectOf(env, options.url), name, options);
  if (options.mermaid) {
    const [{ parseFlow }, { drawFlow }] = await Promise.all([
      import("../../supabase/functions/_shared/flows/parse.ts"),
      import("../../supabase/functions/_shared/flows/draw.ts"),
    ]);
    const { flow } = parseFlow(definition);
    if (flow !== undefined) print(drawFlow(flow));
  } else {
    print(JSON.stringify(definition, null, 2));
  }
  return 0;
};

/** Who published what, newest first. */
export const versions: Verb<Options> = async ([name = ""], options, { env, print }) => {
  const query = new URLSearchParams({ name, ...ownerOf(options) });
  const answer = await callFlows(projectOf(env, options.url), `?${query}`);
  if (options.json) print(JSON.stringify(answer, null, 2));
  const list: readonly Version[] = answer.versions;
  if (list.length === 0) {
    if (!options.json) print(`No flow "${name}" is published.`);
    return 1;
  }
  if (options.json) return 0;
  for (const each of list) {
    const { version, published_at, published_by, note, lines, current } = each;
    const answers = lines.length > 0 ? `answers ${lines.join(", ")}` : current ? "answers" : "";
    const when = published_at.slice(0, 16).replace("T", " ");
    print(
      [`${String(version).padStart(4)}  ${when} UTC  ${published_by ?? ""}`, note, answers]
        .filter(Boolean).join("  "),
    );
  }
  return 0;
};

/** What changed from one version to another, in words. */
export const diff: Verb<Options> = async ([name = "", from, to], options, { env, print }) => {
  for (const version of [from, to]) {
    if (!/^[1-9]\d{0,8}$/.test(version ?? "")) {
      throw new UsageError(`VERSION must be a version's number: "${version}"`);
    }
  }
  const project = projectOf(env, options.url);
  const [before, after] = await Promise.all(
    [from, to].map((version) => versionOf(project, name, { ...options, version })),
  );
  const { diffFlows } = await import("../../supabase/functions/_shared/flows/diff.ts");
  // What is published was checked to be one.
  const changes = diffFlows(before!.definition as Flow, after!.definition as Flow);
  if (options.json) print(JSON.stringify(changes, null, 2));
  else if (changes.length === 0) print("Nothing changed.");
  else for (const change of changes) print(change);
  return 0;
};

/** Lets the lines answer by an earlier version again. */
export const rollback: Verb<Options & { version?: string }> = async (
  [name = ""],
  options,
  { env, print },
) => {
  const answer = await callFlows(projectOf(env, options.url), "/rollback", {
    name,
    ...ownerOf(options),
    ...(options.version !== undefined && { version: Number(options.version) }),
  });
  print(
    options.json
      ? JSON.stringify(answer, null, 2)
      : `Version ${answer.version} of ${answer.flow} answers from the next call on.`,
  );
  return 0;
};

/** Opens or closes a calendar for a while, whatever it says. */
export const override: Verb<Options & { until?: string }> = async (
  [name = "", calendar = "", state = ""],
  options,
  { env, print },
) => {
  if (!["open", "closed", "normal"].includes(state)) {
    throw new UsageError(`STATE must be open, closed or normal: "${state}"`);
  }
  const { until } = options;
  if (state !== "normal" && until === undefined) {
    throw new UsageError("--until must be given: when it ends");
  }
  if (state === "normal" && until !== undefined) {
    throw new UsageError("--until goes with open or closed: normal has no end");
  }
  const answer = await callFlows(projectOf(env, options.url), "/override", {
    ...ownerOf(options),
    name,
    calendar,
    state: state === "normal" ? null : state,
    ...(until !== undefined && { until }),
  });
  print(
    options.json
      ? JSON.stringify(answer, null, 2)
      : state === "normal"
      ? `${calendar} goes by its hours again.`
      : `${calendar} is ${state} until ${answer.until}, whatever its hours say.`,
  );
  return 0;
};

async function versionOf(
  project: Parameters<typeof callFlows>[0],
  name: string,
  options: Options & { readonly version?: string | undefined },
): Promise<{ readonly definition: unknown }> {
  const query = new URLSearchParams({
    name,
    ...ownerOf(options),
    version: options.version ?? "current",
  });
  const { versions: [version] } = await callFlows(project, `?${query}`);
  return version;
}

function ownerOf({ org }: Options): { org_id?: string } {
  return org === undefined ? {} : { org_id: org };
}
