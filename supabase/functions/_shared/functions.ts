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
    "voice-queue",
    "voice-person",
    "voice-outbound",
    "voice-status",
    "voice-agent-action",
  ],
  /** Twilio, by a socket. */
  socket: ["voice-agent"],
  /** The scheduler, by a token of its own, or an operator. */
  scheduler: [
    "alert-dispatch",
    "campaign-dialler",
    "dial-worker",
    "notify-worker",
    "voice-reconcile",
  ],
  /** With the project's secret key, or as a signed-in administrator; of call-search, as any member. */
  operators: ["call-flows", "call-search", "campaigns", "metrics", "telephony-onboard"],
  /** Public; the function itself decides what to answer. */
  public: ["contact-submit", "voice-health", "voicemail-audio"],
} as const;

/** A function that Twilio calls. */
export type FunctionName = (typeof FUNCTIONS.twilio)[number];

/** The source of an event: a webhook's function, or voice-reconcile, which asks Twilio for missing callbacks. */
export type EventSource = FunctionName | "voice-reconcile";
