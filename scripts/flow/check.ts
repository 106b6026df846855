import {
  DEFAULT_DESTINATIONS,
  parseDestinations,
} from "../../supabase/functions/_shared/destinations.ts";
import { checkFlow } from "../../supabase/functions/_shared/flows/check.ts";
import { draftVersion, failedTests } from "../../supabase/functions/_shared/flows/walk.ts";
import { type Environment, projectOf, UsageError } from "../command.ts";
import { adviceOf, callFlows, faultsText, type Issue, type Verb } from "./api.ts";
import { readDocument } from "./file.ts";

/** What a check says of a flow without faults. */
interface Sound {
  readonly nodes: number;
  readonly longest_seconds: number;
  readonly warnings: readonly Issue[];
}

/**
 * Every fault of a flow. On this machine alone it cannot know whose people, files and lines there are: with `--url` or
 * `--org` a project is asked.
 */
export const check: Verb<{ org?: string; url?: string; json?: boolean }> = async (
  [file = ""],
  { org, url, json },
  { env, print },
) => {
  const definition = await readDocument(file);
  if (url !== undefined || org !== undefined) {
    const body = { definition, ...(org !== undefined && { org_id: org }) };
    const answer = await callFlows(projectOf(env, url), "/check", body);
    print(json ? JSON.stringify(answer, null, 2) : soundText(file, answer));
    return failedIn(answer).length === 0 ? 0 : 1;
  }
  const checked = checkFlow(definition, { destinations: destinationsOf(env) });
  // Where the flow goes on in another one, only a project can run its tests.
  const isWhole = checked.ok &&
    Object.values(checked.flow.nodes).every(({ type }) => type !== "flow");
  const failed = isWhole ? failedTests(draftVersion(checked.flow)) : [];
  const result = checked.ok ? { ...checked, warnings: [...checked.warnings, ...failed] } : checked;
  if (json) {
    const { flow: _, ...answer } = { flow: undefined, ...result };
    print(JSON.stringify(answer, null, 2));
  } else {
    print(result.ok ? soundText(file, result) : `${file} has ${faultsText(result.issues)}`);
  }
  return result.ok && failed.length === 0 ? 0 : 1;
};

/** The flow's own tests that fail: warnings of a check, faults for a publish. */
function failedIn({ warnings }: Sound): readonly Issue[] {
  return warnings.filter(({ path }) => path.startsWith("tests."));
}

function soundText(file: string, sound: Sound): string {
  const { nodes, longest_seconds, warnings } = sound;
  const failed = failedIn(sound);
  if (failed.length > 0) {
    return `${file} fails its own tests, so that a publish refuses it. It has ${
      faultsText(failed)
    }`;
  }
  const minutes = Math.floor(longest_seconds / 60);
  const longest = minutes === 0
    ? `${longest_seconds} s`
    : `${minutes} min ${longest_seconds % 60} s`;
  return [
    `${file} has no fault: ${nodes} nodes, and keeps a caller ${longest} at most, talk apart.`,
    ...adviceOf(warnings),
  ].join("\n");
}

/** What may be dialled, as the functions of this machine see it. */
export function destinationsOf(env: Environment) {
  try {
    return parseDestinations(env("ALLOWED_DESTINATIONS") ?? DEFAULT_DESTINATIONS);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`ALLOWED_DESTINATIONS ${error.message}`);
  }
}
