import * as z from "zod/mini";
import { type DataApi, run } from "./client.ts";

/** The embedding of a document by a model. */
export interface DocumentEmbedding {
  /** Of its job: the document and its text. */
  readonly key: string;
  readonly model: string;
  readonly embedding: readonly number[];
}

/** Keeps an embedding. @returns false: the document is erased, or its text is another by now. @throws {DatabaseFailure} */
export type StoreEmbedding = (embedding: DocumentEmbedding) => Promise<boolean>;

export function storeEmbedding(api: DataApi, deadlineMs = 10_000): StoreEmbedding {
  return ({ key, model, embedding }) =>
    run(
      api,
      "store_embedding",
      { p_key: key, p_model: model, p_embedding: embedding },
      z.boolean(),
      deadlineMs,
    );
}
