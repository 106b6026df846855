// The meaning of a text as numbers, from the model that this deployment has.

import { ServiceError } from "../errors.ts";

/** Every model gives as many numbers: what the column of `search_embeddings` holds. */
export const DIMENSIONS = 384;

/** Makes embeddings. Those of different models cannot be compared. */
export interface Embedder {
  /** At most 64 characters. */
  readonly model: string;
  /** Texts of one request. */
  readonly atOnce: number;
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

export interface EmbedSettings {
  readonly openAiApiKey: string | undefined;
  /** With `/v1`, without a trailing slash. */
  readonly openAiUrl: string;
}

const DEADLINE_MS = 10_000;

/**
 * OpenAI where its key is set, else the model of Supabase's functions; `undefined`: there is none, and a search goes by
 * words only.
 */
export function embedderOf(
  { openAiApiKey, openAiUrl }: EmbedSettings,
  platform = (globalThis as { Supabase?: Platform }).Supabase,
): Embedder | undefined {
  if (openAiApiKey !== undefined) return openAi(openAiApiKey, openAiUrl);
  return platform?.ai === undefined ? undefined : gteSmall(platform.ai.Session);
}

/**
 * Runs inside the function, at some 300 ms of its processor time for 1,000 characters: so one text a request. English.
 * Source: https://supabase.com/docs/guides/ai/quickstarts/generate-text-embeddings
 */
function gteSmall(Session: new (model: string) => Session): Embedder {
  let session: Session | undefined;
  return {
    model: "gte-small",
    atOnce: 1,
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
    atOnce: 100,
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
