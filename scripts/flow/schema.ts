import * as z from "zod/mini";
import { FLOW } from "../../supabase/functions/_shared/flows/schema.ts";
import type { Verb } from "./api.ts";

/** Prints the language as a JSON Schema. */
export const schema: Verb<unknown> = (_args, _options, { print }) => {
  const about = {
    title: "A call flow of TradeLine",
    description: "How a line answers. See docs/flows.md.",
  };
  print(JSON.stringify({ ...about, ...z.toJSONSchema(FLOW) }, null, 2));
  return Promise.resolve(0);
};
