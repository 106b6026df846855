/**
 * What we say ourselves in a language, what its speakers say to a line, and what binds them. Phrases that are heard are
 * as `normaliseSpeech` leaves them.
 */
export interface Words {
  /** The sentence without which nobody was asked, by policy; `key` is how the other answer is pressed. */
  readonly binding: Readonly<Record<"opt_out" | "opt_in", (key: string) => string>>;
  readonly says: {
    readonly granted: string;
    readonly declined: string;
    readonly notHeard: string;
    readonly notUnderstood: string;
    readonly leaveMessage: string;
    readonly thanks: string;
    readonly noMessage: string;
    /** True of a caller who left a message and of one who said nothing. */
    readonly called: string;
    readonly goodbye: string;
    readonly sorry: string;
    readonly tooManyCalls: string;
    /** To a person whose telephone rang: 1 accepts the call. */
    readonly accept: string;
  };
  /** Ask to hear a menu again, beside the key for it. */
  readonly repeat: readonly string[];
  /** What speech recognition should expect about recording. */
  readonly hints: readonly string[];
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
