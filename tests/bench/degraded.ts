import { LOCAL_AUTH_TOKEN } from "../../scripts/defaults.ts";
import { depsFrom } from "../../supabase/functions/_shared/deps.ts";
import { readSettings } from "../../supabase/functions/_shared/settings.ts";
import { createHandler } from "../../supabase/functions/voice-frontdoor/handler.ts";
import { sign } from "../../scripts/phone/signer.ts";
import type { Row } from "./report.ts";

/** Round trips that a caller waits for while the database refuses connections: one that fails, and no other. */
export async function degraded(): Promise<Row[]> {
  const env: Record<string, string> = {
    TWILIO_AUTH_TOKEN: LOCAL_AUTH_TOKEN,
    BUSINESS_TARGET_E164: "+15877428885",
    SUPABASE_URL: "http://127.0.0.1:9",
    SUPABASE_SECRET_KEYS: '{"default":"sb_secret_local"}',
    PUBLIC_FUNCTIONS_URL: "http://127.0.0.1/functions/v1",
    LOG_LEVEL: "error",
  };
  const own = globalThis.fetch;
  let tried = 0;
  globalThis.fetch = () => {
    tried++;
    return Promise.reject(new TypeError("connection refused"));
  };
  try {
    const handler = createHandler(depsFrom(readSettings((name) => env[name])));
    const params = { CallSid: `CA${"0".repeat(32)}`, From: "+14165550123", To: "+15877428885" };
    const url = `${env["PUBLIC_FUNCTIONS_URL"]}/voice-frontdoor`;
    const response = await handler(
      new Request(url, {
        method: "POST",
        headers: {
          "x-twilio-signature": sign(LOCAL_AUTH_TOKEN, url, params),
          "content-type": "application/x-www-form-urlencoded",
        },
        body: new URLSearchParams(params).toString(),
      }),
    );
    const served = response.status === 200 && (await response.text()).includes("<Gather");
    return [{
      measure: "round trips to the database while it is away",
      unit: "",
      ours: 0,
      aim: { most: 0 },
      note: `${tried} tried; the caller is ${served ? "served" : "NOT served"}`,
    }];
  } finally {
    globalThis.fetch = own;
  }
}
