import type { ReadInvitation } from "../db/members.ts";
import { ServiceError } from "../errors.ts";
import type { Outcome, Work } from "../jobs/run.ts";

/** Deadline of a request to Supabase Auth, which sends a mail meanwhile. Milliseconds. */
const DEADLINE_MS = 15_000;
/** Until Auth takes another mail. Seconds. */
const BUSY_WAIT_SEC = 60;

export interface InviteDeps {
  readonly supabaseUrl: string;
  readonly secretKey: string;
  readonly read: ReadInvitation;
  readonly fetch: typeof fetch;
}

/**
 * Has Supabase Auth mail an invited member a link: with an account of the address's own, or to the one that it has. The
 * link leads to the project's Site URL. An invitation that was accepted or taken back has none.
 */
export function inviteMember({ supabaseUrl, secretKey, read, fetch }: InviteDeps): Work {
  async function ask(path: string, body: unknown): Promise<{ status: number; code: string }> {
    const response = await fetch(`${supabaseUrl}/auth/v1/${path}`, {
      method: "POST",
      headers: {
        apikey: secretKey,
        // A legacy key is a JWT and names its role there.
        ...(secretKey.startsWith("ey") && { authorization: `Bearer ${secretKey}` }),
        "content-type": "application/json",
        "x-supabase-api-version": "2024-01-01",
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
    }).catch((error) => {
      throw new ServiceError("unknown", `Supabase Auth did not answer: ${(error as Error).name}`);
    });
    const answer = await response.json().catch(() => ({}));
    return { status: response.status, code: typeof answer.code === "string" ? answer.code : "" };
  }
  return async ({ key }) => {
    const invitation = await read(key);
    if (invitation === null) return { kind: "done" };
    const { email, known } = invitation;
    const link = () => ask("otp", { email, create_user: false });
    let answer = known ? await link() : await ask("invite", { email });
    if (answer.code === "email_exists") answer = await link();
    return outcomeOf(answer);
  };
}

function outcomeOf({ status, code }: { status: number; code: string }): Outcome {
  const error = `auth ${status} ${code}`.trim();
  if (status < 300) return { kind: "done" };
  if (status === 429) return { kind: "held", error, seconds: BUSY_WAIT_SEC, scope: "kind" };
  return { kind: "failed", error, permanent: status < 500, uncertain: status >= 500 };
}
