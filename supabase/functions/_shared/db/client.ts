import { PostgrestClient } from "@supabase/postgrest-js";

/** The Data API as supabase-js speaks it, through the part of supabase-js that does: a tenth of its start-up. */
export type DataApi = PostgrestClient;

/** @param secretKey The project's secret key; it goes into `apikey`, as the newer keys are no JWTs. */
export function dataApi(supabaseUrl: string, secretKey: string): DataApi {
  return new PostgrestClient(`${supabaseUrl}/rest/v1`, {
    headers: {
      apikey: secretKey,
      // A legacy key is a JWT and names its role there.
      ...(secretKey.startsWith("ey") && { authorization: `Bearer ${secretKey}` }),
    },
    // A caller waits, and Twilio retries: a second try of ours would only eat its time.
    retry: false,
  });
}

/**
 * Runs a SQL function, and gives what it returns. Rejects when the database did not do it, or did not say so; the
 * message names the function and repeats nothing that it was given.
 *
 * @param deadlineMs After this long without an answer.
 */
export async function run(
  api: DataApi,
  name: string,
  args: Readonly<Record<string, unknown>>,
  deadlineMs: number,
) {
  const { data, error } = await api.rpc(name, args).abortSignal(AbortSignal.timeout(deadlineMs));
  if (error !== null) {
    throw new Error(`Cannot run ${name}: the database answered ${error.code || "nothing"}`);
  }
  return data;
}
