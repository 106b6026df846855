import { ServiceError } from "./errors.ts";
import { MAX_PROMPT_BYTES, PROMPT_BUCKET, PROMPT_TYPES } from "./flows/prompt_audio.ts";

/** Supabase Storage did not take a file. */
export class StorageFailure extends ServiceError {
  override name = "StorageFailure";
}

/** The project whose Storage it is: its address without a trailing slash, and its secret key. */
export interface StorageProject {
  readonly url: string;
  readonly key: string;
}

/** For one file, of 2 MB at most. Milliseconds. */
const DEADLINE_MS = 30_000;

/**
 * Stores a prompt in Supabase Storage under its hash, for a year: the content of a name never changes. The first prompt
 * makes the bucket: Storage's tables are not to be written by SQL, so by no migration either.
 * Source: https://supabase.com/docs/guides/storage/schema/design
 *
 * @throws {StorageFailure}
 */
export async function storeAudio(
  project: StorageProject,
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

async function createBucket(project: StorageProject) {
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
async function ask(project: StorageProject, path: string, init: RequestInit) {
  const answer = await answerOf(await request(project, path, init, true));
  const isRefused = answer.is("401", "InvalidJWT") || answer.is("403", "AccessDenied");
  return isRefused ? await answerOf(await request(project, path, init, false)) : answer;
}

async function request(
  { url, key }: StorageProject,
  path: string,
  init: RequestInit,
  bearer: boolean,
): Promise<Response> {
  const headers = { apikey: key, ...(bearer && { authorization: `Bearer ${key}` }) };
  try {
    return await fetch(`${url}/storage/v1/${path}`, {
      ...init,
      headers: { ...headers, ...init.headers as Record<string, string> },
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  } catch {
    throw new StorageFailure("unknown", "Cannot store the file: Storage does not answer");
  }
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
      new StorageFailure(
        response.status < 500 ? "refused" : "busy",
        `Storage refused the ${what}: ${body.message ?? `it answered ${response.status}`}`,
      ),
  };
}
