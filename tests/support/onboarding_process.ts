// A process of its own that onboards one organisation, to be killed while it does. The settings are its
// environment, the request its argument.

import { liveDeps } from "../../supabase/functions/_shared/deps.ts";
import { createHandler, onboardDeps } from "../../supabase/functions/telephony-onboard/handler.ts";

const deps = liveDeps();
const response = await createHandler(onboardDeps(deps))(
  new Request("http://edge-runtime.supabase.com/telephony-onboard", {
    method: "POST",
    headers: { "content-type": "application/json", apikey: deps.settings.secretKey },
    body: Deno.args[0]!,
  }),
);
console.log(response.status);
