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
 * A request that ends before any step runs. It carries all of its answer, so that one place turns
 * it into a response (`errorResponse`) and nothing in between can mistake it for a failure of ours.
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

/** A request that was understood and cannot be used: each field at fault, and what it must be. */
export function invalid(issues: readonly Issue[]): HttpError {
  return new HttpError(400, "invalid", {}, { issues });
}

/**
 * What the failure of another system means for what was asked of it. It decides alike for all who ask: an HTTP answer
 * (502 for `refused`, else 503), a job (`refused` is given up, the others are tried again), a script's message.
 */
export type FailureKind =
  /** It will not, however often it is asked. */
  | "refused"
  /** It did nothing, and later it may. */
  | "busy"
  /** It did not answer, or not as documented: it may have done it. */
  | "unknown";

/** The database, Twilio or a mail service did not do what it was asked. The message holds no address, number or key. */
export class ServiceError extends Error {
  override name = "ServiceError";

  constructor(
    readonly kind: FailureKind,
    message: string,
    /** The service's own name of the reason, such as Twilio's 21422 or an SQLSTATE; empty where it gave none. */
    readonly code = "",
  ) {
    super(message);
  }
}

/** What an error says of itself in a log line; nothing of what was thrown otherwise. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : "unknown";
}
