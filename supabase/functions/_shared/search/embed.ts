// The meaning of a text as numbers, from the model that this deployment has.

import * as z from "zod/mini";
import type { Search } from "../db/search.ts";
import type { StoreEmbedding } from "../db/search_meaning.ts";
import { ServiceError } from "../errors.ts";
import type { Work } from "../jobs/run.ts";
import type { Settings } from "../settings.ts";

/** Every model gives as many numbers: what the column of `search_embeddings` holds. */
export const DIMENSIONS = 384;

/** Makes embeddings. Those of different models cannot be compared. */
export interface Embedder {
  /** At most 64 characters. */
  readonly model: string;
  /** Texts that one run of a worker may embed: the platform ends a function after 2 s of processor time. */
  readonly perRun: number;
  /**
   * @returns an embedding of unit length for each text.
   * @throws {ServiceError}
   */
  embed(texts: readonly string[]): Promise<number[][]>;
}

interface Session {
  run(text: string, options: { mean_pool: boolean; normalize: boolean }): Promise<unknown>;
}
/** What the platform's global `Supabase` has, where it has models. */
export interface Platform {
  readonly ai?: { readonly Session: new (model: string) => Session };
}

const DEADLINE_MS = 10_000;

/**
 * OpenAI where its key is set, else the model of Supabase's functions; `undefined`: there is none, and a search goes by
 * words only.
 */
export function embedderOf(
  openai: Settings["models"]["openai"],
  platform = (globalThis as { Supabase?: Platform }).Supabase,
): Embedder | undefined {
  if (openai !== undefined) return openAi(openai.apiKey, openai.baseUrl);
  return platform?.ai === undefined ? undefined : gteSmall(platform.ai.Session);
}

/**
 * Runs inside the function, at some 400 ms of its processor time for 1,000 characters. English.
 * Source: https://supabase.com/docs/guides/ai/quickstarts/generate-text-embeddings
 */
function gteSmall(Session: new (model: string) => Session): Embedder {
  let session: Session | undefined;
  return {
    model: "gte-small",
    perRun: 3,
    async embed(texts) {
      session ??= new Session("gte-small");
      const made: number[][] = [];
      for (const text of texts) {
        // deno-lint-ignore no-await-in-loop -- One model, one processor.
        made.push(checked(await session.run(text, { mean_pool: true, normalize: true })));
      }
      return made;
    },
  };
}

/** Source: https://platform.openai.com/docs/api-reference/embeddings/create */
function openAi(key: string, url: string): Embedder {
  const model = "text-embedding-3-small";
  return {
    model,
    perRun: 500,
    async embed(texts) {
      let response: Response;
      try {
        response = await fetch(`${url}/embeddings`, {
          method: "POST",
          headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
          body: JSON.stringify({ model, input: texts, dimensions: DIMENSIONS }),
          signal: AbortSignal.timeout(DEADLINE_MS),
        });
      } catch {
        throw new ServiceError("busy", "OpenAI did not answer");
      }
      if (!response.ok) {
        await response.body?.cancel();
        // A key that is wrong is replaced some time; only the request itself is refused for good.
        const kind = response.status === 400 ? "refused" : "busy";
        throw new ServiceError(kind, `OpenAI answered ${response.status}`, String(response.status));
      }
      const answer: unknown = await response.json().catch(() => undefined);
      const data = (answer as { data?: { index?: number; embedding?: unknown }[] } | null)?.data;
      if (!Array.isArray(data) || data.length !== texts.length) {
        throw new ServiceError("busy", "OpenAI answered with something else");
      }
      const made: number[][] = [];
      for (const { index, embedding } of data) made[index ?? 0] = checked(embedding);
      return texts.map((_, index) => checked(made[index]));
    },
  };
}

function checked(embedding: unknown): number[] {
  if (
    Array.isArray(embedding) && embedding.length === DIMENSIONS &&
    embedding.every((each) => Number.isFinite(each))
  ) return embedding;
  throw new ServiceError("busy", `The model did not give ${DIMENSIONS} numbers`);
}

/** What makes and keeps the embeddings of documents. */
export interface Embedding {
  readonly embedder: Embedder;
  readonly store: StoreEmbedding;
}

const passage = z.object({ text: z.string() });

/** Embeds a document; after `perRun` of them the others wait for the next run. */
export function embedDocument({ embedder, store }: Embedding): Work {
  let left = embedder.perRun;
  return async ({ key, content }) => {
    const { success, data } = passage.safeParse(content);
    // Erased, or of another text, which has a job of its own.
    if (!success) return { kind: "done" };
    if (left-- <= 0) {
      return { kind: "held", error: "enough for one run", seconds: 0, scope: "kind" };
    }
    const [embedding] = await embedder.embed([data.text]);
    await store({ key, model: embedder.model, embedding: embedding! });
    return { kind: "done" };
  };
}

/** What plain words mean, as a model has it; `undefined`: the search goes by words only. Never rejects. */
export type MeaningOf = (q: string | undefined) => Promise<Search["embedding"]>;

/** The longest wait for the meaning of a search: its words are found without it. Milliseconds. */
const PATIENCE_MS = 1000;
/** How much of a search has a meaning to compare. */
const MOST_CHARACTERS = 500;
/** Phrases, exclusions and numbers ask for exactly what they say. */
const EXACT = /["\d]|(^|\s)(-\S|or(\s|$))/i;

/** @param embedder Absent: there is no model. */
export function meaningBy(embedder: Embedder | undefined, patienceMs = PATIENCE_MS): MeaningOf {
  return async (q) => {
    if (embedder === undefined || q === undefined || EXACT.test(q) || !/\p{L}{2}/u.test(q)) {
      return undefined;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<undefined>((done) => {
      timer = setTimeout(() => done(undefined), patienceMs);
    });
    const made = embedder.embed([q.slice(0, MOST_CHARACTERS)])
      .then(([vector]) => ({ model: embedder.model, vector: vector! }), () => undefined);
    return await Promise.race([made, late]).finally(() => clearTimeout(timer));
  };
}
