/** The functions that Twilio calls; supabase/config.toml names each of them. */
export type FunctionName =
  | "voice-frontdoor"
  | "voice-consent-speech"
  | "voice-menu-handler"
  | "voice-route"
  | "voice-route-action"
  | "voice-action"
  | "voice-voicemail"
  | "voice-status";

/** Whatever reports an event: a webhook's function, or the one that asks Twilio for what never came. */
export type EventSource = FunctionName | "voice-reconcile";
