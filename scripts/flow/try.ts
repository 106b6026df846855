import { checkFlow, isRealTime } from "../../supabase/functions/_shared/flows/check.ts";
import {
  draftVersion,
  everyWay,
  type Happening,
  walk,
  type Way,
} from "../../supabase/functions/_shared/flows/walk.ts";
import { UsageError } from "../command.ts";
import { CommandFailure, faultsText, type Verb } from "./api.ts";
import { destinationsOf } from "./check.ts";
import { readDocument } from "./file.ts";

/** Ways that `--all` lists at most. */
const MOST_WAYS = 1000;

/** What a caller hears, by the interpreter that answers calls; no server is asked, and nobody is rung. */
export const tryOut: Verb<{
  keys?: string;
  say?: string[];
  at?: string;
  caller?: string;
  returning?: boolean;
  "no-answer"?: boolean;
  people?: "accept" | "refuse" | "mailbox";
  withheld?: boolean;
  all?: boolean;
  json?: boolean;
}> = async ([file = ""], options, { env, print }) => {
  if (options.at !== undefined && !isRealTime(options.at)) {
    throw new UsageError(`--at must be a date and time that exist: "${options.at}"`);
  }
  const checked = checkFlow(await readDocument(file), { destinations: destinationsOf(env) });
  if (!checked.ok) throw new CommandFailure(`${file} has ${faultsText(checked.issues)}`);
  const { flow } = checked;
  if (options.all) {
    const ways = everyWay(flow, MOST_WAYS);
    print(options.json ? JSON.stringify(ways, null, 2) : ways.map(wayText).join("\n"));
    if (ways.length === MOST_WAYS && !options.json) print(`There are more than ${MOST_WAYS} ways.`);
    return 0;
  }
  const keys = options.keys?.split(/[\s,]+/).filter((key) => key !== "") ?? [];
  const say = options.say ?? [];
  const walked = walk(draftVersion(flow), {
    keys,
    say,
    at: options.at,
    caller: options.caller,
    returning: options.returning,
    no_answer: options["no-answer"],
    people: options.people,
    withheld: options.withheld,
  });
  if (options.json) print(JSON.stringify(walked, null, 2));
  else {
    for (const happening of walked.happenings) print(textOf(happening));
    const { path, mode = "none", seconds } = walked;
    const given = walked.happenings.filter(({ kind }) => kind === "presses" || kind === "says");
    const left = [...keys, ...say].slice(given.length);
    if (left.length > 0) print(`\nThe call ended before it asked for: ${left.join(", ")}`);
    print(`\nThe call took ${seconds} s, talk apart. Mode: ${mode}. Nodes: ${path.join(" -> ")}`);
  }
  return 0;
};

const RESULTS = {
  answered: "answered",
  refused: "answered, and not accepted by key 1",
  no_answer: "nobody answers",
};

function textOf(happening: Happening): string {
  switch (happening.kind) {
    case "hears":
      return `${happening.language ?? "audio"}: ${happening.text}`;
    case "presses":
      return `  > presses ${happening.text}`;
    case "says":
      return `  > says "${happening.text}"`;
    case "silence":
      return "  > says nothing";
    case "rings": {
      const { numbers, seconds, result, recorded } = happening;
      return `  ~ ${numbers.join(", ")} rings for ${seconds} s: ${RESULTS[result]}${
        recorded ? ", recorded" : ""
      }`;
    }
    case "holds":
      return `  ~ holds for ${happening.seconds} s, as the first in line: ${happening.queue}`;
    case "message":
      return "  > leaves a message";
    case "end":
      return "  ~ the call ends";
  }
}

/** Each node with what happened at it; what needs no choice is left out. */
function wayText({ steps, seconds }: Way): string {
  const named = steps.map(({ node, outcome }) =>
    ["", "next"].includes(outcome) ? node : `${node} (${outcome})`
  );
  return `${String(seconds).padStart(5)} s  ${named.join(" -> ")}`;
}
