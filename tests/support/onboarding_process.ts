// A process of its own that onboards one organisation, to be killed while it does. The settings are its
// environment, the request its argument.

import { environment } from "../../supabase/functions/_shared/runtime.ts";
import { readSettings } from "../../supabase/functions/_shared/settings.ts";
import { liveDeps } from "../../supabase/functions/telephony-onboard/deps.ts";
import { createHandler } from "../../supabase/functions/telephony-onboard/handler.ts";

const settings = readSettings(environment);
const response = await createHandler(liveDeps(settings))(
  new Request("http://edge-runtime.supabase.com/telephony-onboard", {
    method: "POST",
    headers: { "content-type": "application/json", apikey: settings.secretKey },
    body: Deno.args[0]!,
  }),
);
console.log(response.status);
