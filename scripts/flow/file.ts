import { nestsDeeper } from "../../supabase/functions/_shared/flows/parse.ts";
import { LIMITS } from "../../supabase/functions/_shared/flows/schema.ts";
import { UsageError } from "../command.ts";
import { CommandFailure } from "./api.ts";

/**
 * A document from a file.
 *
 * @throws {UsageError} for a file that cannot be read.
 * @throws {CommandFailure} for one that is no JSON.
 */
export async function readDocument(path: string): Promise<unknown> {
  const text = await Deno.readTextFile(path).catch(() => {
    throw new UsageError(`FILE must be a file that can be read: "${path}"`);
  });
  if (nestsDeeper(text, LIMITS.depth * 10)) {
    throw new CommandFailure(`${path} is no flow: it nests too deeply`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CommandFailure(`${path} is not JSON: ${(error as Error).message}`);
  }
}
