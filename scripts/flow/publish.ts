import { projectOf, UsageError } from "../command.ts";
import { adviceOf, callFlows, type Verb } from "./api.ts";
import { readDocument } from "./file.ts";

/** Publishes a flow: its lines answer by it from the next call on. */
export const publish: Verb<{
  name?: string;
  line?: readonly string[];
  note?: string;
  org?: string;
  url?: string;
  json?: boolean;
}> = async ([file = ""], { name, line, note, org, url, json }, { env, print }) => {
  if (name === undefined) throw new UsageError("--name must be given: the flow's name");
  const project = projectOf(env, url);
  const flow = {
    definition: await readDocument(file),
    ...(org !== undefined && { org_id: org }),
  };
  const answer = await callFlows(project, "/publish", {
    ...flow,
    name,
    ...(line !== undefined && { lines: line }),
    ...(note !== undefined && { note }),
  });
  if (json) {
    print(JSON.stringify(answer, null, 2));
    return 0;
  }
  print(`Published ${answer.flow}, version ${answer.version}.`);
  const { lines } = answer;
  print(
    lines.length === 0
      ? "No line follows it yet: publish it again with --line +1..."
      : `From the next call on it answers ${lines.join(", ")}.`,
  );
  if (url === undefined && lines.length > 0) {
    print(`Hear it: npx -y deno@2.9.6 task phone --to ${lines[0]}`);
  }
  if (note !== undefined) {
    const query = new URLSearchParams({
      name,
      ...(org !== undefined && { org_id: org }),
      version: String(answer.version),
    });
    const { versions: [stored] } = await callFlows(project, `?${query}`);
    if (stored.note !== note) {
      print(
        `The note was not kept: version ${answer.version} has this definition, and never changes.`,
      );
    }
  }
  // It is published, whether or not there is an answer.
  const { warnings } = await callFlows(project, "/check", flow).catch(() => ({ warnings: [] }));
  for (const line of adviceOf(warnings)) print(line);
  return 0;
};
