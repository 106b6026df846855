import { join } from "@std/path/join.js";
import { createHash } from "node:crypto";
import { ranged } from "../ranges.ts";

export interface StorageOptions {
  /** One folder a bucket; made when the first bucket is. */
  readonly dir: string;
  /** The role behind each API key. */
  readonly keys: Readonly<Record<string, "anon" | "service_role">>;
}

/** A bucket's own limits. */
interface Bucket {
  readonly public: boolean;
  /** In bytes. */
  readonly file_size_limit: number | null;
  readonly allowed_mime_types: readonly string[] | null;
}

/** The first line of an object's file; its bytes follow. */
interface ObjectHead {
  readonly type: string;
  readonly cacheControl: string;
  /** HTTP date. */
  readonly modified: string;
}

const BUCKET = /^[a-z0-9][a-z0-9-]{1,62}$/;
/** Without folders, which the project has no use for: so there is no way out of the bucket either. */
const OBJECT = /^[0-9A-Za-z][\w.-]{0,127}$/;
const SETTINGS = ".bucket";
/** Of a bucket without its own limit: that of Supabase's free plan, in bytes. */
const MOST_BYTES = 50 * 1024 * 1024;

/**
 * Supabase Storage as far as this project uses it: a bucket is created, an object is uploaded with the secret key, and
 * everybody reads an object of a public bucket. Errors have Storage's form: HTTP 400, with the status proper in the body.
 * Source: https://github.com/supabase/storage (src/http/routes, src/internal/errors).
 */
export function createStorageApi({ dir, keys }: StorageOptions) {
  const mayWrite = ({ headers }: Request) => {
    const bearer = /^Bearer +(.+)$/i.exec(headers.get("authorization") ?? "")?.[1];
    return keys[bearer ?? headers.get("apikey") ?? ""] === "service_role";
  };

  const bucketOf = async (name: string): Promise<Bucket> => {
    const text = BUCKET.test(name) &&
      await Deno.readTextFile(join(dir, name, SETTINGS)).catch(unlessMissing);
    if (!text) throw new StorageError(404, "NoSuchBucket", "Bucket not found");
    return JSON.parse(text);
  };

  async function createBucket(request: Request): Promise<Response> {
    const body = await request.json().catch(() => undefined);
    const name = body?.id ?? body?.name;
    if (typeof name !== "string" || !BUCKET.test(name)) {
      throw new StorageError(400, "InvalidBucketName", "Bucket name invalid");
    }
    const bucket: Bucket = {
      public: body.public === true,
      file_size_limit: body.file_size_limit ?? null,
      allowed_mime_types: body.allowed_mime_types ?? null,
    };
    const isKnown = await bucketOf(name).catch(() => undefined);
    if (isKnown) throw new StorageError(409, "BucketAlreadyExists", "The resource already exists");
    await Deno.mkdir(join(dir, name), { recursive: true, mode: 0o700 });
    await write(join(dir, name, SETTINGS), new TextEncoder().encode(JSON.stringify(bucket)));
    return Response.json({ name });
  }

  async function upload(request: Request, bucketName: string, name: string): Promise<Response> {
    const bucket = await bucketOf(bucketName);
    if (!OBJECT.test(name)) throw new StorageError(400, "InvalidKey", `Invalid key: ${name}`);
    const type = request.headers.get("content-type") ?? "application/octet-stream";
    if (bucket.allowed_mime_types?.includes(type) === false) {
      throw new StorageError(415, "InvalidMimeType", `mime type ${type} is not supported`);
    }
    const most = bucket.file_size_limit ?? MOST_BYTES;
    const said = Number(request.headers.get("content-length") ?? 0);
    const bytes = said > most ? undefined : new Uint8Array(await request.arrayBuffer());
    if (bytes === undefined || bytes.length > most) {
      throw new StorageError(
        413,
        "EntityTooLarge",
        "The object exceeded the maximum allowed size",
      );
    }
    const path = join(dir, bucketName, name);
    const isKnown = await Deno.lstat(path).then(() => true, () => false);
    if (isKnown && request.headers.get("x-upsert") !== "true") {
      throw new StorageError(409, "KeyAlreadyExists", "The resource already exists");
    }
    const head: ObjectHead = {
      type,
      cacheControl: request.headers.get("cache-control") ?? "no-cache",
      modified: new Date().toUTCString(),
    };
    const line = new TextEncoder().encode(`${JSON.stringify(head)}\n`);
    const file = new Uint8Array(line.length + bytes.length);
    file.set(line);
    file.set(bytes, line.length);
    await write(path, file);
    return Response.json({ Key: `${bucketName}/${name}`, Id: crypto.randomUUID() });
  }

  async function read(request: Request, bucketName: string, name: string): Promise<Response> {
    const bucket = await bucketOf(bucketName);
    const file = bucket.public && OBJECT.test(name) &&
      await Deno.readFile(join(dir, bucketName, name)).catch(unlessMissing);
    if (!file) throw new StorageError(404, "NoSuchKey", "Object not found");
    const end = file.indexOf(10);
    const head: ObjectHead = JSON.parse(new TextDecoder().decode(file.subarray(0, end)));
    const bytes = file.subarray(end + 1);
    const etag = `"${createHash("md5").update(bytes).digest("hex")}"`;
    const headers = {
      "content-type": head.type,
      "cache-control": head.cacheControl,
      "last-modified": head.modified,
      etag,
    };
    if (request.headers.get("if-none-match") === etag) {
      return new Response(null, { status: 304, headers });
    }
    return ranged(bytes, request.headers.get("range"), headers);
  }

  async function route(request: Request): Promise<Response> {
    const [kind, ...rest] = decodeURIComponent(
      new URL(request.url).pathname.slice("/storage/v1/".length),
    ).split("/");
    const { method } = request;
    if (kind === "object" && rest[0] === "public" && rest.length === 3 && method === "GET") {
      return await read(request, rest[1]!, rest[2]!);
    }
    const writes = method === "POST" &&
      ((kind === "bucket" && rest.length === 0) || (kind === "object" && rest.length === 2));
    if (!writes) throw new StorageError(404, "NotFound", `Route ${method}:/${kind} not found`);
    if (!mayWrite(request)) throw new StorageError(403, "AccessDenied", "Access denied");
    return kind === "bucket" ? await createBucket(request) : await upload(
      request,
      rest[0]!,
      rest[1]!,
    );
  }

  /** Answers a request to `/storage/v1/...`. */
  return async (request: Request): Promise<Response> => {
    try {
      return await route(request);
    } catch (error) {
      if (error instanceof URIError) return new StorageError(400, "InvalidKey", "").toResponse();
      if (!(error instanceof StorageError)) throw error;
      return error.toResponse();
    }
  };
}

class StorageError extends Error {
  override name = "StorageError";

  constructor(readonly status: number, readonly code: string, message: string) {
    super(message);
  }

  toResponse(): Response {
    const { status, code, message } = this;
    const body = { statusCode: String(status), code, error: code, message };
    return Response.json(body, { status: 400 });
  }
}

/** Whole or not at all, and for this user alone. */
async function write(path: string, bytes: Uint8Array): Promise<void> {
  const part = `${path}.${crypto.randomUUID()}.part`;
  await Deno.writeFile(part, bytes, { mode: 0o600 });
  await Deno.rename(part, path);
}

function unlessMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
