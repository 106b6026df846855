import {
  consentStatement,
  type Disclosed,
  isMadeOf,
  isQuestion,
  normaliseSpeech,
  saysPhrase,
} from "./consent.ts";
import type { LineProfile, MenuOption } from "./profile.ts";
import { vocabularyOf } from "./words.ts";

/** What a `<Gather>` brought: a key, words, or neither. */
export interface Input {
  readonly digits?: string | undefined;
  readonly speech?: string | undefined;
}

/** What the caller meant by it. More than one part may be there: "no recording, sales please". */
export interface Meaning {
  readonly consent?: "yes" | "no" | undefined;
  readonly option?: MenuOption | undefined;
  readonly repeat: boolean;
  /** Something was pressed or said, understood or not. */
  readonly heard: boolean;
  /**
   * Went on with the call, and said nothing that could be about something else: kept silent, or chose by a
   * key, or by words of which every one is known.
   */
  readonly goesOn: boolean;
  /** Something was said that is not wholly understood: it may have been a refusal. */
  readonly unsure: boolean;
}

const NOTHING = { repeat: false, heard: false, goesOn: false, unsure: false };

/**
 * Reads keys and speech: about recording by what the caller was told, about choices by the line's menu.
 * A phrase that fits two options chooses neither.
 */
export function understand(
  line: LineProfile,
  disclosed: Disclosed | undefined,
  { digits, speech }: Input,
): Meaning {
  if (digits !== undefined) return pressed(line, disclosed, digits);
  if (speech !== undefined) return said(line, disclosed, speech);
  return { ...NOTHING, goesOn: true };
}

/** Whether saying `phrase` (normalised) can choose something, being no word about recording nor one that fits any answer. */
export function canNameChoice(phrase: string, language = "en-US"): boolean {
  const { affirm = [], filler = [], wish = [] } = vocabularyOf(language) ?? {};
  return phrase !== "" && consentStatement(phrase, language, undefined) === undefined &&
    !isMadeOf(phrase, [...affirm, ...filler, ...wish]);
}

function pressed(line: LineProfile, disclosed: Disclosed | undefined, key: string): Meaning {
  // Pressed without it being known what it was offered for, it is a refusal, if anything.
  const consentKey = disclosed === undefined ? line.consent?.key : disclosed.key;
  const consent = key !== consentKey ? undefined : disclosed?.policy === "opt_in" ? "yes" : "no";
  const option = consent === undefined
    ? line.menu.options.find((option) => option.key === key)
    : undefined;
  const repeat = key === line.menu.repeatKey;
  return { ...NOTHING, consent, option, repeat, heard: true, goesOn: option !== undefined };
}

function said(line: LineProfile, disclosed: Disclosed | undefined, heard: string): Meaning {
  const { options, repeatKey, repeatSpoken } = line.menu;
  const { keys = {}, affirm = [], filler = [], wish = [] } = vocabularyOf(line.language) ?? {};
  const named = (key: string) => Object.hasOwn(keys, key) ? keys[key]! : [];
  const speech = normaliseSpeech(heard);
  const says = (phrase: string) => saysPhrase(speech, phrase);

  const choices = options.flatMap(({ spoken }) => spoken);
  const offered = [...options.map(({ key }) => key), repeatKey, disclosed?.key ?? ""].flatMap(
    named,
  );
  const consent = consentStatement(heard, line.language, disclosed, choices);
  const isAllKnown = (...phrases: readonly string[]) =>
    isMadeOf(speech, [...filler, ...wish, ...affirm, ...phrases]);
  // A key's name is a word like others, but where nothing else is said.
  const isKey = isAllKnown(...offered, ...choices, ...repeatSpoken);
  const chosen = options.filter(({ key, spoken }) =>
    spoken.some(says) || (isKey && named(key).some(says))
  );
  const option = chosen.length === 1 ? chosen[0] : undefined;
  const repeat = chosen.length === 0 &&
    (repeatSpoken.some(says) || (isKey && named(repeatKey).some(says)));
  const isClear = isKey && (option !== undefined || repeat) && !isQuestion(heard);
  return {
    // Unsure means not given.
    consent: consent === undefined ? undefined : consent === "granted" ? "yes" : "no",
    option,
    repeat,
    heard: true,
    goesOn: isClear && option !== undefined && consent === undefined,
    unsure: consent === undefined && !isClear,
  };
}
