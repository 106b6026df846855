import { type ConsentDecision, standingConsent } from "./consent.ts";
import { type Meaning, understand } from "./menu.ts";
import { type LineProfile, menuName, type MenuOption } from "./profile.ts";
import { connect, menu, type Reply, say, voicemail } from "./reply.ts";
import { type Answering, type Interpretation, stateBefore } from "./step.ts";
import { type CallState, LAST_TURN } from "./state.ts";
import type { Webhook } from "./webhook_form.ts";

// What the caller does with the menu. Its first hearing is answered by voice-consent-speech, later
// ones by voice-menu-handler: the call's events tell them apart, what an answer means does not.

/** Where a hearing of the menu leads. */
export type Choice =
  | { readonly next: "connect"; readonly option: MenuOption }
  /** No choice, and no more hearings: a message can still be left. */
  | { readonly next: "voicemail" }
  /** The menu again, after these words. */
  | { readonly next: "menu"; readonly words: string };

/** Reads the caller's answer to the menu. */
export function interpretChoice(
  event: "consent" | "menu",
  webhook: Webhook,
  line: LineProfile,
): Interpretation<Choice> {
  const before = stateBefore(webhook);
  const { turn } = before;
  const input = { digits: webhook.fields.Digits, speech: webhook.fields.SpeechResult };
  const read = understand(line, before.disclosed, input);
  // The line has changed since: its key 1 is not the one that was offered.
  const meaning = before.menu === undefined || before.menu === menuName(line) || !read.heard
    ? read
    : { ...read, option: undefined, goesOn: false, repeat: true };
  const decision = decide(webhook, meaning);
  const choice = choose(line, meaning, before);
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
      menu: undefined,
      consent: standingConsent(before.consent, decision),
      choice: mode === undefined ? before.choice : { mode, turn },
    },
    facts: { event },
    heard: choice,
  };
}

/** What an answer says of recording, by what the caller was told of it. */
export function decide(webhook: Webhook, meaning: Meaning): ConsentDecision | undefined {
  const turn = webhook.state?.turn ?? LAST_TURN;
  if (meaning.consent !== undefined) return { basis: meaning.consent, turn };
  if (meaning.unsure) return { basis: "unsure", turn };
  return meaning.goesOn && webhook.state?.disclosed?.policy === "opt_out"
    ? { basis: "stayed", turn }
    : undefined;
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
): Choice {
  if (meaning.option !== undefined) return { next: "connect", option: meaning.option };
  if (turn >= MOST_TURNS) return { next: "voicemail" };
  if (meaning.consent === "yes") return { next: "menu", words: line.consent?.granted ?? "" };
  if (meaning.consent === "no") return { next: "menu", words: line.consent?.declined ?? "" };
  if (meaning.repeat) return { next: "menu", words: "" };
  if (attempt >= line.menu.attempts) return { next: "voicemail" };
  return { next: "menu", words: meaning.heard ? line.menu.notUnderstood : line.menu.noInput };
}

/** Neither a choice, nor a wish to hear the menu again, nor a word about recording. */
function isWasted(meaning: Meaning): boolean {
  return meaning.option === undefined && !meaning.repeat && meaning.consent === undefined;
}
