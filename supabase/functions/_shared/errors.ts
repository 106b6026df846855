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

/** A request that was understood and cannot be used: each field at fault, and what it must be. */
export function invalid(
  issues: readonly { readonly field: string; readonly message: string }[],
): HttpError {
  return new HttpError(400, "invalid", {}, { issues });
}
