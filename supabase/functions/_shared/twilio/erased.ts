import * as z from "zod/mini";
import type { Job } from "../db/jobs.ts";
import type { TwilioRest } from "./rest.ts";

const erased = z.object({ account: z.nullish(z.string()) });

/**
 * Deletes at Twilio what is erased here: the recording (`RE...`) or the record of a call (`CA...`) that a job
 * `twilio_deletion` is about.
 *
 * @throws {TwilioError} with the code `NOT_COMPLETE` while Twilio does not delete it yet.
 */
export async function deleteErased(twilio: TwilioRest, { key, payload }: Job): Promise<void> {
  const { account } = erased.parse(payload);
  const owner = typeof account !== "string" ? twilio : twilio.ofAccount(account);
  await (key.startsWith("RE") ? owner.deleteRecording(key) : owner.deleteCall(key));
}
