import { consentStatement, isDoubtful, normaliseSpeech, saysPhrase } from "./consent.ts";
import type { LineProfile, MenuOption } from "./profile.ts";

/** What a `<Gather>` brought: a key, words, or neither. */
export interface Input {
  readonly digits?: string | undefined;
  readonly speech?: string | undefined;
}

/** What the caller meant by it. More than one part may be there: "no recording, sales please". */
export interface Meaning {
  readonly consent?: "yes" | "no" | undefined;
  /** Something was denied, asked or made conditional: whatever it was about, it was no agreement. */
  readonly doubtful: boolean;
  readonly option?: MenuOption | undefined;
  readonly repeat: boolean;
  /** Something was pressed or said, understood or not. */
  readonly heard: boolean;
}

/** Reads keys and speech by the line's profile. A phrase that fits two options chooses neither. */
export function understand(profile: LineProfile, input: Input): Meaning {
  if (input.digits !== undefined) {
    return {
      consent: input.digits === profile.consent.key
        ? (profile.consent.policy === "opt_out" ? "no" : "yes")
        : undefined,
      doubtful: false,
      option: profile.menu.options.find((option) => option.key === input.digits),
      repeat: input.digits === profile.menu.repeatKey,
      heard: true,
    };
  }
  if (input.speech === undefined) return { doubtful: false, repeat: false, heard: false };

  const statement = consentStatement(input.speech, profile.consent.phrases);
  const speech = normaliseSpeech(input.speech);
  const says = (phrase: string) => saysPhrase(speech, phrase);
  const options = profile.menu.options.filter((option) => option.spoken.some(says));
  return {
    // Unsure means not given.
    consent: statement === undefined ? undefined : statement === "granted" ? "yes" : "no",
    doubtful: isDoubtful(speech, profile.consent.phrases),
    option: options.length === 1 ? options[0] : undefined,
    repeat: options.length === 0 && profile.menu.repeatSpoken.some(says),
    heard: true,
  };
}
