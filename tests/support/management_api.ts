import { dirname } from "@std/path/dirname.js";
import { join } from "@std/path/join.js";
import { toFileUrl } from "@std/path/to_file_url.js";
import { createGateway, type Gateway } from "../../scripts/local/gateway.ts";
import { LOCAL_JWT_SECRET, serve, withLocalDefaults } from "../../scripts/local/stack.ts";
import { createTestDatabase, type TestDatabase } from "./database.ts";

/** What the CLI sent of one function. */
export interface UploadedFunction {
  /** As the CLI described it. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** The text of each file, by its path from the project's root. */
  readonly files: ReadonlyMap<string, string>;
  /** What all of it weighs. */
  readonly bytes: number;
}

/**
 * A hosted project on 127.0.0.1: the part of Supabase's management API that the CLI speaks when it deploys, the
 * functions that were deployed, run from what was uploaded and nothing else, and a database of its own.
 */
export interface ManagedProject {
  readonly ref: string;
  /** Without a trailing slash: management API, `/functions/v1` and `/rest/v1`. */
  readonly url: string;
  readonly db: TestDatabase;
  /** A profile of the CLI that leads here. */
  readonly profile: string;
  /** What serves now, by name. */
  readonly functions: ReadonlyMap<string, UploadedFunction>;
  /** How many of the next deploys a function does not take, and goes on with the version that it has. */
  readonly stuck: Map<string, number>;
  /** Functions that it fails to delete. */
  readonly undeletable: Set<string>;
  /** The secrets that were set. */
  readonly secrets: Record<string, string>;
  /** Each request to the management API, such as `PUT /v1/projects/.../functions`. */
  readonly requests: readonly string[];
  /** The environment that a deploy to here needs. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const TOKEN = `sbp_${"0123456789abcdef".repeat(3).slice(0, 40)}`;

/** Starts a project with every migration and no function. One at a time in a test file. */
export async function startManagedProject(
  options: { env?: Readonly<Record<string, string>> } = {},
): Promise<ManagedProject> {
  const ref = "abcdefghijklmnopqrst";
  const db = await createTestDatabase();
  const dir = await Deno.makeTempDir({ prefix: "tradeline-project-" });
  const api = db.api();
  const bundled = new Map<string, UploadedFunction>();
  const functions = new Map<string, UploadedFunction>();
  const folders = new Map<UploadedFunction, string>();
  const stuck = new Map<string, number>();
  const undeletable = new Set<string>();
  const secrets: Record<string, string> = {};
  const requests: string[] = [];
  let releases = 0;
  let gateway: Gateway | undefined;

  /** From now on what is active serves, each function from a folder with nothing in it but what was uploaded of it. */
  const activate = async (names: readonly string[]) => {
    for (const name of names) {
      const misses = stuck.get(name) ?? 0;
      stuck.set(name, misses - 1);
      const uploaded = bundled.get(name);
      if (uploaded !== undefined && misses <= 0) functions.set(name, uploaded);
    }
    const release = join(dir, String(releases++));
    const config: string[] = [];
    for (const [name, uploaded] of functions) {
      // Without a word in config.toml the CLI sends none, and the platform asks for a token.
      config.push(`[functions.${name}]`, `verify_jwt = ${uploaded.metadata["verify_jwt"] ?? true}`);
      // deno-lint-ignore no-await-in-loop -- They share the disk.
      const folder = folders.get(uploaded) ?? await unpack(uploaded, dir);
      folders.set(uploaded, folder);
      const index = toFileUrl(join(folder, String(uploaded.metadata["entrypoint_path"])));
      // deno-lint-ignore no-await-in-loop
      await write(
        join(release, "supabase", "functions", name, "index.ts"),
        `import "${index}?release=${releases}";\n`,
      );
    }
    await Deno.writeTextFile(join(release, "supabase", "config.toml"), config.join("\n"));
    await gateway?.close();
    gateway = await createGateway({
      supabaseDir: join(release, "supabase"),
      env: withLocalDefaults(secrets, server.url, db.url),
      jwtSecret: LOCAL_JWT_SECRET,
      dataApi: api.handle,
      log: () => {},
    });
  };

  const manage = async (request: Request, url: URL): Promise<Response> => {
    const project = `/v1/projects/${ref}`;
    const route = `${request.method} ${url.pathname}`;
    const slug = url.pathname.split("/").at(-1)!;
    requests.push(`${route}${url.search}`);
    if (request.headers.get("authorization") !== `Bearer ${TOKEN}`) {
      return Response.json({ message: "Unauthorized" }, { status: 401 });
    }
    switch (route) {
      case `GET ${project}`:
        return Response.json(describeProject(ref));
      case "GET /v1/organizations/tradeline":
        return Response.json({ id: "tradeline", name: "tradeline", plan: "pro" });
      case `GET ${project}/functions`:
        return Response.json([...functions].map(([name]) => describeFunction(name)));
      case `POST ${project}/functions/deploy`: {
        const name = url.searchParams.get("slug") ?? "";
        bundled.set(name, await readUpload(await request.formData()));
        if (url.searchParams.get("bundleOnly") !== "true") await activate([name]);
        return Response.json(describeFunction(name), { status: 201 });
      }
      case `PUT ${project}/functions`: {
        const wanted: { slug: string }[] = await request.json();
        await activate(wanted.map(({ slug }) => slug));
        return Response.json({ functions: wanted.map(({ slug }) => describeFunction(slug)) });
      }
      case `POST ${project}/secrets`: {
        const set: { name: string; value: string }[] = await request.json();
        for (const { name, value } of set) secrets[name] = value;
        return new Response(null, { status: 201 });
      }
      case `GET ${project}/secrets`:
        return Response.json(
          Object.keys(secrets).map((name) => ({ name, value: "0".repeat(64) })),
        );
      case `DELETE ${project}/secrets`: {
        const names: string[] = await request.json();
        for (const name of names) delete secrets[name];
        return new Response(null);
      }
      case `POST ${project}/database/query`: {
        const { query }: { query: string } = await request.json();
        return Response.json(await db.sql.unsafe(query), { status: 201 });
      }
      case `DELETE ${project}/functions/${slug}`: {
        if (undeletable.has(slug)) {
          return Response.json({ message: "Forbidden" }, { status: 403 });
        }
        if (!functions.delete(slug)) {
          return Response.json({ message: "Function not found" }, { status: 404 });
        }
        await activate([]);
        return new Response(null);
      }
      default:
        return Response.json({ message: `Cannot ${route}` }, { status: 404 });
    }
  };

  const server = serve(0, () => {}, async (request, info) => {
    const url = new URL(request.url);
    if (url.pathname.startsWith("/v1/")) return await manage(request, url);
    if (url.pathname.startsWith("/rest/v1/")) return await api.handle(request);
    if (gateway !== undefined) return await gateway.handle(request, info);
    return Response.json({ code: "NOT_FOUND" }, { status: 404 });
  });
  const profile = join(dir, "profile.yaml");
  await Deno.writeTextFile(
    profile,
    `name: loopback\napi_url: ${server.url}\ndashboard_url: ${server.url}\nproject_host: 127.0.0.1\n`,
  );
  return {
    ref,
    url: server.url,
    db,
    profile,
    functions,
    stuck,
    undeletable,
    secrets,
    requests,
    env: {
      SUPABASE_ACCESS_TOKEN: TOKEN,
      SUPABASE_PROFILE: profile,
      SUPABASE_URL: server.url,
      SUPABASE_DB_URL: `${db.url}?sslmode=disable`,
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: "sb_secret_local" }),
      NODE_ENV: "production",
      TWILIO_AUTH_TOKEN: "the-token-of-this-deployment",
      BUSINESS_TARGET_E164: "+15877428885",
      SALES_TARGET_E164: "+15875550101",
      METRICS_FLUSH_SECONDS: "0",
      ...options.env,
    },
    async stop() {
      await gateway?.close();
      await server.drain();
      await db.drop();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** @returns a new folder below `dir` with the files. */
async function unpack({ files }: UploadedFunction, dir: string): Promise<string> {
  const folder = await Deno.makeTempDir({ dir, prefix: "upload-" });
  for (const [path, text] of files) {
    // deno-lint-ignore no-await-in-loop -- They share the disk.
    await write(join(folder, path), text);
  }
  return folder;
}

async function write(path: string, text: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, text);
}

async function readUpload(form: FormData): Promise<UploadedFunction> {
  const files = new Map<string, string>();
  let bytes = 0;
  for (const part of form.getAll("file")) {
    if (typeof part === "string") continue;
    bytes += part.size;
    // deno-lint-ignore no-await-in-loop
    files.set(part.name, await part.text());
  }
  const metadata = form.get("metadata");
  const text = typeof metadata === "string" ? metadata : await metadata?.text() ?? "{}";
  return { metadata: JSON.parse(text), files, bytes };
}

function describeFunction(name: string) {
  return {
    id: crypto.randomUUID(),
    slug: name,
    name,
    version: 1,
    status: "ACTIVE",
    created_at: 1,
    updated_at: 1,
    verify_jwt: false,
    import_map: true,
    entrypoint_path: "index.ts",
    import_map_path: "import_map.json",
    ezbr_sha256: "0",
  };
}

function describeProject(ref: string) {
  return {
    id: ref,
    ref,
    organization_id: "tradeline",
    organization_slug: "tradeline",
    name: "tradeline",
    region: "ca-central-1",
    created_at: "2025-11-01T00:00:00Z",
    status: "ACTIVE_HEALTHY",
    database: { host: "127.0.0.1", version: "17", postgres_engine: "17", release_channel: "ga" },
  };
}
