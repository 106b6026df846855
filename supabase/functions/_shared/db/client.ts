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
