import * as z from "zod/mini";
import type { Issue } from "../errors.ts";
import { isOneVisibleLine, ONE_VISIBLE_LINE, plainText } from "../text.ts";

/** A checked message from the website. */
export interface ContactMessage {
  readonly name: string;
  readonly email: string;
  readonly phone: string | null;
  readonly subject: string | null;
  readonly message: string;
}

export type ParsedSubmission =
  | { readonly kind: "message"; readonly message: ContactMessage }
  /** The hidden field is filled in, so a program wrote this. */
  | { readonly kind: "trap" }
  | { readonly kind: "invalid"; readonly issues: readonly Issue[] };

/** One line of at most `max` characters, trimmed. A lone surrogate, which no database takes, becomes U+FFFD. */
const line = (max: number) =>
  z.pipe(
    z.pipe(
      z.string("must be text"),
      z.transform((value: string) => value.trim().toWellFormed()),
    ),
    z.string().check(
      z.refine((value) => length(value) <= max, `must have at most ${max} characters`),
      z.refine(isOneVisibleLine, ONE_VISIBLE_LINE),
    ),
  );

/** Forms send an omitted field as empty text. */
const orNothing = (schema: z.ZodMiniType<string, string>) =>
  z.pipe(
    z.nullish(schema),
    z.transform((value: string | null | undefined) => value || null),
  );

const given = (value: string) => value !== "";

const submission = z.object({
  name: line(100).check(z.refine(given, "must be given")),
  email: line(254).check(
    z.refine(given, "must be given"),
    z.refine(
      (value) => value === "" || isEmailAddress(value),
      "must be an e-mail address such as jane@example.com",
    ),
  ),
  phone: orNothing(
    z.pipe(
      z.pipe(line(40), z.transform((value: string) => value.replaceAll(/[ ().-]/g, ""))),
      z.string().check(
        z.refine(
          (value) => value === "" || /^\+?\d{7,15}$/.test(value),
          "must be a phone number such as +1 587 742 8885, or left out",
        ),
      ),
    ),
  ),
  subject: orNothing(line(150)),
  message: z.pipe(
    z.pipe(z.string("must be text"), z.transform(plainText)),
    z.string().check(
      z.refine(given, "must be given"),
      z.refine((value) => length(value) <= 5000, "must have at most 5000 characters"),
    ),
  ),
});

/** Checks a JSON body and names each field at fault once. Unknown fields are ignored. */
export function parseSubmission(body: unknown): ParsedSubmission {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    return { kind: "invalid", issues: [{ field: "body", message: "must be a JSON object" }] };
  }
  const { website } = body as { website?: unknown };
  if (website !== undefined && website !== null && website !== "") return { kind: "trap" };

  const { success, data, error } = submission.safeParse(body);
  if (success) return { kind: "message", message: data };
  const issues = new Map<string, string>();
  for (const issue of error.issues) {
    const field = String(issue.path[0] ?? "body");
    const missing = (body as Record<string, unknown>)[field] === undefined;
    if (!issues.has(field)) issues.set(field, missing ? "must be given" : issue.message);
  }
  return {
    kind: "invalid",
    issues: [...issues].map(([field, message]) => ({ field, message })),
  };
}

/**
 * Whether this is a single mail address in its common form: local part and domain of RFC 5321 without quotes, comments,
 * lists or angle brackets.
 */
export function isEmailAddress(value: string): boolean {
  const [, local = "", domain = ""] = /^([^@]+)@([^@]+)$/.exec(value) ?? [];
  return value.length <= 254 && local.length <= 64 &&
    /^[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+(\.[\p{L}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u.test(local) &&
    /^([\p{L}\p{N}]([\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)+[\p{L}][\p{L}\p{N}-]*[\p{L}\p{N}]$/u
      .test(domain);
}

/** In characters as PostgreSQL counts them. */
function length(value: string): number {
  return [...value].length;
}
