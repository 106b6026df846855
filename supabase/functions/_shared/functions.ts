/** Every function, by who calls it. A test holds the list to the folders and to supabase/config.toml. */
export const FUNCTIONS = {
  twilio: [
    "voice-frontdoor",
    "voice-consent-speech",
    "voice-menu-handler",
    "voice-route",
    "voice-route-action",
    "voice-action",
    "voice-voicemail",
    "voice-status",
  ],
  /** The scheduler, by a token of its own, or an operator. */
  scheduler: ["alert-dispatch", "notify-worker", "voice-reconcile"],
  /** With the project's secret key, or as a signed-in administrator. */
  operators: ["call-flows", "metrics", "telephony-onboard"],
  /** Anybody; what they get is the function's to decide. */
  public: ["contact-submit", "voice-health", "voicemail-audio"],
} as const;

/** A function that Twilio calls. */
export type FunctionName = (typeof FUNCTIONS.twilio)[number];

/** Whatever reports an event: a webhook's function, or the one that asks Twilio for what never came. */
export type EventSource = FunctionName | "voice-reconcile";
