/**
 * One function as it is deployed, but for a Data API that answers at once from this process: what is left of a
 * webhook's time is our own. `empty`: a handler that does nothing.
 */
import { LOCAL_AUTH_TOKEN } from "../../scripts/defaults.ts";

const [name = ""] = Deno.args;
const settings: Record<string, string> = {
  TWILIO_AUTH_TOKEN: LOCAL_AUTH_TOKEN,
  BUSINESS_TARGET_E164: "+15877428885",
  SUPABASE_URL: "http://127.0.0.1:9",
  SUPABASE_SECRET_KEYS: '{"default":"sb_secret_local"}',
  PUBLIC_FUNCTIONS_URL: "http://127.0.0.1/functions/v1",
};
for (const [key, value] of Object.entries(settings)) Deno.env.set(key, value);
Deno.env.set("DENO_SERVE_ADDRESS", "tcp:127.0.0.1:0");

const answer = JSON.stringify({
  duplicate: false,
  admitted: true,
  call: { status: "in-progress", mode: "menu", consent_given: true },
});
globalThis.fetch = () =>
  Promise.resolve(
    new Response(answer, { headers: { "content-type": "application/json; charset=utf-8" } }),
  );

const serve = Deno.serve;
const listening = {
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }: Deno.NetAddr) => console.error(`http://127.0.0.1:${port}`),
};
Deno.serve = ((handler: Deno.ServeHandler) => serve(listening, handler)) as typeof Deno.serve;

if (name === "empty") Deno.serve(() => new Response());
else await import(new URL(`../../supabase/functions/${name}/index.ts`, import.meta.url).href);
