import * as z from "zod/mini";
import type { UserClaims } from "../user_token.ts";
import { type DataApi, run } from "./client.ts";
import { claimsOf } from "./members.ts";

/** What a search finds: a call, or a document about one, about a person, or from the website. */
const HIT_KINDS = [
  "call",
  "voicemail",
  "transcript",
  "agent_turn",
  "note",
  "contact",
  "message",
  "campaign",
] as const;

const result = z.object({
  kind: z.enum(HIT_KINDS),
  call_sid: z.nullable(z.string()),
  /** `null`: the main account. */
  org_id: z.nullable(z.string()),
  /** The key of the source, such as a note's id or `<CallSid>/<RecordingSid>`; `null`: a call. */
  ref: z.nullable(z.string()),
  at: z.string(),
  /** The name of the person or the number, else empty. Plain text. */
  title: z.string(),
  /** Escaped for HTML, but for `<mark>`. */
  snippet: z.string(),
  /** Where the marked words are in the audio, estimated; `null`: there is none. */
  start_sec: z.nullable(z.number()),
  score: z.number(),
});
export type SearchResult = Readonly<z.infer<typeof result>>;

const answer = z.object({
  results: z.array(result),
  /** `{kind: {call: 12}, direction: ..., disposition: ..., mode: ..., line: ...}`; 1,000 stands for 1,000 or more. */
  facets: z.record(z.string(), z.record(z.string(), z.number())),
  /** Nothing was found for the query, and this was searched for. */
  correction: z.nullable(z.string()),
  next_cursor: z.nullable(z.string()),
  /** Time ran out: only newer rows were looked at. */
  partial: z.boolean(),
  /** Whether meanings were compared; otherwise the search went by words only. */
  meaning: z.boolean(),
});
export type SearchAnswer = Readonly<z.infer<typeof answer>>;

/** As `parseSearch` checks it. */
export interface Search {
  readonly q?: string | undefined;
  /** Times in ISO 8601, `number` as digits. */
  readonly filters: Readonly<Record<string, unknown>>;
  readonly limit: number;
  /** Of an answer to the same search. */
  readonly cursor?: string | undefined;
  /** What `q` means, as a model has it; absent: words only. */
  readonly embedding?: { readonly model: string; readonly vector: readonly number[] } | undefined;
}

/**
 * Searches in the rows of all organisations, or in a person's own. Takes at most half a second.
 *
 * @param claims Of the person's verified token; `null`: an operator asks.
 * @throws {DatabaseFailure} `PT400` for a filter or a cursor that is none; `42501` for a person without a membership.
 */
export function searchCalls(
  api: DataApi,
  claims: UserClaims | null,
  search: Search,
  deadlineMs = 4000,
): Promise<SearchAnswer> {
  const asked = {
    p_query: search.q ?? null,
    p_filters: search.filters,
    p_limit: search.limit,
    p_cursor: search.cursor ?? null,
    p_embedding: search.embedding?.vector ?? null,
    p_model: search.embedding?.model ?? null,
  };
  if (claims === null) return run(api, "search_calls", asked, answer, deadlineMs);
  const of = { ...asked, p_claims: claimsOf(claims) };
  return run(api, "search_calls_of_member", of, answer, deadlineMs);
}

/** What the message of an alert on words says, as the job `search_alert` has it. */
export const alertContent = z.object({
  alert: z.object({
    id: z.string(),
    name: z.string(),
    query: z.string(),
    channel: z.enum(["mail", "slack", "webhook"]),
    /** An e-mail address, or an address of Slack's or of a webhook. */
    target: z.string(),
    /** Signs what is sent to a webhook. */
    secret: z.nullable(z.string()),
    org_id: z.nullable(z.string()),
  }),
  document: z.object({
    kind: z.enum(HIT_KINDS),
    ref: z.string(),
    call_sid: z.nullable(z.string()),
    at: z.string(),
    speaker: z.nullable(z.string()),
    start_sec: z.nullable(z.number()),
    /** Its first 1,000 characters. */
    text: z.string(),
    party: z.nullable(z.string()),
  }),
});
export type AlertContent = Readonly<z.infer<typeof alertContent>>;
