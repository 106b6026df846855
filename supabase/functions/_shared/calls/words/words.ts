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
    /** To a blocked number. */
    readonly notTaken: string;
    /** To a caller who holds, where the place in line is not known. */
    readonly holding: string;
    /** The row exists by then: see CONTRACT, "A promise is spoken after it is kept". */
    readonly promised: string;
    /** To a person whose telephone rang: 1 accepts the call. */
    readonly accept: string;
    readonly connecting: string;
    readonly taken: string;
    readonly callerGone: string;
    /** To a person who accepted a call back: 1 has the caller called. */
    readonly acceptCallBack: string;
    /** The caller who was to be called back. */
    readonly notReached: string;
    /** To a person who calls from their own telephone. 1 changes it, anything else goes on as a caller. */
    readonly available: string;
    readonly unavailable: string;
    readonly nowAvailable: string;
    readonly nowUnavailable: string;
    readonly verify: string;
    readonly verified: string;
    readonly notVerified: string;
    /** After `*`: whom the caller is to be put through to. */
    readonly transferCode: string;
    readonly unknownCode: string;
    /** To whom a code belongs. */
    readonly nobodyFree: string;
    /** To the caller meanwhile. */
    readonly transferring: string;
    /** To the person who transferred: the caller is back. */
    readonly transferReturned: string;
    /** How a person whom a campaign calls is removed from its list: now; from a machine's message; by a call to its number. */
    readonly removeByKey: string;
    readonly removeByKeyOrWord: string;
    readonly removeByCall: string;
    readonly weCalled: string;
    /** Said once it is stored. */
    readonly removed: string;
    readonly moment: string;
    readonly notRemoved: string;
    /** To a person who answered. */
    readonly nobodyForYou: string;
  };
  /** What names or counts something. Names are the owner's own words. */
  readonly tells: {
    /** Why a telephone rings, before the question that is answered by a key. */
    readonly callFor: (business: string | undefined, department: string | undefined) => string;
    /** Also for a call that somebody else transferred. */
    readonly transferredBy: (person: string | undefined, department: string | undefined) => string;
    /** To a person who accepted: with whom. @param calls In 7 days, this one among them. */
    readonly callerContext: (name: string | undefined, calls: number) => string;
    /** To a person who takes a call that an agent transferred. @param summary The agent's. */
    readonly whisper: (summary: string) => string;
    /** To the caller who is called back. */
    readonly callingBack: (business: string | undefined) => string;
    /** To a person whom a campaign calls. */
    readonly callFrom: (business: string) => string;
    readonly asksToVerify: (business: string | undefined) => string;
    /** @param place From 1. */
    readonly place: (place: number) => string;
    /** @param low From 0; minutes. @param high At least `low`, and 1. */
    readonly wait: (low: number, high: number) => string;
    readonly leaveByKey: (key: string) => string;
  };
  /** Ask not to be called again, whatever is said around them. */
  readonly stop: readonly string[];
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

/** Names behind what introduces them: `named(" for ", "Prairie Dental", ": ", "desk")`; the first that is there is introduced. */
export function named(
  before: string,
  first: string | undefined,
  between = "",
  second?: string | undefined,
): string {
  const names = [first, second].filter((name) => name !== undefined);
  return names.length === 0 ? "" : before + names.join(between);
}
