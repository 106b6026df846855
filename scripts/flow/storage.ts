import { type Project } from "../command.ts";
import {
  MAX_PROMPT_BYTES,
  PROMPT_BUCKET,
  PROMPT_TYPES,
} from "../../supabase/functions/_shared/flows/prompt_audio.ts";
import { CommandFailure, request } from "./api.ts";

/**
 * Stores a prompt in Supabase Storage under its hash, for a year: the content of a name never changes. The first prompt
 * makes the bucket: Storage's tables are not to be written by SQL, so by no migration either.
 * Source: https://supabase.com/docs/guides/storage/schema/design
 *
 * @throws {CommandFailure}
 */
export async function storeAudio(
  project: Project,
  hash: string,
  type: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const upload = () =>
    request(`${project.url}/storage/v1/object/${PROMPT_BUCKET}/${hash}`, project, {
      method: "POST",
      headers: { "content-type": type, "cache-control": "max-age=31536000, immutable" },
      body: bytes,
    });
  let answer = await answerOf(await upload());
  if (answer.is("404", "NoSuchBucket")) {
    const made = await answerOf(await createBucket(project));
    // Somebody else may just have made it.
    if (made.failed && !made.is("409", "BucketAlreadyExists")) throw made.failure("bucket");
    answer = await answerOf(await upload());
  }
  // The same bytes are there already.
  if (answer.failed && !answer.is("409", "KeyAlreadyExists")) throw answer.failure("file");
}

async function createBucket(project: Project): Promise<Response> {
  return await request(`${project.url}/storage/v1/bucket`, project, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      id: PROMPT_BUCKET,
      name: PROMPT_BUCKET,
      public: true,
      file_size_limit: MAX_PROMPT_BYTES,
      allowed_mime_types: PROMPT_TYPES,
    }),
  });
}

/** Storage answers HTTP 400 and tells the status proper, or its code, in the body. */
async function answerOf(response: Response) {
  const body = await response.json().catch(() => ({}));
  const told = [String(body.statusCode ?? response.status), body.code, body.message];
  return {
    failed: !response.ok,
    is: (status: string, code: string) =>
      !response.ok && (told.includes(code) ||
        (told[0] === status && (status !== "404" || /bucket/i.test(body.message ?? "")))),
    failure: (what: string) =>
      new CommandFailure(
        `Storage refused the ${what}: ${body.message ?? `it answered ${response.status}`}`,
      ),
  };
}
