import type { Settings } from "../settings.ts";
import type { Flow } from "./language.ts";
import { builtIn, type Version } from "./version.ts";

// The built-in flows. Pure.

const ENGLISH = "en-US";

/** The flow of a line without a published one: the hotline of the settings. */
export function hotline(
  settings: Pick<Settings, "recordingConsent" | "salesTarget" | "supportTarget" | "businessTarget">,
  businessName = "TradeLine 24 7",
): Version {
  return builtIn({
    schema: 1,
    zone: "UTC",
    languages: [ENGLISH],
    start: "greeting",
    operator: "person",
    prompts: inEnglish({
      greeting: `Thank you for calling ${businessName}.`,
      menu:
        "For sales, press 1. For support, press 2. To leave a message, press 9. To hear this again, press star.",
      to_sales: "Connecting you to sales.",
      to_support: "Connecting you to support.",
      to_person: "Connecting you to a person.",
      nobody: "Nobody can take your call right now.",
      leave: LEAVE,
    }),
    nodes: {
      greeting: { type: "say", prompt: "greeting", next: "recording" },
      recording: { type: "consent", policy: settings.recordingConsent, next: "menu" },
      menu: {
        type: "menu",
        prompt: "menu",
        options: [
          { key: "1", words: ["sales", "buy", "purchase", "quote"], next: "sales" },
          { key: "2", words: ["support", "help", "technical", "service"], next: "support" },
          { key: "9", words: ["message", "voicemail", "voice mail"], next: "message" },
        ],
        tries: 2,
        otherwise: "message",
      },
      sales: { ...ring("to_sales", settings.salesTarget), mode: "sales" },
      support: { ...ring("to_support", settings.supportTarget), mode: "support" },
      person: ring("to_person", settings.businessTarget),
      nobody: { type: "say", prompt: "nobody", next: "missed" },
      missed: { type: "voicemail", prompt: "leave", next: "bye" },
      message: { type: "voicemail", prompt: "leave", mode: "voicemail", next: "bye" },
      bye: { type: "end" },
    },
  });
}

const LEAVE = "Please leave a message after the tone. Press pound when you are done.";

function ring(prompt: string, to: string) {
  return { type: "ring" as const, to, prompt, answered: "bye", unanswered: "nobody" };
}

function inEnglish(texts: Readonly<Record<string, string>>): Flow["prompts"] {
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, { [ENGLISH]: text }]),
  );
}

/** For a call whose flow is not available: it names no business, rings no telephone, records no call, takes a message. */
export const MESSAGE_ONLY: Version = builtIn({
  schema: 1,
  zone: "UTC",
  languages: [ENGLISH],
  start: "greeting",
  prompts: inEnglish({ greeting: "Thank you for calling.", leave: LEAVE }),
  nodes: {
    greeting: { type: "say", prompt: "greeting", next: "message" },
    message: { type: "voicemail", prompt: "leave", mode: "voicemail", next: "bye" },
    bye: { type: "end" },
  },
});
