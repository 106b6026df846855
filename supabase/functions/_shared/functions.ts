/** The functions that Twilio calls; supabase/config.toml names each of them. */
export const FUNCTION_NAMES = [
  "voice-frontdoor",
  "voice-consent-speech",
  "voice-menu-handler",
  "voice-route",
  "voice-route-action",
  "voice-action",
  "voice-voicemail",
  "voice-status",
] as const;
export type FunctionName = (typeof FUNCTION_NAMES)[number];

/** Whatever reports an event: a webhook's function, or the one that asks Twilio for what never came. */
export type EventSource = FunctionName | "voice-reconcile";
