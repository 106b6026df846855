import type postgres from "postgres";

/** An answer of the Data API that is not a result, in PostgREST's form. */
export class RestError extends Error {
  override name = "RestError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: string | null = null,
    readonly hint: string | null = null,
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }

  toResponse(): Response {
    const { code, details, hint, message } = this;
    return Response.json({ code, details, hint, message }, {
      status: this.status,
      headers: { "content-type": "application/json; charset=utf-8", ...this.headers },
    });
  }
}

/** PostgreSQL refused: PostgREST's status for its SQLSTATE. */
export function refused(error: postgres.PostgresError, role: string): RestError {
  return new RestError(
    statusOf(error.code, role),
    error.code,
    error.message,
    error.detail ?? null,
    error.hint ?? null,
  );
}

/** PostgreSQL cannot be reached, or went away in the middle. */
export function unreachable(): RestError {
  return new RestError(
    503,
    "PGRST001",
    "Database client error. Retrying the connection.",
  );
}

function statusOf(sqlState: string, role: string): number {
  const raised = /^PT([1-5]\d\d)$/.exec(sqlState)?.[1];
  if (raised !== undefined) return Number(raised);
  switch (sqlState) {
    case "23503":
    case "23505":
      return 409;
    case "25006":
      return 405;
    case "42501":
      return role === "anon" ? 401 : 403;
    case "42883":
    case "42P01":
      return 404;
    case "42P17":
      return 500;
    case "57P01":
      return 503;
    case "P0001":
      return 400;
  }
  switch (sqlState.slice(0, 2)) {
    case "08":
    case "53":
      return 503;
    case "28":
    case "0L":
    case "0P":
      return 403;
    case "09":
    case "25":
    case "2D":
    case "38":
    case "39":
    case "3B":
    case "40":
    case "54":
    case "55":
    case "57":
    case "58":
    case "F0":
    case "HV":
    case "P0":
    case "XX":
      return 500;
  }
  return 400;
}
