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
    ask(project, `object/${PROMPT_BUCKET}/${hash}`, {
      method: "POST",
      headers: { "content-type": type, "cache-control": "max-age=31536000, immutable" },
      body: bytes,
    });
  let answer = await upload();
  if (answer.is("404", "NoSuchBucket")) {
    const made = await createBucket(project);
    // Somebody else may just have made it.
    if (made.failed && !made.is("409", "BucketAlreadyExists")) throw made.failure("bucket");
    answer = await upload();
  }
  // The same bytes are there already.
  if (answer.failed && !answer.is("409", "KeyAlreadyExists")) throw answer.failure("file");
}

async function createBucket(project: Project) {
  return await ask(project, "bucket", {
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

/**
 * Asks Storage. The newer keys are no JWTs: the API's gateway puts one in their place, of `apikey` or of both headers alike.
 * Where the bearer token reaches Storage as it is, Storage refuses it, and the key goes alone.
 * Source: https://supabase.com/docs/guides/api/api-keys (known limitations)
 */
async function ask(project: Project, path: string, init: RequestInit) {
  const url = `${project.url}/storage/v1/${path}`;
  const answer = await answerOf(await request(url, project, init));
  const isRefused = answer.is("401", "InvalidJWT") || answer.is("403", "AccessDenied");
  return isRefused ? await answerOf(await request(url, project, init, false)) : answer;
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
