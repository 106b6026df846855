import { type Callback, own, type Reply, type Speech } from "./reply.ts";
import type { Phrase } from "./words/mod.ts";

// What one of the owner's people hears on their telephone. Pure.

/** How long a person has to press the key, in seconds, after each of two askings. */
export const ACCEPT_SEC = 4;

/** Characters of a summary that are said, while the caller waits. */
const MOST_WHISPER = 300;

/**
 * Asks for key 1, twice. Anything else hangs up, so that a mailbox that answers accepts nothing.
 *
 * @param phrases Why the telephone rings, and what 1 does.
 * @param action Is asked with the key.
 */
export function askForKey1(
  speech: Speech,
  phrases: readonly Phrase[],
  action: Callback,
): Reply {
  const gather = {
    verb: "gather" as const,
    prompts: [own(speech, ...phrases)],
    language: speech.language,
    seconds: ACCEPT_SEC,
    hints: [],
    poundIsKey: true,
    keysOnly: true as const,
    action,
  };
  return [gather, gather, { verb: "hangup" }];
}

/** What an agent told of the caller, for the person who takes the call. */
export function whisper(summary: string): Phrase {
  const space = summary.lastIndexOf(" ", MOST_WHISPER);
  const short = summary.length <= MOST_WHISPER
    ? summary
    : summary.slice(0, space > 0 ? space : MOST_WHISPER);
  return ({ whisper }) => whisper(short);
}

/** A last word to a person: why the call is over. */
export function lastWord(speech: Speech, ...phrases: Phrase[]): Reply {
  return [own(speech, ...phrases), { verb: "hangup" }];
}
