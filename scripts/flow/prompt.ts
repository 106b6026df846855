import { projectOf, UsageError } from "../command.ts";
import { callFlows, type Verb } from "./api.ts";

/** Has `call-flows` check a file of audio and store it, so that its owner's flows can name it. */
export const prompt: Verb<{ org?: string; url?: string; json?: boolean }> = async (
  [file = ""],
  { org, url, json },
  { env, print },
) => {
  const project = projectOf(env, url);
  const bytes = await Deno.readFile(file).catch(() => {
    throw new UsageError(`FILE must be a file that can be read: "${file}"`);
  });
  const query = org === undefined ? "" : `?org_id=${encodeURIComponent(org)}`;
  const { advice, ...stored } = await callFlows(project, `/prompt${query}`, bytes);
  if (json) {
    print(JSON.stringify(stored, null, 2));
    return 0;
  }
  const kb = Math.ceil(stored.bytes / 1000);
  print(`${file}: ${stored.seconds.toFixed(1)} s, ${kb} kB, stored.`);
  for (const each of advice) print(`Advice: ${each}.`);
  print(
    `In a flow: {"audio": "${stored.hash}", "text": "what it says, should the file be missing"}`,
  );
  print(stored.hash);
  return 0;
};
