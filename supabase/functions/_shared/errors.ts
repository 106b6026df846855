import type * as z from "zod/mini";

/**
 * A setting is missing or malformed. The message names the setting, what was expected and what to
 * do, and never repeats a secret's value, so it can be printed as it is.
 */
export class SettingError extends Error {
  override name = "SettingError";

  constructor(
    /** The environment variable at fault, for example `TWILIO_AUTH_TOKEN`. */
    readonly setting: string,
    expectation: string,
  ) {
    super(`Cannot start: ${setting} ${expectation}`);
  }
}

/**
 * A request that is refused. It carries its whole answer: `errorResponse` turns it into a response, and no code in
 * between can mistake it for an internal failure.
 */
export class HttpError extends Error {
  override name = "HttpError";

  constructor(
    readonly status: number,
    /** The machine-readable `error` of the JSON body. */
    readonly code: string,
    readonly headers: Record<string, string> = {},
    /** Further members of the JSON body. */
    readonly detail: Record<string, unknown> = {},
  ) {
    super(code);
  }
}

/** A field at fault and why; never its value. */
export interface Issue {
  readonly field: string;
  readonly message: string;
}

/** The faults of a body that zod found, by field. Repeats no value. */
export function issuesOf(issue: z.core.$ZodIssue): Issue[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      field: [...path, key.slice(0, 64)].join("."),
      message: "is not known",
    }));
  }
  const isUnnamed = issue.code === "invalid_type" && issue.expected === "object" &&
    issue.message === "Invalid input";
  return [{
    field: path.join(".") || "body",
    message: isUnnamed ? "must be a JSON object" : issue.message,
  }];
}

/** A well-formed request with invalid fields: each field at fault, and what it must be. */
export function invalid(issues: readonly Issue[]): HttpError {
  return new HttpError(400, "invalid", {}, { issues });
}

/**
 * The kind of another system's failure. It decides the HTTP status (502 for `refused`, else 503), what a job does
 * (`refused` is given up, the others are retried) and a script's message.
 */
export type FailureKind =
  /** A retry will fail too. */
  | "refused"
  /** It did nothing; a retry may succeed. */
  | "busy"
  /** No answer, or not a documented one: the request may have had its effect. */
  | "unknown";

/** A request to the database, Twilio or a mail service failed. The message holds no address, number or key. */
export class ServiceError extends Error {
  override name = "ServiceError";

  constructor(
    readonly kind: FailureKind,
    message: string,
    /** The service's own code, such as Twilio's 21422 or an SQLSTATE; empty without one. */
    readonly code = "",
  ) {
    super(message);
  }
}

/** The database will not do what was asked: a fault of the request, which the message names. */
export class Refused extends Error {
  override name = "Refused";

  constructor(
    /** 400: the request is at fault. 404: there is nothing of that name. 409: not as things stand. */
    readonly status: 400 | 404 | 409,
    /** The field at fault, as far as there is one. */
    readonly field: string | undefined,
    message: string,
  ) {
    super(message);
  }
}

/** An error's name and message for a log line; other thrown values are not repeated. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
}
