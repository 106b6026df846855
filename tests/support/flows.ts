import { parseDestinations } from "../../supabase/functions/_shared/destinations.ts";
import {
  type Checked,
  type CheckFacts,
  checkFlow,
} from "../../supabase/functions/_shared/flows/check.ts";

/** A flow document that a test may change at will. */
// deno-lint-ignore no-explicit-any
export type Draft = any;

/** What is known where a flow is checked without a server. */
export const FACTS: CheckFacts = { destinations: parseDestinations("+1") };

/** A bilingual practice: every path of it is sound. */
export function practice(): Draft {
  const both = (english: string, french: string) => ({ "en-US": english, "fr-CA": french });
  return {
    schema: 1,
    zone: "America/Edmonton",
    languages: ["en-US", "fr-CA"],
    start: "tongue",
    prompts: {
      lang: both("For English, press 1. For French, press 2.", "1: English. 2: français."),
      notice: both(
        "Welcome to the practice.",
        "Bienvenue à la clinique.",
      ),
      menu: both(
        "For appointments, press 1. To leave a message, press 9.",
        "Pour un rendez-vous, faites le 1. Pour laisser un message, faites le 9.",
      ),
      leave: both("Please leave a message.", "Laissez un message."),
      bye: both("Goodbye.", "Au revoir."),
    },
    calendars: {
      practice: {
        weekly: { mon: [["08:00", "12:00"], ["13:00", "17:00"]] },
        dates: { "2026-12-25": [] },
      },
    },
    groups: { desk: { members: ["anna", "ben"], ring: "in_turn", seconds: 20, confirm: true } },
    nodes: {
      tongue: {
        type: "menu",
        prompt: "lang",
        options: [{ key: "1", words: ["english"], next: "en" }, {
          key: "2",
          words: { "fr-CA": ["français"] },
          next: "fr",
        }],
        tries: 1,
        otherwise: "en",
      },
      en: { type: "language", language: "en-US", next: "agree" },
      fr: { type: "language", language: "fr-CA", next: "agree" },
      agree: { type: "consent", policy: "opt_in", prompt: "notice", next: "open" },
      open: { type: "hours", calendar: "practice", open: "main", closed: "note" },
      main: {
        type: "menu",
        prompt: "menu",
        options: [
          { key: "1", words: ["appointments"], next: "desk" },
          { key: "9", words: ["message"], next: "note" },
        ],
        tries: 2,
        otherwise: "note",
      },
      desk: {
        type: "ring",
        group: "desk",
        mode: "appointments",
        answered: "bye",
        unanswered: "note",
      },
      note: { type: "voicemail", prompt: "leave", mode: "voicemail", next: "bye" },
      bye: { type: "end", prompt: "bye" },
    },
  };
}

type Sound = Extract<Checked, { ok: true }>;

/** What the check says of a document that is sound. */
export function soundFlow(definition: Draft, facts: Partial<CheckFacts> = {}): Sound {
  const checked = checkFlow(definition, { ...FACTS, ...facts });
  if (!checked.ok) throw new Error(`not a sound flow: ${JSON.stringify(checked.issues)}`);
  return checked;
}
