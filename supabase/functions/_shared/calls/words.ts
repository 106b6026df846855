/**
 * What a language's speakers say to a line, and what binds them. Phrases are as `normaliseSpeech` leaves
 * them. A language that is not here has no known way to agree: nothing that is said in it is taken for consent.
 */
export interface Vocabulary {
  /** The sentence without which nobody was asked, by policy; `key` is how the other answer is pressed. */
  readonly binding: Readonly<Record<"opt_out" | "opt_in", (key: string) => string>>;
  /** Refuse, whatever is said around them. */
  readonly decline: readonly string[];
  /** Refuse when they are all that was said, but for `affirm` and `filler`. */
  readonly declineAlone: readonly string[];
  /** Agree, where nothing but known words is said around them. */
  readonly grant: readonly string[];
  /** Agree when they are all that was said. */
  readonly affirm: readonly string[];
  /** Any of these makes what was said a statement about recording, if an unclear one. */
  readonly topic: readonly string[];
  /** Neither ask, deny nor set a condition, whatever they stand beside. */
  readonly filler: readonly string[];
  /** The same beside the name of a choice; beside a grant some would make a question of it. */
  readonly wish: readonly string[];
  /** What each key is called, and how speech recognition writes it. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
}

const ENGLISH: Vocabulary = {
  binding: {
    opt_out: (key) =>
      `This call may be recorded, for quality and training. By staying on the line you agree to it. To go on without recording, say no recording, or press ${key}.`,
    opt_in: (key) =>
      `With your agreement, this call is recorded, for quality and training. To agree, say yes, or press ${key}. Without it, nothing is recorded.`,
  },
  decline: [
    "no recording",
    "no recordings",
    "not record",
    "not be recorded",
    "not to be recorded",
    "not being recorded",
    "not want to be recorded",
    "not want recording",
    "not recorded",
    "don't record",
    "don't want to be recorded",
    "don't want recording",
    "without recording",
    "without being recorded",
    "stop recording",
    "never record",
    "can't record",
    "cannot record",
    "turn it off",
    "turn that off",
    "turn off the recording",
    "switch it off",
    "off the record",
    "keep this private",
    "keep it private",
    "opt out",
    "opting out",
    "do not consent",
    "don't consent",
    "no consent",
    "not consent",
    "do not agree",
    "don't agree",
    "not agree",
    "disagree",
    "i decline",
    "i refuse",
    "i object",
    "rather not",
  ],
  declineAlone: [
    "no",
    "no thanks",
    "no thank you",
    "no way",
    "no sir",
    "no ma'am",
    "nope",
    "nah",
    "never",
    "negative",
    "decline",
    "refuse",
    "absolutely not",
    "not at all",
    "not",
    "do not",
    "don't",
    "i don't",
    "i said no",
    "i mind",
    "stop",
    "stop it",
    "non",
    "nein",
    "não",
    "nej",
    "nie",
    "nee",
  ],
  grant: [
    "you can record",
    "you may record",
    "please record",
    "yes record",
    "go ahead and record",
    "okay to record",
    "ok to record",
    "fine to record",
    "recording is fine",
    "recording is okay",
    "recording is ok",
    "record me",
    "record the call",
    "record this call",
    "i consent",
    "i agree",
    "opt in",
  ],
  affirm: ["yes", "yeah", "yep", "sure", "okay", "ok", "i do", "that's fine", "fine"],
  topic: [
    "record",
    "records",
    "recorded",
    "recording",
    "recordings",
    "consent",
    "agree",
    "opt",
    "private",
  ],
  filler: [
    "please",
    "thanks",
    "thank you",
    "hi",
    "hello",
    "hey",
    "good morning",
    "good afternoon",
    "good evening",
    "um",
    "uh",
    "er",
    "oh",
    "well",
    "i want",
    "i'd like",
    "i would like",
    "to",
    "it's",
    "it is",
    "this call",
    "the call",
    "press",
    "i press",
    "i'm pressing",
    "number",
    "key",
    "button",
    "option",
  ],
  wish: [
    "i need",
    "i'm calling",
    "i am calling",
    "can you",
    "could you",
    "can i",
    "could i",
    "may i",
    "let me",
    "give me",
    "get me",
    "put me",
    "connect me",
    "transfer me",
    "take me",
    "through",
    "leave",
    "get",
    "have",
    "speak",
    "talk",
    "say",
    "say that",
    "hear",
    "hear that",
    "go",
    "choose",
    "select",
    "a",
    "an",
    "the",
    "some",
    "for",
    "with",
    "about",
    "someone",
    "somebody",
    "department",
    "team",
  ],
  keys: {
    "0": ["0", "zero"],
    "1": ["1", "one"],
    "2": ["2", "two"],
    "3": ["3", "three"],
    "4": ["4", "four"],
    "5": ["5", "five"],
    "6": ["6", "six"],
    "7": ["7", "seven"],
    "8": ["8", "eight"],
    "9": ["9", "nine"],
    "*": ["*", "star", "asterisk"],
    "#": ["#", "pound", "hash"],
  },
};

const VOCABULARIES: Readonly<Record<string, Vocabulary>> = { en: ENGLISH };

/** @param language BCP 47. */
export function vocabularyOf(language: string): Vocabulary | undefined {
  const base = language.split("-")[0]!;
  return Object.hasOwn(VOCABULARIES, base) ? VOCABULARIES[base] : undefined;
}
