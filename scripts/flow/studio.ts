import { isTimeZone } from "../../supabase/functions/_shared/flows/check.ts";
import { importStudio } from "../../supabase/functions/_shared/flows/studio_import.ts";
import { UsageError } from "../command.ts";
import { CommandFailure, type Verb } from "./api.ts";
import { readDocument } from "./file.ts";

/** Prints a Twilio Studio flow as one of ours; what is otherwise here goes to the error output, so that a file gets the flow alone. */
export const studio: Verb<{ zone?: string }> = async (
  [file = ""],
  { zone },
  { print, complain = console.error },
) => {
  if (zone === undefined) {
    throw new UsageError("--zone must name the flow's time zone, such as America/Edmonton");
  }
  if (!isTimeZone(zone)) {
    throw new UsageError(`--zone must be a time zone such as America/Edmonton: "${zone}"`);
  }
  const document = await readDocument(file);
  try {
    const { definition, reported } = importStudio(document, zone);
    print(JSON.stringify(definition, null, 2));
    for (const { path, message } of reported) complain(`${path || file}: ${message}`);
    return 0;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CommandFailure(`${file}: ${error.message}`);
  }
};
