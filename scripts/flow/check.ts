import {
  DEFAULT_DESTINATIONS,
  parseDestinations,
} from "../../supabase/functions/_shared/destinations.ts";
import { checkFlow } from "../../supabase/functions/_shared/flows/check.ts";
import { draftVersion, failedTests } from "../../supabase/functions/_shared/flows/walk.ts";
import { type Environment, projectOf, UsageError } from "../command.ts";
import { callFlows, faultsText, type Issue, type Verb } from "./api.ts";
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
    return 0;
  }
  const checked = checkFlow(definition, { destinations: destinationsOf(env) });
  const failed = checked.ok ? failedTests(draftVersion(checked.flow)) : [];
  const result = checked.ok ? { ...checked, warnings: [...checked.warnings, ...failed] } : checked;
  if (json) {
    const { flow: _, ...answer } = { flow: undefined, ...result };
    print(JSON.stringify(answer, null, 2));
  } else {
    print(result.ok ? soundText(file, result) : `${file} has ${faultsText(result.issues)}`);
  }
  return result.ok ? 0 : 1;
};

function soundText(file: string, { nodes, longest_seconds, warnings }: Sound): string {
  const minutes = Math.floor(longest_seconds / 60);
  const longest = minutes === 0
    ? `${longest_seconds} s`
    : `${minutes} min ${longest_seconds % 60} s`;
  return [
    `${file} has no fault: ${nodes} nodes, and keeps a caller ${longest} at most, talk apart.`,
    ...warnings.map(({ path, message }) => `Advice: ${path} ${message}`),
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
