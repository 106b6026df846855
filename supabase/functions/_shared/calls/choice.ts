import { type ConsentDecision, isGranted, standingConsent } from "./consent.ts";
import { type Meaning, understand } from "./menu.ts";
import type { LineProfile, MenuOption } from "./profile.ts";
import { connect, menu, type Reply, say, voicemail } from "./reply.ts";
import { type Answering, type Interpretation, stateBefore } from "./step.ts";
import type { CallState } from "./state.ts";
import type { Webhook } from "./webhook_form.ts";

// What the caller does with the menu. Its first hearing is answered by voice-consent-speech, later
// ones by voice-menu-handler: they differ in one thing, whether going on is itself a decision.

/** Where a hearing of the menu leads. */
export type Choice =
  | { readonly next: "connect"; readonly option: MenuOption }
  /** No choice, and no more hearings: a message can still be left. */
  | { readonly next: "voicemail" }
  /** The menu again, after these words. */
  | { readonly next: "menu"; readonly words: string };

/**
 * Reads the caller's answer to the menu.
 *
 * @param goingOnConsents Whether the disclosure has just been heard, and going on after it consents.
 */
export function interpretChoice(
  event: "consent" | "menu",
  webhook: Webhook,
  line: LineProfile,
  goingOnConsents: boolean,
): Interpretation<Choice> {
  const before = stateBefore(webhook);
  const { turn } = before;
  const meaning = understand(line, {
    digits: webhook.fields.Digits,
    speech: webhook.fields.SpeechResult,
  });
  const decision: ConsentDecision | undefined = meaning.consent !== undefined
    ? { basis: meaning.consent, turn }
    // "No, sales please" goes on, and agrees to nothing.
    : goingOnConsents && !meaning.doubtful
    ? { basis: "stayed", turn }
    : undefined;
  const choice = choose(line, meaning, before, decision);
  const mode = choice.next === "connect"
    ? choice.option.mode
    : choice.next === "voicemail"
    ? "voicemail"
    : undefined;
  const failedAttempt = choice.next === "menu" && isWasted(meaning);
  return {
    state: {
      ...before,
      turn: turn + 1,
      attempt: before.attempt + (failedAttempt ? 1 : 0),
      consent: standingConsent(before.consent, decision),
      choice: mode === undefined ? before.choice : { mode, turn },
    },
    facts: { event },
    heard: choice,
  };
}

/** What the caller gets for it. */
export function answerChoice(call: Answering<Choice>): Reply {
  const { line, state, heard } = call;
  switch (heard.next) {
    case "connect":
      return connect(line, heard.option, state, call);
    case "voicemail":
      return voicemail(line, state);
    case "menu":
      return [...say(heard.words), ...menu(line, state, "voice-menu-handler")];
  }
}

/** So many hearings of the menu are enough for anybody; whoever goes round longer is a machine, or lost. */
const MOST_TURNS = 20;

function choose(
  line: LineProfile,
  meaning: Meaning,
  { turn, attempt }: CallState,
  decision: ConsentDecision | undefined,
): Choice {
  if (meaning.option !== undefined) return { next: "connect", option: meaning.option };
  if (turn >= MOST_TURNS) return { next: "voicemail" };
  if (meaning.repeat) return { next: "menu", words: "" };
  if (meaning.consent !== undefined) {
    const granted = decision !== undefined && isGranted(decision);
    return { next: "menu", words: granted ? line.consent.granted : line.consent.declined };
  }
  if (attempt >= line.menu.attempts) return { next: "voicemail" };
  return { next: "menu", words: meaning.heard ? line.menu.notUnderstood : line.menu.noInput };
}

/** Neither a choice, nor a wish to hear the menu again, nor a word about recording. */
function isWasted(meaning: Meaning): boolean {
  return meaning.option === undefined && !meaning.repeat && meaning.consent === undefined;
}
