import {
  consentStatement,
  type Disclosed,
  isMadeOf,
  isQuestion,
  normaliseSpeech,
  refusesRecording,
  saysPhrase,
} from "../calls/consent.ts";
import { type NodeOf, wordsOf } from "./language.ts";
import { wordsIn } from "../calls/words/mod.ts";

/** The result of a `<Gather>`: a key, words, or neither. */
export interface Input {
  readonly digits?: string | undefined;
  readonly speech?: string | undefined;
}

/** What a caller was asked. */
export interface Question {
  readonly options: NodeOf<"menu">["options"];
  /** Whether key 0 leads to the operator. */
  readonly operator: boolean;
  /** What is spoken in. */
  readonly language: string;
  /** The disclosure that the caller heard. */
  readonly disclosed: Disclosed | undefined;
  /** Where the URL does not say what the caller heard: the keys about recording that may have been named; else none. */
  readonly consentKeys: ReadonlySet<string>;
}

/** The caller's meaning. It may have several parts: "no recording, sales please". */
export interface Meaning {
  readonly consent?: "yes" | "no" | undefined;
  /** Which option, by its place. */
  readonly option?: number | undefined;
  readonly operator?: boolean;
  readonly repeat: boolean;
  /** Something was pressed or said, understood or not. */
  readonly heard: boolean;
  /**
   * Went on with the call, and said nothing that could be about something else: kept silent, or chose by a
   * key, or by words of which every one is known.
   */
  readonly goesOn: boolean;
  /** The words are not fully understood: they may have been a refusal. */
  readonly unsure: boolean;
}

const NOTHING = { repeat: false, heard: false, goesOn: false, unsure: false };

/**
 * Reads keys and speech: about recording by the disclosure that the caller heard, about choices by the menu. A phrase that
 * fits two options chooses neither.
 */
export function understand(question: Question, { digits, speech }: Input): Meaning {
  if (digits !== undefined) return pressed(question, digits);
  if (speech !== undefined) return said(question, speech);
  return { ...NOTHING, goesOn: true };
}

/** Whether saying `phrase` (normalised) can choose something, being no word about recording nor one that fits any answer. */
export function canNameChoice(phrase: string, language = "en-US"): boolean {
  const { affirm = [], filler = [], wish = [] } = wordsIn(language) ?? {};
  return phrase !== "" && consentStatement(phrase, language, undefined) === undefined &&
    !isMadeOf(phrase, [...affirm, ...filler, ...wish]);
}

function pressed({ options, operator, disclosed, consentKeys }: Question, key: string): Meaning {
  const at = options.findIndex((option) => option.key === key);
  if (at >= 0) return { ...NOTHING, option: at, heard: true, goesOn: true };
  // A key whose offer is unknown can only be a refusal.
  if (disclosed === undefined ? consentKeys.has(key) : key === disclosed.key) {
    return { ...NOTHING, consent: disclosed?.policy === "opt_in" ? "yes" : "no", heard: true };
  }
  const wantsHuman = operator && key === "0";
  return { ...NOTHING, operator: wantsHuman, repeat: key === "*", heard: true, goesOn: wantsHuman };
}

function said(question: Question, heard: string): Meaning {
  const { options, operator, language, disclosed, consentKeys } = question;
  const { keys = {}, affirm = [], filler = [], wish = [], repeat: again = [] } =
    wordsIn(language) ?? {};
  const named = (key: string | undefined) =>
    key !== undefined && Object.hasOwn(keys, key) ? keys[key]! : [];
  const speech = normaliseSpeech(heard);
  const says = (phrase: string) => saysPhrase(speech, phrase);

  const phrases = options.map((option) => wordsOf(option, language).map(normaliseSpeech));
  const choices = phrases.flat().filter((phrase) => phrase !== "");
  const offered = [...options.map(({ key }) => key), "*", disclosed?.key, operator ? "0" : ""]
    .flatMap(named);
  // Before a disclosure a mere "no" is about something else.
  const isAsked = disclosed !== undefined || consentKeys.size > 0;
  const consent = isAsked
    ? statement(heard, question, choices)
    : refusesRecording(heard, language)
    ? "declined"
    : undefined;
  const isAllKnown = (...phrases: readonly string[]) =>
    isMadeOf(speech, [...filler, ...wish, ...affirm, ...phrases]);
  // A key's name is a word like others, but where nothing else is said.
  const isKey = isAllKnown(...offered, ...choices, ...again);
  const chosen = options.keys().filter((at) =>
    phrases[at]!.some(says) || (isKey && named(options[at]!.key).some(says))
  ).toArray();
  const [option] = chosen.length === 1 ? chosen : [];
  const wantsHuman = chosen.length === 0 && operator && isKey && named("0").some(says);
  const repeat = chosen.length === 0 && !wantsHuman &&
    (again.some(says) || (isKey && named("*").some(says)));
  const isChoice = option !== undefined || wantsHuman;
  const isClear = isKey && (isChoice || repeat) && !isQuestion(heard);
  return {
    // An unsure answer is not a consent.
    consent: consent === undefined ? undefined : consent === "granted" ? "yes" : "no",
    option,
    operator: wantsHuman,
    repeat,
    heard: true,
    goesOn: isClear && isChoice && consent === undefined,
    unsure: consent === undefined && !isClear,
  };
}

/** By the language of the disclosure; a refusal in the language of by then counts as well. */
function statement(heard: string, { language, disclosed }: Question, choices: readonly string[]) {
  const told = consentStatement(heard, language, disclosed, choices);
  if (disclosed === undefined || disclosed.language === language || told === "declined") {
    return told;
  }
  const now = consentStatement(heard, language, { ...disclosed, language }, choices);
  return now === "granted" ? told : now ?? told;
}
